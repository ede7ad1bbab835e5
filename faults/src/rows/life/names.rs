//! The name server is silent, answers something else than before, or is forged.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use pen_test::{Farm, Place, Sig, TestServer, Wire, acts, free_port, holds};

use crate::dns::NameServer;
use crate::load::Load;
use crate::rows::Row;
use crate::running::Running;
use crate::settings;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;
use crate::visitors::paid;

pub const SILENT: Row = Row {
    run: silent,
    ..Row::new(
        63,
        "a name is looked up at run time, the name server is silent",
        "traffic does not wait, control answers, the server stays as it was",
    )
};

pub const AT_START: Row = Row {
    form: "b",
    // As long as it takes the system's resolver to give up.
    environment: &[("PEN_TEST_SCALE", "6")],
    run: at_start,
    ..Row::new(
        63,
        "a server has a name, the name server is silent at the start",
        "within 60 s it serves by its other server, or has ended with an error that names it",
    )
};
pub const CHANGES: Row = Row {
    form: "c",
    // What is open stays so for longer than servers wait otherwise.
    environment: &[("PEN_TEST_SCALE", "6")],
    run: changes,
    ..Row::new(
        63,
        "settings read again: a server's name has another address (a forged answer comes first), then none",
        "new clients go to the new address and stay there, what is open stays, no visit fails",
    )
};

/// The name of a server.
const NAME: &str = "farm.example.org";
/// Where it leads to, one after the other.
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 1, 0, 1), Ipv4Addr::new(127, 1, 0, 2)];

fn silent(stage: &Stage) -> Verdict {
    match stage.subject {
        Subject::Pen => {}
        Subject::Haproxy => {
            return Verdict::skipped("its own resolver (section resolvers) was not set up");
        }
        Subject::Nginx | Subject::Classic => {
            return Verdict::without(
                "no names at run time but by a module or while it stands still",
            );
        }
    }
    let names = match NameServer::silent() {
        Ok(names) => names,
        Err(why) => return Verdict::skipped(why),
    };
    let farm = Farm::banners(2);
    let balancer = stage.start(&Setup::of(farm.words("")));
    let load = Load::on(&balancer.place, 4, 200, Duration::from_secs(5));
    let quiet = load.during(Duration::from_secs(stage.of(3, 1)));
    let before = balancer.control("servers");
    let (answer, asked) = std::thread::scope(|scope| {
        let begun = Instant::now();
        let asking = scope.spawn(|| balancer.control("server 1 address slow.example.org"));
        let meanwhile = load.during(Duration::from_secs(stage.of(4, 2)));
        // Others are heard while one waits for a name.
        let heard = balancer.control("pid").is_some();
        ((meanwhile, heard), (asking.join().ok().flatten(), begun.elapsed()))
    });
    let (meanwhile, heard) = answer;
    drop(load);
    // Addresses and ports, without what moves.
    let fixed = |text: String| -> Vec<String> {
        text.lines().map(|l| l.split(" conn").next().unwrap_or_default().to_owned()).collect()
    };
    let kept = before.is_some() && before.map(fixed) == balancer.control("servers").map(fixed);
    let asked_for = names.asked() > 0;
    let right = meanwhile.failed() == 0 && meanwhile.asked() > 50 && heard && kept && asked_for;
    let p99 = |outcome: &crate::load::Outcome| outcome.quantile(0.99).as_secs_f64() * 1e3;
    let figures = format!(
        "{} of {} failed, p99 {:.1} ms (quiet {:.1}), control heard: {heard}, told after {:.1} s",
        meanwhile.failed(),
        meanwhile.asked(),
        p99(&meanwhile),
        p99(&quiet),
        asked.1.as_secs_f64()
    );
    Verdict::of(right, figures)
}

