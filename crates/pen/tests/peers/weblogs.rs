//! Logs that a real nginx and a real Apache write behind pen: in every format, while they are written
//! (penlog, penlogd) and afterwards (mergelogs), each line gets the client that asked.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pen_test::{
    Pen, Place, Program, Scratch, free_port, is_root, log_tool, run, until, whole_lines,
};

use crate::collector::Collector;
use crate::{Real, find};

/// The formats, each in a log of that name.
const FORMATS: [&str; 3] = ["common", "combined", "vhost"];
/// Addresses of the servers, which the logs are told apart by.
const NGINX: &str = "127.0.0.11";
const APACHE: &str = "127.0.0.12";

fn nginx(program: &PathBuf) -> Real {
    let (scratch, port) = (Scratch::new(), free_port());
    let dir = scratch.dir().display().to_string();
    let user = if is_root() { "user root;" } else { "" };
    let config = format!(
        "{user} daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log;
        events {{ worker_connections 64; }}
        http {{
          log_format common '$remote_addr - $remote_user [$time_local] \"$request\" $status \
             $body_bytes_sent';
          log_format vhost '$host:$server_port $remote_addr - $remote_user [$time_local] \
             \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"';
          access_log {dir}/common common; access_log {dir}/combined combined;
          access_log {dir}/vhost vhost;
          client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
          uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
          server {{ listen {NGINX}:{port}; location / {{ return 200 'nginx\\n'; }} }}
        }}\n"
    );
    let file = scratch.write("conf", &config);
    let mut command = Command::new(program);
    command.arg("-p").arg(scratch.dir()).arg("-c").arg(file);
    let place = Place::Tcp(format!("{NGINX}:{port}").parse().expect("an address"));
    Real::start(command, place, scratch)
}

/// Apache, whose piped log goes through our penlog to `collector`.
fn apache(program: &PathBuf, collector: u16) -> Real {
    let (scratch, port) = (Scratch::new(), free_port());
    let dir = scratch.dir().display().to_string();
    let modules = Path::new("/usr/lib/apache2/modules");
    let load: String = ["mpm_event", "authz_core", "log_config", "alias"]
        .iter()
        .map(|m| (m, modules.join(format!("mod_{m}.so"))))
        .filter(|(_, path)| path.is_file())
        .map(|(m, path)| format!("LoadModule {m}_module {}\n", path.display()))
        .collect();
    let user = if is_root() { "User nobody\nGroup nogroup\n" } else { "" };
    let penlog = log_tool("penlog").display().to_string();
    let config = format!(
        "ServerRoot {dir}\nServerName www.example.org\nListen {APACHE}:{port}\nPidFile {dir}/pid\n\
         {load}{user}ErrorLog {dir}/error.log\nDocumentRoot {dir}/files\nMutex file:{dir}\n\
         LogFormat \"%h %l %u %t \\\"%r\\\" %>s %b\" common\n\
         LogFormat \"%h %l %u %t \\\"%r\\\" %>s %b \\\"%{{Referer}}i\\\" \\\"%{{User-Agent}}i\\\"\" combined\n\
         LogFormat \"%v:%p %h %l %u %t \\\"%r\\\" %>s %b \\\"%{{Referer}}i\\\" \\\"%{{User-Agent}}i\\\"\" vhost\n\
         CustomLog {dir}/common common\nCustomLog {dir}/combined combined\n\
         CustomLog {dir}/vhost vhost\n\
         CustomLog \"|{penlog} 127.0.0.1 {collector} {APACHE}\" combined\n"
    );
    std::fs::create_dir(scratch.path("files")).expect("ours");
    let file = scratch.write("conf", &config);
    let mut command = Command::new(program);
    // One process: nothing is left of it, nor of what reads its logs, when it is killed.
    command.args(["-X", "-f"]).arg(file);
    let place = Place::Tcp(format!("{APACHE}:{port}").parse().expect("an address"));
    Real::start(command, place, scratch)
}

/// Requests as hostile as curl can make them, each with its client.
fn requests() -> Vec<(String, String)> {
    let long = format!("long/{}?a=%22b%5C", "p".repeat(150));
    let ends = ["plain", "quote\"and\\back", "caf\u{e9}", "x?[09/Jan/2002:00:28:50]", &long];
    // The number comes first: requests that agree over 100 bytes cannot be told apart.
    (0..10)
        .map(|n| (format!("127.0.0.{}", 50 + n), format!("/{n}/{}", ends[n % ends.len()])))
        .collect()
}

