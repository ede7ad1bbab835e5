//! State files: as they come, and with the end that they should have, which no fuzzer would guess.

use pen_core::addr::{ClientAddr, Host};
use pen_core::clients::{ClientTable, Merging, Remembered};
use pen_core::config::{ServerConfig, ServiceConfig};
use pen_core::moment::{Moment, WallMs};
use pen_core::state::{Fault, Harvest, Intake, Known, Scanner, Writer};

use super::named;

/// Rows of the client table.
const ROWS: u32 = 8;
/// The moment of reading: everything that a file can remember lies behind it.
const NOW: Moment = Moment(400_000_000_000);
const WALL: WallMs = WallMs(1_795_300_060_000);

pub fn run(data: &[u8]) {
    reading(data);
    reading(&mended(data));
}

fn reading(data: &[u8]) {
    let whole = read(data, usize::MAX);
    for piece in [1, 3, 64] {
        assert_eq!(read(data, piece), whole, "in pieces of {piece}");
    }
    let Ok((clients, harvest)) = whole else { return };
    let lines = data.split(|b| *b == b'\n').filter(|line| is_client(line)).count();
    assert_eq!(clients, lines as u64);
    let taken: usize = harvest.clients.iter().map(|(_, clients)| clients.len()).sum();
    assert_eq!(taken as u64 + harvest.left.sum(), clients, "a client is not accounted for");
    for (config, (name, remembered)) in services().iter().zip(&harvest.clients) {
        assert_eq!(config.name, *name);
        assert!(remembered.len() <= ROWS as usize);
        assert!(remembered.windows(2).all(|w| w[0].last_seen <= w[1].last_seen));
        for client in remembered {
            assert!((client.server as usize) < config.servers.len() && client.last_seen <= NOW);
        }
        merges(remembered);
    }
    reads_back(&harvest);
}

/// The outcome, with the number of clients that the file has.
fn read(data: &[u8], piece: usize) -> Result<(u64, Harvest), Fault> {
    let known = services().iter().map(|config| Known::new(config, ROWS)).collect();
    let mut intake = Intake::new(known, NOW, WALL);
    let mut scanner = Scanner::default();
    for piece in data.chunks(piece.min(data.len().max(1))) {
        scanner.feed(piece, &mut |item| intake.take(item))?;
    }
    Ok((scanner.finish()?, intake.finish()))
}

/// Every line of a good file that begins with no word is a client.
fn is_client(line: &[u8]) -> bool {
    let words: [&[u8]; 5] = [b"pen-state ", b"written ", b"service ", b"server ", b"end "];
    !line.is_empty() && words.iter().all(|word| !line.starts_with(word))
}

/// What was read and is written says the same again.
fn reads_back(harvest: &Harvest) {
    let mut writer = Writer::new(NOW, WALL);
    for (config, (name, clients)) in services().iter().zip(&harvest.clients) {
        writer.service(name, &config.servers);
        for Remembered { addr, last_seen, server } in clients {
            writer.client(*addr, *last_seen, *server);
        }
    }
    let (_, again) = read(&writer.finish(), 5).expect("what is written is good");
    assert_eq!((again.left.sum(), again.age_s), (0, 0));
    assert_eq!(again.clients, harvest.clients);
}

/// A table takes them in, by whatever steps, and remembers the last that was said of each.
fn merges(clients: &[Remembered]) {
    let mut table = ClientTable::new(ROWS, [7, 9]);
    let mut merging = Merging::new(clients.to_vec());
    while !table.merge(&mut merging, 2) {}
    for client in clients {
        let later = clients.iter().filter(|c| c.addr == client.addr).map(|c| c.last_seen).max();
        if later == Some(client.last_seen) {
            assert!(table.look(client.addr, NOW, 0).is_some(), "{client:?} is not there");
        }
    }
}

fn services() -> [ServiceConfig; 2] {
    let server = |ip: &str, port| {
        let host = ip.parse().map_or(Host::Unix(ip.into()), Host::Ip);
        ServerConfig { host, port, ..ServerConfig::default() }
    };
    let first = vec![server("10.0.0.9", 80), ServerConfig::default(), server("2001:db8::1", 80)];
    let second = vec![server("/run/mail", 0), server("10.0.0.9", 25)];
    let service = |name, servers| ServiceConfig { servers, ..ServiceConfig::new(name) };
    let tracking = ServiceConfig { tracking_s: 500, ..service("mail", second) };
    [service("default", first), tracking]
}

/// With the end that the file should have: its clients counted, its bytes summed up.
fn mended(data: &[u8]) -> Vec<u8> {
    let end = data.windows(5).rposition(|w| w == b"\nend ").map(|at| at + 1);
    let body = data.get(..end.unwrap_or(data.len())).unwrap_or(data);
    let clients = body.split(|b| *b == b'\n').filter(|line| is_client(line)).count();
    let sum = crc32(body);
    [body, format!("end {clients} {sum:08x}\n").as_bytes()].concat()
}

/// Bit by bit, as it is defined.
fn crc32(data: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in data {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut writer = Writer::new(NOW, WallMs(1_795_300_000_000));
    let client = |ip: &str| ip.parse().map_or(ClientAddr::Unix, ClientAddr::from_ip);
    for config in &services() {
        writer.service(&config.name, &config.servers);
        for (n, ip) in ["192.0.2.7", "2001:db8:7::9", "unix"].iter().enumerate() {
            let seen = Moment(NOW.0 - 200_000 * (n as u64));
            writer.client(client(ip), seen, [0, 2, 1][n]);
        }
    }
    let whole = writer.finish();
    let text = |lines: &str| lines.as_bytes().to_vec();
    let head = "pen-state 1\nwritten 1795300000000\n";
    let mut crowd = format!("{head}service default\nserver 0 10.0.0.9:80\n");
    for n in 0..30 {
        crowd.push_str(&format!("10.1.0.{n} {}000 0\n", n * 7 % 30));
    }
    named([
        ("whole", whole.clone()),
        ("half", whole[..whole.len() / 2].to_vec()),
        ("crowd", mended(crowd.as_bytes())),
        ("empty", Writer::new(NOW, WALL).finish()),
        ("future", mended(text("pen-state 1\nwritten 9999999999999\nservice mail\nserver 0 unix:/run/mail\n::ffff:10.0.0.1 0 0\n10.0.0.1 400000 0\n").as_slice())),
        ("elsewhere", mended(text(&format!("{head}service other\nserver 0 a\n10.0.0.1 0 0\nservice mail\nserver 0 a\n10.0.0.1 9999999999 0\n")).as_slice())),
        ("newer", text("pen-state 2\nwritten 1\n")),
        ("foreign", text("blacklist 5\nserver 0 address 10.0.0.9\n")),
        ("wrong-sum", text(&format!("{head}end 0 00000000\n"))),
        ("no-service", text(&format!("{head}10.0.0.1 0 0\n"))),
        ("huge-numbers", mended(text(&format!("{head}service default\nserver 0 10.0.0.9:80\n10.0.0.1 18446744073709551615 0\n10.0.0.2 0 4294967295\n")).as_slice())),
        ("long", [head.as_bytes(), &[b'a'; 600]].concat()),
    ])
}
