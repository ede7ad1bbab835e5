//! The faults of a soak. Each is over, and undone, when [`Trouble::happen`] returns.

use std::fmt;
use std::time::{Duration, Instant};

use pen_test::{Sig, Wire};

use super::deeds::{
    certificates, control_storm, crowd, dawdlers, dead_resolver, deaf_clients, every,
    few_descriptors, few_ports, filtered, log_reader_stops, many_flows, servers_die, shell,
};
use super::town::Town;
use crate::dice::Dice;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// One server dies and comes back.
    ServerDies,
    /// All but one do.
    MostServersDie,
    /// A server is there for half a second and gone for half a second.
    ServerFlaps,
    /// Nothing that is sent to a server arrives.
    BlackHole,
    /// One packet in fifty is lost.
    Loss,
    /// Every connection with clients is killed by the kernel.
    ConnectionsKilled,
    /// Many HUPs.
    HupStorm,
    /// HUP with a file that is wrong.
    BrokenFile,
    /// Pen stands still for some seconds.
    Stopped,
    /// Hardly any descriptors are left.
    FewDescriptors,
    /// Many clients who begin TLS and HTTP and never go on.
    Dawdlers,
    /// Clients who ask for much and read nothing.
    DeafClients,
    /// Clients who connect and abort.
    Aborters,
    /// Many control sessions that change everything, or talk nonsense.
    ControlStorm,
    /// The disk of the connection log is full.
    DiskFull,
    /// Datagrams from very many ports.
    ManyFlows,
    /// More clients and flows at once than at any other time, and nothing from them.
    Crowd,
    /// Other certificates, and a file that is none, while clients shake hands.
    CertificateChange,
    /// A name is looked up, and the name server says nothing.
    DeadResolver,
    /// Who reads the connection log (a pipe) stands still.
    LogReaderStops,
    /// Hardly any local ports are left, for Pen and for its clients.
    PortsExhausted,
    /// Another process takes over.
    Upgrade,
}

const ALL: [Trouble; 22] = [
    Trouble::ServerDies,
    Trouble::MostServersDie,
    Trouble::ServerFlaps,
    Trouble::BlackHole,
    Trouble::Loss,
    Trouble::ConnectionsKilled,
    Trouble::HupStorm,
    Trouble::BrokenFile,
    Trouble::Stopped,
    Trouble::FewDescriptors,
    Trouble::Dawdlers,
    Trouble::DeafClients,
    Trouble::Aborters,
    Trouble::ControlStorm,
    Trouble::DiskFull,
    Trouble::ManyFlows,
    Trouble::Crowd,
    Trouble::CertificateChange,
    Trouble::DeadResolver,
    Trouble::LogReaderStops,
    Trouble::PortsExhausted,
    // The last one, see [`Trouble::any`].
    Trouble::Upgrade,
];

/// Those after which Pen keeps something for the next time: tables stay as large as they had to be.
pub const FILLING: [Trouble; 6] = [
    Trouble::Crowd,
    Trouble::HupStorm,
    Trouble::DeafClients,
    Trouble::Dawdlers,
    Trouble::Aborters,
    Trouble::ControlStorm,
];

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}

impl Trouble {
    /// One by chance. Without `upgrades` the process stays the same, so that its memory can be judged.
    pub fn any(dice: &mut Dice, upgrades: bool) -> Self {
        let count = ALL.len() - usize::from(!upgrades);
        ALL.get(dice.length(count)).copied().unwrap_or(Self::ServerDies)
    }

    /// Whether no client may notice anything: then nothing that fails meanwhile is excused by it.
    pub fn is_hidden(self) -> bool {
        matches!(
            self,
            Self::HupStorm
                | Self::BrokenFile
                | Self::DiskFull
                | Self::LogReaderStops
                | Self::DeadResolver
                | Self::CertificateChange
                | Self::Upgrade
        )
    }

    /// Lets it happen for `time`, and undoes it.
    pub fn happen(self, town: &mut Town, dice: &mut Dice, time: Duration) {
        let one = dice.length(town.servers.plain.len());
        let plain = town.map().plain;
        match self {
            Self::ServerDies => servers_die(town, &[one], time),
            Self::MostServersDie => servers_die(town, &[1, 2, 3], time),
            Self::ServerFlaps => {
                let end = Instant::now() + time;
                while Instant::now() < end {
                    servers_die(town, &[one], Duration::from_millis(500));
                    std::thread::sleep(Duration::from_millis(500));
                }
            }
            Self::BlackHole => {
                let port = town.servers.plain.get(one).map_or(0, |s| s.place().port());
                filtered(&format!("tcp dport {port} drop"), time);
            }
            Self::Loss => filtered("numgen random mod 50 == 0 drop", time),
            Self::ConnectionsKilled => {
                let port = plain.port();
                shell(&format!("ss -K sport = :{port} >/dev/null || true"));
                std::thread::sleep(time);
            }
            Self::HupStorm => every(time, 100, |_| town.signal(Sig::Hup)),
            Self::BrokenFile => {
                town.write_file(true);
                every(time, 1_000, |_| town.signal(Sig::Hup));
                town.write_file(false);
                town.signal(Sig::Hup);
            }
            Self::Stopped => {
                town.signal(Sig::Stop);
                std::thread::sleep(time / 2);
                town.signal(Sig::Cont);
            }
            Self::FewDescriptors => few_descriptors(town, time),
            Self::Dawdlers => dawdlers(town, time),
            Self::DeafClients => deaf_clients(town, time),
            Self::Aborters => {
                every(time, 2, |_| drop(Wire::connect(&plain).map(Wire::abort)));
            }
            Self::ControlStorm => control_storm(town, dice, time),
            Self::DiskFull => {
                drop(town.control("connection_log text /dev/full"));
                std::thread::sleep(time);
                drop(town.control("no connection_log"));
            }
            Self::ManyFlows => many_flows(town, time),
            Self::Crowd => crowd(town, time),
            Self::CertificateChange => certificates(town, time),
            Self::DeadResolver => dead_resolver(town, time),
            Self::LogReaderStops => log_reader_stops(town, time),
            Self::PortsExhausted => few_ports(time),
            Self::Upgrade => town.upgrade(),
        }
    }
}
