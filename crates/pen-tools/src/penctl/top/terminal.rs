//! The terminal: taken over for the page, given back as it was on every way out.
//!
//! Plain sequences that every terminal since the VT100 understands, and the kernel's settings through
//! rustix, which is here anyway: a terminal library would bring an event loop, signal handlers and
//! threads of its own for the little that is needed.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Another page for the time being, no cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
/// The page of before and its cursor, and nothing of our looks.
const LEAVE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";

/// The settings of before, while the terminal is ours. Not in [`Terminal`], because a panic has to
/// find them.
static BEFORE: Mutex<Option<Before>> = Mutex::new(None);

struct Before {
    /// There are none where the keyboard is none.
    settings: Option<Termios>,
}

/// What the terminal can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ability {
    /// The cursor can be placed.
    pub(super) page: bool,
    pub(super) colours: bool,
    pub(super) unicode: bool,
}

impl Ability {
    /// As the environment says; `get` looks into it.
    pub(super) fn of(get: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name| get(name).filter(|value| !value.is_empty());
        let kind = get("TERM").unwrap_or_else(|| "dumb".to_owned());
        let grey = ["vt", "ansi-m", "dumb", "unknown"].iter().any(|kinds| kind.starts_with(kinds));
        let locale = get("LC_ALL").or_else(|| get("LC_CTYPE")).or_else(|| get("LANG"));
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        Self {
            page: !matches!(kind.as_str(), "dumb" | "unknown"),
            colours: !grey && get("NO_COLOR").is_none(),
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }
}

/// Columns and lines of the terminal; what it does not know is taken from the environment, and else
/// 80 and 24.
pub(super) fn size(get: impl Fn(&str) -> Option<String>) -> (usize, usize) {
    let told = tcgetwinsize(io::stdout()).ok();
    let or = |told: Option<u16>, name: &str, usual: usize| {
        let told = told.map(usize::from).filter(|n| *n > 0);
        told.or_else(|| get(name)?.parse().ok().filter(|n| (1..=1_000).contains(n)))
            .unwrap_or(usual)
    };
    (or(told.map(|size| size.ws_col), "COLUMNS", 80), or(told.map(|size| size.ws_row), "LINES", 24))
}

/// The terminal while it is ours; dropping gives it back.
pub(super) struct Terminal(());

impl Terminal {
    /// Takes it over, also from a panic on: what it says is readable.
    pub(super) fn open() -> io::Result<Self> {
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            told(info);
        }));
        let terminal = Self(());
        terminal.enter()?;
        Ok(terminal)
    }

    /// Takes it over (again, after [`restore`]).
    pub(super) fn enter(&self) -> io::Result<()> {
        let keyboard = io::stdin();
        let settings = if keyboard.is_terminal() {
            let settings = tcgetattr(&keyboard)?;
            let mut ours = settings.clone();
            // Keys come at once and are not shown; those for signals go on to send signals.
            ours.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN);
            tcsetattr(&keyboard, OptionalActions::Drain, &ours)?;
            Some(settings)
        } else {
            None
        };
        *before() = Some(Before { settings });
        self.show(ENTER)
    }

    /// Sends text.
    pub(super) fn show(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was. Without effect where it is not ours.
pub(super) fn restore() {
    let Some(Before { settings }) = before().take() else { return };
    let mut out = io::stdout().lock();
    // A terminal that has gone needs nothing.
    let _ = out.write_all(LEAVE.as_bytes()).and_then(|()| out.flush());
    if let Some(settings) = settings {
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, &settings);
    }
}

fn before() -> std::sync::MutexGuard<'static, Option<Before>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_terminals_can() {
        let of = |pairs: &[(&str, &str)]| {
            Ability::of(|name| {
                pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let able = |page, colours, unicode| Ability { page, colours, unicode };
        assert_eq!(of(&[]), able(false, false, false));
        assert_eq!(of(&[("TERM", "dumb"), ("LANG", "C.UTF-8")]), able(false, false, true));
        assert_eq!(
            of(&[("TERM", "xterm-256color"), ("LANG", "de_DE.utf8")]),
            able(true, true, true)
        );
        assert_eq!(of(&[("TERM", "xterm"), ("NO_COLOR", "1")]), able(true, false, false));
        assert_eq!(of(&[("TERM", "xterm"), ("NO_COLOR", "")]), able(true, true, false));
        assert_eq!(of(&[("TERM", "vt220"), ("LANG", "C")]), able(true, false, false));
        let mixed = [("TERM", "linux"), ("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")];
        assert_eq!(of(&mixed), able(true, true, false), "LC_ALL wins");
    }
}
