//! HTTP/2 and HTTP/1.1 over TLS: curl and h2load through pen to an nginx that speaks plainly.

use std::path::PathBuf;
use std::process::Command;

use pen_test::{Finished, Pattern, Pen, Place, Scratch, is_root, run};

use super::{NAME, Office};
use crate::{Real, find};

/// Bytes of the large file.
const BIG: usize = 3 << 20;

/// An nginx without TLS that speaks HTTP/2 (`http2`) or HTTP/1.1 from the first byte on.
fn nginx(program: &PathBuf, version: &str) -> Real {
    let (scratch, place) = (Scratch::new(), Place::free());
    let dir = scratch.dir().display().to_string();
    std::fs::write(scratch.path("big"), Pattern::new(5).take(BIG)).expect("ours");
    let user = if is_root() { "user root;" } else { "" };
    let config = format!(
        "{user} daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/error.log;
        events {{ worker_connections 512; }}
        http {{
          access_log off; keepalive_requests 100000;
          client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
          fastcgi_temp_path {dir}/fcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
          server {{
            listen {listen} {version}; root {dir};
            location = /name {{ return 200 'nginx\\n'; }}
            location = /who {{ return 200 '$http_x_forwarded_for $http_x_forwarded_proto '; }}
            location /put/ {{ dav_methods PUT; create_full_put_path on; client_max_body_size 9m; }}
          }}
        }}\n",
        listen = place.word()
    );
    let file = scratch.write("nginx.conf", &config);
    let mut command = Command::new(program);
    command.arg("-p").arg(scratch.dir()).arg("-c").arg(file);
    Real::start(command, place, scratch)
}

fn over(office: &Office, server: &Real) -> Pen {
    let pen = Pen::bare().servers([server.place.word()]);
    office.secured(pen).command("ssl_alpn h2,http/1.1").start()
}

fn curl(program: &PathBuf, office: &Office, pen: &Pen, path: &str, more: &[&str]) -> Finished {
    let port = pen.place().port();
    let (url, root) = (format!("https://{NAME}:{port}{path}"), office.file("root.crt"));
    let resolve = format!("{NAME}:{port}:127.0.0.1");
    let mut args = vec!["-sS", "--fail", "--max-time", "9", "--cacert", &root];
    args.extend(["--resolve", &resolve, "-w", "%{http_version} "]);
    args.extend(more);
    args.push(&url);
    run(program, args)
}

#[test]
fn curl_speaks_what_alpn_agreed() {
    let (Some(program), Some(web)) = (find("curl"), find("nginx")) else { return };
    let office = Office::new();
    for (listen, option, version) in [("http2", "--http2", "2"), ("", "--http1.1", "1.1")] {
        let server = nginx(&web, listen);
        let pen = over(&office, &server);
        let said = curl(&program, &office, &pen, "/name", &[option]);
        assert_eq!(
            (said.code, said.stdout),
            (Some(0), format!("nginx\n{version} ")),
            "{}",
            said.stderr
        );
        let down = office.file("down");
        let said = curl(&program, &office, &pen, "/big", &[option, "-o", &down]);
        assert_eq!((said.code, said.stdout), (Some(0), format!("{version} ")), "{}", said.stderr);
        assert!(std::fs::read(&down).expect("curl wrote it") == Pattern::new(5).take(BIG));
        let big = server.scratch.path("big").display().to_string();
        let said = curl(&program, &office, &pen, "/put/up", &[option, "-T", &big]);
        assert_eq!((said.code, said.stdout), (Some(0), format!("{version} ")), "{}", said.stderr);
        let up = std::fs::read(server.scratch.path("put/up")).expect("nginx wrote it");
        assert!(up == Pattern::new(5).take(BIG));
    }
}

#[test]
fn servers_are_told_of_https() {
    let (Some(program), Some(web)) = (find("curl"), find("nginx")) else { return };
    let (office, server) = (Office::new(), nginx(&web, ""));
    let pen = Pen::bare().servers([server.place.word()]);
    let pen = office.secured(pen).args(["-H"]).start();
    for version in ["1.2", "1.3"] {
        let said = curl(&program, &office, &pen, "/who", &["--tls-max", version]);
        let told = "127.0.0.1 https 1.1 ".to_owned();
        assert_eq!((said.code, said.stdout), (Some(0), told), "{}", said.stderr);
    }
}

#[test]
fn h2load_gets_every_answer() {
    let (Some(program), Some(web)) = (find("h2load"), find("nginx")) else { return };
    let office = Office::new();
    let server = nginx(&web, "http2");
    let pen = over(&office, &server);
    let url = format!("https://{}/name", pen.place().word());
    let said = run(&program, ["-n", "2000", "-c", "10", "-m", "10", url.as_str()]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("Application protocol: h2"), "{}", said.stdout);
    assert!(said.stdout.contains("status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx"), "{}", said.stdout);
    pen.wait_idle();
}
