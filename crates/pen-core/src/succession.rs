//! What a process that takes over and the one before it say to each other: the words, and in which order
//! they make sense.
//!
//! The one before says who it is, then what it hands over, message by message, then that this is all. The new
//! one says that it is ready, or why it cannot be; then it is told that it is in charge. Deliberately not
//! here: the descriptors that come with the messages, and how they come.

/// The first message; another number is another language.
pub const GREETING: &str = "pen-upgrade 1";
/// Its descriptors are listeners.
pub const LISTENERS: &str = "listeners";
/// Its descriptor is the pid file, written and locked.
pub const PID_FILE: &str = "pid_file";
/// Nothing more is handed over.
pub const ALL: &str = "all";
/// The new process is in charge.
pub const YOURS: &str = "yours";

/// What one message of the process before means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is a process before this one, and what it says will be understood.
    Greeting,
    /// Listeners.
    Listeners,
    /// The pid file.
    PidFile,
    /// That was all.
    All,
}

/// Listens to the process before.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    greeted: bool,
    over: bool,
}

impl Listener {
    /// Takes a message; `None` if it is none that can stand there: another language is spoken.
    pub fn hear(&mut self, text: &[u8]) -> Option<Heard> {
        let text = std::str::from_utf8(text).ok()?;
        let heard = match (text, self.greeted) {
            _ if self.over => return None,
            (GREETING, false) => Heard::Greeting,
            (LISTENERS, true) => Heard::Listeners,
            (PID_FILE, true) => Heard::PidFile,
            (ALL, true) => Heard::All,
            _ => return None,
        };
        self.greeted = true;
        self.over = heard == Heard::All;
        Some(heard)
    }
}

/// What a new process says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is ready.
    Ready {
        /// Its number.
        pid: u32,
        /// Its version.
        version: String,
    },
    /// It cannot be, and why.
    Failed(String),
}

impl Answer {
    /// The message that says so, of at most `max` bytes.
    #[must_use]
    pub fn text(&self, max: usize) -> String {
        let mut text = match self {
            Self::Ready { pid, version } => format!("ready {pid} {version}"),
            Self::Failed(why) => format!("failed {why}"),
        };
        text.truncate(text.floor_char_boundary(max));
        text
    }

    /// What a message says, as it can stand in a line. One that is not understood is a failure; a later
    /// version may say more than is understood here.
    #[must_use]
    pub fn read(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text).replace(char::is_control, " ");
        let mut words = text.split(' ');
        let ready = (words.next() == Some("ready")).then(|| {
            let pid = words.next()?.parse().ok()?;
            let version = words.next().filter(|version| !version.is_empty())?;
            Some(Self::Ready { pid, version: version.to_owned() })
        });
        ready.flatten().unwrap_or_else(|| {
            let why = text.strip_prefix("failed ");
            Self::Failed(why.unwrap_or("it does not say what is expected of it").trim().to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_make_sense_in_one_order() {
        let listen = |texts: &[&str]| {
            let mut listener = Listener::default();
            texts.iter().all(|text| listener.hear(text.as_bytes()).is_some())
        };
        assert!(listen(&[GREETING, LISTENERS, LISTENERS, PID_FILE, ALL]));
        assert!(listen(&[GREETING, ALL]));
        for texts in [
            &[ALL][..],
            &[LISTENERS],
            &[GREETING, GREETING],
            &["pen-upgrade 2"],
            &[GREETING, "listeners "],
            &[GREETING, YOURS],
            &[GREETING, ALL, LISTENERS],
        ] {
            assert!(!listen(texts), "{texts:?}");
        }
    }

    #[test]
    fn answers_read_back_and_others_are_failures() {
        let ready = Answer::Ready { pid: 7, version: "1.2".to_owned() };
        let failed = Answer::Failed("no such luck".to_owned());
        for answer in [&ready, &failed] {
            assert_eq!(Answer::read(answer.text(99).as_bytes()), *answer);
        }
        assert_eq!(failed.text(9), "failed no");
        assert_eq!(Answer::Failed("\u{e9}".repeat(9)).text(10), "failed \u{e9}");
        assert_eq!(Answer::read(b"ready 7 1.2 and more"), ready);
        assert_eq!(Answer::read(b"failed no such\nluck\n"), failed);
        for text in ["", "ready", "ready x 1", "ready 1", "ready 1 ", "ready 1 \n2", "done"] {
            assert!(matches!(Answer::read(text.as_bytes()), Answer::Failed(_)), "{text}");
        }
    }
}
