//! The built-in farm of `--demo`: a few tiny web servers inside the process, on loopback, so that
//! a newcomer sees Pen balance without owning a server.
//!
//! Bounded: one request per connection, [`limits::DEMO_AT_ONCE`] connections per server, a deadline for each.

use std::fs::DirBuilder;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pen_core::cli::{Launch, Step, Stop};
use pen_core::command::{Command, Switch};
use pen_core::limits;
use pen_core::near::shown;
use pen_sys::privileges;

use crate::control::perform;

/// The control socket in the demo's directory.
const CONTROL: &str = "control";

/// The servers of the demo, bound but not yet serving: threads may start only when signals are
/// dealt with.
pub struct Farm {
    listeners: Vec<TcpListener>,
    /// Made for the control socket.
    directory: Option<PathBuf>,
}

/// Removes what the demo has made, at the end of the process.
#[derive(Debug, Default)]
pub struct Leftovers(Option<PathBuf>);

impl Drop for Leftovers {
    fn drop(&mut self) {
        if let Some(directory) = &self.0 {
            // It is ours alone; at worst something stays in the directory of temporary files.
            let _ = std::fs::remove_file(directory.join(CONTROL));
            let _ = std::fs::remove_dir(directory);
        }
    }
}

impl Farm {
    fn bind() -> io::Result<Self> {
        let one = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listeners = (0..limits::DEMO_SERVERS).map(one).collect::<io::Result<_>>()?;
        Ok(Self { listeners, directory: None })
    }

    fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    /// What is to be removed at the end.
    pub fn leftovers(&mut self) -> Leftovers {
        Leftovers(self.directory.take())
    }

    /// Starts a thread for each server.
    ///
    /// # Errors
    /// No threads left.
    pub fn start(self) -> io::Result<()> {
        for (number, listener) in self.listeners.into_iter().enumerate() {
            thread::Builder::new().name(format!("demo-{number}")).spawn(move || {
                let busy = Arc::new(AtomicUsize::new(0));
                for client in listener.incoming().flatten() {
                    serve(number, client, &busy);
                }
            })?;
        }
        Ok(())
    }
}

/// Binds the servers, makes `launch` balance over them, and says what to try. What the command
/// line says beside `--demo` stays as it is.
///
/// # Errors
/// No port or directory left.
pub fn prepare(launch: &mut Launch) -> Result<Farm, Stop> {
    let cannot = |e| Stop::failure(&format!("cannot bind the demo servers: {e}"));
    if let Some(word) = launch.operands.first() {
        return Err(Stop::misuse(&format!(
            "--demo brings its own addresses; {} is not understood",
            shown(word)
        )));
    }
    let mut farm = Farm::bind().map_err(cannot)?;
    let port = launch.demo.flatten().unwrap_or(limits::DEMO_PORT);
    launch.foreground = true;
    launch.operands = vec![format!("{}:{port}", Ipv4Addr::LOCALHOST)];
    launch.operands.extend(farm.addresses().map_err(cannot)?.iter().map(SocketAddr::to_string));
    launch.steps.insert(0, Step::Set(Command::Switch(Switch::Roundrobin, true)));
    if launch.control.is_none() && !launch.check {
        let directory = control_directory().map_err(|e| {
            Stop::failure(&format!("cannot make a directory for the control socket: {e}"))
        })?;
        launch.control = Some(directory.join(CONTROL).to_string_lossy().into_owned());
        farm.directory = Some(directory);
    }
    if privileges::is_root() && launch.user.is_none() {
        // Without it the control port would not be opened.
        launch.user = Some("root".to_owned());
    }
    if !launch.check {
        perform::print(&welcome(port, launch.control.as_deref().unwrap_or_default()));
    }
    Ok(farm)
}

/// A directory that only this user can enter.
fn control_directory() -> io::Result<PathBuf> {
    let dir = std::env::temp_dir().join(format!("pen-demo-{}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&dir)?;
    Ok(dir)
}

fn welcome(port: u16, control: &str) -> String {
    format!(
        "Pen balances http://127.0.0.1:{port}/ over {} demo servers in this process.\n\
         In another terminal try:\n\
         \x20 curl http://127.0.0.1:{port}/                      again and again: the servers take turns\n\
         \x20 penctl {control} servers             the table, with counters\n\
         \x20 penctl {control} server 0 blacklist 60   server 0 gets no clients for a minute\n\
         \x20 penctl {control} no roundrobin       each client keeps its server\n\
         \x20 penctl {control} status json         everything at once\n\
         (Without an installed penctl: cargo build --release makes target/release/penctl.)\n\
         Control-C ends the demo.\n",
        limits::DEMO_SERVERS
    )
}

fn serve(number: usize, client: TcpStream, busy: &Arc<AtomicUsize>) {
    if busy.fetch_add(1, Ordering::SeqCst) >= limits::DEMO_AT_ONCE {
        busy.fetch_sub(1, Ordering::SeqCst);
        return;
    }
    let left = Arc::clone(busy);
    let started = thread::Builder::new().spawn(move || {
        // A client that leaves or dawdles is of no interest to a demo.
        let _ = answer(number, &client);
        left.fetch_sub(1, Ordering::SeqCst);
    });
    if started.is_err() {
        busy.fetch_sub(1, Ordering::SeqCst);
    }
}

fn answer(number: usize, client: &TcpStream) -> io::Result<()> {
    let patience = Duration::from_secs(limits::DEMO_PATIENCE_S);
    client.set_read_timeout(Some(patience))?;
    client.set_write_timeout(Some(patience))?;
    let mut request = String::new();
    let mut head = BufReader::new(io::Read::take(client, 16 * 1024));
    head.read_line(&mut request)?;
    let mut line = String::new();
    let mut forwarded = String::new();
    while head.read_line(&mut line)? > 0 && !line.trim_end().is_empty() {
        if line.to_ascii_lowercase().starts_with("x-forwarded-for:") {
            forwarded = format!(
                "It says it forwards for{}.\n",
                line.trim_end().get(15..).unwrap_or_default().replace(':', "")
            );
        }
        line.clear();
    }
    let request: String = request.trim_end().chars().filter(|c| !c.is_control()).take(80).collect();
    let body = format!("Hello from demo server {number}.\n{forwarded}");
    let mut client = client;
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    // Lines of a terminal that went away are lost.
    let _ = writeln!(io::stdout(), "demo server {number} answered {request:?}");
    client.shutdown(std::net::Shutdown::Write)?;
    io::copy(&mut io::Read::take(client, 1024 * 1024), &mut io::sink())?;
    Ok(())
}
