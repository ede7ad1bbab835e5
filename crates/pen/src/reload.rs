//! How reloads of the configuration file follow each other.
//!
//! One runs at a time; those wanted while it waits for host names make it run once more
//! afterwards. Deliberately not here: reading files (`files`), making settings true (`publish`),
//! the signal (`control::signals`).

/// Where reloading stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reloads {
    /// Nothing to do.
    #[default]
    Idle,
    /// The file is being read, or waits for names.
    Running,
    /// As before, and it has to be read once more.
    Again,
}

impl Reloads {
    /// A reload is wanted; whether it can start now.
    pub fn want(&mut self) -> bool {
        let start = *self == Self::Idle;
        *self = if start { Self::Running } else { Self::Again };
        start
    }

    /// A reload has ended; whether another is wanted.
    pub fn ended(&mut self) -> bool {
        std::mem::take(self) == Self::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_wishes_makes_one_more_reload() {
        let mut reloads = Reloads::default();
        assert!(reloads.want());
        assert!(!reloads.want());
        assert!(!reloads.want());
        assert!(reloads.ended());
        assert!(reloads.want());
        assert!(!reloads.ended());
    }
}
