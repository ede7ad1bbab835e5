//! Bytes as an operator reads them: text with dots, or hex pairs. Bounded.

use std::fmt::Write as _;

use pen_core::limits;

/// Printable ASCII as it is, everything else as `.`.
pub(super) fn text(bytes: &[u8]) -> String {
    let shown = bytes.iter().take(limits::DUMP_MAX);
    let dot = |b: &u8| if b.is_ascii_graphic() || *b == b' ' { char::from(*b) } else { '.' };
    shown.map(dot).collect()
}

/// Pairs of hex digits, separated by blanks.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes.iter().take(limits::DUMP_MAX) {
        // Writing to a string does not fail.
        let _ = write!(out, "{byte:02x} ");
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::{hex, text};

    #[test]
    fn both_forms() {
        assert_eq!(text(b"Plain3\x02Text\n"), "Plain3.Text.");
        assert_eq!(hex(b"Plain"), "50 6c 61 69 6e");
        assert_eq!(hex(b""), "");
    }
}
