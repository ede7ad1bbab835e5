//! One option of a program, as its table has it: parser, help and manual page are made from the rows.

/// What an option means to its program, as far as the walker and the manual have to know.
pub trait Meaning: 'static {
    /// Whether the value may be left out.
    fn value_is_optional(&self) -> bool {
        false
    }

    /// Whether it is accepted without any use for it.
    fn is_old(&self) -> bool {
        false
    }
}

/// Options that their program tells apart by name.
impl Meaning for () {}

/// One option.
pub struct Opt<M = ()> {
    /// `-x`
    pub letter: Option<char>,
    /// `--word`
    pub long: Option<&'static str>,
    /// What the value is called, if it takes one.
    pub value: Option<&'static str>,
    /// One line.
    pub help: &'static str,
    /// More for the manual page, or empty.
    pub manual: &'static str,
    pub(super) meaning: M,
}

impl<M> Opt<M> {
    pub(super) const fn short(letter: char, help: &'static str, meaning: M) -> Self {
        Self { letter: Some(letter), long: None, value: None, help, manual: "", meaning }
    }

    pub(super) const fn long(word: &'static str, help: &'static str, meaning: M) -> Self {
        Self { letter: None, long: Some(word), value: None, help, manual: "", meaning }
    }

    pub(super) const fn value(mut self, name: &'static str) -> Self {
        self.value = Some(name);
        self
    }

    pub(super) const fn manual(mut self, text: &'static str) -> Self {
        self.manual = text;
        self
    }
}

impl<M: Meaning> Opt<M> {
    /// Whether the value may be left out.
    #[must_use]
    pub fn value_is_optional(&self) -> bool {
        self.meaning.value_is_optional()
    }

    /// Whether it is accepted without any use for it.
    #[must_use]
    pub fn is_old(&self) -> bool {
        self.meaning.is_old()
    }

    /// Its name: `-t`, or `--demo` where it has no letter.
    #[must_use]
    pub fn name(&self) -> String {
        match (self.letter, self.long) {
            (Some(letter), _) => format!("-{letter}"),
            (None, long) => format!("--{}", long.unwrap_or_default()),
        }
    }

    /// As an operator writes it: `-t T`, `--demo [PORT]`.
    #[must_use]
    pub fn form(&self) -> String {
        let name = self.name();
        match self.value {
            Some(value) if self.value_is_optional() => format!("{name} [{value}]"),
            Some(value) => format!("{name} {value}"),
            None => name,
        }
    }
}
