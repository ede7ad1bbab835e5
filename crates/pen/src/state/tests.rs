//! Files: what is replaced, what stays, what is read.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use pen_test::Scratch;

use super::file::{self, Draft};

fn write(path: &std::path::Path, text: &str) -> Result<u64, String> {
    let mut draft = Draft::begin(path)?;
    draft.write(text.as_bytes())?;
    draft.finish()
}

fn contents(path: &std::path::Path) -> Result<String, String> {
    let mut all = Vec::new();
    file::read(path, |piece| {
        all.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(String::from_utf8(all).expect("text"))
}

fn names(scratch: &Scratch) -> Vec<PathBuf> {
    fs::read_dir(scratch.dir()).unwrap().map(|e| e.unwrap().file_name().into()).collect()
}

#[test]
fn a_new_file_takes_the_place_of_a_state_file_and_of_nothing_else() {
    let scratch = Scratch::new();
    let path = scratch.path("state");
    assert_eq!(write(&path, "pen-state 1\na\n"), Ok(14));
    scratch.write(".state.new", "left behind");
    assert_eq!(write(&path, "pen-state 1\nb\n"), Ok(14));
    assert_eq!(contents(&path).as_deref(), Ok("pen-state 1\nb\n"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0);
    for (there, may) in [("", true), ("pen-s", true), ("pen-state 99\n", true), ("hash\n", false)] {
        scratch.write("state", there);
        assert_eq!(write(&path, "pen-state 1\n").is_ok(), may, "{there:?}");
    }
    assert_eq!(contents(&path).as_deref(), Ok("hash\n"));
    drop(Draft::begin(&scratch.path("other")).unwrap());
    assert_eq!(names(&scratch), [PathBuf::from("state")], "nothing else is left");
}

#[test]
fn nobody_leads_the_writing_elsewhere() {
    let scratch = Scratch::new();
    let (path, victim) = (scratch.path("state"), scratch.write("victim", "precious"));
    symlink(&victim, scratch.path(".state.new")).unwrap();
    assert!(write(&path, "pen-state 1\n").is_ok());
    let mut draft = Draft::begin(&path).unwrap();
    draft.write(b"pen-state 1\n").unwrap();
    fs::remove_file(scratch.path(".state.new")).unwrap();
    symlink(&victim, scratch.path(".state.new")).unwrap();
    assert_eq!(draft.finish(), Err("somebody else writes it too".to_owned()));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn only_regular_files_are_read() {
    let scratch = Scratch::new();
    assert_eq!(contents(scratch.dir()), Err("it is no regular file".to_owned()));
    assert!(contents(&scratch.path("none")).is_err());
    assert!(write(scratch.dir(), "pen-state 1\n").is_err());
}
