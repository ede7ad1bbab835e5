//! `penctl`: sends one command to a running Pen and prints the reply.
//!
//! The reply goes to standard output as it arrives, whatever it says, and the exit status is 0;
//! what goes wrong on the way goes to standard error with status 1. The command is never checked
//! before it is sent, because the daemon may be newer: what this program knows of the commands is
//! only used for a hint when the daemon refuses one.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use pen_core::command::{Door, parse};
use pen_core::limits;
use socket2::{Domain, SockAddr, Socket, Type};

const USAGE: &str = "usage: penctl host:port command\n       penctl /path/to/socket command\n";

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1).map(|w| w.to_string_lossy().into_owned());
    let place = words.next();
    let command = words.collect::<Vec<_>>().join(" ");
    let (Some(place), false) = (place, command.is_empty()) else {
        return finish(say(USAGE.as_bytes()));
    };
    finish(ask(&place, &command))
}

fn finish(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nobody left to tell when even this cannot be written.
            let _ = writeln!(io::stderr(), "penctl: {message}");
            ExitCode::FAILURE
        }
    }
}

fn ask(place: &str, command: &str) -> Result<(), String> {
    if command.len() > limits::PENCTL_COMMAND_MAX {
        return Err(format!(
            "the command has {} bytes, more than {}",
            command.len(),
            limits::PENCTL_COMMAND_MAX
        ));
    }
    let mut socket = connect(place)?;
    socket
        .write_all(format!("{command}\n").as_bytes())
        .map_err(|e| format!("cannot write to {place}: {e}"))?;
    let mut start = Vec::new();
    let mut buffer = [0_u8; 16 * 1024];
    loop {
        let n = match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                return Err(format!(
                    "no answer from {place} for {} seconds",
                    limits::PENCTL_ANSWER_S
                ));
            }
            Err(e) => return Err(format!("cannot read from {place}: {e}")),
        };
        let arrived = buffer.get(..n).unwrap_or_default();
        if start.len() < limits::LINE_MAX {
            start.extend_from_slice(arrived);
        }
        say(arrived)?;
    }
    if let Some(hint) = hint(command, &String::from_utf8_lossy(&start)) {
        // The reply was delivered; a hint that cannot be written is no failure.
        let _ = writeln!(io::stderr(), "penctl: {hint}");
    }
    Ok(())
}

/// Writes to standard output at once. A reader that has gone ends the program quietly.
fn say(bytes: &[u8]) -> Result<(), String> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => Err(format!("cannot write the reply: {e}")),
        Ok(()) => Ok(()),
    }
}

/// What this program knows about a command that the daemon refused, unless the daemon said it.
fn hint(command: &str, reply: &str) -> Option<String> {
    let refused = reply.starts_with("error: ") || reply.starts_with("do_cmd: ignoring");
    if !refused {
        return None;
    }
    let fault = parse(command, Door::Control).err()?;
    (!reply.contains(&fault.message)).then_some(fault.message)
}

fn connect(place: &str) -> Result<Box<dyn Connection>, String> {
    if place.contains('/') {
        let socket = connect_unix(place).map_err(|e| format!("cannot connect to {place}: {e}"))?;
        return Ok(Box::new(socket));
    }
    let (host, port) = split(place)?;
    let addresses =
        (host, port).to_socket_addrs().map_err(|e| format!("cannot resolve {host}: {e}"))?;
    let mut last = format!("cannot resolve {host}");
    for address in addresses {
        match connect_tcp(address) {
            Ok(socket) => return Ok(Box::new(socket)),
            Err(e) => last = format!("cannot connect to {address}: {e}"),
        }
    }
    Err(last)
}

trait Connection: Read + Write {}
impl<T: Read + Write> Connection for T {}

fn connect_tcp(address: std::net::SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&address, seconds(limits::PENCTL_CONNECT_S))?;
    socket.set_read_timeout(Some(seconds(limits::PENCTL_ANSWER_S)))?;
    socket.set_write_timeout(Some(seconds(limits::PENCTL_ANSWER_S)))?;
    Ok(socket)
}

fn connect_unix(path: &str) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A connect to a Unix socket whose queue is full waits as long as a write would.
    socket.set_write_timeout(Some(seconds(limits::PENCTL_CONNECT_S)))?;
    socket.connect(&SockAddr::unix(path)?)?;
    socket.set_read_timeout(Some(seconds(limits::PENCTL_ANSWER_S)))?;
    Ok(socket)
}

fn seconds(n: u32) -> Duration {
    Duration::from_secs(u64::from(n))
}

/// Host and port of `host:port`, `v6:port` and `[v6]:port`: the last colon divides.
fn split(place: &str) -> Result<(&str, u16), String> {
    let (host, port) = place
        .rsplit_once(':')
        .ok_or_else(|| format!("'{place}' is neither host:port nor the path of a socket"))?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let number =
        port.parse().ok().filter(|n| *n != 0).ok_or_else(|| {
            format!("'{port}' in '{place}' is not a port, a number from 1 to 65535")
        })?;
    Ok((host, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let rows = [
            ("127.0.0.1:99", Some(("127.0.0.1", 99))),
            ("::1:99", Some(("::1", 99))),
            ("[::1]:99", Some(("::1", 99))),
            ("somewhere:1", Some(("somewhere", 1))),
            ("no-port-here", None),
            ("host:", None),
            ("host:0", None),
            ("host:65536", None),
            ("host:http", None),
        ];
        for (text, expected) in rows {
            assert_eq!(split(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn no_hint_for_replies_that_are_no_refusal() {
        assert_eq!(hint("pid", "1234\n"), None);
    }
}
