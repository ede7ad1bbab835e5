//! What became of a case.

use std::fmt;

/// How a balancer stood a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As expected; with the figures.
    Holds(String),
    /// Not as expected; with what was seen instead.
    Fails(String),
    /// The balancer has nothing of the kind; with what is missing.
    Without(String),
    /// It could not be tried here; with the reason.
    Skipped(String),
}

impl Verdict {
    /// Whether `right`; `figures` say what was seen.
    pub fn of(right: bool, figures: impl Into<String>) -> Self {
        if right { Self::Holds(figures.into()) } else { Self::Fails(figures.into()) }
    }

    /// The balancer has nothing of the kind.
    pub fn without(what: impl Into<String>) -> Self {
        Self::Without(what.into())
    }

    /// It could not be tried.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped(why.into())
    }

    /// What was seen.
    pub fn figures(&self) -> &str {
        match self {
            Self::Holds(text) | Self::Fails(text) | Self::Without(text) | Self::Skipped(text) => {
                text
            }
        }
    }

    /// One word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Holds(_) => "holds",
            Self::Fails(_) => "FAILS",
            Self::Without(_) => "without",
            Self::Skipped(_) => "skipped",
        }
    }

    /// Reads what [`fmt::Display`] wrote.
    pub fn read(line: &str) -> Option<Self> {
        let (word, text) = line.split_once(' ')?;
        let text = text.to_owned();
        [Self::Holds, Self::Fails, Self::Without, Self::Skipped]
            .into_iter()
            .map(|make| make(text.clone()))
            .find(|verdict| verdict.word() == word)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.word(), self.figures().replace('\n', " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_as_they_were_written() {
        for verdict in [
            Verdict::of(true, "1000 of 1000"),
            Verdict::of(false, "4 of 30"),
            Verdict::without("no UDP"),
            Verdict::skipped("not root"),
        ] {
            assert_eq!(Verdict::read(&verdict.to_string()), Some(verdict));
        }
        assert_eq!(Verdict::read("perhaps so"), None);
    }
}
