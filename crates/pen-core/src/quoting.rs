//! Foreign text in lines that programs read: as a word or in quotes, and as a string of JSON.
//!
//! Nothing that a client or a server sends can end a line, forge a field or steer a terminal: control
//! characters, line and paragraph separators and marks that turn the direction of writing are escaped
//! everywhere. Deliberately not here: messages to people (`logs::sinks` of the daemon).

use std::fmt::Write;

/// Appends `text` as the value of `key=value`: as it is if it is one plain word, else in quotes.
pub fn value(out: &mut String, text: &str) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:,@+%*[]#~".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        out.push_str(text);
    } else {
        quoted(out, text);
    }
}

/// Appends `text` in quotes: `"` and `\` get a backslash, what steers becomes `\xNN` or `\u{NNNN}`.
pub fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c => steered(out, c),
        }
    }
    out.push('"');
}

/// Appends `text` without quotes: only what steers is escaped, and the backslash, so that what was
/// escaped can be told from what was sent.
pub fn bare(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c => steered(out, c),
        }
    }
}

/// Appends `text` as a string of JSON (RFC 8259).
pub fn json(out: &mut String, text: &str) {
    out.push('"');
    if text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\') {
        out.push_str(text);
        return out.push('"');
    }
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // All of them are in the Basic Multilingual Plane: four digits are enough.
            c if steers(c) => put(out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn steered(out: &mut String, c: char) {
    match u32::from(c) {
        n if !steers(c) => out.extend(char::from_u32(n)),
        n @ 0..=0xff => put(out, format_args!("\\x{n:02x}")),
        n => put(out, format_args!("\\u{{{n:04x}}}")),
    }
}

/// Whether a character could end a line or change how what follows is shown.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(how: fn(&mut String, &str), text: &str) -> String {
        let mut out = String::new();
        how(&mut out, text);
        out
    }

    #[test]
    fn words_and_quotes() {
        let rows = [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("a=b", "\"a=b\""),
            ("say \"x\" \\", "\"say \\\"x\\\" \\\\\""),
            ("a\r\nkey=forged", "\"a\\x0d\\x0akey=forged\""),
            ("\u{1b}[2J\u{9b}é", "\"\\x1b[2J\\x9bé\""),
            ("\u{202e}evil\u{2028}", "\"\\u{202e}evil\\u{2028}\""),
        ];
        for (text, expected) in rows {
            assert_eq!(made(value, text), expected);
        }
        assert_eq!(made(bare, "a b\n\\x0a\"é"), "a b\\x0a\\\\x0a\"é");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn json_reads_back(text in ".*", odd in "[\\x00-\\x1f\\x7f-\\x9f\"\\\\\u{2028}-\u{202e}]{0,9}") {
            let text = text + &odd;
            let written = made(json, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text.clone());
            for written in [written, made(quoted, &text), made(bare, &text), made(value, &text)] {
                prop_assert!(!written.chars().any(steers), "{}", written);
            }
        }
    }
}
