//! The reply to `sandbox`: what Pen has given up, as the kernel has it.

use std::path::PathBuf;

use serde::Serialize;

use super::json::line;
use crate::sandbox::{Level, Places};

/// What is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    /// As it was asked for at the start.
    pub level: Level,
    /// Names of the capabilities that are left.
    pub capabilities: Vec<&'static str>,
    /// There are more than those.
    pub further_capabilities: bool,
    /// Supplementary groups; `None` if the kernel's account cannot be read.
    pub groups: Option<Vec<u32>>,
    /// Nothing that Pen executes has more rights than Pen.
    pub no_new_privileges: bool,
    /// System calls are filtered; `None` if the kernel's account cannot be read.
    pub calls_filtered: Option<bool>,
    /// The kernel's Landlock that keeps the rules for files; `None` if there are none.
    pub landlock: Option<i32>,
    /// The places that are left, under `strict`.
    pub places: Places,
}

/// Lines of a word and its value.
#[must_use]
pub fn text(sealed: &Sealed) -> String {
    let yes_no = |yes| if yes { "yes" } else { "no" }.to_owned();
    let unknown = || "unknown".to_owned();
    let mut capabilities: Vec<&str> = sealed.capabilities.clone();
    if sealed.further_capabilities {
        capabilities.push("and others");
    }
    let groups = |ids: &Vec<u32>| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    let mut out = String::new();
    for (word, value) in [
        ("sandbox", sealed.level.word().to_owned()),
        ("capabilities", or_none(capabilities.join(" "))),
        ("groups", sealed.groups.as_ref().map_or_else(unknown, |ids| or_none(groups(ids)))),
        ("no_new_privs", yes_no(sealed.no_new_privileges)),
        ("system_calls_filtered", sealed.calls_filtered.map_or_else(unknown, yes_no)),
        ("landlock", sealed.landlock.map_or_else(|| "none".to_owned(), |n| n.to_string())),
    ] {
        out += &format!("{word} {value}\n");
    }
    for (word, places) in [("read", &sealed.places.read), ("write", &sealed.places.write)] {
        for place in places {
            out += &format!("{word} {}\n", place.display());
        }
    }
    out
}

/// The json twin.
#[must_use]
pub fn json(sealed: &Sealed) -> String {
    #[derive(Serialize)]
    struct Reply<'a> {
        sandbox: &'a str,
        capabilities: &'a [&'static str],
        further_capabilities: bool,
        groups: Option<&'a [u32]>,
        no_new_privs: bool,
        system_calls_filtered: Option<bool>,
        landlock: Option<i32>,
        read: Vec<String>,
        write: Vec<String>,
    }
    let texts = |places: &std::collections::BTreeSet<PathBuf>| {
        places.iter().map(|place| place.display().to_string()).collect()
    };
    line(&Reply {
        sandbox: sealed.level.word(),
        capabilities: &sealed.capabilities,
        further_capabilities: sealed.further_capabilities,
        groups: sealed.groups.as_deref(),
        no_new_privs: sealed.no_new_privileges,
        system_calls_filtered: sealed.calls_filtered,
        landlock: sealed.landlock,
        read: texts(&sealed.places.read),
        write: texts(&sealed.places.write),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let places = Places { read: [PathBuf::from("/etc")].into(), write: [].into() };
        let sealed = Sealed {
            level: Level::Strict,
            capabilities: vec!["CAP_NET_RAW"],
            groups: Some(vec![]),
            no_new_privileges: true,
            calls_filtered: None,
            landlock: Some(7),
            places,
            ..Sealed::default()
        };
        let expected = "sandbox strict\ncapabilities CAP_NET_RAW\ngroups none\nno_new_privs yes\n\
                        system_calls_filtered unknown\nlandlock 7\nread /etc\n";
        assert_eq!(text(&sealed), expected);
        let expected = concat!(
            r#"{"sandbox":"strict","capabilities":["CAP_NET_RAW"],"further_capabilities":false,"#,
            r#""groups":[],"no_new_privs":true,"system_calls_filtered":null,"landlock":7,"#,
            r#""read":["/etc"],"write":[]}"#,
            "\n",
        );
        assert_eq!(json(&sealed), expected);
    }
}
