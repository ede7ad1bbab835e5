//! The command lines and configuration files that make each balancer do what a [`Setup`] says.
//!
//! Nothing is tuned: what a careful operator would write. Time limits of streams are a minute.

use std::fmt::Write as _;

use pen_test::{Place, Scratch, is_root};

use crate::setup::{Scope, Setup};
use crate::subject::Subject;

/// The module nginx needs, where Debian puts it.
pub const NGINX_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";
/// Name of the control socket of Pen and the classic in the scratch directory.
pub const CONTROL: &str = "ctl";
/// Name of HAProxy's.
pub const HAPROXY_CONTROL: &str = "haproxy.sock";

/// The words behind the program's name; files are written to `scratch`.
pub fn words(subject: Subject, setup: &Setup, scratch: &Scratch) -> Vec<String> {
    match subject {
        Subject::Pen => pen(setup, scratch),
        Subject::Classic => classic(setup, scratch),
        Subject::Haproxy => {
            let file = scratch.write(file(subject), &haproxy(setup, scratch));
            let master = setup.again.then(|| "-W".into());
            let words = ["-db".into(), "-f".into(), file.display().to_string()];
            master.into_iter().chain(words).collect()
        }
        Subject::Nginx => {
            let file = scratch.write(file(subject), &nginx(setup, scratch));
            let folder = scratch.dir().display().to_string();
            vec!["-p".into(), folder, "-c".into(), file.display().to_string()]
        }
    }
}

/// The name of a balancer's settings in the scratch directory; Pen and the classic have them there only
/// where they are to be read again.
pub fn file(subject: Subject) -> &'static str {
    match subject {
        Subject::Pen | Subject::Classic => "pen.cfg",
        Subject::Haproxy => "haproxy.cfg",
        Subject::Nginx => "nginx.conf",
    }
}

/// What a careful file of the classic and of Pen says, so that there is something to lose.
const FILE: &str = "server 0 max 500\nserver 0 hard 900\nacl 3 deny 192.0.2.0/24\n";

fn pen(setup: &Setup, scratch: &Scratch) -> Vec<String> {
    let mut lines = vec![
        format!("workers {}", setup.threads),
        format!("timeout {}", setup.connect_timeout_s),
        format!("blacklist {}", setup.blacklist_s),
        format!("conn_max {}", setup.room),
    ];
    if setup.udp {
        lines.push("protocol udp".into());
    }
    lines.extend(setup.lines(Subject::Pen, Scope::Global).map(str::to_owned));
    let mut words: Vec<String> = vec!["-f".into(), "-C".into(), control(scratch)];
    if is_root() {
        words.extend(["-u".into(), setup.user.into()]);
    }
    if !setup.sticky {
        words.push("-r".into());
    }
    if let Some(file) = &setup.tls {
        words.extend(["-E".into(), file.display().to_string()]);
    }
    if setup.again {
        let file = scratch.write(file(Subject::Pen), FILE);
        words.extend(["-F".into(), file.display().to_string()]);
    }
    words.extend(lines.into_iter().flat_map(|line| ["-O".into(), line]));
    words.extend(setup.words.iter().cloned());
    words.push(setup.listen.word());
    words.extend(servers(setup, Subject::Pen));
    words
}

fn classic(setup: &Setup, scratch: &Scratch) -> Vec<String> {
    let mut words: Vec<String> =
        vec!["-f".into(), "-x".into(), setup.room.to_string(), "-C".into(), control(scratch)];
    words.extend(["-u".into(), setup.user.into()]);
    if setup.again {
        let file = scratch.write(file(Subject::Classic), FILE);
        words.extend(["-F".into(), file.display().to_string()]);
    }
    words.extend(["-t".into(), setup.connect_timeout_s.to_string()]);
    words.extend(["-b".into(), setup.blacklist_s.to_string()]);
    words.extend(["-S".into(), setup.servers.len().max(2).to_string()]);
    if !setup.sticky {
        words.push("-r".into());
    }
    if setup.udp {
        words.push("-U".into());
    }
    if let Some(file) = &setup.tls {
        words.extend(["-E".into(), file.display().to_string()]);
    }
    words.extend(setup.lines(Subject::Classic, Scope::Global).map(str::to_owned));
    words.extend(setup.words.iter().cloned());
    words.push(setup.listen.word());
    words.extend(servers(setup, Subject::Classic));
    words
}

