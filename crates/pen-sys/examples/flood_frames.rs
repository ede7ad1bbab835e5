//! Sends small datagrams as raw frames as fast as one thread can for SECONDS, from sixteen ports, and
//! prints how many went: several times as many as through sockets of UDP. For `bench/dsr.sh`, as root.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use pen_sys::packets::{Offload, Outbox, PacketSocket, Parcel, Size, interface};

const BATCH: usize = 64;

/// A datagram of 22 bytes from a port of 10.0.0.2. The checksum of UDP may be left out.
fn frame(port: u16, to: SocketAddrV4) -> Vec<u8> {
    let mut ip = vec![0x45, 0, 0, 50, 0, 0, 0x40, 0, 64, 17, 0, 0];
    ip.extend(Ipv4Addr::new(10, 0, 0, 2).octets());
    ip.extend(to.ip().octets());
    let sum: u32 =
        ip.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut frame = vec![0; 12];
    frame.extend([8, 0]);
    frame.extend(ip);
    frame.extend(port.to_be_bytes());
    frame.extend(to.port().to_be_bytes());
    frame.extend([0, 30, 0, 0]);
    frame.extend([0; 22]);
    frame
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, mac, address, seconds] = words.as_slice() else {
        panic!("flood_frames INTERFACE MAC ADDRESS:PORT SECONDS");
    };
    let mac: Vec<u8> = mac.split(':').map_while(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    let mac: [u8; 6] = mac.try_into().expect("a hardware address");
    let to: SocketAddrV4 = address.parse().expect("an address and a port");
    let seconds: u64 = seconds.parse().expect("a number of seconds");
    let here = interface(name).expect("an interface");
    let size = Size { mtu: 1_500, ring: 0, queue: 4 * 1024 * 1024 };
    let (socket, _ring) = PacketSocket::open(size).expect("root");
    socket.bind(here.index).expect("an interface that is there");
    let frames: Vec<Vec<u8>> = (0..16).map(|n| frame(40_000 + n, to)).collect();
    let parcels: Vec<Parcel<'_>> = (0..BATCH)
        .map(|n| Parcel::new(&frames[n % 16], (mac, here.mac), None, Offload::default()))
        .collect();
    let mut outbox = Outbox::new();
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut sent = 0;
    while Instant::now() < end {
        // What the network does not take is not counted.
        sent += outbox.send(&socket, &parcels).unwrap_or(0);
    }
    println!("{sent}");
}
