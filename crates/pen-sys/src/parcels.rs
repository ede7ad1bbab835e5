//! Messages with descriptors between two processes of one machine, over a pair of Unix sockets that keeps
//! messages apart (SOCK_SEQPACKET).
//!
//! Deliberately not here: what the messages say.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_type};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};

/// Descriptors of one message at most.
pub const DESCRIPTORS: usize = 64;
/// Bytes of one message at most.
pub const TEXT: usize = 8 * 1024;

/// A message that arrived.
#[derive(Debug)]
pub struct Parcel {
    /// What it says.
    pub text: Vec<u8>,
    /// What came with it; not inherited any further.
    pub descriptors: Vec<OwnedFd>,
}

/// Two ends of one way, neither inherited.
///
/// # Errors
/// No descriptors left.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

/// Whether it is an end of such a way.
#[must_use]
pub fn is_end(socket: impl AsFd) -> bool {
    socket_type(socket).is_ok_and(|kind| kind == SocketType::SEQPACKET)
}

/// How long [`receive`] waits.
///
/// # Errors
/// What setsockopt says.
pub fn set_patience(socket: impl AsFd, patience: Duration) -> io::Result<()> {
    Ok(set_socket_timeout(socket, Timeout::Recv, Some(patience))?)
}

/// Sends a message; never waits.
///
/// # Errors
/// The other side is gone or takes nothing; more than [`TEXT`] or [`DESCRIPTORS`] are refused.
pub fn send(socket: impl AsFd, text: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    if text.len() > TEXT || descriptors.len() > DESCRIPTORS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendmsg(socket, &[IoSlice::new(text)], &mut control, flags)?;
    Ok(())
}

/// The next message; `None`: the other side is gone. Waits as long as [`set_patience`] says, or not at all.
///
/// # Errors
/// `WouldBlock`: nothing has come. Or the message is too long.
pub fn receive(socket: impl AsFd, wait: bool) -> io::Result<Option<Parcel>> {
    let mut text = vec![0; TEXT];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let wanted = if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
    let flags = wanted | RecvFlags::CMSG_CLOEXEC;
    let mut was_reset = false;
    let got = loop {
        match recvmsg(&socket, &mut [IoSliceMut::new(&mut text)], &mut control, flags) {
            Err(Errno::INTR) => {}
            // It is gone and left something unread. What it has said before comes after this.
            Err(Errno::CONNRESET) if !was_reset => was_reset = true,
            Err(Errno::CONNRESET) => return Ok(None),
            other => break other?,
        }
    };
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::other("a message is longer than it may be"));
    }
    if got.bytes == 0 && descriptors.is_empty() {
        return Ok(None);
    }
    text.truncate(got.bytes);
    Ok(Some(Parcel { text, descriptors }))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn messages_and_descriptors_arrive_as_they_were_sent() {
        let (here, there) = pair().unwrap();
        assert!(is_end(&here) && !is_end(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()));
        let (mut reader, writer) = io::pipe().unwrap();
        let many: Vec<BorrowedFd<'_>> = (0..DESCRIPTORS).map(|_| writer.as_fd()).collect();
        send(&here, b"one", &many).unwrap();
        send(&here, b"two", &[]).unwrap();
        assert!(send(&here, &[b'x'; TEXT + 1], &[]).is_err());
        let one = receive(&there, true).unwrap().unwrap();
        assert_eq!((one.text.as_slice(), one.descriptors.len()), (&b"one"[..], DESCRIPTORS));
        drop(many);
        drop(writer);
        assert_eq!(receive(&there, true).unwrap().unwrap().text, b"two");
        let nothing = receive(&there, false).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        set_patience(&there, Duration::from_millis(10)).unwrap();
        assert_eq!(receive(&there, true).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        // They are the descriptors that were sent: the pipe ends when the last is closed.
        rustix::io::write(one.descriptors.last().unwrap(), b"x").unwrap();
        drop(one);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
        // Last words arrive, though something was not listened to.
        send(&there, b"not heard", &[]).unwrap();
        send(&here, b"last", &[]).unwrap();
        drop(here);
        assert_eq!(receive(&there, true).unwrap().unwrap().text, b"last");
        assert!(receive(&there, true).unwrap().is_none());
    }
}