fn haproxy(setup: &Setup, scratch: &Scratch) -> String {
    let mut text = format!(
        "global\n  nbthread {}\n  maxconn {}\n  stats socket {} level admin\n",
        setup.threads,
        setup.room,
        scratch.path(HAPROXY_CONTROL).display()
    );
    for line in setup.lines(Subject::Haproxy, Scope::Global) {
        let _ = writeln!(text, "  {line}");
    }
    let balance = if setup.sticky { "source" } else { "roundrobin" };
    let _ = write!(
        text,
        "defaults\n  mode tcp\n  timeout connect {}s\n  timeout client 60s\n  timeout server 60s\n  \
         option redispatch\n  balance {balance}\n",
        setup.connect_timeout_s
    );
    for line in setup.lines(Subject::Haproxy, Scope::Shared) {
        let _ = writeln!(text, "  {line}");
    }
    let bind = match &setup.listen {
        Place::Tcp(address) => address.to_string(),
        Place::Unix(path) => format!("unix@{}", path.display()),
    };
    let tls = setup.tls.as_ref().map(|f| format!(" ssl crt {}", f.display())).unwrap_or_default();
    let further = listen_words(setup, Subject::Haproxy);
    let _ = writeln!(text, "listen service\n  bind {bind}{tls}{further}");
    for line in setup.lines(Subject::Haproxy, Scope::Service) {
        let _ = writeln!(text, "  {line}");
    }
    let mut tail = String::new();
    if setup.checks {
        let _ = write!(tail, " check inter {}s fall 1 rise 1", setup.blacklist_s.min(2));
    }
    for (n, server) in servers(setup, Subject::Haproxy).enumerate() {
        let (address, rest) = server.split_once(' ').unwrap_or((&server, ""));
        let _ = writeln!(text, "  server s{n} {address}{tail} {rest}");
    }
    text
}

fn nginx(setup: &Setup, scratch: &Scratch) -> String {
    // Its group has the same name unless said, and there is none called nobody.
    let group = if setup.user == "nobody" { " nogroup" } else { "" };
    let user = if is_root() { format!("user {}{group};\n", setup.user) } else { String::new() };
    let folder = scratch.dir().display();
    let mut text = format!(
        "load_module {NGINX_MODULE};\n{user}daemon off;\nworker_processes {};\n\
         error_log {folder}/nginx.err;\n",
        setup.threads
    );
    if !setup.lines(Subject::Nginx, Scope::Global).any(|line| line.starts_with("pid ")) {
        let _ = writeln!(text, "pid {folder}/nginx.pid;");
    }
    for line in setup.lines(Subject::Nginx, Scope::Global) {
        let _ = writeln!(text, "{line}");
    }
    let _ = write!(
        text,
        "events {{ worker_connections {}; }}\nstream {{\n  proxy_connect_timeout {}s;\n  \
         proxy_timeout 60s;\n",
        2 * setup.room + 50,
        setup.connect_timeout_s
    );
    for line in setup.lines(Subject::Nginx, Scope::Shared) {
        let _ = writeln!(text, "  {line}");
    }
    text += "  upstream servers {\n";
    if setup.sticky {
        let _ = writeln!(text, "    hash $remote_addr consistent;");
    }
    for server in servers(setup, Subject::Nginx) {
        let _ = writeln!(text, "    server {server} fail_timeout={}s;", setup.blacklist_s);
    }
    let (udp, ssl) =
        (if setup.udp { " udp" } else { "" }, if setup.tls.is_some() { " ssl" } else { "" });
    let listen = match &setup.listen {
        Place::Tcp(address) => address.to_string(),
        Place::Unix(path) => format!("unix:{}", path.display()),
    };
    let further = listen_words(setup, Subject::Nginx);
    let _ = writeln!(text, "  }}\n  server {{\n    listen {listen}{udp}{ssl}{further};");
    if let Some(file) = &setup.tls {
        let file = file.display();
        let _ = writeln!(text, "    ssl_certificate {file};\n    ssl_certificate_key {file};");
    }
    if !setup.udp {
        let _ = writeln!(text, "    proxy_half_close on;");
    }
    for line in setup.lines(Subject::Nginx, Scope::Service) {
        let _ = writeln!(text, "    {line}");
    }
    let mut lines = setup.lines(Subject::Nginx, Scope::Service);
    if !lines.any(|line| line.starts_with("proxy_pass")) {
        text += "    proxy_pass servers;\n";
    }
    text + "  }\n}\n"
}

fn listen_words(setup: &Setup, subject: Subject) -> String {
    setup.lines(subject, Scope::Listen).map(|word| format!(" {word}")).collect()
}

/// The servers as this balancer writes them, with what is to follow each.
fn servers(setup: &Setup, subject: Subject) -> impl Iterator<Item = String> {
    setup.servers.iter().map(move |server| {
        let unix = server.starts_with('/');
        let mut word = match subject {
            Subject::Nginx if unix => format!("unix:{server}"),
            Subject::Haproxy if unix => format!("unix@{server}"),
            _ => server.clone(),
        };
        for line in setup.lines(subject, Scope::Server) {
            if matches!(subject, Subject::Haproxy | Subject::Nginx) {
                word.push(' ');
            }
            word += line;
        }
        word
    })
}

fn control(scratch: &Scratch) -> String {
    scratch.path(CONTROL).display().to_string()
}
