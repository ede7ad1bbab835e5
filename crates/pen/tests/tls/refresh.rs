//! `dist/ocsp/pen-ocsp-refresh` with a responder of openssl: what it brings is stapled, what does not
//! hold stays away. Without openssl it is skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pen_test::{
    Authority, Farm, Finished, Identity, Pen, Program, Scratch, free_port, penctl_program, run,
    until,
};
use rcgen::CustomExtension;

use crate::hall::{Hall, NAME};
use crate::look::Looker;

fn openssl() -> Option<PathBuf> {
    let path = PathBuf::from("/usr/bin/openssl");
    if !path.exists() {
        println!("skipped: openssl is not here");
        return None;
    }
    Some(path)
}

/// The script with these words; `penctl` is the one that was built.
fn refresh(words: &[&str]) -> Finished {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/ocsp/pen-ocsp-refresh");
    let programs = penctl_program();
    let programs = programs.parent().expect("a directory").display().to_string();
    let (scratch, mut command) = (Scratch::new(), Command::new(script));
    command.args(["-t", "15"]).args(words).env("PATH", format!("{programs}:/usr/bin:/bin"));
    Program::start(command, &scratch).finished()
}

/// A certificate that names its responder, as `NAME.crt`, `.key` and `.ca` in a directory.
fn issue(hall: &Hall, directory: &Path, name: &str, port: u16) -> PathBuf {
    let url = format!("http://127.0.0.1:{port}/");
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).expect("short");
    // id-ad-ocsp, and where it is.
    let mut access = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01\x86".to_vec();
    access.push(length(url.as_bytes()));
    access.extend(url.as_bytes());
    let access = [&[0x30, length(&access)], &access[..]].concat();
    let access = [&[0x30, length(&access)], &access[..]].concat();
    let made: Identity = hall.authority.sign_with(&[name], |params| {
        let oid = [1, 3, 6, 1, 5, 5, 7, 1, 1];
        params.custom_extensions.push(CustomExtension::from_oid_content(&oid, access));
    });
    let path = directory.join(format!("{name}.crt"));
    fs::write(&path, made.certificate).expect("ours");
    fs::write(path.with_extension("key"), made.key).expect("ours");
    fs::write(path.with_extension("ca"), hall.authority.pem()).expect("ours");
    path
}

/// A responder of `signer` that says `word` (V or R, with a date) of the certificates. It ends when
/// dropped.
fn responder(
    openssl: &PathBuf,
    (signer, port): (&Authority, u16),
    word: &str,
    certificates: &[&PathBuf],
    further: &[&str],
) -> (Program, Scratch) {
    let scratch = Scratch::new();
    let mut index = String::new();
    for path in certificates {
        let path = path.display().to_string();
        let said = run(openssl, ["x509", "-in", &path, "-noout", "-serial"]);
        let serial = said.stdout.trim().trim_start_matches("serial=").to_owned();
        let revoked = if word == "R" { "250101000000Z" } else { "" };
        index += &format!("{word}\t350101000000Z\t{revoked}\t{serial}\tunknown\t/CN={path}\n");
    }
    let index = scratch.write("index.txt", &index);
    let root = scratch.write("root.crt", signer.pem());
    let key = scratch.write("root.key", &signer.key_pem());
    let mut command = Command::new(openssl);
    command.args(["ocsp", "-port", &port.to_string(), "-index"]).arg(index);
    command.arg("-CA").arg(&root).arg("-rsigner").arg(&root).arg("-rkey").arg(key).args(further);
    let program = Program::start(command, &scratch);
    // A connection that asks nothing would keep it busy.
    until("the responder", || {
        let said = program.stdout() + &program.stderr();
        (said.contains("ACCEPT") || said.contains("waiting for")).then_some(())
    });
    (program, scratch)
}

fn stapled(pen: &Pen, name: &str) -> Vec<u8> {
    Looker::new().look(pen, name).expect("a handshake").ocsp
}

