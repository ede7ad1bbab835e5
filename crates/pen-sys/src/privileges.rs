//! Giving up the rights of root, and proving that they are gone.
//!
//! Deliberately not here: the order among other start-up steps, and what is opened before.

use std::io;
use std::path::Path;

use nix::unistd::{
    Gid, Uid, User as Entry, chdir, chroot, getgroups, getresgid, getresuid, setgroups, setresgid,
    setresuid, setuid,
};

use crate::capabilities::{self, Capability};

/// A user to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// As the operator wrote it.
    pub word: String,
    /// User id.
    pub uid: u32,
    /// The user's own group.
    pub gid: u32,
}

/// Whether this process acts as root.
#[must_use]
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// The effective user id of this process.
#[must_use]
pub fn uid() -> u32 {
    Uid::effective().as_raw()
}

/// Looks up a user by name or number. A number without an entry in the user database stands for
/// itself and for the group of the same number.
///
/// # Errors
/// Nobody is called so, or the database cannot be asked.
pub fn user(word: &str) -> io::Result<User> {
    let number = word.parse::<u32>().ok();
    // All ones means "leave as it is" to the kernel, so it is nobody's number.
    let number = number.filter(|n| *n != u32::MAX);
    let entry = match Entry::from_name(word)? {
        None => number.map(|n| Entry::from_uid(Uid::from_raw(n))).transpose()?.flatten(),
        found => found,
    };
    let ids = entry.map(|e| (e.uid.as_raw(), e.gid.as_raw())).or(number.map(|n| (n, n)));
    let (uid, gid) = ids.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such user"))?;
    Ok(User { word: word.to_owned(), uid, gid })
}

/// Makes `dir` the root of the file system as this process sees it, and the working directory.
///
/// # Errors
/// What chroot or chdir says.
pub fn enter_jail(dir: &Path) -> io::Result<()> {
    chroot(dir)?;
    chdir("/")?;
    Ok(())
}

/// Becomes `user` with the user's own group and no other, for good, and verifies it: every id is
/// the new one and root cannot be had back. Of the rights of root this thread (and those it starts
/// later) keeps exactly `keep`, as far as it has them, and other threads keep none. Becoming root
/// drops the supplementary groups only. Becoming who one is already needs and changes nothing.
///
/// # Errors
/// What the kernel refused, or the words for what is not as it should be. The process must not
/// go on then.
pub fn become_user(user: &User, keep: &[Capability]) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    if !is_root() {
        if (uid, gid) == (Uid::effective(), Gid::effective()) {
            return Ok(());
        }
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "only root can become another user",
        ));
    }
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    let change = || Ok(setresuid(uid, uid, uid)?);
    match uid.is_root() {
        true => change()?,
        false => capabilities::through(capabilities::permitted(keep)?, change)?,
    }
    verify(uid, gid)
}

fn verify(uid: Uid, gid: Gid) -> io::Result<()> {
    let (u, g) = (getresuid()?, getresgid()?);
    if [u.real, u.effective, u.saved] != [uid; 3] || [g.real, g.effective, g.saved] != [gid; 3] {
        return Err(io::Error::other("the user and group ids are not the wanted ones"));
    }
    if !getgroups()?.is_empty() {
        return Err(io::Error::other("supplementary groups are left"));
    }
    if !uid.is_root() && setuid(Uid::from_raw(0)).is_ok() {
        return Err(io::Error::other("root can be had back"));
    }
    match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => verify_status(&status, uid.as_raw(), gid.as_raw()),
        // Not to be had in a jail; the system calls above have said the same.
        Err(_) => Ok(()),
    }
}

/// The kernel's own account, which has the file system ids as well.
fn verify_status(status: &str, uid: u32, gid: u32) -> io::Result<()> {
    for (field, expected) in [("Uid:", vec![uid; 4]), ("Gid:", vec![gid; 4]), ("Groups:", vec![])] {
        let Some(rest) = status.lines().find_map(|line| line.strip_prefix(field)) else { continue };
        let ids: Result<Vec<u32>, _> = rest.split_ascii_whitespace().map(str::parse).collect();
        if ids.as_ref() != Ok(&expected) {
            return Err(io::Error::other(format!("{field}{rest} after the change of user")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_by_name_and_number() {
        let root = user("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(user("0").unwrap().uid, 0);
        let odd = user("4000123456").unwrap();
        assert_eq!((odd.uid, odd.gid), (4_000_123_456, 4_000_123_456));
        for nobody in ["no-such-user-here", "", "-1", "4294967295", "4294967296"] {
            assert!(user(nobody).is_err(), "{nobody}");
        }
    }

    #[test]
    fn the_account_is_read_word_for_word() {
        let good = "Name:\tpen\nUid:\t9\t9\t9\t9\nGid:\t8\t8\t8\t8\nGroups:\t \n";
        assert!(verify_status(good, 9, 8).is_ok());
        assert!(verify_status(good, 9, 9).is_err());
        assert!(verify_status(&good.replace("Groups:\t ", "Groups:\t4 "), 9, 8).is_err());
        assert!(verify_status(&good.replace("9\t9\t9\t9", "9\t9\t0\t9"), 9, 8).is_err());
    }
}
