//! The lines of a PEM text: which sections it has, and where it is broken, in words for an operator.
//!
//! The library decodes the sections, but does not say at which line a file is cut. Deliberately not
//! here: what is in the sections.

use pen_core::near::shown;

#[cfg(test)]
mod tests;

/// The text without the marks of UTF-8 that some editors put at the beginning of a file; files put
/// together have them in the middle, too.
pub(super) fn without_marks(text: Vec<u8>) -> Vec<u8> {
    if !contains(&text, b"\xef\xbb\xbf") {
        return text;
    }
    match String::from_utf8(text) {
        Ok(text) => text.replace('\u{feff}', "").into_bytes(),
        Err(other) => other.into_bytes(),
    }
}

/// What the sections are called, in their order.
///
/// # Errors
/// The line at which the text is broken, and how.
pub(super) fn labels(text: &[u8]) -> Result<Vec<String>, String> {
    let mut labels = Vec::new();
    let mut open: Option<(String, usize)> = None;
    // Lines end as in Unix, Windows or old Macintosh files.
    let end = if text.contains(&b'\n') { b'\n' } else { b'\r' };
    for (n, line) in text.split(|b| *b == end).enumerate() {
        let (n, bare) = (n + 1, line.trim_ascii());
        if let Some(label) = marker(bare, b"-----BEGIN ") {
            let label = label.map_err(|why| format!("line {n}: {why}"))?;
            if bare.len() != line.trim_ascii_end().len() {
                return Err(format!("line {n}: there are blanks in front of '-----BEGIN'"));
            }
            if let Some((before, since)) = open {
                return Err(format!(
                    "line {n}: {} begins, but {} of line {since} has not ended: something is missing",
                    shown(&label),
                    shown(&before)
                ));
            }
            open = Some((label, n));
        } else if let (Some(label), Some((begun, since))) = (marker(bare, b"-----END "), &open) {
            let label = label.map_err(|why| format!("line {n}: {why}"))?;
            if label != *begun {
                return Err(format!(
                    "line {n}: this is no end of {}, which began in line {since}",
                    shown(begun)
                ));
            }
            labels.extend(open.take().map(|(label, _)| label));
        } else if open.is_some()
            && let Some(alien) = bare.iter().find(|b| !is_base64(**b))
            && !is_header(bare)
        {
            let alien = shown(&char::from(*alien).to_string());
            return Err(format!("line {n}: {alien} has no place in a PEM section"));
        }
    }
    match open {
        None => Ok(labels),
        Some((label, since)) => {
            let end = shown(&format!("-----END {label}-----"));
            Err(format!("the {end} for line {since} is missing: the file is cut"))
        }
    }
}

/// The label of a line that begins like this; an error if the line is cut.
fn marker(line: &[u8], begin: &[u8]) -> Option<Result<String, String>> {
    let rest = line.strip_prefix(begin)?;
    let text = |label: &[u8]| String::from_utf8_lossy(label).into_owned();
    Some(
        rest.strip_suffix(b"-----")
            .map(text)
            .ok_or_else(|| "it does not end in '-----'".to_owned()),
    )
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b' ' | b'\t')
}

/// `Proc-Type: 4,ENCRYPTED` and the like.
fn is_header(line: &[u8]) -> bool {
    line.contains(&b':')
}

/// Whether `part` is somewhere in `bytes`.
pub(super) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|w| w == part)
}
