//! The command lines and configuration files that make each balancer end TLS.
//!
//! "As it comes" here as well: certificate and key, nothing about ciphers, tickets or sessions, and
//! about versions only to nginx, whose version in Debian does not offer TLS 1.3 unasked. The
//! client's offer leaves no choice.

use std::fs;
use std::io;
use std::net::SocketAddrV4;
use std::path::Path;

use crate::balancers::{Kind, Task};

/// The words that tell Pen its certificate.
pub fn pen(file: &Path) -> [String; 2] {
    ["-E".into(), file.display().to_string()]
}

/// What follows the address in HAProxy's `bind`.
pub fn haproxy(file: &Path) -> String {
    format!(" ssl crt {}", file.display())
}

/// What nginx's `server` must know besides.
pub fn nginx(file: &Path) -> String {
    let file = file.display();
    format!(
        "ssl_certificate {file}; ssl_certificate_key {file}; \
         ssl_protocols TLSv1.2 TLSv1.3;"
    )
}

/// Hitch: its words, and its file. It has one server and no choice among several.
///
/// # Errors
/// The file cannot be written.
pub fn hitch(task: &Task, listen: SocketAddrV4, folder: &Path) -> io::Result<Vec<String>> {
    let certificate = task.tls.as_ref().map(|t| t.file.display().to_string()).unwrap_or_default();
    let server = task.servers.first().map(|s| format!("[{}]:{}", s.ip(), s.port()));
    // As root it refuses to stay root unless it is told so.
    let user = if rustix::process::geteuid().is_root() { "user = \"root\"\n" } else { "" };
    let text = format!(
        "frontend = \"[{}]:{}\"\nbackend = \"{}\"\nworkers = {}\nbacklog = 4096\nlog-level = 0\n\
         {user}daemon = off\npem-file = \"{certificate}\"\n",
        listen.ip(),
        listen.port(),
        server.unwrap_or_default(),
        task.threads
    );
    let file = folder.join("hitch.conf");
    fs::write(&file, text)?;
    Ok(vec![format!("--config={}", file.display())])
}

/// Those that can end TLS.
pub fn knows(kind: Kind) -> bool {
    match kind {
        Kind::Pen
        | Kind::OtherPen
        | Kind::Haproxy
        | Kind::HaproxyTuned
        | Kind::Nginx
        | Kind::Hitch => true,
        Kind::Direct | Kind::Classic => false,
    }
}
