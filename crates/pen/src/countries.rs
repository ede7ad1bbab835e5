//! The database of `geoip_db`: which country an address is in.
//!
//! The control thread reads the file into memory, workers look things up there: they never wait for
//! a file, and nobody can change what they look at. A file that is no usable database is an error
//! that names it; a broken record in a usable one is a client whose country is not known.
//! Deliberately not here: what lists do with countries (`pen_core::acl`), and publishing.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use maxminddb::{LookupResult, PathElement, Reader, WithinOptions};
use pen_core::acl::{AccessList, Countries, CountryCode, country_code};
use pen_core::config::Config;
use pen_core::limits;

use crate::files::{self, Stamp};

#[cfg(test)]
mod tests;

/// A database in memory.
#[derive(Debug)]
pub struct Database {
    reader: Reader<Vec<u8>>,
    path: String,
    stamp: Stamp,
}

impl Database {
    /// Reads the file at `path`, of at most [`limits::GEOIP_DB_MAX`] bytes.
    ///
    /// # Errors
    /// A sentence for the operator that names the file: it cannot be read, or is no MMDB database.
    pub fn load(path: &str) -> Result<Self, String> {
        let (bytes, metadata) = files::read_bounded(Path::new(path), limits::GEOIP_DB_MAX)
            .map_err(|e| format!("geoip_db {path}: {e}"))?;
        let reader = Reader::from_source(bytes)
            .map_err(|e| format!("geoip_db {path}: it is no usable MMDB database: {e}"))?;
        Ok(Self { reader, path: path.to_owned(), stamp: Stamp::of(&metadata) })
    }

    /// Whether the file is still the one that was read. One that is gone is not.
    #[must_use]
    pub fn is_current(&self) -> bool {
        Stamp::at(Path::new(&self.path)) == Some(self.stamp)
    }

    /// What the operator should know: a database of something else has no countries.
    #[must_use]
    pub fn caution(&self) -> Option<String> {
        // With the empty ones every step of the walk answers something, so the count bounds it.
        let all =
            WithinOptions::default().include_networks_without_data().include_aliased_networks();
        let networks = self.reader.networks(all).into_iter().flatten();
        let mut first = networks.take(limits::GEOIP_DB_PROBES).flatten();
        let kind = &self.reader.metadata().database_type;
        match first.any(|found| country_of(&found).is_some()) {
            true => None,
            false => Some(format!(
                "geoip_db {}: no country was found in this database of type {kind:?}",
                self.path
            )),
        }
    }
}

impl Countries for Database {
    fn country(&self, ip: IpAddr) -> Option<CountryCode> {
        country_of(&self.reader.lookup(ip).ok()?)
    }
}

/// Opens the database at `path`, if there is to be one.
///
/// # Errors
/// As [`Database::load`].
pub fn open(path: Option<&str>) -> Result<Option<Arc<Database>>, String> {
    path.map(Database::load).transpose().map(|database| database.map(Arc::new))
}

/// What the operator should know about the second settings, with their database, that was not true
/// of the first ones already.
#[must_use]
pub fn cautions(
    (old_config, old): (&Config, Option<&Arc<Database>>),
    (new_config, new): (&Config, Option<&Arc<Database>>),
) -> Vec<String> {
    let mut cautions = Vec::new();
    if let Some(new) = new.filter(|new| old.is_none_or(|old| !Arc::ptr_eq(old, new))) {
        cautions.extend(new.caution());
    }
    let lacks = |config: &Config, database: Option<_>| {
        let mut lists = config.services.iter().flat_map(|s| &s.acls);
        database.is_none() && lists.any(AccessList::names_countries)
    };
    if lacks(new_config, new) && !lacks(old_config, old) {
        cautions.push(
            "access lists name countries, but there is no database of them (geoip_db FILE): these \
             entries match nobody"
                .to_owned(),
        );
    }
    cautions
}

/// Whether both are the same database, or none.
#[must_use]
pub fn same(a: Option<&Arc<dyn Countries>>, b: Option<&Arc<dyn Countries>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Where the address is, or else where it is registered.
fn country_of(found: &LookupResult<'_, Vec<u8>>) -> Option<CountryCode> {
    let code = |of| {
        let path = [PathElement::Key(of), PathElement::Key("iso_code")];
        country_code(found.decode_path::<&str>(&path).ok()??)
    };
    code("country").or_else(|| code("registered_country"))
}
