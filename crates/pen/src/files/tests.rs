//! Reading and replacing files: faults with their places, bounds, includes.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use super::*;
use crate::names::KnownNames;

/// A directory of its own for one test, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pen-files-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, contents).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(config: &mut Config, path: &str) -> Result<Outcome, FileFault> {
    let names = KnownNames::new(Arc::default());
    read_file(config, &Context::reload(), path, &names)
}

fn texts(outcome: &Outcome) -> String {
    let text = |said: &Said| match said {
        Said::Text(t) => t.clone(),
        Said::Report { .. } => "report".to_owned(),
    };
    outcome.said.iter().map(text).collect()
}

#[test]
fn a_file_is_applied_in_order_with_what_it_includes() {
    let place = Place::new("include");
    let inner = place.file("inner", "tracking 66\nservice other\ntimeout 9\n");
    let outer = place.file("outer", format!("\u{feff}# c\r\n\ninclude {inner}\r\nblacklist 67"));
    let mut config = Config::default();
    let outcome = read(&mut config, &outer).unwrap();
    assert_eq!(texts(&outcome), "66\n9\n67\n");
    let default = config.service("default").unwrap();
    assert_eq!((default.tracking_s, default.blacklist_s), (66, 67));
    assert_eq!(config.service("other").unwrap().timeout_s, 9);
}

#[test]
fn a_fault_says_where_and_changes_nothing() {
    let place = Place::new("fault");
    let bad = place.file("bad", "blacklist 5\n  blacklist soon\n");
    let includes_bad = place.file("outer", format!("tracking 4\ninclude {bad}\n"));
    let includes_nothing = place.file("nothing", "tracking 4\n include /no/such/file\n");
    let binary = place.file("binary", b"blacklist 5\nhash \xff\n");
    let long = place.file("long", "#".repeat(limits::LINE_MAX + 1));
    let rows = [
        (&bad, &bad, Some((2, 13)), "soon"),
        (&includes_bad, &bad, Some((2, 13)), "soon"),
        (&includes_nothing, &includes_nothing, Some((2, 1)), "/no/such/file"),
        (&binary, &binary, Some((2, 6)), "UTF-8"),
        (&long, &long, Some((1, limits::LINE_MAX + 1)), "longer"),
    ];
    for (path, file, at, word) in rows {
        let mut config = Config::default();
        let fault = read(&mut config, path).unwrap_err();
        assert_eq!((&fault.file, fault.at, fault.missing), (file, at, false), "{fault}");
        assert!(fault.message.contains(word), "{fault}");
        assert_eq!(config, Config::default());
    }
}

#[test]
fn what_is_no_ordinary_file_is_refused() {
    let place = Place::new("odd");
    let fifo = place.0.join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let fifo = fifo.to_str().unwrap();
    for path in ["/dev/zero", "/", fifo] {
        let fault = read(&mut Config::default(), path).unwrap_err();
        assert!(fault.at.is_none() && !fault.missing, "{fault}");
    }
    assert!(read(&mut Config::default(), "/no/such/file").unwrap_err().missing);
}

#[test]
fn a_file_that_includes_itself_ends() {
    let place = Place::new("loop");
    let path = place.0.join("self");
    let path = path.to_str().unwrap();
    fs::write(path, format!("include {path}\n")).unwrap();
    let fault = read(&mut Config::default(), path).unwrap_err();
    assert_eq!(fault.at.map(|(line, _)| line), Some(1), "{fault}");
    assert!(fault.message.contains("include each other"), "{fault}");
}

#[test]
fn names_are_noted_before_they_are_needed() {
    let place = Place::new("names");
    let path =
        place.file("f", "server 0 address one.example port 80\nserver 1 address two.example\n");
    let mut names = KnownNames::new(Arc::default());
    let mut config = Config::default();
    read_file(&mut config.clone(), &Context::reload(), &path, &names).unwrap();
    assert_eq!(names.take_missing(), ["one.example", "two.example"]);
    for name in ["one.example", "two.example"] {
        names.learn(name.to_owned(), Ok([192, 0, 2, 1].into()));
    }
    read_file(&mut config, &Context::reload(), &path, &names).unwrap();
    assert!(names.take_missing().is_empty());
    assert_eq!(config.services[0].servers[0].host.to_string(), "192.0.2.1");
}

#[test]
fn files_are_replaced_whole_and_keep_what_they_are() {
    let place = Place::new("replace");
    let path = place.0.join("page");
    replace(&path, b"first").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o022, 0, "ours alone to write");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    replace(&path, b"second").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);

    let link = place.0.join("link");
    symlink(&path, &link).unwrap();
    replace(&link, b"3").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&path).unwrap(), b"3");
    assert_eq!(fs::read_dir(&place.0).unwrap().count(), 2, "nothing is left behind");

    assert!(replace(Path::new("/no/such/dir/file"), b"x").is_err());
    assert!(replace(&place.0, b"x").is_err());
}
