//! Paths that die without a word under idle connections and under half-closed ones.

use std::time::{Duration, Instant};

use pen_test::{End, Host, Place, Served, TestServer, Wire};

use super::rest;
use crate::rows::Row;
use crate::running::Running;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;
use crate::wire::{BadWire, Plug, Troubles};

/// Seconds of silence until the first probe, between probes, and probes without an answer.
const KEEPALIVE: (u64, u64, u64) = (2, 1, 3);

pub const IDLE: Row = Row {
    run: run_idle,
    ..Row::new(
        15,
        "idle connection whose path dies silently, keepalive 2 s + 3 x 1 s",
        "reaped after 5 s, a probe more or less; others stay",
    )
};

/// Seconds that a half-closed connection may be silent.
const HALF_CLOSE: u64 = 3;

pub const HALF_CLOSED: Row = Row {
    run: run_half_closed,
    ..Row::new(
        16,
        "client vanishes after its FIN, half-close timeout 3 s",
        "reaped between 3 and 4 s (judged at 6 s); one that still receives stays",
    )
};

/// A network with a client whose path can be cut.
struct Net {
    clients: Host,
    wire: BadWire,
    server: TestServer,
    pen: Running,
}

/// A client and its connection at the server.
type Pair = (Wire, Served);

impl Net {
    fn new(stage: &Stage, dress: impl FnOnce(Setup) -> Setup) -> Result<Self, Verdict> {
        let clients = Host::new("clients");
        let plugs = (Plug::here("near", "10.1.0.1/24"), Plug::at(&clients, "far", "10.1.0.2/24"));
        let wire = BadWire::between(plugs.0, plugs.1, Troubles::default(), stage.seed);
        let wire = wire.map_err(Verdict::skipped)?;
        let server = TestServer::handing("s0");
        let mut setup = Setup::of([server.word()]);
        setup.listen = Place::Tcp("10.1.0.1:1000".parse().expect("an address and a port"));
        let pen = stage.start(&dress(setup));
        Ok(Self { clients, wire, server, pen })
    }

    fn connect(&self) -> Result<Pair, Verdict> {
        let client = self.clients.inside(|| Wire::connect(&self.pen.place));
        let client = client.map_err(|e| Verdict::of(false, e.to_string()))?;
        Ok((client, self.server.next()))
    }

    fn cut(&self) {
        self.wire.set(Troubles { loss: 1.0, ..Troubles::default() });
    }
}

fn run_idle(stage: &Stage) -> Verdict {
    play_idle(stage).unwrap_or_else(|verdict| verdict)
}

fn play_idle(stage: &Stage) -> Result<Verdict, Verdict> {
    let (idle, interval, count) = KEEPALIVE;
    if stage.subject == Subject::Classic {
        return Ok(Verdict::without("no settings for keepalive"));
    }
    let net = Net::new(stage, |setup| {
        let probes = format!("so_keepalive={idle}s:{interval}s:{count}");
        setup
            .with(
                Subject::Pen,
                Scope::Global,
                format!("keepalive idle {idle} interval {interval} count {count}"),
            )
            .with(Subject::Haproxy, Scope::Service, "option clitcpka")
            .with(Subject::Haproxy, Scope::Service, format!("clitcpka-idle {idle}s"))
            .with(Subject::Haproxy, Scope::Service, format!("clitcpka-intvl {interval}s"))
            .with(Subject::Haproxy, Scope::Service, format!("clitcpka-cnt {count}"))
            .with(Subject::Nginx, Scope::Listen, probes)
    })?;
    // One that is as idle, whose path lives.
    let here = Wire::connect(&net.pen.place).map_err(|e| Verdict::of(false, e.to_string()))?;
    let healthy = (here, net.server.next());
    let (_client, lost) = net.connect()?;
    std::thread::sleep(Duration::from_millis(500));
    net.cut();
    let begun = Instant::now();
    let expected = (idle + count * interval) as f64;
    lost.set_patience(Duration::from_secs_f64(2.0 * expected));
    let end = lost.end();
    let time = begun.elapsed().as_secs_f64();
    let stays = !healthy.0.has_ended() && !healthy.1.has_ended() && talks(&healthy);
    let kept = if stays { "the other stays" } else { "THE OTHER WENT" };
    if end == End::Silence {
        return Ok(Verdict::of(false, format!("not reaped in {time:.0} s, {kept}")));
    }
    // The connection had been idle for a while when the path died.
    let right = stays && (expected - 2.0..=expected + 1.5).contains(&time);
    Ok(Verdict::of(right, format!("reaped after {time:.1} s, {kept}")))
}

fn talks((client, served): &Pair) -> bool {
    client.send("x\n").is_ok() && served.read_line() == "x\n"
}

fn run_half_closed(stage: &Stage) -> Verdict {
    play_half_closed(stage).unwrap_or_else(|verdict| verdict)
}

fn play_half_closed(stage: &Stage) -> Result<Verdict, Verdict> {
    if stage.subject == Subject::Classic {
        return Ok(Verdict::without("no limit for half-closed connections"));
    }
    let net = Net::new(stage, |setup| {
        setup
            .with(Subject::Pen, Scope::Global, format!("half_close_timeout {HALF_CLOSE}"))
            .with(Subject::Haproxy, Scope::Service, format!("timeout client-fin {HALF_CLOSE}s"))
            .with(Subject::Haproxy, Scope::Service, format!("timeout server-fin {HALF_CLOSE}s"))
            .with(Subject::Nginx, Scope::Service, format!("proxy_timeout {HALF_CLOSE}s;"))
    })?;
    // What is opened when it is needed first.
    for _ in 0..20 {
        let (client, served) = net.connect()?;
        drop(served);
        let _end = client.end();
    }
    rest(&net.pen);
    let before = net.pen.vitals().descriptors;
    // One that is half-closed as well, and still gets something every second.
    let here = Wire::connect(&net.pen.place).map_err(|e| Verdict::of(false, e.to_string()))?;
    let served = net.server.next();
    here.finish();
    let (client, lost) = net.connect()?;
    client.finish();
    let passed_on = lost.end() == End::Eof;
    net.cut();
    let begun = Instant::now();
    let mut reaped = None;
    let (mut sent, limit) = (0, Duration::from_secs(HALF_CLOSE + 5));
    while begun.elapsed() < limit {
        if begun.elapsed() > Duration::from_secs(sent) {
            sent += 1;
            drop(served.send("more\n"));
        }
        let gone = net.pen.vitals().descriptors <= before + 2;
        reaped = reaped.or(gone.then(|| begun.elapsed().as_secs_f64()));
        std::thread::sleep(Duration::from_millis(20));
    }
    served.finish();
    let (got, end) = here.read_to_end();
    let stays = end == End::Eof && got.len() == 5 * usize::try_from(sent).unwrap_or(0);
    let kept = if stays { "the other stays" } else { "THE OTHER WENT" };
    let Some(time) = reaped else {
        return Ok(Verdict::of(false, format!("not reaped in {} s, {kept}", limit.as_secs())));
    };
    let t = HALF_CLOSE as f64;
    let right = passed_on && stays && (t - 0.1..=t + 3.0).contains(&time);
    Ok(Verdict::of(right, format!("reaped after {time:.1} s, {kept}")))
}
