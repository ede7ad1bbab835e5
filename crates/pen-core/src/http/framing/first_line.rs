//! The line with which a request begins, recognised byte by byte.
//!
//! Nothing is kept of the line but what is known about it.

/// What a request line says about its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestLine {
    /// The method is CONNECT.
    pub(crate) connect: bool,
    /// The method is HEAD: the reply has no body.
    pub(crate) head: bool,
    /// HTTP/1.0 or older.
    pub(crate) old: bool,
}

/// What the bytes of a first line amount to so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// It may still become a request line.
    More,
    /// It is none and cannot become one.
    NotHttp,
    /// The line is complete.
    Http(RequestLine),
}

/// Recognises `METHOD target HTTP/1.x`, the line with which a request begins.
///
/// Deliberately as tolerant as the most tolerant servers: empty lines before it, several blanks,
/// any method, any version (some take `HTTP/2.0` in such a line for 1.1; only the beginning of real
/// HTTP/2, whose method is PRI, is none), upper or lower case. A line that a server takes for a
/// request line and that is missed here would be a way round the headers Pen vouches for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstLine {
    stage: Stage,
    /// Bytes from the first of the method on.
    len: usize,
    /// Bytes of the method.
    method_len: usize,
    connect: bool,
    head: bool,
    preface: bool,
    /// Words seen, counting the one being read; more than three are all the same.
    words: u8,
    version: Version,
    cr_pending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Before the method.
    Empty,
    Method,
    /// In a word after the method.
    Word,
    /// In blanks after a word.
    Blank,
}

/// How much of `HTTP/major.minor` the last word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Not,
    /// So many bytes of `HTTP/`.
    Name(usize),
    /// Digits of the major number; `None` before the first.
    Major(Option<u8>),
    /// Digits of the minor number; `None` before the first.
    Minor(u8, Option<u8>),
}

const VERSION_NAME: &[u8] = b"HTTP/";

impl FirstLine {
    /// Before the first byte.
    pub(crate) const fn new() -> Self {
        Self {
            stage: Stage::Empty,
            len: 0,
            method_len: 0,
            connect: true,
            head: true,
            preface: true,
            words: 0,
            version: Version::Not,
            cr_pending: false,
        }
    }

    /// Reads on. Answers how many bytes belong to the line (its LF included); with
    /// [`Scan::NotHttp`] the byte that decided is among them.
    pub(crate) fn scan(&mut self, input: &[u8]) -> (usize, Scan) {
        for (at, &byte) in input.iter().enumerate() {
            match self.step(byte) {
                Scan::More => {}
                decided => return (at + 1, decided),
            }
        }
        (input.len(), Scan::More)
    }

    /// Whether the last byte was a CR that ends a request line if LF follows.
    pub(crate) fn cr_pending(&self) -> bool {
        self.cr_pending
    }

    /// Bytes of the line so far, from the first of the method on.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing but blanks and empty lines was seen.
    pub(crate) fn is_empty(&self) -> bool {
        self.stage == Stage::Empty
    }

    /// Bytes of the method so far.
    pub(crate) fn method_len(&self) -> usize {
        self.method_len
    }

    fn step(&mut self, byte: u8) -> Scan {
        let scan = self.judge(byte);
        if self.stage != Stage::Empty {
            self.len = self.len.saturating_add(1);
        }
        scan
    }

    fn judge(&mut self, byte: u8) -> Scan {
        self.cr_pending = false;
        match byte {
            b'\n' if self.stage == Stage::Empty => {}
            b'\n' => return self.line().map_or(Scan::NotHttp, Scan::Http),
            b'\r' | b' ' | b'\t' | 0x0b | 0x0c => match self.stage {
                Stage::Empty => {}
                Stage::Method | Stage::Word | Stage::Blank => {
                    if self.stage == Stage::Method && byte == b'\r' {
                        return Scan::NotHttp;
                    }
                    self.stage = Stage::Blank;
                    self.cr_pending = byte == b'\r' && self.line().is_some();
                }
            },
            0..0x20 | 0x7f => return Scan::NotHttp,
            _ => return self.visible(byte),
        }
        Scan::More
    }

    fn visible(&mut self, byte: u8) -> Scan {
        if matches!(self.stage, Stage::Empty | Stage::Blank) {
            self.words = self.words.saturating_add(1);
            self.version = Version::Name(0);
            self.stage = if self.words == 1 { Stage::Method } else { Stage::Word };
        }
        if self.stage == Stage::Method {
            if !is_token(byte) {
                return Scan::NotHttp;
            }
            let same = |word: &[u8]| {
                word.get(self.method_len).is_some_and(|w| w.eq_ignore_ascii_case(&byte))
            };
            (self.connect, self.head, self.preface) = (
                self.connect && same(b"CONNECT"),
                self.head && same(b"HEAD"),
                self.preface && same(b"PRI"),
            );
            self.method_len = self.method_len.saturating_add(1);
        } else {
            self.version = self.version.with(byte);
        }
        Scan::More
    }

    /// The line as it would be if it ended here.
    fn line(&self) -> Option<RequestLine> {
        let preface = self.preface && self.method_len == b"PRI".len();
        match self.version {
            Version::Minor(2.., _) if preface => None,
            Version::Minor(major, Some(minor)) if self.words >= 3 => Some(RequestLine {
                connect: self.connect && self.method_len == b"CONNECT".len(),
                head: self.head && self.method_len == b"HEAD".len(),
                old: major == 0 || (major, minor) == (1, 0),
            }),
            _ => None,
        }
    }
}

impl Version {
    fn with(self, byte: u8) -> Self {
        let digit = |so_far: Option<u8>| {
            let value = so_far.unwrap_or(0).saturating_mul(10);
            Some(value.saturating_add(byte - b'0'))
        };
        match self {
            Self::Name(n) => match VERSION_NAME.get(n) {
                Some(expected) if expected.eq_ignore_ascii_case(&byte) => {
                    if n + 1 == VERSION_NAME.len() { Self::Major(None) } else { Self::Name(n + 1) }
                }
                _ => Self::Not,
            },
            Self::Major(n) if byte.is_ascii_digit() => Self::Major(digit(n)),
            Self::Major(Some(n)) if byte == b'.' => Self::Minor(n, None),
            Self::Minor(major, n) if byte.is_ascii_digit() => Self::Minor(major, digit(n)),
            Self::Not | Self::Major(_) | Self::Minor(..) => Self::Not,
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
