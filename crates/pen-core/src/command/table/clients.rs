//! Rows: clients and access lists.

use super::{Number, Report, Scope, Spec, number, optional_text, report, unusable};
use crate::command::words::Args;
use crate::command::{Command, Fault, StateDeed, Target, acl_words};
use crate::limits::{RECENT_DEFAULT_S, SECONDS_MAX};

pub(super) const ROWS: &[Spec] = &[
    Spec::new(
        "acl",
        &[
            "acl N permit|deny ADDRESS [MASK]",
            "acl N permit|deny ADDRESS/LENGTH",
            "acl N permit|deny country CC",
            "no acl N",
        ],
        Scope::Service,
        "add an entry to an access list, or empty the list",
        |a| {
            let list = acl_words::list(a)?;
            Ok(Command::AddAcl(list, acl_words::entry(a)?))
        },
    )
    .no(|a| Ok(Command::ClearAcl(acl_words::list(a)?)))
    .manual(
        "There are ten lists, 0 to 9. Entries are tested in their order and the first match \
         decides; no match is the opposite of the last entry; an empty list permits everybody. \
         Clients on Unix sockets are always permitted. In a file the first mention of a list \
         empties it, so that reading the file again replaces the list. The entry \
         country CC matches the clients that are in that country, a code of two letters, according \
         to the database of geoip_db; without a database, or for a client that is not in it, it \
         matches nobody.",
    ),
    Spec::new(
        "client_acl",
        &["client_acl [N]"],
        Scope::Service,
        "the list that clients must pass",
        |a| number(a, Number::ClientAcl),
    )
    .json()
    .manual("Clients that do not pass are sent to the abuse server or closed."),
    Spec::new(
        "control_acl",
        &["control_acl [N]"],
        Scope::Process,
        "the list that control clients must pass",
        |a| number(a, Number::ControlAcl),
    )
    .json()
    .manual("While the list is empty only Unix sockets and loopback addresses may control."),
    Spec::new(
        "geoip_db",
        &["geoip_db [FILE] [json]", "no geoip_db"],
        Scope::Process,
        "the database that knows the countries of clients",
        |a| Ok(Command::Target(Target::GeoipDb, optional_text(a).map(Some))),
    )
    .no(|_| Ok(Command::Target(Target::GeoipDb, Some(None))))
    .json()
    .since("0.1.0")
    .manual(
        "FILE is any MMDB database of countries or cities, such as GeoLite2-Country of MaxMind or \
         IP to Country Lite of DB-IP; both can be had from their makers' web sites. A client is in \
         the country that the database gives for its address, or else in the one where the address \
         is registered. The file is read into memory by the user of option -u, inside the directory \
         of option -j, and again on signal HUP if it has changed; put a new one in its place by \
         renaming. A file that cannot be used is an error and nothing changes, with two exceptions: \
         at the start Pen warns and goes on without a database, and on HUP it warns and keeps the \
         one it has. The databases of the older format, .dat, cannot be used.",
    ),
    Spec::new(
        "clients_max",
        &["clients_max [N]"],
        Scope::Service,
        "size of the client table",
        |a| number(a, Number::ClientsMax),
    )
    .json()
    .manual(
        "The same as option -c. At run time the table only grows. When it is full the client \
             seen least recently is forgotten.",
    ),
    Spec::new(
        "tracking",
        &["tracking [T]"],
        Scope::Service,
        "seconds after which a client is forgotten",
        |a| number(a, Number::Tracking),
    )
    .json()
    .manual("The same as option -T. 0 is never."),
    Spec::new(
        "recent",
        &["recent [T] [json]"],
        Scope::Service,
        "clients of the last T seconds",
        |a| {
            let seconds = match a.next() {
                Some(word) => {
                    crate::command::words::number(a.word, word, 0, i64::from(SECONDS_MAX))?
                }
                None => i64::from(RECENT_DEFAULT_S),
            };
            report(Report::Recent(u32::try_from(seconds).unwrap_or(SECONDS_MAX)))
        },
    )
    .json()
    .control_only()
    .manual(
        "One line per client, ADDRESS connects K sx S rx R: S bytes sent to the client, R \
             received from it. T is 300 unless given.",
    ),
    Spec::new("clients", &["clients [json]"], Scope::Service, "all remembered clients", |_| {
        report(Report::Recent(u32::MAX))
    })
    .json()
    .control_only()
    .since("0.1.0")
    .manual("As recent, without an end to the past."),
    Spec::new(
        "state_file",
        &["state_file [FILE] [json]", "no state_file"],
        Scope::Process,
        "where it is kept which client used which server",
        |a| Ok(Command::Target(Target::StateFile, optional_text(a).map(Some))),
    )
    .no(|_| Ok(Command::Target(Target::StateFile, Some(None))))
    .json()
    .since("0.2.0")
    .manual(
        "Of all services. The file is read at the start, not on signal HUP, so that clients go to the \
         server they had before; it is written every state_interval seconds and at the end. A file that \
         cannot be used is a warning, and Pen starts without. A file that is none of Pen's is never \
         replaced. It is written and read by the user of option -u, inside the directory of option -j. \
         Blacklisting is not kept. See docs/state.md.",
    ),
    Spec::new(
        "state_interval",
        &["state_interval [T]"],
        Scope::Process,
        "seconds from one writing of the state file to the next",
        |a| number(a, Number::StateInterval),
    )
    .json()
    .since("0.2.0")
    .manual("1 to 86400, 60 unless given."),
    Spec::new(
        "state",
        &["state [json]", "state read FILE", "state write"],
        Scope::Process,
        "how old the state file is; take in another one",
        state,
    )
    .json()
    .control_only()
    .since("0.2.0")
    .manual(
        "read takes in what FILE remembers, such as the state file of the partner of a pair: of each \
         client what is newer counts. write writes the state file at once. Both answer when it is done.",
    ),
];

fn state(args: &mut Args<'_>) -> Result<Command, Fault> {
    match args.next() {
        None => report(Report::State),
        Some(("write", _)) => Ok(Command::State(StateDeed::Write)),
        Some(("read", _)) => {
            let (path, _) = args.need("the path of a state file")?;
            Ok(Command::State(StateDeed::Read(path.to_owned())))
        }
        Some(word) => Err(unusable(args, word, "is neither 'read' nor 'write'")),
    }
}
