//! Many server names: the map is bounded, no file is opened, nothing grows.

use std::mem::MaybeUninit;
use std::path::Path;

use pen_test::{End, Farm, Pen, Wire, until};
use rustix::fs::inotify;

use crate::hall::{Hall, NAME};
use crate::hello::{client_hello, with_name};

/// How many names are tried: few enough for every day; `PEN_TEST_NAMES=100000` for the whole proof.
fn count() -> usize {
    std::env::var("PEN_TEST_NAMES").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000)
}

/// Tells of every file that is opened or looked into in some directories.
struct Watch(rustix::fd::OwnedFd);

impl Watch {
    fn over(dirs: &[&Path]) -> Self {
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK).expect("inotify");
        let flags = inotify::WatchFlags::OPEN | inotify::WatchFlags::ACCESS;
        for dir in dirs {
            inotify::add_watch(&watch, *dir, flags).expect("a directory");
        }
        Self(watch)
    }

    /// Names of files since the last look.
    fn seen(&self) -> Vec<String> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        let mut names = Vec::new();
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|n| n.to_string_lossy().into_owned());
            names.push(name.unwrap_or_else(|| "the directory".into()));
        }
        names
    }
}

/// The name with this number, as long as [`NAME`]: of every sort that a client can send.
fn name(n: usize) -> String {
    let text = match n % 4 {
        0 => format!("n{n:0>7}.example"),
        1 => format!("../{n:0>8}.key"),
        2 => format!("N{n:0>6}.EXAMPL."),
        _ => format!("a.example/{n:0>5}"),
    };
    let mut text: String = text.chars().take(NAME.len()).collect();
    text.extend(std::iter::repeat_n('x', NAME.len() - text.len()));
    text
}

/// Starts a handshake with this name and leaves after pen's first word.
fn knock(pen: &Pen, hello: &[u8], name: &str) {
    let client = pen.client();
    client.send(with_name(hello, NAME, name)).expect("pen takes it");
    let end = client.read_exact(1).err();
    assert_ne!(end, Some(End::Silence), "{name}");
    client.abort();
}

#[test]
fn many_names_open_no_file_and_leave_nothing_behind() {
    let hall = Hall::new();
    let farm = Farm::banners(1);
    let dir = hall.scratch.path("sni");
    std::fs::create_dir(&dir).expect("ours");
    for name in ["a.example", "b.example"] {
        let made = hall.authority.sign(&[name]);
        std::fs::write(dir.join(format!("{name}.crt")), &made.certificate).expect("ours");
        std::fs::write(dir.join(format!("{name}.key")), &made.key).expect("ours");
    }
    let pen = hall.pen(&farm).command(&format!("ssl_sni_path {}", dir.display())).start();
    let hello = client_hello(hall.config_of(&[&rustls::version::TLS13]));
    for n in 0..500 {
        knock(&pen, &hello, &name(n));
    }
    let unfinished = || (pen.vitals().descriptors, pen.vitals().anonymous_kib);
    let before = unfinished();
    let watch = Watch::over(&[&dir, hall.scratch.dir()]);
    for n in 500..count() {
        knock(&pen, &hello, &name(n));
    }
    assert_eq!(watch.seen(), Vec::<String>::new(), "files were opened");
    until("the descriptors of before", || (unfinished().0 <= before.0 + 8).then_some(()));
    let grown = unfinished().1.saturating_sub(before.1);
    assert!(grown < 1024, "{grown} KiB more after {} names", count());
    // The watch sees what it should: this is how it would have been.
    drop(std::fs::read(dir.join("a.example.crt")));
    assert!(watch.seen().contains(&"a.example.crt".to_owned()));
    let _listening = Wire::connect(pen.place()).expect("pen lives");
    assert!(hall.is_served(&pen));
}
