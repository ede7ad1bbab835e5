//! curl through pen to nginx.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pen_test::{
    Finished, Pattern, Pen, Place, Program, Scratch, Sig, is_root, run, until, whole_lines,
};

use crate::{Real, find};

/// One nginx process (no master, so that killing it kills all of it) that says its name.
fn nginx(program: &PathBuf, name: &str) -> Real {
    let (scratch, place) = (Scratch::new(), Place::free());
    let dir = scratch.dir().display().to_string();
    std::fs::create_dir(scratch.path("files")).expect("the directory is ours");
    std::fs::write(scratch.path("files/big"), Pattern::new(5).take(3 << 20)).expect("ours");
    let user = if is_root() { "user root;" } else { "" };
    let config = format!(
        "{user} daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/error.log;
        events {{ worker_connections 512; }}
        http {{
          log_format seen '$request_method $uri for=$http_x_forwarded_for \
             proto=$http_x_forwarded_proto turn=$connection_requests length=$content_length';
          access_log {dir}/access.log seen;
          client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
          fastcgi_temp_path {dir}/fcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
          client_max_body_size 64m; keepalive_requests 10000;
          server {{
            listen {listen}; root {dir}/files;
            location = /name {{ return 200 '{name}\\n'; }}
            location /put/ {{ dav_methods PUT; create_full_put_path on; }}
          }}
        }}\n",
        listen = place.word()
    );
    let file = scratch.write("nginx.conf", &config);
    let mut command = Command::new(program);
    command.arg("-p").arg(scratch.dir()).arg("-c").arg(file);
    Real::start(command, place, scratch)
}

impl Real {
    /// Lines of nginx's access log.
    fn seen(&self) -> Vec<String> {
        let log = whole_lines(&self.scratch.path("access.log"));
        log.lines().map(str::to_owned).collect()
    }
}

fn two(name: &str) -> Option<(PathBuf, [Real; 2])> {
    let curl = find("curl")?;
    let program = find(name)?;
    Some((curl, [nginx(&program, "n0"), nginx(&program, "n1")]))
}

fn over(servers: &[Real; 2]) -> pen_test::PenBuilder {
    Pen::bare().servers(servers.iter().map(|s| s.place.word()))
}

fn curl(program: &PathBuf, args: &[&str]) -> Finished {
    run(program, ["-sS", "--fail", "--max-time", "9"].iter().chain(args))
}

#[test]
fn keep_alive_requests_carry_the_client_each_time() {
    let Some((program, servers)) = two("nginx") else { return };
    let pen = over(&servers).args(["-H", "-r"]).start();
    let url = format!("http://{}/name", pen.place().word());
    let mut args = vec!["--interface", "127.0.0.8"];
    args.extend(vec![url.as_str(); 10]);
    let said = curl(&program, &args);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let first = said.stdout.lines().next().unwrap_or_default().to_owned();
    assert_eq!(said.stdout, format!("{first}\n").repeat(10), "one connection, one server");
    let lines = |s: &Real| s.seen().into_iter().filter(|l| l.contains("/name")).collect::<Vec<_>>();
    let seen = until("ten lines in the log", || servers.iter().map(lines).find(|l| l.len() == 10));
    for (n, line) in seen.iter().enumerate() {
        assert!(line.contains("for=127.0.0.8 proto=http "), "{line}");
        assert!(line.contains(&format!("turn={} ", n + 1)), "{line}");
    }
}

