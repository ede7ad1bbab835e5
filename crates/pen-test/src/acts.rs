//! What a server plays with its clients. An act ends by dropping the connection, which closes it.

use std::sync::Arc;

use crate::pattern::Pattern;
use crate::server::Served;
use crate::wire::End;

/// Plays one connection from its first byte to its end.
pub type Act = Arc<dyn Fn(Served) + Send + Sync>;

/// Says `NAME CLIENT-ADDRESS` on a line, then echoes until the client finishes.
#[must_use]
pub fn banner() -> Act {
    Arc::new(|s| {
        let line = format!("{} {}\n", s.name(), s.from);
        if s.send(line).is_ok() {
            echo_all(&s);
        }
    })
}

/// Echoes until the client finishes.
#[must_use]
pub fn echo() -> Act {
    Arc::new(|s| echo_all(&s))
}

fn echo_all(s: &Served) {
    let mut chunk = vec![0; 65_536];
    loop {
        match s.read_some(&mut chunk) {
            Ok(n) => {
                if s.send(chunk.get(..n).unwrap_or_default()).is_err() {
                    return;
                }
            }
            Err(end) => return s.note(format!("{end:?}")),
        }
    }
}

/// Reads everything, notes how it ended (`Eof`, `Reset`) and how many bytes came, answers nothing.
#[must_use]
pub fn listen_only() -> Act {
    Arc::new(|s| {
        let (bytes, end) = s.read_to_end();
        s.note(format!("{end:?} after {}", bytes.len()));
    })
}

/// Reads until the client finishes, then answers `count` bytes of [`Pattern`] 7.
#[must_use]
pub fn answer_after_eof(count: usize) -> Act {
    let answer = Pattern::new(7).take(count);
    Arc::new(move |s| {
        if s.end() == End::Eof {
            drop(s.send(&answer));
        }
    })
}

/// Reads one line, sends `count` bytes of [`Pattern`] 7, then aborts.
#[must_use]
pub fn reset_after(count: usize) -> Act {
    let answer = Pattern::new(7).take(count);
    Arc::new(move |s| {
        drop(s.read_line());
        drop(s.send(&answer));
        s.abort();
    })
}

/// Sends without end until the client leaves.
#[must_use]
pub fn pour() -> Act {
    let block = Pattern::new(3).take(65_536);
    Arc::new(move |s| while !s.is_leaving() && s.send(&block).is_ok() {})
}

/// Speaks first: says each line of `lines`, waiting for one line of the client after each.
#[must_use]
pub fn server_first(lines: &'static [&'static str]) -> Act {
    Arc::new(move |s| {
        for line in lines {
            if s.send(format!("{line}\r\n")).is_err() || s.read_line().is_empty() {
                return;
            }
        }
    })
}

/// A small web server: answers each request with its name, keeps connections alive, notes each
/// request head as it came. Bodies by Content-Length and chunked bodies are read and thrown away.
#[must_use]
pub fn http() -> Act {
    Arc::new(|s| {
        while let Some(head) = read_head(&s) {
            let length = field(&head, "content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
            let chunked = field(&head, "transfer-encoding").is_some_and(|v| v == "chunked");
            if field(&head, "expect").is_some() {
                drop(s.send("HTTP/1.1 100 Continue\r\n\r\n"));
            }
            s.note(head);
            let whole = if chunked { skip_chunks(&s) } else { s.read_exact(length).is_ok() };
            let body = format!("{}\n", s.name());
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if !whole || s.send(answer).is_err() {
                return;
            }
        }
    })
}

/// One request head with its empty line; nothing at the end of the stream.
#[must_use]
pub fn read_head(s: &Served) -> Option<String> {
    let mut head = String::new();
    loop {
        let line = s.read_line();
        if line.is_empty() {
            return None;
        }
        head.push_str(&line);
        if line == "\r\n" || line == "\n" {
            return Some(head);
        }
    }
}

/// The value of the first field called `name` (lower case) of a head, trimmed.
#[must_use]
pub fn field(head: &str, name: &str) -> Option<String> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

fn skip_chunks(s: &Served) -> bool {
    loop {
        let line = s.read_line();
        let Ok(size) = usize::from_str_radix(line.trim(), 16) else { return false };
        if s.read_exact(size + 2).is_err() {
            return false;
        }
        if size == 0 {
            return true;
        }
    }
}
