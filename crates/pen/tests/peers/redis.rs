//! redis: long connections, a server that speaks little, and one that speaks unasked.

use std::process::Command;

use pen_test::{Client, Pen, Place, Scratch, run};

use crate::{Real, find};

fn redis() -> Option<Real> {
    let program = find("redis-server")?;
    let (scratch, place) = (Scratch::new(), Place::free());
    let mut command = Command::new(program);
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    command.args(["--port", &place.port().to_string()]).arg("--dir").arg(scratch.dir());
    Some(Real::start(command, place, scratch))
}

/// Sends one command and reads the first line of the answer.
fn say(client: &Client, words: &str) -> String {
    client.send(format!("{words}\r\n")).expect("pen takes it");
    client.read_line().trim_end().to_owned()
}

#[test]
fn redis_cli_and_benchmark() {
    let Some(server) = redis() else { return };
    let (Some(cli), Some(benchmark)) = (find("redis-cli"), find("redis-benchmark")) else { return };
    let pen = Pen::bare().servers([server.place.word()]).start();
    let port = pen.place().port().to_string();
    let ask = |words: &[&str]| run(&cli, ["-p", port.as_str()].iter().chain(words)).stdout;
    assert_eq!(ask(&["SET", "key", "value"]).trim(), "OK");
    assert_eq!(ask(&["GET", "key"]).trim(), "value");
    let said = run(
        &benchmark,
        [
            "-p",
            &port,
            "-n",
            "3000",
            "-c",
            "20",
            "-P",
            "4",
            "-t",
            "set,get,lrange_100",
            "-d",
            "500",
            "-q",
        ],
    );
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    assert!(!said.stdout.contains("rror"), "{}", said.stdout);
    pen.wait_idle();
}

#[test]
fn long_connections_and_messages_nobody_asked_for() {
    let Some(server) = redis() else { return };
    let pen = Pen::bare().servers([server.place.word()]).start();
    let (listener, speaker) = (pen.client(), pen.client());
    listener.send("SUBSCRIBE news\r\n").expect("pen takes it");
    for expected in ["*3", "$9", "subscribe", "$4", "news", ":1"] {
        assert_eq!(listener.read_line().trim_end(), expected);
    }
    for n in 0..50 {
        assert_eq!(say(&speaker, &format!("PUBLISH news item{n:03}")), ":1");
        for expected in ["*3", "$7", "message", "$4", "news", "$7", &format!("item{n:03}")] {
            assert_eq!(listener.read_line().trim_end(), expected);
        }
        assert_eq!(say(&speaker, "PING"), "+PONG");
    }
    assert_eq!(pen.conns(), 2);
}
