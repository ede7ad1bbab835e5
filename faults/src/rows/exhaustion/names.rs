//! Clients that ask for ever new names in TLS, and for names that are none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pen_test::{Farm, Place, Wire};

use crate::load::Load;
use crate::rows::Row;
use crate::secure::{self, NAME, Secure, renamed};
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    starred: true,
    run,
    ..Row::new(
        41,
        "ever new SNI names, and names with /, .., NUL, 256 bytes",
        "memory grows < 4 MB, no file is opened, valid clients are served",
    )
};

/// A certificate that lies where a name with `..` leads to.
const PLANTED: &str = "planted.example";

fn run(stage: &Stage) -> Verdict {
    let farm = Farm::banners(1);
    let secure = Secure::new();
    let folder = secure.scratch.path("names");
    std::fs::create_dir(&folder).expect("the scratch directory is ours");
    let planted = secure.authority.sign(&[PLANTED]);
    for (name, text) in [("planted.crt", &planted.certificate), ("planted.key", &planted.key)] {
        secure.scratch.write(name, text);
    }
    let setup = Setup { tls: Some(secure.file.clone()), ..Setup::of(farm.words("")) }.with(
        Subject::Pen,
        Scope::Global,
        format!("ssl_sni_path {}", folder.display()),
    );
    let setup = match stage.subject {
        Subject::Classic => {
            let line = format!("ssl_sni_path {}", folder.display());
            setup.with(Subject::Classic, Scope::Global, "-O").with(
                Subject::Classic,
                Scope::Global,
                line,
            )
        }
        _ => setup,
    };
    let balancer = stage.start(&setup);
    let secure = Arc::new(secure);
    let shaken = |names: usize, salt: &str| shake(&secure, &balancer.place, names, salt);
    // What every new client needs once is there afterwards.
    shaken(300, "first");
    let before = balancer.vitals().anonymous_kib;
    let (place, visitor) = (balancer.place.clone(), Arc::clone(&secure));
    let load = Load::of(1, 20, move || visitor.visit(&place, Duration::from_secs(5)));
    let names = stage.of(30_000, 1_500);
    let failed = names - shaken(names, "more");
    let revealed = hostile(&secure, &balancer.place, &planted.der);
    let outcome = load.stop();
    let grown = balancer.vitals().anonymous_kib.saturating_sub(before);
    let right = grown < 4_096 && outcome.failed() == 0 && failed == 0 && revealed == 0;
    let text = format!(
        "memory grew {grown} KiB by {names} names, {failed} of them failed; {revealed} foreign files shown; \
         others failed {} of {}",
        outcome.failed(),
        outcome.asked()
    );
    Verdict::of(right && outcome.asked() > 10, text)
}

/// Handshakes with so many new names by four clients; how many were served. The certificate is for all of
/// them.
fn shake(secure: &Secure, place: &Place, names: usize, salt: &str) -> usize {
    let next = AtomicUsize::new(0);
    let served = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    if n >= names {
                        return;
                    }
                    let name = format!("{salt}{n}.many.example");
                    let visit = secure::visit(&secure.config, place, &name, Duration::from_secs(5));
                    served.fetch_add(usize::from(visit.is_ok()), Ordering::SeqCst);
                }
            });
        }
    });
    served.load(Ordering::SeqCst)
}

/// Names that are none: how many of the answers hold the certificate that lies elsewhere.
fn hostile(secure: &Secure, place: &Place, planted: &[u8]) -> usize {
    let long = "x".repeat(256);
    let names: [&[u8]; 9] = [
        b"../planted",
        b"/etc/passwd",
        b"..",
        b"a\0b.example",
        b"DEFAULT.EXAMPLE",
        b"",
        long.as_bytes(),
        b"names/../../planted",
        b"%2e%2e/planted",
    ];
    let hello = secure.hello_of(&rustls::version::TLS12);
    let shown = |name: &&&[u8]| {
        let Ok(client) = Wire::connect(place) else { return false };
        client.set_patience(Duration::from_millis(300));
        let _ = client.send(renamed(&hello, NAME, name));
        let mut all = Vec::new();
        let mut chunk = [0; 4_096];
        while let Ok(n) = client.read_some(&mut chunk) {
            all.extend_from_slice(chunk.get(..n).unwrap_or_default());
        }
        all.windows(planted.len()).any(|window| window == planted)
    };
    names.iter().filter(shown).count()
}
