//! What `transparent` needs of this process and of the kernel, before settings become true.
//!
//! Deliberately not here: which address a connection carries (`pen_core::transparent`), sockets
//! (`worker::dial`), and whether the way back is laid (`live`).

use pen_core::config::{Config, ServiceConfig};
use pen_core::transparent::{cautions, conflict};
use pen_sys::capabilities::Capability;
use pen_sys::sockets::{self, NotTransparent};

/// When settings become true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At the start of the process.
    Start,
    /// While it runs.
    Later,
}

/// The rights of root that stay when the process becomes its user.
#[must_use]
pub fn keep(config: &Config) -> &'static [Capability] {
    match config.services.iter().any(|s| s.transparent) {
        true => &[Capability::NetRaw],
        false => &[],
    }
}

/// Looks at the settings alone. Answers warnings.
///
/// # Errors
/// A sentence for the operator about settings that contradict each other.
pub fn check_words(old: &Config, new: &Config) -> Result<Vec<String>, String> {
    if let Some(conflict) = new.services.iter().find_map(conflict) {
        return Err(conflict);
    }
    let known: Vec<String> = old.services.iter().flat_map(cautions).collect();
    let now = new.services.iter().flat_map(cautions);
    Ok(now.filter(|c| !known.contains(c)).collect())
}

/// Looks at the settings, and asks the kernel on behalf of services that were not transparent before.
/// Answers warnings.
///
/// # Errors
/// A sentence for the operator: settings contradict each other, or the kernel refuses and
/// `transparent_fallback` is off.
pub fn check(old: &Config, new: &Config, when: When) -> Result<Vec<String>, String> {
    let mut warnings = check_words(old, new)?;
    let wants = |s: &ServiceConfig| (s.transparent, s.transparent_fallback);
    for service in new.services.iter().filter(|s| s.transparent) {
        if old.service(&service.name).is_some_and(|o| wants(o) == wants(service)) {
            continue;
        }
        let Err(why) = permitted(service) else { continue };
        let name = &service.name;
        let text = format!("service {name}: transparent: the kernel refuses {why}");
        if service.transparent_fallback {
            warnings.push(format!("{text}; servers see Pen's own address (transparent_fallback)"));
        } else {
            return Err(format!("{text}; {}", remedy(when)));
        }
    }
    Ok(warnings)
}

fn permitted(service: &ServiceConfig) -> Result<(), NotTransparent> {
    let outside = service.emergency.iter().chain(&service.abuse);
    let v6 = service.servers.iter().chain(outside).filter_map(|s| s.host.ip()).any(|a| a.is_ipv6());
    sockets::foreign_permitted(true)?;
    if v6 { sockets::foreign_permitted(false) } else { Ok(()) }
}

/// What to do about the refusal.
#[must_use]
pub fn remedy(when: When) -> String {
    let name = Capability::NetRaw.name();
    match when {
        When::Start => format!(
            "the capability {name} is missing: start Pen as root (with -u it keeps {name} and nothing \
             else), or give it {name} (setcap {name}+ep, or AmbientCapabilities={name} of systemd); \
             with 'transparent_fallback' it serves without it"
        ),
        When::Later => format!(
            "the capability {name} is missing, and a running process cannot get it: start Pen again \
             with 'transparent' among its settings, then it keeps {name} when it becomes its user; \
             nothing is changed"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl FnOnce(&mut ServiceConfig)) -> Config {
        let mut config = Config::default();
        change(&mut config.services[0]);
        config
    }

    #[test]
    fn the_right_is_kept_where_a_service_needs_it() {
        assert_eq!(keep(&Config::default()), &[]);
        assert_eq!(keep(&config(|s| s.transparent = true)), &[Capability::NetRaw]);
    }

    #[test]
    fn contradictions_are_errors_and_cautions_are_said_once() {
        let plain = Config::default();
        let spare = config(|s| (s.transparent, s.idlers) = (true, 2));
        assert!(check_words(&plain, &spare).unwrap_err().contains("idlers 2"));
        let place = pen_core::addr::Place::Unix("/run/web".into());
        let listen = pen_core::addr::Listen { text: "/run/web".to_owned(), place };
        let unix = config(|s| (s.transparent, s.listen) = (true, vec![listen]));
        assert_eq!(check_words(&plain, &unix).unwrap().len(), 1);
        assert!(check_words(&unix, &unix).unwrap().is_empty());
    }

    #[test]
    fn without_the_right_it_is_refused_or_told() {
        if sockets::foreign_permitted(true).is_ok() {
            println!("skipped: this user may carry foreign addresses");
            return;
        }
        let plain = Config::default();
        let wanted = config(|s| s.transparent = true);
        let fault = check(&plain, &wanted, When::Later).unwrap_err();
        assert!(fault.contains("IP_TRANSPARENT") && fault.contains("CAP_NET_RAW"), "{fault}");
        assert!(fault.contains("nothing is changed"), "{fault}");
        assert_eq!(check(&wanted, &wanted, When::Later), Ok(Vec::new()));
        let soft = config(|s| (s.transparent, s.transparent_fallback) = (true, true));
        assert_eq!(check(&plain, &soft, When::Start).unwrap().len(), 1);
    }
}
