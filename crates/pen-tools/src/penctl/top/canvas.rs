//! A page of characters, and what has to be sent to a terminal that shows another one.
//!
//! Only text gets onto a canvas: whatever a string holds, each of its characters becomes one cell.

use std::fmt::Write;

/// How a cell looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Style {
    #[default]
    Plain,
    Bold,
    Faint,
    /// A bar: dark on light.
    Bar,
    Good,
    Warn,
    Bad,
    Curve,
}

impl Style {
    /// What selects it: numbers for "select graphic rendition".
    fn numbers(self, colours: bool) -> &'static str {
        match (self, colours) {
            (Self::Plain, _) | (Self::Good | Self::Curve, false) => "0",
            (Self::Bold, _) | (Self::Warn, false) => "0;1",
            (Self::Faint, true) => "0;2",
            (Self::Faint, false) => "0",
            (Self::Bar, _) | (Self::Bad, false) => "0;7",
            (Self::Good, true) => "0;32",
            (Self::Warn, true) => "0;1;33",
            (Self::Bad, true) => "0;1;31",
            (Self::Curve, true) => "0;36",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    c: char,
    style: Style,
}

const BLANK: Cell = Cell { c: ' ', style: Style::Plain };

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Canvas {
    width: usize,
    height: usize,
    cells: Vec<Cell>,
    /// The terminal shows more than ASCII.
    pub(super) unicode: bool,
}

impl Canvas {
    /// A blank page.
    pub(super) fn new(width: usize, height: usize, unicode: bool) -> Self {
        Self { width, height, cells: vec![BLANK; width * height], unicode }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Writes `text` from a place on, as far as the line goes. Answers the column behind it.
    pub(super) fn text(&mut self, row: usize, column: usize, text: &str, style: Style) -> usize {
        let mut column = column;
        for c in text.chars() {
            if row >= self.height || column >= self.width {
                break;
            }
            let c = shown(c, self.unicode);
            if let Some(cell) = self.cells.get_mut(row * self.width + column) {
                *cell = Cell { c, style };
            }
            column += 1;
        }
        column
    }

    /// Gives a whole line this look.
    pub(super) fn dye(&mut self, row: usize, style: Style) {
        for column in 0..self.width {
            if let Some(cell) = self.cells.get_mut(row * self.width + column) {
                cell.style = style;
            }
        }
    }

    /// The page as plain lines, without blanks at their ends.
    pub(super) fn plain(&self) -> String {
        let mut text = String::new();
        for line in self.cells.chunks(self.width.max(1)) {
            let line: String = line.iter().map(|cell| cell.c).collect();
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// What turns a terminal that shows `before` into one that shows this page; without `before`
    /// nothing is known of what it shows. Cells that stay are not sent.
    pub(super) fn changes(&self, before: Option<&Self>, colours: bool) -> String {
        let before =
            before.filter(|b| (b.width, b.height) == (self.width, self.height)).map(|b| &b.cells);
        let mut out = String::new();
        if before.is_none() {
            out.push_str("\x1b[0m\x1b[2J");
        }
        let mut style = None;
        for row in 0..self.height {
            self.line_changes(row, before, colours, &mut style, &mut out);
        }
        if style.is_some_and(|style| style != Style::Plain) {
            out.push_str("\x1b[0m");
        }
        out
    }

    fn line_changes(
        &self,
        row: usize,
        before: Option<&Vec<Cell>>,
        colours: bool,
        style: &mut Option<Style>,
        out: &mut String,
    ) {
        // Where the cursor is in this line.
        let mut cursor = None;
        for column in 0..self.width {
            let at = row * self.width + column;
            let Some(cell) = self.cells.get(at) else { return };
            let shown = before.map_or(Some(&BLANK), |before| before.get(at));
            // The last cell of a screen would scroll some terminals.
            let last = row + 1 == self.height && column + 1 == self.width;
            if shown == Some(cell) || last {
                continue;
            }
            if cursor != Some(column) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\x1b[{};{}H", row + 1, column + 1);
            }
            if *style != Some(cell.style) {
                let _ = write!(out, "\x1b[{}m", cell.style.numbers(colours));
                *style = Some(cell.style);
            }
            out.push(cell.c);
            cursor = Some(column + 1);
        }
    }
}

/// A character as a cell of one column can show it.
fn shown(c: char, unicode: bool) -> char {
    let letters = matches!(c, '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{24f}' | '\u{370}'..='\u{482}' | '\u{48a}'..='\u{4ff}');
    match c {
        ' '..='~' => c,
        '▁'..='█' if unicode => c,
        _ if unicode && letters => c,
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_text_gets_onto_a_canvas() {
        let mut canvas = Canvas::new(20, 1, true);
        canvas.text(0, 0, "a\x1b[31m\n\u{202e}ü\u{4e2d}\u{7f}", Style::Plain);
        assert_eq!(canvas.plain(), "a?[31m??ü??\n");
        let mut canvas = Canvas::new(20, 1, false);
        canvas.text(0, 0, "ü▃", Style::Plain);
        assert_eq!(canvas.plain(), "??\n");
    }

    #[test]
    fn only_what_changed_is_sent() {
        let mut first = Canvas::new(10, 2, false);
        first.text(0, 0, "one two", Style::Plain);
        assert_eq!(first.changes(None, true), "\x1b[0m\x1b[2J\x1b[1;1H\x1b[0mone\x1b[1;5Htwo");
        assert_eq!(first.changes(Some(&first), true), "");
        let mut second = first.clone();
        second.text(0, 4, "six", Style::Bad);
        assert_eq!(second.changes(Some(&first), true), "\x1b[1;5H\x1b[0;1;31msix\x1b[0m");
        assert_eq!(second.changes(Some(&first), false), "\x1b[1;5H\x1b[0;7msix\x1b[0m");
        let wider = Canvas::new(11, 2, false);
        assert!(wider.changes(Some(&first), true).contains("\x1b[2J"), "another size");
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut canvas = Canvas::new(3, 1, false);
        assert_eq!(canvas.text(0, 1, "abc", Style::Plain), 3);
        canvas.text(7, 0, "x", Style::Plain);
        canvas.dye(9, Style::Bar);
        assert_eq!(canvas.plain(), " ab\n");
        assert!(!canvas.changes(None, false).contains('b'), "the last cell would scroll");
    }
}
