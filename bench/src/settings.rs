//! The command lines and configuration files that make each balancer do the same.
//!
//! "As it comes" means: no option that changes how bytes move, round robin over the same servers,
//! the same number of threads, room for the same number of connections, no logs.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::SocketAddrV4;
use std::path::Path;

use crate::balancers::{Kind, Task};
use crate::tls;

/// The module nginx needs, where Debian puts it.
pub const NGINX_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";
/// Connections each must have room for, if descriptors allow.
const ROOM: u64 = 10_000;
/// Descriptors of a balancer that are not connections.
const DESCRIPTORS_ELSE: u64 = 100;

/// Connections each is told to have room for: each needs two descriptors.
fn room() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let limit = limit.current.unwrap_or(u64::MAX);
    ROOM.min(limit.saturating_sub(DESCRIPTORS_ELSE) / 2)
}

/// The words behind the program's name; files are written to `folder`.
///
/// # Errors
/// A file cannot be written.
pub fn words(task: &Task, listen: SocketAddrV4, folder: &Path) -> io::Result<Vec<String>> {
    let servers = task.servers.iter().map(ToString::to_string);
    Ok(match task.kind {
        Kind::Direct => Vec::new(),
        Kind::Pen | Kind::OtherPen => {
            let mut words = vec!["-f".into(), "-O".into(), format!("workers {}", task.threads)];
            match task.clients_max {
                Some(clients) => words.extend(["-c".into(), clients.to_string()]),
                None => words.push("-r".into()),
            }
            if let Some(format) = task.log {
                let file = fs::canonicalize(folder)?.join("connections.log");
                // That of the round before; there is none in the first.
                let _ = fs::remove_file(&file);
                let command = format!("connection_log {format} {}", file.display());
                words.extend(["-O".into(), command]);
            }
            words.extend(task.tls.iter().flat_map(|t| tls::settings::pen(&t.file)));
            words.push(listen.to_string());
            words.extend(servers);
            words
        }
        Kind::Classic => {
            let room = room().to_string();
            let count = task.servers.len().to_string();
            let mut words: Vec<String> =
                ["-f", "-r", "-x", &room, "-S", &count].map(String::from).into();
            words.push(listen.to_string());
            words.extend(servers);
            words
        }
        Kind::Haproxy | Kind::HaproxyTuned => {
            let file = folder.join("haproxy.cfg");
            fs::write(&file, haproxy(task, listen))?;
            vec!["-db".into(), "-f".into(), file.display().to_string()]
        }
        Kind::Nginx => {
            let file = fs::canonicalize(folder)?.join("nginx.conf");
            fs::write(&file, nginx(task, listen, folder))?;
            let folder = fs::canonicalize(folder)?.display().to_string();
            vec!["-p".into(), folder, "-c".into(), file.display().to_string()]
        }
        Kind::Hitch => tls::settings::hitch(task, listen, folder)?,
    })
}

fn haproxy(task: &Task, listen: SocketAddrV4) -> String {
    let tuned = task.kind == Kind::HaproxyTuned;
    let splice = tuned && task.bulk;
    // A pipe for every fourth connection is counted against the descriptors.
    let room = if splice { room() / 2 } else { room() };
    let mut text = format!("global\n  nbthread {}\n  maxconn {room}\n", task.threads);
    if splice {
        text += "  tune.bufsize 65536\n  tune.pipesize 1048576\n";
    }
    text += "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  \
             timeout server 60s\n  balance roundrobin\n";
    if tuned {
        text += "  option tcp-smart-accept\n  option tcp-smart-connect\n";
    }
    if splice {
        text += "  option splice-auto\n";
    }
    let tls = task.tls.as_ref().map(|t| tls::settings::haproxy(&t.file)).unwrap_or_default();
    let _ = writeln!(text, "listen bench\n  bind {listen}{tls}");
    for (n, server) in task.servers.iter().enumerate() {
        let _ = writeln!(text, "  server s{n} {server}");
    }
    text
}

fn nginx(task: &Task, listen: SocketAddrV4, folder: &Path) -> String {
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let folder = folder.display();
    let mut text = format!(
        "load_module {NGINX_MODULE};\n{user}daemon off;\nworker_processes {};\n\
         pid {folder}/nginx.pid;\nerror_log {folder}/nginx.err;\n\
         events {{ worker_connections {}; }}\nstream {{\n  upstream servers {{\n",
        task.threads,
        2 * room() + DESCRIPTORS_ELSE / 2
    );
    for server in &task.servers {
        let _ = writeln!(text, "    server {server};");
    }
    let (ssl, files) = match &task.tls {
        Some(tls) => (" ssl", tls::settings::nginx(&tls.file)),
        None => ("", String::new()),
    };
    let _ = writeln!(
        text,
        "  }}\n  server {{ listen {listen}{ssl}; {files} proxy_pass servers; }}\n}}"
    );
    text
}
