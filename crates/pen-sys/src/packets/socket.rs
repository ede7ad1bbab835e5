//! A packet socket on one interface: all frames that arrive there, and any that are sent.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::ring::Ring;

/// Bytes of a block, of which the kernel makes a ring: small enough to be found in one piece.
const BLOCK: usize = 64 * 1024;
/// The kernel's struct virtio_net_hdr goes before each frame, and room is left for a link header.
const OVERHEAD: usize = 256;

/// How large a ring is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Bytes of the longest packet that a place must hold.
    pub mtu: usize,
    /// Bytes of all places together.
    pub ring: usize,
    /// Bytes that may wait in the queue of frames that are larger, and on the way out.
    pub queue: usize,
}

/// A packet socket. Frames that arrive are in its ring.
#[derive(Debug)]
pub struct PacketSocket {
    socket: OwnedFd,
}

impl PacketSocket {
    /// Opens one; it hears nothing before it is told an interface.
    ///
    /// # Errors
    /// Without the capability CAP_NET_RAW the kernel does not permit it.
    pub fn open(size: Size) -> io::Result<(Self, Ring)> {
        let flags = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: the call touches no memory of this process.
        let socket = unsafe { libc::socket(libc::AF_PACKET, flags, 0) };
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is fresh and nobody else's.
        let this = Self { socket: unsafe { OwnedFd::from_raw_fd(socket) } };
        let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
        this.set(libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        this.set(libc::SOL_PACKET, libc::PACKET_VNET_HDR, &1)?;
        this.set(libc::SOL_PACKET, libc::PACKET_COPY_THRESH, &1)?;
        // A kernel before 4.20 does not know it; what this machine sends is then marked only.
        let _ = this.set(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1);
        let queue = libc::c_int::try_from(size.queue).unwrap_or(libc::c_int::MAX);
        for (forced, asked) in
            [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)]
        {
            this.set(libc::SOL_SOCKET, forced, &queue)
                .or_else(|_| this.set(libc::SOL_SOCKET, asked, &queue))?;
        }
        let ring = this.make_ring(size)?;
        Ok((this, ring))
    }

    /// Hears the interface with this number from now on, and no other.
    ///
    /// # Errors
    /// There is none.
    pub fn bind(&self, index: i32) -> io::Result<()> {
        // SAFETY: a sockaddr_ll is numbers, for which zeros are a value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index;
        let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: pointer and length describe one local value, which the kernel only reads.
        let answer =
            unsafe { libc::bind(self.socket.as_raw_fd(), (&raw const address).cast(), length) };
        if answer != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a packet_mreq is numbers, for which zeros are a value.
        let mut groups: libc::packet_mreq = unsafe { std::mem::zeroed() };
        groups.mr_ifindex = index;
        groups.mr_type = libc::PACKET_MR_ALLMULTI as libc::c_ushort;
        self.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &groups)
    }

    /// Shares what arrives with other sockets: each frame goes to one of them, those of one flow to
    /// the same one. Without a group a new one is made, which is answered. To be said after
    /// [`PacketSocket::bind`].
    ///
    /// # Errors
    /// The others are bound otherwise, or the interface is down.
    pub fn share(&self, group: Option<u16>) -> io::Result<u16> {
        /// The kernel finds a number that nobody has.
        const UNIQUE: u32 = 0x2000;
        /// What this machine sends does not count.
        const IGNORE_OUTGOING: u32 = 0x4000;
        let fresh = if group.is_none() { UNIQUE } else { 0 };
        let word = |flags: u32| {
            u32::from(group.unwrap_or(0)) | (libc::PACKET_FANOUT_HASH | fresh | flags) << 16
        };
        let set = |value: u32| self.set(libc::SOL_PACKET, libc::PACKET_FANOUT, &value);
        // A kernel before 5.10 does not know the flag; what this machine sends is then marked only.
        set(word(IGNORE_OUTGOING)).or_else(|_| set(word(0)))?;
        let shared: u32 = self.get(libc::PACKET_FANOUT, 0)?;
        u16::try_from(shared & 0xffff).map_err(io::Error::other)
    }

    /// Takes the next frame of the queue, with its [`super::Offload`] before it, into `buffer`;
    /// answers its length. A longer one is cut off.
    ///
    /// # Errors
    /// There is none, or the interface has gone down.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (length, _) =
            rustix::net::recv(&self.socket, buffer, rustix::net::RecvFlags::DONTWAIT)?;
        Ok(length)
    }

    /// Frames that found no place in the ring since the last call.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn lost(&self) -> io::Result<u32> {
        let none = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        self.get(libc::PACKET_STATISTICS, none).map(|counts| counts.tp_drops)
    }

    /// What the socket has met since the last call, such as an interface that went down.
    ///
    /// # Errors
    /// That.
    pub fn trouble(&self) -> io::Result<()> {
        rustix::net::sockopt::socket_error(&self.socket)?.map_err(Into::into)
    }

    fn make_ring(&self, size: Size) -> io::Result<Ring> {
        let place = (size.mtu + OVERHEAD).next_power_of_two().clamp(2048, BLOCK);
        let blocks = (size.ring / BLOCK).max(1);
        let places = BLOCK / place * blocks;
        let number = |n: usize| libc::c_uint::try_from(n).unwrap_or(libc::c_uint::MAX);
        let request = libc::tpacket_req {
            tp_block_size: number(BLOCK),
            tp_block_nr: number(blocks),
            tp_frame_size: number(place),
            tp_frame_nr: number(places),
        };
        self.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        Ring::map(&self.socket, place, places)
    }

    /// What the kernel answers for an option of packet sockets. `T` is its type: plain numbers.
    fn get<T: Copy>(&self, option: libc::c_int, mut value: T) -> io::Result<T> {
        let mut length = size_of::<T>() as libc::socklen_t;
        // SAFETY: the descriptor is open, and pointer and length describe one local value, of
        // which the kernel writes no more than its length.
        let answer = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                option,
                (&raw mut value).cast(),
                &raw mut length,
            )
        };
        if answer == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
    }

    /// An option that no crate offers. `T` is the kernel's type for it: plain numbers.
    fn set<T: Copy>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
        let length = size_of::<T>() as libc::socklen_t;
        // SAFETY: the descriptor is open, and pointer and length describe one value, which the
        // kernel only reads.
        let answer = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                level,
                option,
                std::ptr::from_ref(value).cast(),
                length,
            )
        };
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
