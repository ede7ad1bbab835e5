//! Which route a hello takes, beside the rules read out one by one.
//!
//! Lines: `sni NAME`, `alpn NAME` and `default` are routes, the n-th to server n; `? NAME PROTOCOL ...`
//! is a client, whose name is `-` if it says none.

use pen_core::hello::Hello;
use pen_core::reasons::HelloFault;
use pen_core::routes::{Route, Table, To, When};

use super::named;

/// Lines of one input.
const LINES_MAX: usize = 64;

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut routes: Vec<Route> = Vec::new();
    let mut clients = Vec::new();
    for line in text.lines().take(LINES_MAX) {
        let mut words = line.split(' ');
        let when = match (words.next(), words.next()) {
            (Some("sni"), Some(name)) => When::sni(name).ok(),
            (Some("alpn"), Some(name)) => When::alpn(name).ok(),
            (Some("default"), _) => Some(When::Default),
            (Some("?"), Some(name)) => {
                let name = (name != "-").then(|| name.to_ascii_lowercase());
                let alpn = words.map(|p| p.as_bytes().to_vec()).collect();
                clients.push(Hello { sni: name, alpn, versions: Vec::new() });
                None
            }
            _ => None,
        };
        if let Some(when) = when.filter(|w| routes.iter().all(|r| r.when != *w)) {
            reads_back(&when);
            let to = To::Server(u32::try_from(routes.len()).unwrap_or(0));
            routes.push(Route { when, to });
        }
    }
    let table = Table::build(&routes, None);
    for hello in &clients {
        assert_eq!(table.choose(Ok(hello)), expected(&routes, Some(hello)), "{hello:?} {routes:?}");
    }
    assert_eq!(table.choose(Err(HelloFault::NotTls)), expected(&routes, None));
    let taken: u64 = table.rows.iter().map(pen_core::routes::Row::taken).sum();
    assert_eq!(taken + table.unrouted(), clients.len() as u64 + 1, "a client was not counted");
    let rebuilt = Table::build(&routes, Some(&table));
    assert_eq!(rebuilt.rows.iter().map(pen_core::routes::Row::taken).sum::<u64>(), taken);
}

fn reads_back(when: &When) {
    let again = match (when, when.name()) {
        (When::Sni(_), Some(name)) => When::sni(name),
        (When::Alpn(_), Some(name)) => When::alpn(name),
        _ => return,
    };
    assert_eq!(again.as_ref(), Ok(when), "{when}");
}

/// The exact name, the longest wildcard, the first protocol, the default.
fn expected<'r>(routes: &'r [Route], hello: Option<&Hello>) -> &'r To {
    let name = hello.and_then(|h| h.sni.as_deref());
    let exact = routes.iter().find(|r| matches!(&r.when, When::Sni(n) if Some(n.as_str()) == name));
    let wild = routes.iter().filter(|r| match (&r.when, name) {
        (When::Sni(pattern), Some(name)) => {
            pattern.strip_prefix('*').is_some_and(|rest| name.ends_with(rest))
        }
        _ => false,
    });
    let wild = wild.max_by_key(|r| r.when.name().map_or(0, str::len));
    let offers = |p: &str| hello.is_some_and(|h| h.alpn.iter().any(|o| o == p.as_bytes()));
    let protocol = routes.iter().find(|r| matches!(&r.when, When::Alpn(p) if offers(p)));
    let default = routes.iter().find(|r| r.when == When::Default);
    exact.or(wild).or(protocol).or(default).map_or(&To::Close, |r| &r.to)
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let text = |lines: &str| lines.as_bytes().to_vec();
    named([
        (
            "names",
            text(
                "sni a.example\nsni *.example\nsni *.b.example\n? a.example\n? x.b.example\n? b.example\n? example\n? -\n",
            ),
        ),
        (
            "protocols",
            text("alpn h2\nalpn http/1.1\ndefault\n? - http/1.1 h2\n? q.example x\n? -\n"),
        ),
        ("none", text("? a.example h2\n? -\n")),
        (
            "odd-names",
            text(
                "sni A.Example.\nsni *.*.example\nsni *\nsni _x.example\n? A.example\n? .example\n? ..\n",
            ),
        ),
    ])
}
