//! A conversation with `openssl s_client`.

use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use std::io::Write;

use pen_test::{Pen, Place, Scratch, until};

use super::{NAME, Office};

/// A running `openssl s_client`. Dropping ends it.
pub struct Talk {
    child: Child,
    input: Option<ChildStdin>,
    scratch: Scratch,
}

impl Talk {
    /// Connects to `pen` as a client that verifies the certificate for [`NAME`], if `args` do not
    /// say otherwise.
    pub fn start(openssl: &PathBuf, office: &Office, pen: &Pen, args: &[&str]) -> Self {
        let mut words = vec!["-verify_return_error", "-verify_hostname", NAME];
        if !args.contains(&"-servername") && !args.contains(&"-noservername") {
            words.extend(["-servername", NAME]);
        }
        words.extend(args);
        Self::plainly(openssl, office, pen.place(), &words)
    }

    /// The same without a name to verify.
    pub fn plainly(openssl: &PathBuf, office: &Office, place: &Place, args: &[&str]) -> Self {
        let scratch = Scratch::new();
        let file = |name| std::fs::File::create(scratch.path(name)).expect("ours");
        let mut command = Command::new(openssl);
        command.args(["s_client", "-connect", &place.word(), "-CAfile"]).arg(&office.root);
        command.args(args).stdin(Stdio::piped()).stdout(file("out")).stderr(file("err"));
        let mut child = command.spawn().expect("openssl runs");
        let input = child.stdin.take();
        Self { child, input, scratch }
    }

    /// What it said so far, on both streams.
    pub fn said(&self) -> String {
        let read = |name| std::fs::read(self.scratch.path(name)).unwrap_or_default();
        String::from_utf8_lossy(&[read("out"), read("err")].concat()).into_owned()
    }

    /// Waits until it has said `text`.
    pub fn hears(&mut self, text: &str) {
        until(&format!("openssl to say {text:?}"), || {
            let said = self.said();
            if said.contains(text) {
                return Some(());
            }
            let ended = self.child.try_wait().ok().flatten();
            // What it said last may have come in between.
            assert!(
                ended.is_none() || self.said().contains(text),
                "no {text:?} in: {}",
                self.said()
            );
            None
        });
    }

    /// Types.
    pub fn types(&mut self, text: &str) {
        let input = self.input.as_mut().expect("not finished");
        input.write_all(text.as_bytes()).expect("openssl reads");
    }

    /// Ends the input and waits for the end; answers whether it was content, and all it said.
    pub fn ends(&mut self) -> (bool, String) {
        self.input = None;
        let status = until("openssl to end", || self.child.try_wait().ok().flatten());
        (status.success(), self.said())
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
