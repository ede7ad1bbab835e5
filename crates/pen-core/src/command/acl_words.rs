//! The words of an access list entry, read and printed.
//!
//! Addresses are kept as they were written; what lies outside the mask has no meaning.

use std::net::{IpAddr, Ipv4Addr};

use super::Fault;
use super::words::Args;
use crate::acl::{Entry, Verdict, Whom};
use crate::limits::ACL_LISTS;
use crate::near::shown;

/// The number of a list.
pub(super) fn list(args: &mut Args<'_>) -> Result<u8, Fault> {
    let n = args.need_number("the number of a list", 0, ACL_LISTS as i64 - 1)?;
    Ok(u8::try_from(n).unwrap_or(0))
}

/// `permit|deny` and whom.
pub(super) fn entry(args: &mut Args<'_>) -> Result<Entry, Fault> {
    let verdict = args.need_choice(&[("permit", Verdict::Permit), ("deny", Verdict::Deny)])?;
    let (word, column) = args.need("an address or 'country CC'")?;
    if word == "country" {
        return Ok(Entry { verdict, whom: country(args)? });
    }
    let (address, length) = match word.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (word, None),
    };
    let ip: IpAddr = address
        .parse()
        .map_err(|_| Fault::new(format!("acl: {} is not an address", shown(word)), column))?;
    let width = if ip.is_ipv4() { 32 } else { 128 };
    let prefix = match length {
        Some(length) => {
            let length = super::words::number("acl", (length, column), 0, width)?;
            u8::try_from(length).unwrap_or(0)
        }
        None => u8::try_from(width).unwrap_or(0),
    };
    let whom = match ip {
        IpAddr::V4(ip) => match args.next().filter(|_| length.is_none()) {
            Some(mask) => Whom::v4(ip, self::mask(mask)?),
            None => Whom::v4(ip, v4_mask(prefix)),
        },
        IpAddr::V6(ip) => Whom::v6(ip, prefix).ok_or_else(|| {
            Fault::new(format!("acl: {} has too long a prefix", shown(word)), column)
        })?,
    };
    Ok(Entry { verdict, whom })
}

fn v4_mask(prefix: u8) -> Ipv4Addr {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0).into()
}

fn mask((word, column): (&str, usize)) -> Result<Ipv4Addr, Fault> {
    word.parse().map_err(|_| Fault::new(format!("acl: {} is not a mask", shown(word)), column))
}

fn country(args: &mut Args<'_>) -> Result<Whom, Fault> {
    let (code, column) = args.need("a two-letter country code")?;
    Whom::country(code).ok_or_else(|| {
        Fault::new(format!("acl: {} is not a two-letter country code", shown(code)), column)
    })
}
