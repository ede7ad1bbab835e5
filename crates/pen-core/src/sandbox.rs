//! How far Pen shuts itself in when it has started, and which places of the file system stay open
//! under `sandbox strict`: decided from the settings of the start.
//!
//! Deliberately not here: asking the kernel, and what it lacks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::addr::Place;
use crate::config::{Config, ServiceConfig};
use crate::connlog::LogPlace;

/// How much is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Level {
    /// Nothing beyond `-u` and `-j`.
    Off,
    /// What Pen never needs, whatever a command may ask of it later.
    #[default]
    On,
    /// What these settings do not need.
    Strict,
}

impl Level {
    /// As commands and reports have it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Strict => "strict",
        }
    }
}

/// The setting `sandbox`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Sandbox {
    /// How much.
    pub level: Level,
    /// Directories that stay open under `strict` beside those that the settings name.
    pub also: Vec<String>,
}

impl Sandbox {
    /// The words behind `sandbox`.
    #[must_use]
    pub fn words(&self) -> String {
        let also = self.also.iter().map(String::as_str);
        [self.level.word()].into_iter().chain(also).collect::<Vec<_>>().join(" ")
    }
}

/// Directories, and files that are none of the disk's, that stay open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Read.
    pub read: BTreeSet<PathBuf>,
    /// Read, written, made and removed.
    pub write: BTreeSet<PathBuf>,
}

/// What the command line and the files say beside the settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Named<'a> {
    /// The file of `-F`, which `write` replaces.
    pub file: Option<&'a str>,
    /// Every file that was read.
    pub included: &'a [String],
    /// The file of `-p`.
    pub pid_file: Option<&'a str>,
    /// The path of `-C`, if it is one.
    pub control: Option<&'a Path>,
}

/// What names, time zones, authorities and name services need, wherever they are kept. `/etc` as a
/// whole: its files are replaced while Pen runs, and a rule for a file ends with the file.
const SYSTEM: [&str; 14] = [
    "/etc",
    "/usr/share/zoneinfo",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/run/nscd",
    "/dev/null",
    "/dev/urandom",
    "/proc",
];

impl Places {
    /// What `config` and `named` need, each by its directory, so that files may be replaced and
    /// rotated.
    #[must_use]
    pub fn of(config: &Config, named: &Named<'_>) -> Self {
        let mut places = Self::default();
        places.read.extend(SYSTEM.map(PathBuf::from));
        for file in named.included.iter().chain(&config.process.geoip_db) {
            places.reads(file);
        }
        let state = config.process.state_file.as_deref();
        for file in named.file.into_iter().chain(named.pid_file).chain(state) {
            places.writes(Path::new(file));
        }
        if let Some(control) = named.control {
            places.writes(control);
        }
        for service in &config.services {
            places.service(service);
        }
        places.logs_to(config.process.event_log.as_ref().map(|log| &log.place));
        places.write.extend(config.process.sandbox.also.iter().map(PathBuf::from));
        let Self { read, write } = &mut places;
        read.retain(|place| !write.contains(place));
        places
    }

    fn service(&mut self, service: &ServiceConfig) {
        for listen in &service.listen {
            if let Place::Unix(path) = &listen.place {
                self.writes(path);
            }
        }
        let log = service.log.iter().filter(|log| log.starts_with('/') || !log.contains(':'));
        for file in log.chain(&service.web_stats) {
            self.writes(Path::new(file));
        }
        self.logs_to(service.connection_log.as_ref().map(|log| &log.place));
        let tls = &service.tls;
        let files = [&tls.certificate, &tls.key, &tls.ca_file, &tls.crl, &tls.ocsp_response];
        for file in files.into_iter().flatten() {
            self.reads(file);
        }
        for directory in [&tls.ca_dir, &tls.sni_path].into_iter().flatten() {
            self.read.insert(directory.into());
        }
        let outside = service.emergency.iter().chain(&service.abuse);
        for server in service.servers.iter().chain(outside) {
            let tls = &server.tls;
            [&tls.ca, &tls.cert, &tls.key].into_iter().flatten().for_each(|file| self.reads(file));
        }
    }

    fn logs_to(&mut self, place: Option<&LogPlace>) {
        if let Some(LogPlace::File(path)) = place {
            self.writes(Path::new(path));
        }
    }

    fn reads(&mut self, file: &str) {
        self.read.insert(directory(Path::new(file)));
    }

    fn writes(&mut self, file: &Path) {
        // A device is not made anew, and its neighbours are none of Pen's business.
        let special = file.starts_with("/dev") || file.starts_with("/proc");
        self.write.insert(if special { file.to_owned() } else { directory(file) });
    }
}

fn directory(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Listen;

    #[test]
    fn what_the_settings_name_stays_open_by_its_directory() {
        let mut config = Config::default();
        config.process.geoip_db = Some("/var/lib/geo/db.mmdb".to_owned());
        config.process.state_file = Some("/var/lib/pen/state".to_owned());
        config.process.sandbox.also = vec!["/srv/more".to_owned()];
        let service = &mut config.services[0];
        service.log = Some("/var/log/pen/web.log".to_owned());
        service.web_stats = Some("page.html".to_owned());
        service.tls.certificate = Some("/keys/a.pem".to_owned());
        service.tls.sni_path = Some("/keys/names".to_owned());
        let place = Place::Unix("/run/front/socket".into());
        service.listen = vec![Listen { text: "/run/front/socket".to_owned(), place }];
        let named = Named {
            file: Some("/conf/pen.conf"),
            included: &["/conf/pen.conf".to_owned(), "/conf/d/extra".to_owned()],
            pid_file: Some("/run/pen.pid"),
            control: Some(Path::new("/run/control/pen")),
        };
        let places = Places::of(&config, &named);
        let paths = |texts: &[&str]| texts.iter().map(PathBuf::from).collect::<BTreeSet<_>>();
        let write = [
            ".",
            "/conf",
            "/run",
            "/run/control",
            "/run/front",
            "/srv/more",
            "/var/lib/pen",
            "/var/log/pen",
        ];
        assert_eq!(places.write, paths(&write));
        for read in ["/conf/d", "/keys", "/keys/names", "/var/lib/geo", "/etc"] {
            assert!(places.read.contains(Path::new(read)), "{read}");
        }
        assert!(!places.read.contains(Path::new("/conf")), "what is written is not listed twice");
    }

    #[test]
    fn an_address_is_no_file_and_a_device_is_no_directory() {
        let mut config = Config::default();
        config.services[0].log = Some("loghost:514".to_owned());
        assert!(Places::of(&config, &Named::default()).write.is_empty());
        config.services[0].log = Some("/dev/stdout".to_owned());
        let write = Places::of(&config, &Named::default()).write;
        assert_eq!(write, BTreeSet::from([PathBuf::from("/dev/stdout")]));
    }
}
