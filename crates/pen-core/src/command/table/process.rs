//! Rows: the process itself.

use super::{
    Number, Report, Scope, Spec, Switch, number, off, on, optional_text, optional_word, report,
    unusable,
};
use crate::command::words::Args;
use crate::command::{Command, Fault};
use crate::config::Leaving;
use crate::sandbox::{Level, Sandbox};

pub(super) const ROWS: &[Spec] = &[
    Spec::new("pid", &["pid [json]"], Scope::Process, "the process id", |_| report(Report::Pid))
        .json()
        .control_only(),
    Spec::new("spread", &["spread [json]"], Scope::Process, "connections of each worker", |_| {
        report(Report::Spread)
    })
    .json()
    .control_only()
    .since("0.2.0")
    .manual(
        "Of all services, spare connections included. The kernel spreads clients over the workers; a \
         worker with clearly more connections than another hands new clients over.",
    ),
    Spec::new(
        "overview",
        &["overview [json]"],
        Scope::Process,
        "everything that runs: services, servers, counts",
        |_| report(Report::Overview),
    )
    .json()
    .control_only()
    .since("0.2.0")
    .manual(
        "Of all services: whether they are ready and if not why, their servers, and what became of \
         connections and datagrams since they began. The json form names the 20 clients with the most \
         visits of each service as well; it is what the address of metrics serves as /status.json.",
    ),
    Spec::new(
        "ready",
        &["ready [SERVICE] [json]"],
        Scope::Process,
        "whether clients can be sent here: penctl ends with 0 if so, 1 if not",
        |a| report(Report::Ready(optional_text(a))),
    )
    .json()
    .control_only()
    .since("0.2.0")
    .manual(
        "For keepalived and others who move addresses or clients. ready, or not ready and a line for \
         each reason, service by service: draining, no_listener (no listening address, and no route \
         leads to it), no_server (every server is unset, blacklisted, or without weight where weights \
         choose, and the emergency server cannot be used either; one that can be used is enough), no_link \
         (the interface of dsr_if is down). Of the whole process: worker_silent (a worker has not \
         answered for 2 seconds), nothing_listens. A service that is not in use, without listening \
         address, route and server, is not asked. The answer comes at once: nobody is waited for and no \
         server is tried. /readyz of metrics says the same.",
    ),
    Spec::new("control", &["control"], Scope::Process, "the control address as given", |_| {
        Ok(Command::Control)
    })
    .json(),
    Spec::new("include", &["include FILE"], Scope::Service, "run the commands of a file", |a| {
        a.need("the path of a file").map(|(path, _)| Command::Include(path.to_owned()))
    })
    .manual(
        "The file starts in the context of the service that is current. Replies go to the \
             standard output of the process.",
    ),
    Spec::new(
        "write",
        &["write [FILE]"],
        Scope::Process,
        "write the settings to a file as commands",
        |a| Ok(Command::Write(optional_text(a))),
    )
    .control_only()
    .manual("Without FILE the file of option -F is written."),
    Spec::new("exit", &["exit"], Scope::Process, "end the process", |_| Ok(Command::Exit))
        .control_only()
        .manual("Only if the process was started with option -X."),
    Spec::new(
        "upgrade",
        &["upgrade"],
        Scope::Process,
        "start the program anew and let it take over without losing a connection",
        |_| Ok(Command::Upgrade),
    )
    .control_only()
    .since("0.2.0")
    .manual(
        "What signal USR2 does. The program is started by the path and with the arguments of the \
         start and gets the listeners; when it is ready this process accepts nobody any more, waits for \
         its connections as long as drain_timeout says (0: a day) and ends. If it does not become ready \
         in 30 seconds everything stays as it is and the reply says why. Settings that were changed and \
         not written, remembered clients, sentences and counters are not passed on. Only if the process \
         was started with option -X, and not with -j, as another user by -u, or in sandbox strict, where \
         nothing can be started any more: there systemd keeps the listeners over a restart. See \
         docs/upgrade.md.",
    ),
    Spec::new("workers", &["workers [N]"], Scope::Process, "worker threads, at start only", |a| {
        number(a, Number::Workers)
    })
    .json()
    .since("0.1.0")
    .manual("0 is one per core."),
    Spec::new(
        "drain_timeout",
        &["drain_timeout [T]"],
        Scope::Process,
        "seconds that open connections are given on TERM",
        |a| number(a, Number::DrainTimeout),
    )
    .json()
    .since("0.1.0")
    .manual(
        "TERM stops accepting and waits up to T seconds; a second TERM ends at once. 0 ends at \
             once.",
    ),
    Spec::new(
        "mem_max",
        &["mem_max [N]"],
        Scope::Process,
        "MiB of memory beyond which Pen sheds load",
        |a| number(a, Number::MemMax),
    )
    .json()
    .since("0.1.0")
    .manual(
        "0 (the default) is 70 percent of the limit of Pen's control group (of systemd's MemoryMax, of \
         a container); where there is no such limit nothing is shed. From 85 percent of it idle \
         connections and UDP flows end after 300 to 5 seconds, spare connections are closed and reads \
         are small; from 95 percent new clients wait in the kernel's queue and new flows take the place \
         of quiet ones, and when that has lasted for a second, stalled connections (whose bytes nobody has \
         taken for a second) and those that have been idle for 5 seconds are closed, the longest first, \
         until it is 85 percent; from 98 percent connections are closed \
         until it is 92 percent: stalled ones and those with the most unsent bytes first, then those that \
         have been idle longest, then the youngest. Memory is looked at every 100 ms while something \
         happens; until the next look all connections together may take half of what is free, and what \
         would need more is read, or accepted, after it. What was written to a Unix socket counts until it \
         has been read; while memory is short such a socket gets nothing new before that. \
         Without a limit of the control group the resident memory of the process counts, which does not \
         include what the kernel holds for its sockets.",
    ),
    Spec::new(
        "memory",
        &["memory [json]"],
        Scope::Process,
        "memory in use, how much may be, and what is done about it",
        |_| report(Report::Memory),
    )
    .json()
    .control_only()
    .since("0.1.0")
    .manual("The stages are calm, tight, full and critical; mem_max says what they are."),
    Spec::new(
        "leaving_addresses",
        &["leaving_addresses [close|keep]"],
        Scope::Process,
        "what becomes of connections whose address leaves the machine",
        |a| {
            if a.rest.len() == 0 {
                return Ok(Command::Leaving(None));
            }
            a.need_choice(&[Leaving::Close, Leaving::Keep].map(|choice| (choice.word(), choice)))
                .map(|choice| Command::Leaving(Some(choice)))
        },
    )
    .json()
    .since("0.2.0")
    .manual(
        "When an address of this machine has been gone for a second (keepalived has moved it, its \
         interface was removed), nothing reaches the sockets that have it: they would keep their servers \
         busy until the kernel gives them up, after a quarter of an hour or never. close, the default, \
         closes them at once, those that clients connected to and those that Pen connected to servers \
         from, and the flows of UDP; reason address_left, told once with how many they were. Servers see \
         a reset; so does a client if Pen may carry any address (CAP_NET_RAW, which transparent keeps; \
         over IPv6 always), else the machine that has the address now tells it when it sends something. \
         keep leaves them to their timeouts.",
    ),
    Spec::new(
        "watchdog",
        &["watchdog [T]"],
        Scope::Process,
        "seconds after which a thread that is stuck ends the process",
        |a| number(a, Number::Watchdog),
    )
    .json()
    .since("0.2.0")
    .manual(
        "0, the default, is off. Every worker, and every thread that forwards frames (dsr_if), is asked \
         for a sign of life twice in T seconds. One that has not answered is reported, and after T \
         seconds Pen aborts, so that whoever started it can start it anew. With WatchdogSec of systemd \
         they are asked too, and systemd decides.",
    ),
    Spec::new(
        "abort_on_error",
        &["abort_on_error", "no abort_on_error"],
        Scope::Process,
        "fatal errors leave a core file",
        |_| Ok(on(Switch::AbortOnError)),
    )
    .no(|_| Ok(off(Switch::AbortOnError))),
    Spec::new(
        "sandbox",
        &["sandbox [off | on | strict [DIRECTORY ...]] [json]"],
        Scope::Process,
        "what Pen gives up when it has started, at start only",
        sandbox,
    )
    .json()
    .since("0.2.0")
    .manual(
        "on, the default, gives up what Pen never needs, whatever a command asks of it later: other \
         programs and processes, namespaces, mounts, modules, capabilities beyond its own, memory \
         that is written and executed. strict gives up what the settings of the start do not need: \
         files stay open only in the directories that they name and in each DIRECTORY, and system \
         calls that are not known to be needed fail. off gives up nothing. What the kernel lacks is \
         left out with a message. Without an argument the reply says what is in force. See \
         docs/hardening.md.",
    ),
    Spec::new("commands", &["commands"], Scope::Process, "list the commands", |_| {
        Ok(Command::Commands)
    })
    .since("0.1.0"),
    Spec::new("help", &["help [WORD]"], Scope::Process, "explain a command", |a| {
        Ok(Command::Help(optional_word(a)))
    })
    .since("0.1.0"),
];

fn sandbox(args: &mut Args<'_>) -> Result<Command, Fault> {
    if args.rest.len() == 0 {
        return report(Report::Sandbox);
    }
    let level = args
        .need_choice(&[Level::Off, Level::On, Level::Strict].map(|level| (level.word(), level)))?;
    let mut also = Vec::new();
    while let Some(word) = args.next() {
        if level != Level::Strict {
            return Err(unusable(
                args,
                word,
                "is a word too many: only 'strict' takes directories",
            ));
        }
        if !word.0.starts_with('/') {
            return Err(unusable(args, word, "is no path from the root"));
        }
        also.push(word.0.to_owned());
    }
    Ok(Command::Sandbox(Sandbox { level, also }))
}
