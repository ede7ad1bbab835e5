//! A small printer of man(7) pages. Text goes in plain; escaping is done here.

use std::fmt::Write;

/// A page under construction.
pub struct Page(String);

impl Page {
    /// `name(1)`.
    pub fn new(name: &str) -> Self {
        let version = pen_core::cli::version();
        let version = version.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let mut page = Self(String::new());
        page.line(".\\\" Made by 'cargo xtask man'; changes here are lost.");
        page.line(&format!(".TH {} 1 \"\" \"{version}\" \"\"", name.to_uppercase()));
        page
    }

    pub fn section(&mut self, title: &str) {
        self.line(&format!(".SH {}", title.to_uppercase()));
    }

    pub fn subsection(&mut self, title: &str) {
        self.line(&format!(".SS {}", escape(title)));
    }

    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        self.line(".PP");
        self.line(&escape(text));
    }

    /// `name \- what it is`, the line that whatis(1) reads.
    pub fn name(&mut self, name: &str, what: &str) {
        self.line(&format!("{} \\- {}", escape(name), escape(what)));
    }

    /// One line of a synopsis: the first word stands out.
    pub fn synopsis(&mut self, line: &str) {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        self.line(&format!("\\fB{}\\fR {}", escape(first), escape(rest)));
        self.line(".br");
    }

    /// Tags, one below the other, with a text beside them.
    pub fn item(&mut self, tags: &[&str], text: &str) {
        for (n, tag) in tags.iter().enumerate() {
            self.line(if n == 0 { ".TP" } else { ".TQ" });
            self.line(&format!("\\fB{}\\fR", escape(tag)));
        }
        self.line(&escape(text));
    }

    /// Lines as they are.
    pub fn verbatim(&mut self, lines: &[String]) {
        self.line(".PP");
        self.line(".nf");
        self.line(".RS 4");
        for line in lines {
            self.line(&escape(line));
        }
        self.line(".RE");
        self.line(".fi");
    }

    pub fn finish(self) -> String {
        self.0
    }

    fn line(&mut self, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

fn escape(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    match escaped.starts_with('.') {
        true => format!("\\&{escaped}"),
        false => escaped,
    }
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_becomes_a_request() {
        for (text, escaped) in
            [(".x", "\\&.x"), ("'x", "\\(aqx"), ("a-b", "a\\-b"), ("a\\b", "a\\eb")]
        {
            assert_eq!(escape(text), escaped);
        }
    }
}