#[test]
fn what_it_fetches_is_stapled() {
    let Some(openssl) = openssl() else { return };
    let (hall, farm, port) = (Hall::new(), Farm::banners(1), free_port());
    let dir = hall.scratch.path("sni");
    fs::create_dir(&dir).expect("ours");
    let ours = issue(&hall, hall.scratch.dir(), NAME, port);
    let named = issue(&hall, &dir, "a.example", port);
    let pen = Pen::over(&farm)
        .args(["-E".to_owned(), ours.display().to_string()])
        .args(["-K".to_owned(), ours.with_extension("key").display().to_string()])
        .command(&format!("ssl_sni_path {}", dir.display()))
        .start();
    assert_eq!(stapled(&pen, NAME), b"");
    let (control, first) = (pen.control().word(), ours.display().to_string());
    let words = ["-c", &control, &first, &dir.display().to_string()];
    let asked =
        responder(&openssl, (&hall.authority, port), "V", &[&ours, &named], &["-ndays", "7"]);
    let said = refresh(&words);
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("service default staples it from here on"), "{}", said.stdout);
    for (path, name) in [(&ours, NAME), (&named, "a.example")] {
        let response = fs::read(path.with_extension("ocsp")).expect("it was written");
        assert_eq!(stapled(&pen, name), response, "{name}");
    }
    shows_good(&openssl, &pen, &hall);
    // Nobody is asked while what is there is young; afterwards what is there stays.
    drop(asked);
    let before = fs::read(ours.with_extension("ocsp")).expect("it is there");
    let said = refresh(&words);
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    assert_eq!(said.stdout.matches("; kept").count(), 2, "{}", said.stdout);
    let said = refresh(&["-m", "0", "-t", "1", "-q", &first]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""), "{}", said.stderr);
    assert!(said.stderr.contains("does not answer"), "{}", said.stderr);
    assert_eq!(fs::read(ours.with_extension("ocsp")).expect("it stays"), before);
}

/// What openssl's client makes of the response: signature and all.
fn shows_good(openssl: &PathBuf, pen: &Pen, hall: &Hall) {
    let root = hall.scratch.write("trusted.crt", hall.authority.pem()).display().to_string();
    let place = pen.place().word();
    let said = run(
        openssl,
        ["s_client", "-connect", &place, "-status", "-servername", NAME, "-CAfile", &root],
    );
    let good = ["OCSP Response Status: successful", "Cert Status: good"];
    assert!(good.iter().all(|word| said.stdout.contains(word)), "{}{}", said.stdout, said.stderr);
}

#[test]
fn what_does_not_hold_is_not_put_in_place() {
    let Some(openssl) = openssl() else { return };
    let hall = Hall::new();
    let stranger = Authority::new("another authority");
    for (signer, word, further, why) in [
        (&hall.authority, "R", &["-ndays", "7"][..], "the certificate: revoked"),
        (&stranger, "V", &["-ndays", "7"], "does not hold: "),
        (&hall.authority, "V", &[], "it does not say how long it holds"),
    ] {
        let port = free_port();
        let path = issue(&hall, hall.scratch.dir(), NAME, port);
        let _asked = responder(&openssl, (signer, port), word, &[&path], further);
        let response = path.with_extension("ocsp");
        fs::write(&response, "what was there").expect("ours");
        let said = refresh(&[&path.display().to_string()]);
        assert_eq!(said.code, Some(1), "{}{}", said.stdout, said.stderr);
        let right = said.stderr.contains(why) && said.stderr.contains("what was there stays");
        assert!(right, "{why}: {}", said.stderr);
        assert_eq!(fs::read(&response).expect("it stays"), b"what was there");
        let left = fs::read_dir(hall.scratch.dir()).expect("ours").flatten();
        let left: Vec<_> = left.map(|e| e.file_name()).collect();
        assert!(!left.iter().any(|n| n.to_string_lossy().contains(".new")), "{left:?}");
    }
}

#[test]
fn what_is_asked_wrongly_is_said() {
    if openssl().is_none() {
        return;
    }
    let hall = Hall::new();
    let path = issue(&hall, hall.scratch.dir(), NAME, 9).display().to_string();
    let other = hall.scratch.write("other.pem", "nothing").display().to_string();
    let bare = hall.certificate();
    let dir = hall.scratch.path("empty");
    fs::create_dir(&dir).expect("ours");
    let dir = dir.display().to_string();
    let rows: [(&[&str], i32, &str); 8] = [
        (&[], 2, "Usage: "),
        (&["-z", &path], 2, "Usage: "),
        (&["-m", "soon", &path], 2, "'soon' is no number"),
        (&["-o", "x", &path, &path], 2, "-o is for a single certificate"),
        (&["/no/such.crt"], 1, "/no/such.crt: it is not there"),
        (&[&other], 1, "there is no certificate in it"),
        (&[&dir], 1, "there is no NAME.crt in it"),
        (&[&bare], 1, "its issuer's certificate is not in the chain; name it with -i"),
    ];
    for (words, code, part) in rows {
        let said = refresh(words);
        assert_eq!(said.code, Some(code), "{words:?}: {}", said.stderr);
        assert!(said.stderr.contains(part), "{words:?}: {}", said.stderr);
    }
}
