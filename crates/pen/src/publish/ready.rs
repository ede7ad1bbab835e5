//! The first half of a publication: everything that can be refused. What is opened here is nobody's until the
//! second half, and is dropped if there is none.

use std::sync::Arc;

use pen_core::addr::Names;
use pen_core::config::Config;
use pen_core::{circles, routes};
use pen_sys::sockets;

use super::{NewLogs, Running};
use crate::countries::{self, Database};
use crate::listeners::Gates;
use crate::tls::{Outward, Told, Vault};
use crate::transparent::{self, When};
use crate::{built, clock, dsr, socket_options, web};

/// What settings need to become true.
pub(super) struct Ready {
    pub(super) vault: Vault,
    pub(super) told: Told,
    pub(super) outward: Outward,
    pub(super) gates: Gates,
    pub(super) logs: NewLogs,
    pub(super) posts: dsr::Planned,
    pub(super) door: Option<Arc<web::Door>>,
    pub(super) countries: Option<Arc<Database>>,
    /// What will not be as it was asked for.
    pub(super) cautions: Vec<String>,
}

impl Running {
    /// Opens what `new` needs beside what is there.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(super) fn make_ready(&mut self, new: &Config, names: &dyn Names) -> Result<Ready, String> {
        let mut cautions = socket_options::check(&self.config, new)?;
        cautions.extend(transparent::check(&self.config, new, When::Later)?);
        let fault = built::lacking(new).or_else(|| routes::fault(new));
        let fault = fault.or_else(|| circles::fault(new, sockets::is_ours));
        fault.map_or(Ok(()), Err)?;
        let (vault, told) = self.vault.prepare(new, clock::wall().0)?;
        let outward = self.outward.load(new)?;
        let gates = self.keeper.plan(&self.gates, new)?;
        let logs = self.open_logs(new, names)?;
        let posts = self.posts.plan(new, self.pool.mailboxes.len())?;
        let door = self.web.plan(new)?;
        let countries = match new.process.geoip_db == self.config.process.geoip_db {
            true => self.countries.clone(),
            false => countries::open(new.process.geoip_db.as_deref())?,
        };
        #[cfg(debug_assertions)]
        crate::worker::faults::at_settings(new, "panic-check");
        Ok(Ready { vault, told, outward, gates, logs, posts, door, countries, cautions })
    }
}
