//! TCP: what opens a connection, and the answer that seems to accept it.

use std::net::Ipv4Addr;

use super::checksum::Sum;
use super::ethernet::{self, header};
use super::{Built, Mac, Malformed, Transport, chunk, put, word};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
const END_OF_OPTIONS: u8 = 0;
const NO_OPTION: u8 = 1;
const SEGMENT_SIZE: u8 = 2;
/// Bytes of a header without options.
const HEADER: usize = 20;

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Source port.
    pub from: u16,
    /// Destination port.
    pub to: u16,
    /// Sequence number.
    pub sequence: u32,
    flags: u8,
    /// The segment size that the sender offers, if it says one.
    pub segment_size: Option<u16>,
}

impl Segment {
    /// Whether it opens a connection.
    #[must_use]
    pub fn opens(&self) -> bool {
        self.flags & (SYN | ACK | RST | FIN) == SYN
    }
}

/// Whether the flags of `payload`, which begins with a TCP header, open a connection; a quick look
/// that does not read the options.
#[must_use]
pub fn opens(payload: &[u8]) -> bool {
    payload.get(13).is_some_and(|flags| flags & (SYN | ACK | RST | FIN) == SYN)
}

/// Reads the header of a segment.
///
/// # Errors
/// It is short, or its lengths contradict each other.
pub fn parse(bytes: &[u8]) -> Result<Segment, Malformed> {
    let short = Malformed::Short;
    let from = word(bytes, 0).ok_or(short)?;
    let to = word(bytes, 2).ok_or(short)?;
    let sequence = u32::from_be_bytes(chunk(bytes, 4).ok_or(short)?);
    let length = usize::from(bytes.get(12).ok_or(short)? >> 4) * 4;
    let flags = *bytes.get(13).ok_or(short)?;
    if length < HEADER {
        return Err(Malformed::Length);
    }
    let options = bytes.get(HEADER..length).ok_or(Malformed::Length)?;
    Ok(Segment { from, to, sequence, flags, segment_size: segment_size(options)? })
}

/// The segment size among the options. Each step consumes a byte at least, so this ends.
fn segment_size(mut options: &[u8]) -> Result<Option<u16>, Malformed> {
    loop {
        options = match *options {
            [] | [END_OF_OPTIONS, ..] => return Ok(None),
            [NO_OPTION, ref rest @ ..] => rest,
            [SEGMENT_SIZE, 4, a, b, ..] => return Ok(Some(u16::from_be_bytes([a, b]))),
            [_, length, ..] if length >= 2 => {
                options.get(usize::from(length)..).ok_or(Malformed::Length)?
            }
            _ => return Err(Malformed::Length),
        };
    }
}

/// The ends of a segment that is built.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Our hardware address.
    pub own: Mac,
    /// The client's hardware address.
    pub client_mac: Mac,
    /// The address that seems to accept.
    pub from: Ipv4Addr,
    /// The client's address.
    pub to: Ipv4Addr,
}

/// The answer to `opening` that seems to accept it: no longer than what it answers.
#[must_use]
pub fn acceptance(
    ends: &Ends,
    tags: &[u8],
    opening: &Segment,
    sequence: u32,
    window: u16,
) -> Built {
    // Only who names a segment size hears one: the answer is never longer than the question.
    let options: &[u8] = match opening.segment_size {
        Some(_) => &[SEGMENT_SIZE, 4, 5, 180],
        None => &[],
    };
    let length = HEADER + options.len();
    let words = u8::try_from(length / 4).unwrap_or(5);
    let mut segment = [0_u8; HEADER];
    put(&mut segment, 0, &opening.to.to_be_bytes());
    put(&mut segment, 2, &opening.from.to_be_bytes());
    put(&mut segment, 4, &sequence.to_be_bytes());
    put(&mut segment, 8, &opening.sequence.wrapping_add(1).to_be_bytes());
    put(&mut segment, 12, &[words << 4, SYN | ACK]);
    put(&mut segment, 14, &window.to_be_bytes());
    let tcp = Transport::Tcp.number();
    let sum = Sum::default().pseudo(ends.from.into(), ends.to.into(), tcp, length);
    let sum = sum.with(&segment).with(options).finish();
    put(&mut segment, 16, &sum.to_be_bytes());
    let mut ip = [0_u8; 20];
    let total = u16::try_from(20 + length).unwrap_or_default();
    put(&mut ip, 0, &[0x45, 0]);
    put(&mut ip, 2, &total.to_be_bytes());
    // Not to be fragmented, 64 hops.
    put(&mut ip, 6, &[0x40, 0, 64, tcp]);
    put(&mut ip, 12, &ends.from.octets());
    put(&mut ip, 16, &ends.to.octets());
    let sum = Sum::default().with(&ip).finish();
    put(&mut ip, 10, &sum.to_be_bytes());
    let ethernet = header(ends.client_mac, ends.own, tags, ethernet::IPV4);
    Built::of(&[ethernet.bytes(), &ip, &segment, options])
}
