//! The command line of the soak.

use std::time::{SystemTime, UNIX_EPOCH};

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Of everything random.
    pub seed: u64,
    /// How long.
    pub minutes: u64,
}

impl Options {
    /// Reads the words.
    ///
    /// # Errors
    /// One is not understood; with the text for the user.
    pub fn parse(words: &[String]) -> Result<Self, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut options = Self { seed: u64::from(now.subsec_nanos()), minutes: 60 };
        for pair in words.chunks(2) {
            let number = |value: &String| value.parse().map_err(|e| format!("{value}: {e}"));
            match pair {
                [word, value] if word == "--seed" => options.seed = number(value)?,
                [word, value] if word == "--minutes" => options.minutes = number(value)?,
                _ => return Err("soak knows --seed N and --minutes N".into()),
            }
        }
        Ok(options)
    }
}
