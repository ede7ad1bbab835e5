//! A line as the operator wants it: text with `%{field}` in it.
//!
//! Values cannot break what stands around them: control characters are escaped everywhere, and between
//! quotes of the template a quote as well, outside of them a blank.

use super::field::Value;
use super::format::plain;
use super::{Field, Record};
use crate::limits::TEMPLATE_FIELDS_MAX;
use crate::near::{hint, shown};
use crate::quoting;

/// A template that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// As it was written, without its quotes.
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field { field: Field, in_quotes: bool },
}

impl Template {
    /// Reads a template: `%{client}` is a field, `%%` a percent sign, `\"` a quote, `\\` a backslash,
    /// `\t` a tab.
    ///
    /// # Errors
    /// What is wrong, and where (bytes from its beginning).
    pub fn read(text: &str) -> Result<Self, (String, usize)> {
        let mut parts = Vec::new();
        let (mut plain, mut in_quotes, mut fields) = (String::new(), false, 0);
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some((_, '"')) => {
                        in_quotes = !in_quotes;
                        plain.push('"');
                    }
                    Some((_, '\\')) => plain.push('\\'),
                    Some((_, 't')) => plain.push('\t'),
                    _ => return Err(("after '\\' comes '\"', '\\' or 't'".to_owned(), at)),
                },
                '%' => {
                    let rest = text.get(at + 1..).unwrap_or_default();
                    if rest.starts_with('%') {
                        chars.next();
                        plain.push('%');
                        continue;
                    }
                    let word = rest.strip_prefix('{').and_then(|r| r.split_once('}'));
                    let Some((word, after)) = word else {
                        return Err(("after '%' comes '{field}' or '%'".to_owned(), at));
                    };
                    let field = find(word).map_err(|why| (why, at))?;
                    fields += 1;
                    if fields > TEMPLATE_FIELDS_MAX {
                        return Err((format!("more than {TEMPLATE_FIELDS_MAX} fields"), at));
                    }
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Field { field, in_quotes });
                    let next = text.len() - after.len();
                    while chars.offset() < next {
                        chars.next();
                    }
                }
                c => plain.push(c),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// As it was written, without its quotes.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn write(&self, out: &mut String, record: &Record, service: &str) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Field { field, in_quotes } => {
                    let value = field.of(record, service);
                    let escape = if *in_quotes { between_quotes } else { one_word };
                    match value {
                        Value::Text(text) if text.is_empty() && !in_quotes => out.push('-'),
                        value => plain(out, &value, escape),
                    }
                }
            }
        }
    }
}

fn find(word: &str) -> Result<Field, String> {
    let found = Field::ALL.iter().find(|f| f.word() == word);
    found.copied().ok_or_else(|| {
        let near = hint(word, Field::ALL.iter().map(|f| f.word()));
        format!("no field {}{near}", shown(word))
    })
}

fn between_quotes(out: &mut String, text: &str) {
    escaped(out, text, &[('"', "\\x22")]);
}

fn one_word(out: &mut String, text: &str) {
    escaped(out, text, &[('"', "\\x22"), (' ', "\\x20")]);
}

fn escaped(out: &mut String, text: &str, others: &[(char, &str)]) {
    let mut rest = text;
    while let Some((at, c, instead)) = others
        .iter()
        .filter_map(|(c, instead)| rest.find(*c).map(|at| (at, *c, *instead)))
        .min_by_key(|(at, _, _)| *at)
    {
        let (before, after) = rest.split_at(at);
        quoting::bare(out, before);
        out.push_str(instead);
        rest = after.get(c.len_utf8()..).unwrap_or_default();
    }
    quoting::bare(out, rest);
}
