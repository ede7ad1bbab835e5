//! Scripts for zsh: files for its functions' path, which can be read as they are too.

use std::fmt::Write;

use super::{Choice, Program, Value, beginnings, commands, deniable, literals, takes_file};

pub(super) fn script(program: &Program) -> String {
    let name = program.name;
    let mut text = format!(
        "#compdef {name}\n# Completion of {name} for zsh, made by penctl --completion.\n\n"
    );
    if program.controls {
        text += &words_of_commands();
        text += &controlling(program);
    } else {
        text += &plain(program);
    }
    // Found on the path it is the function that is called; read as a file it has to be announced.
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\nif [[ $funcstack[1] == _{name} ]]; then\n    _{name} \"$@\"\n\
         elif (( $+functions[compdef] )); then\n    compdef _{name} {name}\nfi\n"
    );
    text
}

fn plain(program: &Program) -> String {
    let mut text = format!("_{}() {{\n    _arguments -s", program.name);
    for option in &program.options {
        for spec in specs(option) {
            let _ = write!(text, " \\\n        {}", quoted(&spec));
        }
    }
    text + " \\\n        '*:operand:_files'\n}\n"
}

/// What `_arguments` reads.
fn specs(option: &Choice) -> Vec<String> {
    let help: String = option.help.chars().fold(String::new(), |mut text, c| {
        if matches!(c, '[' | ']' | ':' | '\\') {
            text.push('\\');
        }
        text.push(c);
        text
    });
    let action = match option.value {
        None => return names(option).map(|name| format!("{name}[{help}]")).collect(),
        Some(Value::Optional) => return names(option).map(|n| format!("{n}[{help}]")).collect(),
        Some(Value::File) => "_files",
        Some(Value::User) => "_users",
        Some(Value::Shell) => "(bash zsh fish)",
        Some(Value::Other) => " ",
    };
    names(option)
        .map(|name| {
            let join = if name.starts_with("--") { "=" } else { "+" };
            format!("*{name}{join}[{help}]:value:{action}")
        })
        .collect()
}

fn names(option: &Choice) -> impl Iterator<Item = String> {
    let letter = option.letter.map(|letter| format!("-{letter}"));
    letter.into_iter().chain(option.long.map(|long| format!("--{long}")))
}

/// In single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// `word:what it is`, as `_describe` reads it.
fn described(words: &[(&str, &str)]) -> String {
    let each = |(word, help): &(&str, &str)| {
        quoted(&format!("{}:{}", word.replace(':', "\\:"), help.replace(':', "\\:")))
    };
    words.iter().map(each).collect::<Vec<_>>().join("\n        ")
}

/// `_penctl_words WORD ...`: offers what can follow these words of a command.
fn words_of_commands() -> String {
    let mut text = format!(
        "_penctl_words() {{\n    local -a first\n    first=(\n        {}\n    )\n    case $1 in\n",
        described(&beginnings())
    );
    let shown: Vec<&str> = commands().map(|spec| spec.word).collect();
    text += "    ('') _describe -t commands command first ;;\n    (no)\n";
    let _ = writeln!(
        text,
        "        if (( $# == 1 )); then\n            compadd -- {}",
        deniable().join(" ")
    );
    text += "        else\n            _penctl_words \"${@[2,-1]}\"\n        fi\n        ;;\n";
    text += "    (service) (( $# > 1 )) && _penctl_words \"${@[3,-1]}\" ;;\n";
    let _ = writeln!(text, "    (help) (( $# == 1 )) && compadd -- {} ;;", shown.join(" "));
    for spec in commands().filter(|spec| !matches!(spec.word, "service" | "help")) {
        let words = literals(spec);
        let files = if takes_file(spec) { "_files; " } else { "" };
        if !words.is_empty() || !files.is_empty() {
            let add = match words.is_empty() {
                true => String::new(),
                false => format!("compadd -- {} ", words.join(" ")),
            };
            let _ = writeln!(text, "    ({}) {files}{add};;", spec.word);
        }
    }
    text + "    esac\n}\n\n"
}

fn controlling(program: &Program) -> String {
    let options: Vec<(String, &str)> =
        program.options.iter().map(|option| (option.name(), option.help)).collect();
    let options: Vec<(&str, &str)> = options.iter().map(|(n, help)| (n.as_str(), *help)).collect();
    format!(
        "_penctl() {{\n    local -a options\n    options=(\n        {}\n    )\n    local i=2\n    \
         while (( i < CURRENT )) && [[ $words[i] == -?* ]]; do\n        \
         case $words[i] in ({}) (( i++ )) ;; esac\n        (( i++ ))\n    done\n    \
         if (( i > CURRENT )); then\n        \
         [[ $words[CURRENT-1] == --completion ]] && compadd bash zsh fish\n        return\n    fi\n    \
         if (( i == CURRENT )); then\n        \
         if [[ $PREFIX == -* ]]; then\n            _describe -t options option options\n            \
         return\n        fi\n        _files\n        \
         [[ -n $PEN_CONTROL ]] && _penctl_words ''\n        return\n    fi\n    \
         [[ -n $PEN_CONTROL && $words[i] != *[/:]* ]] || (( i++ ))\n    \
         local -a typed\n    typed=(\"${{(@)words[i,CURRENT-1]}}\")\n    \
         if (( $#typed )); then\n        _penctl_words \"${{typed[@]}}\"\n    else\n        \
         _penctl_words ''\n    fi\n}}\n",
        described(&options),
        program.with_words().join("|")
    )
}
