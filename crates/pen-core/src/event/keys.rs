//! The closed lists: what can happen, and what there is to know of it.

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As asked, or better than before.
    Info,
    /// Somebody should look at it in time.
    Warning,
    /// Clients notice, or will.
    Error,
}

impl Severity {
    /// The word in lines.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! event_keys {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $severity:ident;)*) => {
        /// What can happen. The words are stable: they are added, never renamed or removed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventKey { $($(#[$doc])* $name,)* }

        impl EventKey {
            /// Every key, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in lines.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// How much it matters.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }
    };
}

event_keys! {
    /// Pen serves.
    Started = "started", Info;
    /// Nobody is accepted any more; Pen waits for what is open.
    Draining = "draining", Info;
    /// Pen ends.
    Stopping = "stopping", Info;
    /// Another process, started anew, has taken over; this one waits for what is open.
    Upgraded = "upgraded", Info;
    /// The program was started anew and did not take over; this process goes on.
    UpgradeFailed = "upgrade_failed", Error;
    /// The file was read again and its settings are true.
    Reload = "reload", Info;
    /// The file was read again and nothing has changed because of a fault.
    ReloadFailed = "reload_failed", Error;
    /// A control session changed settings.
    SettingsChanged = "settings_changed", Info;
    /// A service is there.
    ServiceAdded = "service_added", Info;
    /// A service is gone.
    ServiceRemoved = "service_removed", Info;
    /// A service listens at an address.
    ListenerOpened = "listener_opened", Info;
    /// A service no longer listens at an address.
    ListenerClosed = "listener_closed", Info;
    /// A server is left out.
    ServerDown = "server_down", Error;
    /// A server that was left out takes clients again.
    ServerUp = "server_up", Info;
    /// A server failed and is not left out for it.
    ServerFailed = "server_failed", Warning;
    /// With direct server return: a server has another hardware address.
    ServerMoved = "server_moved", Warning;
    /// Clients were turned away because no server could be used.
    NoServer = "no_server", Error;
    /// A limit is reached; `cause` says which.
    LimitReached = "limit_reached", Warning;
    /// Pen uses more or less of the memory it may have; `cause` says how it stands.
    Memory = "memory", Warning;
    /// A certificate expires soon or has expired.
    CertificateExpiring = "certificate_expiring", Warning;
    /// A certificate, or what belongs to it, was read again.
    CertificateReloaded = "certificate_reloaded", Info;
    /// Something is wrong with a certificate or what belongs to it.
    CertificateFailed = "certificate_failed", Error;
    /// The TLS handshakes of clients fail.
    HandshakeFailed = "handshake_failed", Warning;
    /// Clients were not passed on because of their TLS hello.
    HelloRefused = "hello_refused", Warning;
    /// A server cannot be shown the addresses of clients.
    NotTransparent = "not_transparent", Warning;
    /// The address of `source` is not there.
    SourceMissing = "source_missing", Warning;
    /// An address has left this machine, and what was bound to it is closed.
    AddressLeft = "address_left", Warning;
    /// Another machine says that it has the address of a service.
    AddressConflict = "address_conflict", Error;
    /// The interface of a service with direct server return has changed.
    InterfaceChanged = "interface_changed", Warning;
    /// The interface of a service with direct server return cannot be heard any more.
    InterfaceLost = "interface_lost", Error;
    /// The database of countries was read again.
    CountriesReloaded = "countries_reloaded", Info;
    /// The state file cannot be written, or could not be read; `cause` says which.
    StateFailed = "state_failed", Warning;
    /// The state file can be written again.
    StateRecovered = "state_recovered", Info;
    /// What a state file remembers was taken in.
    StateRead = "state_read", Info;
    /// Somebody was not let in at the control socket.
    ControlRefused = "control_refused", Warning;
    /// A log cannot be written.
    LogFailed = "log_failed", Error;
    /// A log can be written again.
    LogRecovered = "log_recovered", Info;
    /// Lines or messages were lost because writing could not keep up.
    LogLosses = "log_losses", Warning;
    /// Any other warning.
    Warning = "warning", Warning;
    /// Pen met a defect of its own: it ends, or the connection, flow, frame or order that met it does.
    Defect = "defect", Error;
}

impl EventKey {
    /// What traffic or somebody else can bring about again and again is held back when it repeats.
    pub(super) fn repeats(self) -> bool {
        matches!(
            self,
            Self::ServerDown
                | Self::ServerUp
                | Self::ServerFailed
                | Self::ServerMoved
                | Self::NoServer
                | Self::LimitReached
                | Self::HandshakeFailed
                | Self::HelloRefused
                | Self::NotTransparent
                | Self::Defect
                | Self::SourceMissing
                | Self::AddressConflict
                | Self::InterfaceChanged
                | Self::ControlRefused
                | Self::Memory
                | Self::LogFailed
                | Self::LogRecovered
                | Self::LogLosses
        )
    }

    /// Events that undo each other count as one that repeats, so that the last line about something
    /// is always true.
    pub(super) fn group(self) -> Self {
        match self {
            Self::ServerUp => Self::ServerDown,
            Self::LogRecovered => Self::LogFailed,
            Self::StateRecovered => Self::StateFailed,
            other => other,
        }
    }

    /// Whether it is one of those that undo each other.
    pub(super) fn is_state(self) -> bool {
        matches!(self.group(), Self::ServerDown | Self::LogFailed | Self::Memory)
    }
}

macro_rules! details {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        /// What there is to know of an event beside its subject. The words are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Detail { $($(#[$doc])* $name,)* }

        impl Detail {
            /// Every detail, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in lines.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

details! {
    /// Seconds that a server is left out.
    BlacklistS = "blacklist_s";
    /// Who did it: a control session.
    By = "by";
    /// The address of the client that met it (one of several when it repeats).
    Client = "client";
    /// Clients that were taken in.
    Clients = "clients";
    /// Connections there are.
    Connections = "connections";
    /// Days until a certificate expires; 0 has expired.
    DaysLeft = "days_left";
    /// Seconds a server was down.
    DownS = "down_s";
    /// What the kernel or the other side said.
    Error = "error";
    /// A file.
    File = "file";
    /// Flows there are.
    Flows = "flows";
    /// The highest number that is allowed.
    Limit = "limit";
    /// Lines that were lost.
    LostLines = "lost_lines";
    /// Messages that were lost.
    LostMessages = "lost_messages";
    /// The hardware address.
    Mac = "mac";
    /// The process id.
    Pid = "pid";
    /// Servers that were added, as `service/number`.
    ServersAdded = "servers_added";
    /// Servers with other settings.
    ServersChanged = "servers_changed";
    /// Servers that were removed.
    ServersRemoved = "servers_removed";
    /// How many services there are.
    Services = "services";
    /// Services that were added.
    ServicesAdded = "services_added";
    /// Services that were removed.
    ServicesRemoved = "services_removed";
    /// Commands whose settings are others, as `service/command`.
    Settings = "settings";
    /// Where a log goes.
    Target = "target";
    /// The version of Pen.
    Version = "version";
    /// How many workers there are.
    Workers = "workers";
}
