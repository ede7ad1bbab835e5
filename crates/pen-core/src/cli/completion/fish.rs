//! Scripts for fish.

use std::fmt::Write;

use super::{Choice, Program, Value, beginnings, commands, deniable, literals, takes_file};

pub(super) fn script(program: &Program) -> String {
    let name = program.name;
    let mut text = format!("# Completion of {name} for fish, made by penctl --completion.\n");
    if program.controls {
        text += &conditions(program);
    }
    let when = if program.controls { " -n '__penctl_wants address'" } else { "" };
    for option in &program.options {
        text += &line(name, when, option);
    }
    if program.controls {
        text += &words_of_commands();
    }
    text
}

fn line(program: &str, when: &str, option: &Choice) -> String {
    let mut text = format!("complete -c {program}{when}");
    // Writing to a string cannot fail.
    if let Some(letter) = option.letter {
        let _ = write!(text, " -s {letter}");
    }
    if let Some(long) = option.long {
        let _ = write!(text, " -l {long}");
    }
    text += match option.value {
        None | Some(Value::Optional) => "",
        Some(Value::File) => " -r -F",
        Some(Value::User) => " -x -a '(__fish_complete_users)'",
        Some(Value::Shell) => " -x -a 'bash zsh fish'",
        Some(Value::Other) => " -x",
    };
    let _ = writeln!(text, " -d {}", quoted(option.help));
    text
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// `__penctl_wants`: `address`, `command`, `no`, `help` or `after WORD` stands where the cursor is.
fn conditions(program: &Program) -> String {
    format!(
        "function __penctl_wants\n    set -l words (commandline -opc)\n    set -e words[1]\n    \
         while set -q words[1]; and string match -q -- '-?*' $words[1]\n        \
         if contains -- $words[1] {}\n            set -e words[1]\n        end\n        \
         set -e words[1]\n    end\n    \
         if not set -q words[1]\n        test $argv[1] = address; and return 0\n        \
         test $argv[1] = command; and set -q PEN_CONTROL\n        return\n    end\n    \
         if string match -qr '[/:]' -- $words[1]; or not set -q PEN_CONTROL\n        \
         set -e words[1]\n    end\n    \
         if test \"$words[1]\" = service; and set -q words[2]\n        \
         set -e words[1..2]\n    end\n    \
         if test \"$words[1]\" = no; and set -q words[2]\n        set -e words[1]\n    end\n    \
         switch $argv[1]\n        case command\n            not set -q words[1]\n        \
         case no help\n            test \"$words\" = $argv[1]\n        \
         case after\n            test \"$words[1]\" = $argv[2]\n        \
         case '*'\n            false\n    end\nend\n\
         complete -c penctl -f\n\
         complete -c penctl -n '__penctl_wants address' -F\n",
        program.with_words().join(" ")
    )
}

fn words_of_commands() -> String {
    let mut text = String::new();
    for (word, help) in beginnings() {
        let _ = writeln!(
            text,
            "complete -c penctl -n '__penctl_wants command' -a {word} -d {}",
            quoted(help)
        );
    }
    let shown: Vec<&str> = commands().map(|spec| spec.word).collect();
    for (place, words) in [("no", deniable()), ("help", shown)] {
        let _ = writeln!(
            text,
            "complete -c penctl -n '__penctl_wants {place}' -a '{}'",
            words.join(" ")
        );
    }
    for spec in commands().filter(|spec| !matches!(spec.word, "service" | "help")) {
        let words = literals(spec);
        let files = if takes_file(spec) { " -F" } else { "" };
        let words = match words.is_empty() {
            true => String::new(),
            false => format!(" -a '{}'", words.join(" ")),
        };
        if !words.is_empty() || !files.is_empty() {
            let _ = writeln!(
                text,
                "complete -c penctl -n '__penctl_wants after {}'{files}{words}",
                spec.word
            );
        }
    }
    text
}
