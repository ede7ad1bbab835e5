//! Scripts for bash. They need nothing but bash 4, and take the line apart themselves: bash divides
//! words at colons, which addresses have.

use std::fmt::Write;

use super::{Program, Value, beginnings, commands, deniable, literals, takes_file};

/// What all of bash's scripts begin with.
const HEAD: &str = "\
    local line=${COMP_LINE:0:COMP_POINT} cur prev\n    \
    local -a words\n    \
    read -ra words <<<\"$line\"\n    \
    [[ $line == *[[:space:]] ]] && words+=('')\n    \
    cur=${words[-1]} prev=${words[-2]}\n    \
    COMPREPLY=()\n";

/// What they end with. What bash would replace begins behind the last colon.
const TAIL: &str = "\
    if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then\n        \
    COMPREPLY=(\"${COMPREPLY[@]#\"${cur%\"${cur##*:}\"}\"}\")\n    \
    fi\n";

pub(super) fn script(program: &Program) -> String {
    let mut text =
        format!("# Completion of {} for bash, made by penctl --completion.\n", program.name);
    if program.controls {
        text += &words_of_commands();
        text += &controlling(program);
    } else {
        text += &plain(program);
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "complete -o filenames -o bashdefault -F _{0} {0}", program.name);
    text
}

/// A program whose operands are files, if anything.
fn plain(program: &Program) -> String {
    let mut text = format!("_{}() {{\n{HEAD}    case $prev in\n", program.name);
    values(program, &mut text);
    text += "    *)\n        if [[ $cur == -* ]]; then\n";
    let _ = writeln!(
        text,
        "            mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")",
        names(program)
    );
    text +=
        "        else\n            mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n        fi\n";
    text + "        ;;\n    esac\n" + TAIL + "}\n"
}

/// The words of an option in front of the cursor.
fn values(program: &Program, text: &mut String) {
    let rows = [
        (Value::File, "compgen -f -- \"$cur\""),
        (Value::User, "compgen -u -- \"$cur\""),
        (Value::Shell, "compgen -W 'bash zsh fish' -- \"$cur\""),
        (Value::Other, ""),
    ];
    for (value, how) in rows {
        let options = program.with_value(value);
        if options.is_empty() {
            continue;
        }
        let _ = writeln!(text, "    {})", options.join(" | "));
        if !how.is_empty() {
            let _ = writeln!(text, "        mapfile -t COMPREPLY < <({how})");
        }
        text.push_str("        ;;\n");
    }
}

fn names(program: &Program) -> String {
    let all = program.options.iter().flat_map(|o| {
        let letter = o.letter.map(|letter| format!("-{letter}"));
        letter.into_iter().chain(o.long.map(|long| format!("--{long}")))
    });
    all.collect::<Vec<_>>().join(" ")
}

/// `_penctl_words WORD ...`: prints what can follow these words of a command.
fn words_of_commands() -> String {
    let list = |words: &[&str]| words.join(" ");
    let first: Vec<&str> = beginnings().into_iter().map(|(word, _)| word).collect();
    let shown: Vec<&str> = commands().map(|spec| spec.word).collect();
    let mut text = String::from("_penctl_words() {\n    case $1 in\n");
    let _ = writeln!(text, "    '') echo '{}' ;;", list(&first));
    let _ = writeln!(text, "    no)\n        if (($# == 1)); then");
    let _ = writeln!(text, "            echo '{}'", list(&deniable()));
    text += "        else\n            _penctl_words \"${@:2}\"\n        fi\n        ;;\n";
    text += "    service) (($# > 1)) && _penctl_words \"${@:3}\" ;;\n";
    let _ = writeln!(text, "    help) (($# == 1)) && echo '{}' ;;", list(&shown));
    for spec in commands().filter(|spec| !matches!(spec.word, "service" | "help")) {
        let words = literals(spec);
        if !words.is_empty() {
            let _ = writeln!(text, "    {}) echo '{}' ;;", spec.word, list(&words));
        }
    }
    text + "    esac\n}\n"
}

/// `penctl`: options, the address, a command.
fn controlling(program: &Program) -> String {
    let with_words = program.with_words().join(" | ");
    let files: Vec<&str> = commands().filter(|s| takes_file(s)).map(|s| s.word).collect();
    let mut text =
        format!("_{}() {{\n{HEAD}    local i=1 last=$((${{#words[@]}} - 1))\n", program.name);
    let _ = write!(
        text,
        "    while ((i < last)) && [[ ${{words[i]}} == -?* ]]; do\n        \
         case ${{words[i]}} in {with_words}) ((i++)) ;; esac\n        \
         ((i++))\n    done\n    if ((i > last)); then\n        case $prev in\n"
    );
    values(program, &mut text);
    let _ = write!(
        text,
        "        esac\n    elif ((i == last)); then\n        if [[ $cur == -* ]]; then\n            \
         mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")\n        else\n            \
         mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"\n                \
         [[ -z $PEN_CONTROL ]] || compgen -W \"$(_penctl_words '')\" -- \"$cur\")\n        fi\n    \
         else\n        \
         [[ -n $PEN_CONTROL && ${{words[i]}} != *[/:]* ]] || ((i++))\n        \
         local -a typed=(\"${{words[@]:i:last-i}}\")\n        \
         mapfile -t COMPREPLY < <(compgen -W \"$(_penctl_words \"${{typed[@]}}\")\" -- \"$cur\"\n            \
         case ${{typed[0]}} in {}) compgen -f -- \"$cur\" ;; esac)\n    fi\n",
        names(program),
        files.join(" | ")
    );
    text + TAIL + "}\n"
}
