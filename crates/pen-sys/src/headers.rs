//! Headers of messages to and from the kernel. C libraries (glibc, musl) have fields of different types in them,
//! and padding that is nobody's business; here that ends.

use std::mem::zeroed;

/// A header of a message.
///
/// `pieces` and `notes` come with their number and their bytes.
pub fn message<N, C>(
    (name, name_len): (*mut N, libc::socklen_t),
    (pieces, count): (*mut libc::iovec, usize),
    (notes, room): (*mut C, usize),
) -> libc::msghdr {
    // SAFETY: a header of numbers and pointers; all zero is a valid one, of an empty message.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_name = name.cast();
    header.msg_namelen = name_len;
    header.msg_iov = pieces;
    header.msg_iovlen = count as _;
    header.msg_control = notes.cast();
    header.msg_controllen = room as _;
    header
}

/// Tells how long the notes of a message are; without any there is no place either.
pub fn set_notes(header: &mut libc::msghdr, length: usize) {
    header.msg_controllen = length as _;
    if length == 0 {
        header.msg_control = std::ptr::null_mut();
    }
}

/// The head of a note of `length` bytes, itself included.
pub fn note(length: usize, level: libc::c_int, kind: libc::c_int) -> libc::cmsghdr {
    // SAFETY: a header of numbers; all zero is a valid one.
    let mut head: libc::cmsghdr = unsafe { zeroed() };
    head.cmsg_len = length as _;
    head.cmsg_level = level;
    head.cmsg_type = kind;
    head
}

/// Whether a note has room for a `T`.
pub fn holds<T>(head: &libc::cmsghdr) -> bool {
    // SAFETY: the macro only adds.
    let needed = unsafe { libc::CMSG_LEN(size_of::<T>() as libc::c_uint) };
    head.cmsg_len as u64 >= u64::from(needed)
}
