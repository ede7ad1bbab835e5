//! Who is put to the test.

/// A balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// This project's.
    Pen,
    /// HAProxy in tcp mode.
    Haproxy,
    /// nginx with its stream module.
    Nginx,
    /// The classic pen of Debian.
    Classic,
}

impl Subject {
    /// All of them, in the order of the table.
    pub const ALL: [Subject; 4] =
        [Subject::Pen, Subject::Haproxy, Subject::Nginx, Subject::Classic];

    /// As it is called in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pen => "Pen",
            Self::Haproxy => "HAProxy",
            Self::Nginx => "nginx",
            Self::Classic => "classic pen",
        }
    }

    /// As it is called on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pen => "pen",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Classic => "classic",
        }
    }

    /// The one that is called `word`.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.word() == word)
    }
}
