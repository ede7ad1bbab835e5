//! What of it the person looks at, and what keys change.

use super::model::{Model, Server, Service};

/// The order of the servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Number,
    Connections,
    Opened,
    Bytes,
    Failed,
}

impl Sort {
    const ALL: [Self; 5] =
        [Self::Number, Self::Connections, Self::Opened, Self::Bytes, Self::Failed];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Connections => "connections",
            Self::Opened => "new per second",
            Self::Bytes => "bytes per second",
            Self::Failed => "failed",
        }
    }

    fn next(self) -> Self {
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or_default();
        Self::ALL.get(at + 1).copied().unwrap_or_default()
    }
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Help,
    Sort,
    NextService,
    LastService,
    Down(usize),
    Up(usize),
    Pause,
    Slower,
    Faster,
    Redraw,
}

impl Key {
    /// The keys in what a terminal sent at once. What is not known is left out.
    pub(super) fn read(mut bytes: &[u8]) -> Vec<Self> {
        let mut keys = Vec::new();
        while let [first, rest @ ..] = bytes {
            let (key, rest) = match (*first, rest) {
                (0x1b, [b'[' | b'O', rest @ ..]) => sequence(rest),
                // The key itself: it leaves the help, and nothing else.
                (0x1b, rest) => (None, rest),
                (b'q' | b'Q', rest) => (Some(Self::Quit), rest),
                (b'?' | b'h' | b'H', rest) => (Some(Self::Help), rest),
                (b's' | b'S', rest) => (Some(Self::Sort), rest),
                (b'\t' | b'n' | b'l', rest) => (Some(Self::NextService), rest),
                (b'N' | b'b', rest) => (Some(Self::LastService), rest),
                (b'j', rest) => (Some(Self::Down(1)), rest),
                (b'k', rest) => (Some(Self::Up(1)), rest),
                (b'p' | b'P' | b' ', rest) => (Some(Self::Pause), rest),
                (b'-', rest) => (Some(Self::Faster), rest),
                (b'+', rest) => (Some(Self::Slower), rest),
                (b'r' | 0x0c, rest) => (Some(Self::Redraw), rest),
                (_, rest) => (None, rest),
            };
            keys.extend(key);
            bytes = rest;
        }
        keys
    }
}

/// The rest of an escape sequence.
fn sequence(bytes: &[u8]) -> (Option<Key>, &[u8]) {
    let parameters = bytes.iter().take_while(|b| matches!(b, b'0'..=b'?' | b' '..=b'/')).count();
    let (parameters, rest) = bytes.split_at(parameters);
    let [last, rest @ ..] = rest else { return (None, rest) };
    let key = match (*last, parameters) {
        (b'A', _) => Some(Key::Up(1)),
        (b'B', _) => Some(Key::Down(1)),
        (b'C', _) => Some(Key::NextService),
        (b'D' | b'Z', _) => Some(Key::LastService),
        (b'H', _) | (b'~', [b'1']) => Some(Key::Up(usize::MAX)),
        (b'~', [b'5']) => Some(Key::Up(10)),
        (b'~', [b'6']) => Some(Key::Down(10)),
        _ => None,
    };
    (key, rest)
}

/// What is looked at.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// The service's name, if one was chosen.
    pub(super) service: Option<String>,
    pub(super) sort: Sort,
    pub(super) paused: bool,
    pub(super) help: bool,
    /// Servers above the first one that is shown.
    pub(super) above: usize,
    pub(super) interval_s: u32,
}

