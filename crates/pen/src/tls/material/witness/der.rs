//! The plainest reader and writer of DER, so that what is right is worked out a second time.

/// A value: its tag, its contents, and all of its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    pub tag: u8,
    pub inner: &'a [u8],
    pub whole: &'a [u8],
}

/// The first value of `bytes`, and what follows it. Short tags and lengths below 2^24 only.
pub fn split(bytes: &[u8]) -> Option<(Node<'_>, &[u8])> {
    let [tag, first, rest @ ..] = bytes else { return None };
    let (count, length) = match first {
        0..=0x7f => (0, usize::from(*first)),
        0x81..=0x83 => {
            let count = usize::from(first & 3);
            let digits = rest.get(..count)?.iter();
            (count, digits.fold(0, |n, digit| n << 8 | usize::from(*digit)))
        }
        _ => return None,
    };
    let end = 2 + count + length;
    let (inner, whole) = (bytes.get(2 + count..end)?, bytes.get(..end)?);
    Some((Node { tag: *tag, inner, whole }, bytes.get(end..)?))
}

impl<'a> Node<'a> {
    /// What it is made of.
    pub fn parts(&self) -> Option<Vec<Node<'a>>> {
        let (mut nodes, mut rest) = (Vec::new(), self.inner);
        while !rest.is_empty() {
            let (node, after) = split(rest)?;
            nodes.push(node);
            rest = after;
        }
        Some(nodes)
    }

    /// Seconds since 1970 of `250102030405Z` or `20250102030405Z`.
    pub fn seconds(&self) -> Option<i64> {
        let text = std::str::from_utf8(self.inner).ok()?;
        let (year, rest) = match self.tag {
            0x17 => text.split_at_checked(2).map(|(y, rest)| (format!("20{y}"), rest))?,
            0x18 => text.split_at_checked(4).map(|(y, rest)| (y.to_owned(), rest))?,
            _ => return None,
        };
        let mut year: i64 = year.parse().ok()?;
        // Two digits are of 1950 to 2049.
        if self.tag == 0x17 && year >= 2050 {
            year -= 100;
        }
        let two = |n: usize| rest.get(n * 2..n * 2 + 2)?.parse::<i64>().ok();
        let is_leap = |y: i64| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
        let month = usize::try_from(two(0)?).ok()?;
        let lengths = [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let years: i64 = (1970..year).map(|y| 365 + i64::from(is_leap(y))).sum();
        let months: i64 = lengths.iter().take(month.checked_sub(1)?).sum();
        let days = years + months + two(1)? - 1;
        Some(((days * 24 + two(2)?) * 60 + two(3)?) * 60 + two(4)?)
    }
}

/// A value with this tag.
pub fn value(tag: u8, inner: &[u8]) -> Vec<u8> {
    let [.., high, low] = u32::try_from(inner.len()).unwrap_or(u32::MAX).to_be_bytes();
    let length = match inner.len() {
        0..0x80 => vec![low],
        0x80..0x100 => vec![0x81, low],
        _ => vec![0x82, high, low],
    };
    [&[tag][..], &length, inner].concat()
}

/// A value that is made of others.
pub fn made_of(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    value(tag, &parts.concat())
}