fn at_start(stage: &Stage) -> Verdict {
    if let Err(why) = NameServer::silent() {
        return Verdict::skipped(why);
    }
    let farm = Farm::banners(1);
    let port = farm[0].place().port();
    let setup = Setup::of([farm.words("").concat(), format!("{NAME}:{port}")]);
    let begun = Instant::now();
    let (right, what) = match stage.try_start(&setup) {
        Ok(balancer) => {
            let served = paid(&balancer.place, "127.0.0.1", Duration::from_secs(3)).end.is_ok();
            (
                served,
                if served { "serves without it".into() } else { "runs and does not serve".into() },
            )
        }
        Err(why) => {
            let told = why.starts_with("it ended") && why.contains(NAME);
            (told, if told { "ends, named".into() } else { why })
        }
    };
    let figures = format!("{what} after {:.1} s", begun.elapsed().as_secs_f64());
    Verdict::of(right && begun.elapsed() < Duration::from_secs(60), figures)
}

fn changes(stage: &Stage) -> Verdict {
    let names = match NameServer::silent() {
        Ok(names) => names,
        Err(why) => return Verdict::skipped(why),
    };
    let port = free_port();
    let server = |n: usize| {
        let place = Place::Tcp(SocketAddr::from((ADDRESSES[n], port)));
        TestServer::start_at(&format!("s{n}"), &place, acts::banner())
    };
    let _servers = [server(0), server(1)];
    names.say(Some(ADDRESSES[0]));
    let file_has_servers = matches!(stage.subject, Subject::Pen | Subject::Classic);
    // What is on the command line is looked up at the start only.
    let host = if file_has_servers { ADDRESSES[0].to_string() } else { NAME.to_owned() };
    let mut setup = Setup::of([format!("{host}:{port}")]);
    setup.again = true;
    let mut balancer = stage.start(&setup);
    if file_has_servers {
        let file = settings::file(stage.subject);
        balancer.scratch.write(file, &format!("server 0 address {NAME} port {port}\n"));
        again(&balancer);
        let _asked = !holds(Duration::from_secs(5), || names.asked() == 0);
    }
    let who = || paid(&balancer.place, "127.0.0.9", Duration::from_secs(5)).end;
    let first = who();
    let old = Wire::connect(&balancer.place);
    let old = old.ok().filter(|wire| wire.read_line().starts_with("s0 "));
    let load = Load::on(&balancer.place, 2, 100, Duration::from_secs(5));
    names.say(Some(ADDRESSES[1]));
    again(&balancer);
    let begun = Instant::now();
    let moved = !holds(Duration::from_secs(20), || who().as_deref() != Ok("s1"));
    let after = begun.elapsed().as_secs_f64();
    // nginx and HAProxy start processes for it, and hear no signal until these run.
    std::thread::sleep(Duration::from_secs(1));
    names.say(None);
    let asked = names.asked();
    again(&balancer);
    let asked_again = !holds(Duration::from_secs(5), || names.asked() == asked);
    // Longer than anybody waits for a name.
    let time = Duration::from_secs(stage.of(20, 14));
    let stayed = holds(time, || who().as_deref() == Ok("s1"));
    let outcome = load.stop();
    let open = old.is_some_and(|wire| wire.send("x\n").is_ok() && wire.read_line() == "x\n");
    let right = first.as_deref() == Ok("s0") && moved && asked_again && stayed && open;
    let lives = balancer.lives();
    let figures = format!(
        "first {}, moved {} after {after:.1} s; without an answer ({}) it {}; {}; what was open {}{}",
        first.as_deref().unwrap_or("nobody"),
        if moved { "to the new one" } else { "NOT" },
        if asked_again { "asked for" } else { "NOT ASKED FOR" },
        if stayed { "stays" } else { "DOES NOT STAY" },
        outcome.line(),
        if open { "stays" } else { "WENT" },
        if lives { "" } else { "; it ended" },
    );
    Verdict::of(right && outcome.failed() == 0 && lives, figures)
}

fn again(balancer: &Running) {
    balancer.signal(match balancer.subject {
        Subject::Haproxy => Sig::Usr2,
        _ => Sig::Hup,
    });
}