fn ask(curl: &PathBuf, pen: &Pen, client: &str, target: &str) {
    let (url, target) = (format!("http://{}/", pen.place().word()), target.to_owned());
    let agent = "a \"quoted\" [agent]";
    let words = ["-sS", "--max-time", "9", "--interface", client, "-A", agent, "--request-target"];
    let said = run(curl, words.iter().copied().chain([target.as_str(), url.as_str()]));
    assert_eq!(said.code, Some(0), "{client} {target}: {}", said.stderr);
}

/// The number of the request that a line is about.
fn number(line: &str) -> usize {
    let digit = line.split("\"GET /").nth(1).and_then(|rest| rest.chars().next()?.to_digit(10));
    digit.unwrap_or_else(|| panic!("no number: {line}")) as usize
}

fn client_of(line: &str, format: &str) -> String {
    let place = usize::from(format == "vhost");
    line.split(' ').nth(place).unwrap_or_default().to_owned()
}

#[test]
fn every_line_gets_its_client_live_and_afterwards() {
    let (Some(curl), Some(nginx_program)) = (find("curl"), find("nginx")) else { return };
    let Some(apache_program) = find("apache2") else { return };
    let collector = Collector::start(&log_tool("penlogd"));
    let servers = [nginx(&nginx_program), apache(&apache_program, collector.port)];
    let scratch = Scratch::new();
    let pen_log = scratch.path("pen.log").display().to_string();
    let words: Vec<String> = servers.iter().map(|s| s.place.word()).collect();
    let live = format!("127.0.0.1:{}", collector.port);
    let asked = requests();
    // One pen writes a file, the other sends datagrams; round robin brings each to both servers.
    let mut file = Pen::bare().args(["-r", "-l", &pen_log]).servers(&words).start();
    for (client, target) in asked.iter().flat_map(|a| [a, a]) {
        ask(&curl, &file, client, target);
    }
    file.stop();
    let both = [(NGINX, &servers[0]), (APACHE, &servers[1])];
    for format in FORMATS {
        let inputs: Vec<String> = both
            .iter()
            .map(|(server, real)| format!("{server}:{}", finished_log(real, format, asked.len())))
            .collect();
        let words = ["-p", &pen_log].into_iter().chain(inputs.iter().map(String::as_str));
        let merged = run(&log_tool("mergelogs"), words);
        assert_eq!((merged.code, merged.stderr.as_str()), (Some(0), ""));
        let mut seen = vec![0; asked.len()];
        for line in merged.stdout.lines() {
            let n = number(line);
            assert_eq!(client_of(line, format), asked[n].0, "{format}: {line}");
            assert!(line.contains(" +0000] \""), "{line}");
            seen[n] += 1;
        }
        assert_eq!(seen, vec![2; asked.len()], "{format}");
    }
    // Apache's piped log has arrived meanwhile, unknown to penlogd: no pen sent entries yet.
    let before = collector.lines(asked.len()).len();
    let sending = Pen::bare().args(["-r", "-l", &live]).servers(&words).start();
    let follow = follow(&servers[0], collector.port);
    for (client, target) in asked.iter().flat_map(|a| [a, a]) {
        ask(&curl, &sending, client, target);
    }
    let lines = collector.lines(before + 2 * asked.len());
    for line in &lines[before..] {
        assert_eq!(client_of(line, "combined"), asked[number(line)].0, "{line}");
    }
    drop(follow);
    collector.end();
}

/// The path of a server's log when all lines are there.
fn finished_log(real: &Real, format: &str, count: usize) -> String {
    let path = real.scratch.path(format);
    until("the lines of a web server", || {
        (whole_lines(&path).lines().count() == count).then_some(())
    });
    path.display().to_string()
}

/// nginx cannot write into a pipe: its log is followed, as the manual says.
fn follow(real: &Real, port: u16) -> [Program; 2] {
    let (scratch, fifo) = (Scratch::new(), real.scratch.path("fifo"));
    assert!(Command::new("mkfifo").arg(&fifo).status().is_ok_and(|s| s.success()));
    let script = |text: String| {
        let mut command = Command::new("sh");
        command.args(["-c", &text]).stdin(Stdio::null());
        Program::start(command, &scratch)
    };
    let (log, fifo) = (real.scratch.path("combined"), fifo.display().to_string());
    let tail = script(format!("exec tail -qn0 -F {} >{fifo}", log.display()));
    let penlog = log_tool("penlog").display().to_string();
    let send = script(format!("exec {penlog} 127.0.0.1 {port} {NGINX} <{fifo}"));
    // tail has the log open when it has something to wait for.
    until("tail to follow", || {
        let open = std::fs::read_dir(format!("/proc/{}/fd", tail.pid())).ok()?;
        let mut names = open.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok());
        names.any(|name| name == log).then_some(())
    });
    [tail, send]
}
