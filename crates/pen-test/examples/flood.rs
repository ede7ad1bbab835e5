//! Sends small datagrams to ADDRESS:PORT as fast as one thread can for SECONDS, from sixteen ports,
//! and prints how many went. For `bench/dsr.sh`.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, seconds] = words.as_slice() else { panic!("flood ADDRESS:PORT SECONDS") };
    let seconds: u64 = seconds.parse().expect("a number of seconds");
    let socket = |_| {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a free port");
        socket.connect(address).expect("an address that can be reached");
        socket
    };
    let sockets: Vec<UdpSocket> = (0..16).map(socket).collect();
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut sent = 0_u64;
    while Instant::now() < end {
        for socket in &sockets {
            // What the network does not take is not counted.
            sent += u64::from(socket.send(&[0; 22]).is_ok());
        }
    }
    println!("{sent}");
}
