//! Where a message's body ends: by its length, or by its chunks.

use super::Ambiguous;

/// The rest of a message's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks and trailer.
    Chunked(Chunked),
}

/// Where a chunked body stands. Every line must end with CRLF: readers disagree about a lone LF or
/// CR, and that is how requests are smuggled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunked {
    /// In the digits of the size; `None` before the first.
    Size(Option<u64>),
    /// In blanks after the size.
    Blank(u64),
    /// In the extension.
    Extension(u64),
    /// Before the LF of the size line.
    SizeLf(u64),
    /// In the data.
    Data(u64),
    /// Before the CR after the data.
    DataCr,
    /// Before the LF after the data.
    DataLf,
    /// At the beginning of a trailer line.
    TrailerStart,
    /// In a trailer line.
    Trailer,
    /// Before the LF of a trailer line.
    TrailerLf,
    /// Before the last LF.
    LastLf,
    /// Behind it.
    Done,
}

impl Body {
    /// A chunked body from its beginning.
    pub(crate) const CHUNKED: Self = Self::Chunked(Chunked::Size(None));

    /// Whether the body has ended.
    pub(crate) fn done(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunked::Done))
    }

    /// Reads on: answers how many bytes of `input` belong to the body.
    ///
    /// # Errors
    /// [`Ambiguous`] for chunks that are not written as they must be.
    pub(crate) fn take(&mut self, input: &[u8]) -> Result<usize, Ambiguous> {
        match self {
            Self::Length(left) => Ok(skip(left, input.len())),
            Self::Chunked(state) => state.take(input),
        }
    }
}

/// Takes up to `left` of `available`.
fn skip(left: &mut u64, available: usize) -> usize {
    let n = usize::try_from(*left).map_or(available, |left| left.min(available));
    *left -= n as u64;
    n
}

impl Chunked {
    fn take(&mut self, input: &[u8]) -> Result<usize, Ambiguous> {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            match self {
                Self::Done => break,
                Self::Data(left) => {
                    at += skip(left, input.len() - at);
                    if *left == 0 {
                        *self = Self::DataCr;
                    }
                }
                _ => {
                    *self = self.step(byte)?;
                    at += 1;
                }
            }
        }
        Ok(at)
    }

    fn step(self, byte: u8) -> Result<Self, Ambiguous> {
        Ok(match (self, byte) {
            (Self::Size(size), _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let size = size.unwrap_or(0).checked_mul(16).ok_or(Ambiguous)?;
                Self::Size(Some(size + digit))
            }
            (Self::Size(Some(n)) | Self::Blank(n) | Self::Extension(n), b'\r') => Self::SizeLf(n),
            (Self::Size(Some(n)) | Self::Blank(n), b';') => Self::Extension(n),
            (Self::Size(Some(n)) | Self::Blank(n), b' ' | b'\t') => Self::Blank(n),
            (Self::Extension(n), _) if byte != b'\n' && byte != 0 => Self::Extension(n),
            (Self::SizeLf(0), b'\n') => Self::TrailerStart,
            (Self::SizeLf(n), b'\n') => Self::Data(n),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::Size(None),
            (Self::TrailerStart, b'\r') => Self::LastLf,
            (Self::Trailer, b'\r') => Self::TrailerLf,
            (Self::TrailerStart | Self::Trailer, _) if byte != b'\n' && byte != 0 => Self::Trailer,
            (Self::TrailerLf, b'\n') => Self::TrailerStart,
            (Self::LastLf, b'\n') => Self::Done,
            _ => return Err(Ambiguous),
        })
    }
}