impl View {
    /// The service that is looked at, and its place among all.
    pub(super) fn service<'a>(&self, model: &'a Model) -> Option<(usize, &'a Service)> {
        let services = &model.overview.services;
        let chosen = self.service.as_ref();
        let at = chosen.and_then(|name| services.iter().position(|s| s.service == *name));
        let at = at.unwrap_or_default();
        Some((at, services.get(at)?))
    }

    /// Its servers in their order.
    pub(super) fn servers<'a>(&self, model: &Model, service: &'a Service) -> Vec<&'a Server> {
        let mut all: Vec<&Server> = service.all_servers().collect();
        let by = |weigh: &dyn Fn(&Server) -> f64, all: &mut Vec<&'a Server>| {
            all.sort_by(|a, b| weigh(b).total_cmp(&weigh(a)));
        };
        let rates = |server: &Server| model.server_rates(&service.service, server);
        match self.sort {
            Sort::Number => {}
            Sort::Connections => by(&|s| s.connections as f64, &mut all),
            Sort::Opened => by(&|s| rates(s).opened, &mut all),
            Sort::Bytes => by(&|s| rates(s).received + rates(s).sent, &mut all),
            Sort::Failed => by(&|s| s.failed() as f64, &mut all),
        }
        all
    }

    /// Does what a key says. Answers whether to go on.
    pub(super) fn press(&mut self, key: Key, model: &Model) -> bool {
        if self.help && key != Key::Quit {
            self.help = false;
            return true;
        }
        match key {
            Key::Quit => return false,
            Key::Help => self.help = true,
            Key::Sort => (self.sort, self.above) = (self.sort.next(), 0),
            Key::NextService => self.step(model, 1),
            Key::LastService => self.step(model, model.overview.services.len().saturating_sub(1)),
            Key::Down(n) => {
                let servers = self.service(model).map_or(0, |(_, s)| s.all_servers().count());
                self.above = self.above.saturating_add(n).min(servers.saturating_sub(1));
            }
            Key::Up(n) => self.above = self.above.saturating_sub(n),
            Key::Pause => self.paused = !self.paused,
            Key::Slower => self.interval_s = self.interval_s.saturating_add(1).min(3_600),
            Key::Faster => self.interval_s = self.interval_s.saturating_sub(1).max(1),
            Key::Redraw => {}
        }
        true
    }

    fn step(&mut self, model: &Model, by: usize) {
        let services = &model.overview.services;
        let Some((at, _)) = self.service(model) else { return };
        let next = services.get((at + by) % services.len().max(1));
        (self.service, self.above) = (next.map(|s| s.service.clone()), 0);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::model::tests::model;
    use super::*;

    /// A look at the first service.
    pub fn view() -> View {
        View {
            service: None,
            sort: Sort::Number,
            paused: false,
            help: false,
            above: 0,
            interval_s: 2,
        }
    }

    #[test]
    fn keys_and_sequences() {
        for (bytes, keys) in [
            (&b"q"[..], &[Key::Quit][..]),
            (b"\x1b[A\x1bOBx\x1b[6~", &[Key::Up(1), Key::Down(1), Key::Down(10)]),
            (b"\t\x1b[Zp", &[Key::NextService, Key::LastService, Key::Pause]),
            (b"\x1b", &[]),
            (b"\x1b[", &[]),
            (b"\x1b[200~\xff\x00", &[]),
            (b"\x1b[1;5C?", &[Key::NextService, Key::Help]),
        ] {
            assert_eq!(Key::read(bytes), keys, "{bytes:?}");
        }
    }

    #[test]
    fn services_go_round_and_servers_are_sorted() {
        let model = model();
        let mut view = view();
        let name = |view: &View| view.service(&model).unwrap().1.service.clone();
        assert_eq!(name(&view), "default");
        view.press(Key::LastService, &model);
        assert_eq!(name(&view), "dns");
        view.press(Key::NextService, &model);
        assert_eq!(name(&view), "default");
        let service = view.service(&model).unwrap().1;
        let numbers = |view: &View| -> Vec<i64> {
            view.servers(&model, service).iter().map(|s| s.number).collect()
        };
        assert_eq!(numbers(&view), [0, 1, 2, 3, -1]);
        for expected in [[0, 3, 1, 2, -1], [0, 1, 2, 3, -1], [0, 1, 2, 3, -1], [1, 0, 2, 3, -1]] {
            view.press(Key::Sort, &model);
            assert_eq!(numbers(&view), expected, "{:?}", view.sort);
        }
        view.press(Key::Sort, &model);
        assert_eq!(view.sort, Sort::Number);
        view.press(Key::Down(usize::MAX), &model);
        assert_eq!(view.above, 4);
        assert!(!view.press(Key::Quit, &model));
        view.help = true;
        assert!(view.press(Key::Pause, &model), "any key leaves the help");
        assert!(!view.help && !view.paused);
    }
}
