//! The letters of netlink, by hand: messages and their attributes. Every length that comes is checked.

/// A question.
pub(crate) const REQUEST: u16 = 1;
/// All there is.
pub(crate) const DUMP: u16 = 0x300;
/// A message that says what went wrong, or that nothing did.
pub(crate) const ERROR: u16 = 2;
/// The last message of a dump.
pub(crate) const DONE: u16 = 3;
/// A dump comes in pieces of at most this many bytes.
pub(crate) const PIECE: usize = 64 * 1024;
const HEADER: usize = 16;

/// A message with this body.
pub(crate) fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend(u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    message
}

/// The messages of a piece: their kind and what follows the header.
pub(crate) fn messages(piece: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = piece;
    std::iter::from_fn(move || {
        let length = usize::try_from(number(rest)?).unwrap_or(usize::MAX);
        let message = rest.get(..length).filter(|m| m.len() >= HEADER)?;
        let kind = u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, message.get(HEADER..).unwrap_or_default()))
    })
}

/// Adds an attribute whose value is a multiple of four bytes long.
pub(crate) fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
}

/// The attributes after `skip` bytes of a message: kind and value.
pub(crate) fn attributes(body: &[u8], skip: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = body.get(skip..).unwrap_or_default();
    std::iter::from_fn(move || {
        let [l0, l1, k0, k1] = *rest.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let kind = u16::from_ne_bytes([k0, k1]);
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The first four bytes as a number.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?))
}
