//! The command line.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::subject::Subject;

/// What `--help` prints.
pub const USAGE: &str = "\
pen-faults: faults and attacks, done to Pen, HAProxy, nginx and the classic pen alike

  pen-faults soak [--seed N] [--minutes N]
                    all kinds of traffic and a random fault every half minute, done to Pen alone

  --list            say what there is and stop
  --rows LIST       only these rows: numbers and ranges, such as 1,3,18-22
  --starred         only the rows with a star
  --short           fewer tries and shorter times, as in CI
  --only LIST       only these balancers: pen,haproxy,nginx,classic
  --seed N          the seed of everything random; printed, so that a run can be had again
  --table FILE      put the table between the marks in this file (docs/reliability.md)

The program under test is $PEN or the pen beside this program. It ends with 1 when Pen does not
stand a row, whatever the others do.
";

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Show the usage.
    pub help: bool,
    /// Show the rows.
    pub list: bool,
    /// First and last number of each range; empty: all.
    pub rows: Vec<(u8, u8)>,
    /// Only rows with a star.
    pub starred: bool,
    /// Fewer tries.
    pub short: bool,
    /// Only these; empty: all.
    pub only: Vec<Subject>,
    /// Of everything random.
    pub seed: u64,
    /// Where the table goes.
    pub table: Option<PathBuf>,
}

impl Options {
    /// Reads the words.
    ///
    /// # Errors
    /// One is not understood; with the text for the user.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut options = Self { seed: u64::from(now.subsec_nanos()), ..Self::default() };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} wants a value"));
            match word.as_str() {
                "--help" | "-h" => options.help = true,
                "--list" => options.list = true,
                "--starred" => options.starred = true,
                "--short" => options.short = true,
                "--rows" => options.rows = ranges(&value()?)?,
                "--only" => options.only = subjects(&value()?)?,
                "--seed" => {
                    options.seed = value()?.parse().map_err(|e| format!("--seed: {e}"))?;
                }
                "--table" => options.table = Some(value()?.into()),
                _ => return Err(format!("{word} is not known\n{USAGE}")),
            }
        }
        Ok(options)
    }

    /// Whether a row is wanted.
    pub fn wants(&self, number: u8, starred: bool) -> bool {
        let named =
            self.rows.is_empty() || self.rows.iter().any(|r| r.0 <= number && number <= r.1);
        named && (starred || !self.starred)
    }

    /// The balancers that are wanted.
    pub fn subjects(&self) -> impl Iterator<Item = Subject> {
        Subject::ALL.into_iter().filter(|s| self.only.is_empty() || self.only.contains(s))
    }
}

fn ranges(text: &str) -> Result<Vec<(u8, u8)>, String> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    let wrong = |part| format!("--rows: {part} is neither a number nor a range");
    text.split(',').map(|part| range(part).ok_or_else(|| wrong(part))).collect()
}

fn subjects(text: &str) -> Result<Vec<Subject>, String> {
    let known = "--only knows pen, haproxy, nginx and classic";
    text.split(',').map(|word| Subject::of(word).ok_or_else(|| known.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn rows_are_numbers_and_ranges() {
        let options = parsed("--rows 1,18-20 --short --seed 7").unwrap();
        let wanted: Vec<u8> = (1..=68).filter(|n| options.wants(*n, false)).collect();
        assert_eq!(wanted, [1, 18, 19, 20]);
        assert!(options.short && options.seed == 7);
        assert!(parsed("--rows x").unwrap_err().contains("neither"));
    }

    #[test]
    fn balancers_are_chosen_by_name() {
        let options = parsed("--only classic,pen").unwrap();
        assert!(options.subjects().eq([Subject::Pen, Subject::Classic]));
        assert!(parsed("--only lvs").is_err());
        assert!(parsed("--what").unwrap_err().contains("--what is not known"));
    }
}
