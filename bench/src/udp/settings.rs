//! Who takes part, and the words and files that make each do the same.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};

use super::traffic::Kind;
use crate::balancers::in_path;
use crate::options::Options;
use crate::settings::NGINX_MODULE;

/// A way from client to server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// No balancer.
    Direct,
    /// This project's, at this path.
    Pen(PathBuf),
    /// nginx with its stream module.
    Nginx,
    /// The classic pen of Debian.
    Classic,
    /// The DNS balancer.
    Dnsdist,
}

/// What a balancer is to do.
pub struct Task<'a> {
    /// The traffic it will get.
    pub kind: Kind,
    /// Where it listens.
    pub listen: SocketAddrV4,
    /// Its servers.
    pub servers: &'a [SocketAddr],
    /// Its threads.
    pub threads: usize,
    /// For its files.
    pub folder: &'a Path,
}

impl Subject {
    /// Those that are here, wanted, and can do this.
    pub fn present(kind: Kind, options: &Options, pen: &Path) -> Vec<Self> {
        let mut all = vec![Self::Direct, Self::Pen(pen.to_owned())];
        if in_path("nginx").is_some() && Path::new(NGINX_MODULE).exists() {
            all.push(Self::Nginx);
        }
        if Path::new("/usr/bin/pen").exists() {
            all.push(Self::Classic);
        }
        if in_path("dnsdist").is_some() && kind != Kind::OneWay {
            all.push(Self::Dnsdist);
        }
        let wanted = |s: &Self| {
            let name = s.name().to_lowercase();
            options.balancers.is_empty() || options.balancers.iter().any(|b| name.starts_with(b))
        };
        all.retain(wanted);
        all
    }

    /// As it is called in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Pen(_) => "Pen",
            Self::Nginx => "nginx stream",
            Self::Classic => "classic pen",
            Self::Dnsdist => "dnsdist",
        }
    }

    /// Whether both are the same balancer.
    pub fn same(&self, other: &Self) -> bool {
        self.name() == other.name()
    }

    /// Program and words; files are written.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn command(&self, task: &Task<'_>) -> io::Result<(PathBuf, Vec<String>)> {
        let servers = task.servers.iter().map(ToString::to_string);
        let found = |name: &str| in_path(name).unwrap_or_else(|| name.into());
        Ok(match self {
            Self::Direct => (PathBuf::new(), Vec::new()),
            Self::Pen(path) => {
                let workers = format!("workers {}", task.threads);
                let mut words: Vec<String> =
                    ["-f", "-U", "-r", "-O", &workers].map(Into::into).into();
                if task.kind == Kind::NewSockets {
                    words.extend(["-O".into(), "udp_answers 1".into()]);
                }
                words.push(task.listen.to_string());
                words.extend(servers);
                (path.clone(), words)
            }
            Self::Classic => {
                let mut words: Vec<String> =
                    ["-f", "-U", "-r", "-x", "4000"].map(Into::into).into();
                words.push(task.listen.to_string());
                words.extend(servers);
                ("/usr/bin/pen".into(), words)
            }
            Self::Nginx => {
                let file = task.folder.join("nginx-udp.conf");
                fs::write(&file, nginx(task))?;
                let folder = task.folder.display().to_string();
                (found("nginx"), vec!["-p".into(), folder, "-c".into(), file.display().to_string()])
            }
            Self::Dnsdist => {
                let file = task.folder.join("dnsdist.conf");
                fs::write(&file, dnsdist(task))?;
                let words = ["--supervised", "--disable-syslog", "-C"];
                let mut words: Vec<String> = words.map(Into::into).into();
                words.push(file.display().to_string());
                (found("dnsdist"), words)
            }
        })
    }
}

fn nginx(task: &Task<'_>) -> String {
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let folder = task.folder.display();
    let answers = match task.kind {
        Kind::FewSockets | Kind::OneWay => "",
        Kind::NewSockets => "proxy_responses 1; ",
    };
    let mut text = format!(
        "load_module {NGINX_MODULE};\n{user}daemon off;\nworker_processes {};\n\
         pid {folder}/nginx-udp.pid;\nerror_log {folder}/nginx-udp.err;\n\
         events {{ worker_connections 20000; }}\nstream {{\n  upstream servers {{\n",
        task.threads
    );
    for server in task.servers {
        let _ = writeln!(text, "    server {server};");
    }
    let listen = task.listen;
    let _ = writeln!(
        text,
        "  }}\n  server {{ listen {listen} udp reuseport; proxy_timeout 120s; {answers}\
         proxy_pass servers; }}\n}}"
    );
    text
}

fn dnsdist(task: &Task<'_>) -> String {
    let mut text = String::new();
    let listen = task.listen;
    // Further threads are further listeners.
    for _ in 0..task.threads {
        let _ = writeln!(text, "addLocal(\"{listen}\", {{reusePort={}}})", task.threads > 1);
    }
    for server in task.servers {
        let _ = writeln!(text, "newServer({{address=\"{server}\"}})");
    }
    text += "setServerPolicy(roundrobin)\nsetACL(\"127.0.0.0/8\")\n";
    text
}
