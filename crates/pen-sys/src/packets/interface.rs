//! What the kernel knows of an interface, and the addresses of this machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// An interface at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's number; another one if it was made anew.
    pub index: i32,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// Bytes of the longest packet.
    pub mtu: u32,
    /// It is switched on and has a link.
    pub up: bool,
}

/// The interface called `name`.
///
/// # Errors
/// There is none, or it is not Ethernet.
pub fn interface(name: &str) -> io::Result<Interface> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let index = ask(&socket, name, libc::SIOCGIFINDEX)?;
    let flags = ask(&socket, name, libc::SIOCGIFFLAGS)?;
    let mtu = ask(&socket, name, libc::SIOCGIFMTU)?;
    let hardware = ask(&socket, name, libc::SIOCGIFHWADDR)?;
    // SAFETY: each field of the union is plain bytes, all of which were initialised; which one
    // the kernel has written is known by the question.
    let (index, flags, mtu, hardware) = unsafe {
        (
            index.ifr_ifru.ifru_ifindex,
            libc::c_int::from(flags.ifr_ifru.ifru_flags),
            mtu.ifr_ifru.ifru_mtu,
            hardware.ifr_ifru.ifru_hwaddr,
        )
    };
    if hardware.sa_family != libc::ARPHRD_ETHER {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "it is not an Ethernet interface"));
    }
    let [a, b, c, d, e, f, ..] = hardware.sa_data.map(libc::c_char::cast_unsigned);
    let running = libc::IFF_UP | libc::IFF_RUNNING;
    Ok(Interface {
        index,
        mac: [a, b, c, d, e, f],
        mtu: u32::try_from(mtu).unwrap_or(0),
        up: flags & running == running,
    })
}

fn ask(socket: &OwnedFd, name: &str, request: libc::c_ulong) -> io::Result<libc::ifreq> {
    // SAFETY: an ifreq is plain bytes, for which zeros are a value.
    let mut wanted: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.is_empty() || name.len() >= wanted.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in wanted.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    // SAFETY: the descriptor is open, the requests are those of `interface`, which take an ifreq with
    // a name that ends with a zero and write into nothing but it.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), request as _, &raw mut wanted) };
    if answer == 0 { Ok(wanted) } else { Err(io::Error::last_os_error()) }
}

/// An address of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Which bits of it are the network's, for IPv4.
    pub mask: Option<Ipv4Addr>,
}

/// The addresses of all interfaces.
///
/// # Errors
/// No memory, or no descriptors.
pub fn addresses() -> io::Result<Vec<Address>> {
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the pointer is to a local, which is written on success only.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut all = Vec::new();
    let mut next = first;
    while !next.is_null() {
        // SAFETY: not null, so it is an entry of the list, which lives until it is freed below.
        let entry = unsafe { &*next };
        // SAFETY: the pointers are null or to addresses of the list.
        let (ip, mask) = unsafe { (read(entry.ifa_addr), read(entry.ifa_netmask)) };
        if let Some(ip) = ip {
            let mask = match mask {
                Some(IpAddr::V4(mask)) => Some(mask),
                _ => None,
            };
            all.push(Address { ip, mask });
        }
        next = entry.ifa_next;
    }
    // SAFETY: the list came from getifaddrs, is freed once, and nothing points into it any more.
    unsafe { libc::freeifaddrs(first) };
    Ok(all)
}

/// The address behind `place`, if it is an Internet one.
///
/// # Safety
/// `place` is null, or points to a socket address as long as its family says.
unsafe fn read(place: *const libc::sockaddr) -> Option<IpAddr> {
    if place.is_null() {
        return None;
    }
    // SAFETY: it is an address, which begins with its family; the family tells what it is. It may
    // lie anywhere.
    unsafe {
        match libc::c_int::from((&raw const (*place).sa_family).read_unaligned()) {
            libc::AF_INET => {
                let address = place.cast::<libc::sockaddr_in>().read_unaligned();
                Some(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into())
            }
            libc::AF_INET6 => {
                let address = place.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}
