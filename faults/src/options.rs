//! The command line.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::rows::Row;
use crate::subject::Subject;

/// What `--help` prints.
pub const USAGE: &str = "\
pen-faults: faults and attacks, done to Pen, HAProxy, nginx and the classic pen alike

  pen-faults soak [--seed N] [--minutes N]
                    all kinds of traffic and a random fault every half minute, done to Pen alone

  --list            say what there is and stop
  --rows LIST       only these rows: numbers, forms and ranges, such as 1,5f,18-22
  --starred         only the rows with a star
  --short           fewer tries and shorter times, as in CI
  --only LIST       only these balancers: pen,haproxy,nginx,classic
  --seed N          the seed of everything random; printed, so that a run can be had again
  --table FILE      put the table between the marks in this file (docs/reliability.md)

The program under test is $PEN or the pen beside this program. It ends with 1 when Pen does not
stand a row, whatever the others do.
";

/// Rows that are wanted.
#[derive(Clone, Debug)]
pub enum Rows {
    /// With numbers from the first to the last, in all their forms.
    Range(u8, u8),
    /// One by its number and form.
    One(String),
}

impl Rows {
    fn read(part: &str) -> Result<Self, String> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let digits = part.trim_end_matches(|c: char| c.is_ascii_lowercase());
        match (first.parse(), last.parse(), digits.parse::<u8>()) {
            (Ok(first), Ok(last), _) => Ok(Self::Range(first, last)),
            (_, _, Ok(_)) => Ok(Self::One(part.to_owned())),
            _ => Err(format!("--rows: {part} is neither a row nor a range")),
        }
    }

    fn has(&self, row: &Row) -> bool {
        match self {
            Self::Range(first, last) => (first..=last).contains(&&row.number),
            Self::One(id) => row.id() == *id,
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Show the usage.
    pub help: bool,
    /// Show the rows.
    pub list: bool,
    /// Which rows; empty: all.
    pub rows: Vec<Rows>,
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
                "--rows" => {
                    options.rows = value()?.split(',').map(Rows::read).collect::<Result<_, _>>()?;
                }
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
    pub fn wants(&self, row: &Row) -> bool {
        let named = self.rows.is_empty() || self.rows.iter().any(|rows| rows.has(row));
        named && (row.starred || !self.starred)
    }

    /// The balancers that are wanted.
    pub fn subjects(&self) -> impl Iterator<Item = Subject> {
        Subject::ALL.into_iter().filter(|s| self.only.is_empty() || self.only.contains(s))
    }
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
    fn rows_are_numbers_forms_and_ranges() {
        let options = parsed("--rows 1,5f,10,18-20 --short --seed 7").unwrap();
        let row = |number, form| Row { form, ..Row::new(number, "", "") };
        let wanted = [(1, ""), (5, "f"), (10, "a"), (10, "b"), (18, ""), (20, "b")];
        let others = [(2, ""), (5, ""), (5, "b"), (21, "")];
        assert!(wanted.iter().all(|(number, form)| options.wants(&row(*number, form))));
        assert!(!others.iter().any(|(number, form)| options.wants(&row(*number, form))));
        assert!(options.short && options.seed == 7);
        for wrong in ["x", "5-x", "f", "300", "-"] {
            assert!(parsed(&format!("--rows {wrong}")).unwrap_err().contains("neither"), "{wrong}");
        }
    }

    #[test]
    fn balancers_are_chosen_by_name() {
        let options = parsed("--only classic,pen").unwrap();
        assert!(options.subjects().eq([Subject::Pen, Subject::Classic]));
        assert!(parsed("--only lvs").is_err());
        assert!(parsed("--what").unwrap_err().contains("--what is not known"));
    }
}
