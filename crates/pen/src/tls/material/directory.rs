//! The directory of `ssl_sni_path`: `NAME.crt`, `NAME.key`, `NAME.ca`, `NAME.ocsp`.
//!
//! Read whole, at the start and when it is asked for; never for a client. A pair that is not right is
//! left out, or stays what it was, with a message that names it; the others are not touched.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pen_core::limits;
use pen_core::near::shown;

use super::Told;
use super::certificate::Certificate;
use super::entry::Entry;
use super::names::Pattern;
use super::pair::{Pair, Source};

#[cfg(test)]
mod tests;

/// The entries by the name of their file.
pub(super) type Named = BTreeMap<String, Entry>;

/// How much of what is there is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// What has changed, by device, number, size or time.
    Changed,
    /// All of it: what completes the chains has changed.
    All,
}

/// Reads the directory. What `old` has and its files still say is taken over.
///
/// # Errors
/// A sentence for the operator: the directory itself cannot be read, or holds too much.
pub(super) fn load(
    path: &Path,
    authorities: &[Certificate],
    old: &Named,
    effort: Effort,
    told: &mut Told,
) -> Result<Named, String> {
    let mut all = Named::new();
    for name in names_in(path, told)? {
        let source = source(path, &name);
        let before = old.get(&name);
        let same = |e: &&Entry| e.pair.source == source && e.pair.is_current();
        let kept = before.filter(|_| effort == Effort::Changed).filter(same);
        let entry = match kept {
            Some(entry) => entry.clone(),
            None => match (Pair::load(&source, authorities), before) {
                (Ok(pair), before) => {
                    told.warnings.extend(pair.cautions.iter().cloned());
                    if before.is_some() {
                        told.news.push(format!("{}: read again", source.certificate.display()));
                    }
                    let ocsp = path.join(format!("{name}.ocsp"));
                    Entry::new(Arc::new(pair), Some(ocsp), false)
                }
                (Err(why), Some(before)) => {
                    told.warnings.push(format!("{why}; the certificate there was stays"));
                    before.clone()
                }
                (Err(why), None) => {
                    told.warnings.push(format!("{why}; the name {} is left out", shown(&name)));
                    continue;
                }
            },
        };
        all.insert(name, entry);
    }
    for gone in old.keys().filter(|name| !all.contains_key(*name)) {
        told.news.push(format!("{}: {} is gone", path.display(), shown(gone)));
    }
    if all.is_empty() {
        told.warnings.push(format!("{}: no usable NAME.crt is in it", path.display()));
    }
    Ok(all)
}

/// The names that have a certificate, in their order.
fn names_in(path: &Path, told: &mut Told) -> Result<Vec<String>, String> {
    let fault = |e: std::io::Error| format!("ssl_sni_path {}: {e}", path.display());
    let mut names = Vec::new();
    let mut files = 0;
    for entry in fs::read_dir(path).map_err(fault)? {
        let file = entry.map_err(fault)?.file_name();
        files += 1;
        if files > limits::TLS_DIRECTORY_MAX {
            let max = limits::TLS_DIRECTORY_MAX;
            return Err(format!("ssl_sni_path {}: more than {max} files", path.display()));
        }
        let file = file.to_string_lossy();
        let Some(name) = file.strip_suffix(".crt") else { continue };
        match Pattern::read(name) {
            Some(_) => names.push(name.to_owned()),
            None => told.warnings.push(format!(
                "{}: {} is left out: {} is no domain name",
                path.display(),
                shown(&file),
                shown(name)
            )),
        }
    }
    if names.len() > limits::TLS_NAMES_MAX {
        let max = limits::TLS_NAMES_MAX;
        return Err(format!("ssl_sni_path {}: more than {max} certificates", path.display()));
    }
    names.sort();
    Ok(names)
}

fn source(path: &Path, name: &str) -> Source {
    let file = |ending: &str| path.join(format!("{name}.{ending}"));
    let if_there = |path: PathBuf| path.exists().then_some(path);
    Source { certificate: file("crt"), key: if_there(file("key")), chain: if_there(file("ca")) }
}
