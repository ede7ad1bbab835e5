//! Sending many frames with one call.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// What the kernel still has to do about a frame: a checksum, or cutting it into segments. Opaque,
/// but that it moves along when a VLAN tag is put in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload([u8; Offload::BYTES]);

impl Offload {
    /// Bytes of the header (struct virtio_net_hdr) that goes before each frame.
    pub const BYTES: usize = 10;

    /// From the first bytes.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().copied().map(Self)
    }

    /// The same for a frame that has become longer by a tag near its beginning.
    fn shifted(self, by: u16) -> Self {
        let [flags, kind, h, i, s, t, c, d, o, p] = self.0;
        // Fields without a meaning are 0 and stay so.
        let shift = |bytes| match u16::from_ne_bytes(bytes) {
            0 => [0, 0],
            at => at.saturating_add(by).to_ne_bytes(),
        };
        let ([h, i], [c, d]) = (shift([h, i]), shift([c, d]));
        Self([flags, kind, h, i, s, t, c, d, o, p])
    }
}

/// What is written anew of a frame: offload, two hardware addresses and a tag.
const HEAD: usize = Offload::BYTES + 12 + 4;

/// A frame to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Parcel<'a> {
    head: [u8; HEAD],
    length: usize,
    rest: &'a [u8],
}

impl<'a> Parcel<'a> {
    /// The frame `bytes` (from the destination's hardware address on) with other hardware addresses,
    /// and with `tag` as outermost VLAN tag.
    #[must_use]
    pub fn new(
        bytes: &'a [u8],
        (to, from): ([u8; 6], [u8; 6]),
        tag: Option<[u8; 4]>,
        offload: Offload,
    ) -> Self {
        let offload = if tag.is_some() { offload.shifted(4) } else { offload };
        let mut parcel =
            Self { head: [0; HEAD], length: 0, rest: bytes.get(12..).unwrap_or_default() };
        for part in [&offload.0[..], &to, &from, tag.as_ref().map_or(&[], |t| &t[..])] {
            let end = parcel.length + part.len();
            if let Some(place) = parcel.head.get_mut(parcel.length..end) {
                place.copy_from_slice(part);
                parcel.length = end;
            }
        }
        parcel
    }

    /// Bytes of the frame.
    #[must_use]
    pub fn size(&self) -> usize {
        self.length - Offload::BYTES + self.rest.len()
    }
}

/// What is needed for sending, kept from call to call.
#[derive(Default)]
pub struct Outbox {
    pieces: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: the pointers inside are made and used within one call of `send`, never from call to call.
unsafe impl Send for Outbox {}

impl Outbox {
    /// Nothing kept yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends the frames in their order through a packet socket; answers how many went, at least one.
    /// Does not block.
    ///
    /// # Errors
    /// Why the first of them could not be sent.
    pub fn send(&mut self, socket: impl AsFd, parcels: &[Parcel<'_>]) -> io::Result<usize> {
        self.prepare(parcels);
        // SAFETY: the descriptor is open (it is borrowed). `headers` has an entry per parcel, which
        // points to two entries of `pieces`, which has its final length; those point to bytes that
        // `parcels` borrows. The kernel only reads them.
        let went = unsafe {
            libc::sendmmsg(
                socket.as_fd().as_raw_fd(),
                self.headers.as_mut_ptr(),
                self.headers.len() as libc::c_uint,
                libc::MSG_DONTWAIT as _,
            )
        };
        usize::try_from(went).map_err(|_| io::Error::last_os_error())
    }

    fn prepare(&mut self, parcels: &[Parcel<'_>]) {
        self.pieces.clear();
        for parcel in parcels {
            let head = parcel.head.get(..parcel.length).unwrap_or_default();
            self.pieces.extend([head, parcel.rest].map(|piece| libc::iovec {
                iov_base: piece.as_ptr().cast_mut().cast(),
                iov_len: piece.len(),
            }));
        }
        self.headers.clear();
        self.headers.extend(self.pieces.chunks_exact_mut(2).map(|pieces| {
            // SAFETY: an mmsghdr is pointers and numbers, for which zeros are a value.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_iov = pieces.as_mut_ptr();
            header.msg_hdr.msg_iovlen = pieces.len() as _;
            header
        }));
    }
}