#[test]
fn bodies_arrive_byte_for_byte() {
    let Some((program, servers)) = two("nginx") else { return };
    let pen = over(&servers).args(["-H", "-s"]).start();
    let base = format!("http://{}", pen.place().word());
    let body = servers[0].scratch.path("files/big").display().to_string();
    let (put, fetched) = (format!("{base}/put/up"), servers[0].scratch.path("down"));
    for extra in [&[][..], &["-H", "Transfer-Encoding: chunked"], &["-H", "Expect: 100-continue"]] {
        let mut args = vec!["-T", body.as_str(), put.as_str()];
        args.extend(extra);
        let said = curl(&program, &args);
        assert_eq!(said.code, Some(0), "{extra:?}: {}", said.stderr);
        let whole = std::fs::read(&body).expect("ours");
        let stored = servers.iter().map(|s| s.scratch.path("files/put/up"));
        let stored: Vec<_> = stored.filter_map(|p| std::fs::read(p).ok()).collect();
        assert!(!stored.is_empty() && stored.iter().all(|s| *s == whole), "{extra:?}: other bytes");
    }
    let down = fetched.display().to_string();
    let said = curl(&program, &["-o", &down, &format!("{base}/big")]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(std::fs::read(&fetched).expect("curl wrote it") == Pattern::new(5).take(3 << 20));
}

/// curl processes one after the other on `threads` threads, while `act` runs; answers how many ran
/// after `act` and how many of those failed.
fn load(program: &PathBuf, url: &str, threads: usize, act: impl FnOnce()) -> (usize, usize) {
    let (acted, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    let (before, after, failed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|s| {
        for _ in 0..threads {
            s.spawn(|| {
                let end = std::time::Instant::now() + pen_test::deadline() * 3;
                while !stop.load(Ordering::SeqCst) && std::time::Instant::now() < end {
                    let counts = acted.load(Ordering::SeqCst);
                    let ok = curl(program, &[url]).code == Some(0);
                    let asked = if counts { &after } else { &before };
                    asked.fetch_add(1, Ordering::SeqCst);
                    failed.fetch_add(usize::from(counts && !ok), Ordering::SeqCst);
                }
            });
        }
        let many = |count: &AtomicUsize| {
            let end = std::time::Instant::now() + pen_test::deadline();
            while count.load(Ordering::SeqCst) < 20 && std::time::Instant::now() < end {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        };
        many(&before);
        act();
        acted.store(true, Ordering::SeqCst);
        many(&after);
        stop.store(true, Ordering::SeqCst);
    });
    (after.load(Ordering::SeqCst), failed.load(Ordering::SeqCst))
}

#[test]
fn nginx_killed_with_kill_9_under_load() {
    let Some((program, servers)) = two("nginx") else { return };
    let pen = over(&servers).args(["-r"]).start();
    let url = format!("http://{}/name", pen.place().word());
    let [staying, dying] = servers;
    let (after, failed) = load(&program, &url, 3, || drop(dying));
    assert!(after >= 20, "only {after} requests");
    assert_eq!(failed, 0, "of {after} requests after the kill");
    drop(staying);
}

#[test]
fn hup_under_curl_load() {
    let Some((program, servers)) = two("nginx") else { return };
    let pen = over(&servers).args(["-r"]).file("blacklist 5\n").start();
    let url = format!("http://{}/name", pen.place().word());
    // A transfer that is slow enough to live through all reloads.
    let mut slow = Command::new(&program);
    slow.args(["-sS", "--fail", "--limit-rate", "2M", "-o", "/dev/null"]);
    slow.arg(format!("http://{}/big", pen.place().word()));
    let scratch = Scratch::new();
    let slow = Program::start(slow, &scratch);
    let reloads = || {
        for n in 6..=20 {
            std::fs::write(pen.file(), format!("blacklist {n}\n")).expect("the file is ours");
            pen.signal(Sig::Hup);
            let expected = format!("{n}\n");
            until("the reload", || (pen.ctl("blacklist") == expected).then_some(()));
        }
    };
    reloads();
    let (after, failed) = load(&program, &url, 3, reloads);
    assert!(after >= 20, "only {after} requests");
    assert_eq!(failed, 0, "of {after}");
    let slow = slow.finished();
    assert_eq!(slow.code, Some(0), "the long transfer: {}", slow.stderr);
}
