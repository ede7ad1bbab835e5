//! A small printer of man(7) pages. Text goes in plain; escaping is done here.

use std::fmt::Write;

use super::examples::{Piece, pieces};

/// The day of the texts, which readers of a page look for at its foot.
const DATE: &str = "2026-11-21";
/// Lines of the source are no longer; manuals are read as source, too.
const WIDTH: usize = 79;

/// A page under construction.
pub struct Page {
    text: String,
    /// A heading was the last thing; a paragraph behind it needs no mark.
    fresh: bool,
}

impl Page {
    /// `name(section)`.
    pub fn new(name: &str, section: u8) -> Self {
        let version = pen_core::cli::version();
        let version = version.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let mut page = Self { text: String::new(), fresh: false };
        page.line(".\\\" Made by 'cargo xtask man'; changes here are lost.");
        let manual = if section == 5 { "File Formats" } else { "User Commands" };
        let title = name.to_uppercase();
        page.line(&format!(".TH {title} {section} {DATE} \"{version}\" \"{manual}\""));
        page
    }

    pub fn section(&mut self, title: &str) {
        self.line(&format!(".SH {}", title.to_uppercase()));
        self.fresh = true;
    }

    /// A section of paragraphs.
    pub fn prose<T: AsRef<str>>(&mut self, title: &str, texts: impl IntoIterator<Item = T>) {
        self.section(title);
        for text in texts {
            self.text(text.as_ref());
        }
    }

    /// A section of items with one tag each.
    pub fn items(&mut self, title: &str, rows: &[(&str, &str)]) {
        self.section(title);
        for (tag, text) in rows {
            self.item(&[tag], text);
        }
    }

    pub fn subsection(&mut self, title: &str) {
        self.line(&format!(".SS {}", escape(title)));
        self.fresh = true;
    }

    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        self.paragraph();
        self.wrapped(text);
    }

    /// `name \- what it is`, the line that whatis(1) reads.
    pub fn name(&mut self, name: &str, what: &str) {
        self.line(&format!("{} \\- {}", escape(name), escape(what)));
        self.fresh = false;
    }

    /// Lines of a synopsis: the first word of each stands out.
    pub fn synopsis<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) {
        for (n, line) in lines.into_iter().enumerate() {
            if n > 0 {
                self.line(".br");
            }
            let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
            self.line(format!("\\fB{}\\fR {}", escape(first), escape(rest)).trim_end());
        }
        self.fresh = false;
    }

    /// Tags, one below the other, with a text beside them.
    pub fn item(&mut self, tags: &[&str], text: &str) {
        for (n, tag) in tags.iter().enumerate() {
            self.line(if n == 0 { ".TP" } else { ".TQ" });
            self.line(&format!("\\fB{}\\fR", escape(tag)));
        }
        self.wrapped(text);
    }

    /// Paragraphs and blocks of a page of examples; words between backticks stand out.
    pub fn examples(&mut self, page: &str) {
        self.section("Examples");
        for piece in pieces(page) {
            match piece {
                Piece::Text(text) => self.text(&text),
                Piece::Block(_, lines) => self.verbatim(&lines),
            }
        }
    }

    /// Lines as they are.
    fn verbatim(&mut self, lines: &[&str]) {
        self.paragraph();
        self.line(".RS 4");
        self.line(".nf");
        for line in lines {
            // An empty line has to be asked for.
            self.line(&if line.is_empty() { ".sp".to_owned() } else { escape(line) });
        }
        self.line(".fi");
        self.line(".RE");
    }

    pub fn finish(self) -> String {
        self.text
    }

    fn paragraph(&mut self) {
        if !std::mem::take(&mut self.fresh) {
            self.line(".PP");
        }
    }

    /// Text in lines of bounded length.
    fn wrapped(&mut self, text: &str) {
        self.fresh = false;
        let mut line = String::new();
        for word in marked(text).split(' ') {
            if !line.is_empty() && line.len() + word.len() >= WIDTH {
                self.line(&protect(&line));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&protect(&line));
    }

    fn line(&mut self, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// Escaped, with words between backticks in bold letters.
fn marked(text: &str) -> String {
    let parts = text.split('`').map(plain).enumerate();
    parts.map(|(n, part)| if n % 2 == 1 { format!("\\fB{part}\\fR") } else { part }).collect()
}

fn escape(text: &str) -> String {
    protect(&plain(text))
}

fn plain(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq")
}

/// A line that begins with a dot is text all the same.
fn protect(line: &str) -> String {
    if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{Page, escape};

    #[test]
    fn nothing_becomes_a_request() {
        for (text, escaped) in
            [(".x", "\\&.x"), ("'x", "\\(aqx"), ("a-b", "a\\-b"), ("a\\b", "a\\eb")]
        {
            assert_eq!(escape(text), escaped);
        }
    }

    #[test]
    fn no_line_of_a_text_is_long_or_becomes_a_request() {
        let mut page = Page::new("x", 1);
        page.text(&"many words .and a dot ".repeat(50));
        let page = page.finish();
        assert!(page.lines().skip(2).all(|l| l.len() <= 80), "{page}");
        assert!(page.lines().skip(2).all(|l| l == ".PP" || !l.starts_with('.')), "{page}");
    }

    #[test]
    fn examples_become_paragraphs_and_blocks() {
        let mut page = Page::new("x", 1);
        page.examples("Do `this`:\n\n```console run\n# it\n\nseen\n```\nmore\n");
        let page = page.finish();
        let expected = ".SH EXAMPLES\nDo \\fBthis\\fR:\n.PP\n.RS 4\n.nf\n# it\n.sp\nseen\n.fi\n.RE\n.PP\nmore\n";
        assert!(page.ends_with(expected), "{page}");
    }
}
