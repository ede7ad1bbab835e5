//! Certificates of what runs: read again, looked at, reported.

use pen_core::event::{Detail, EventKey, Subject};
use pen_core::report::CertificateRow;

use super::{Changes, Running};
use crate::clock;
use crate::shared::Service;
use crate::tls::{Outward, Told};

impl Running {
    /// Reads certificates and what belongs to them again, where files have changed, those that servers
    /// are spoken to with as well. What is not right stays as it was.
    pub fn renew_certificates(&mut self) -> Changes {
        let (vault, told) = self.vault.renewed(clock::wall().0);
        self.vault = vault;
        self.show_certificates();
        let mut changes = Changes::default();
        changes.take_renewed(told);
        let (outward, told) = self.outward.renewed(&self.config);
        changes.take_renewed(told);
        let before = std::mem::replace(&mut self.outward, outward);
        for service in &self.services {
            self.show_dialers(service, &before);
        }
        self.show();
        self.look_at_calendar(&mut changes);
        changes
    }

    /// Looks at OCSP responses and at what expires. Answers what is new.
    pub fn look_at_certificates(&mut self) -> Changes {
        let (vault, told) = self.vault.looked_at(clock::wall().0);
        if let Some(vault) = vault {
            self.vault = vault;
            self.show_certificates();
            self.show();
        }
        let mut changes = Changes::default();
        changes.take_renewed(told);
        self.look_at_calendar(&mut changes);
        changes
    }

    /// Seconds until [`Running::look_at_certificates`] is due, if it ever is.
    #[must_use]
    pub fn next_look_s(&self) -> Option<u32> {
        self.vault.next_look_s(clock::wall().0)
    }

    /// Every certificate, for the operator.
    #[must_use]
    pub fn certificates(&self) -> Vec<CertificateRow> {
        self.vault.rows(clock::wall().0)
    }

    /// New clients are shown what the vault holds; others keep what they started with.
    fn show_certificates(&self) {
        for service in &self.services {
            service.tls.store(self.vault.terminator(&service.name));
        }
    }

    /// New connects to servers are made as the settings and files say; others keep what they started
    /// with.
    pub(super) fn show_dialers(&self, service: &Service, before: &Outward) {
        if !self.outward.same(before, &service.name) {
            service.tls_servers.store(self.outward.dialers(&service.name));
        }
    }

    /// Warnings that are due of certificates that expire.
    pub(super) fn look_at_calendar(&mut self, changes: &mut Changes) {
        let rows = self.certificates();
        for (row, text) in self.calendar.due_of(&rows) {
            let subject = Subject::new(EventKey::CertificateExpiring).at(&row.service);
            let days = u64::try_from(row.days_left()).unwrap_or(0);
            let event = subject.event().with(Detail::File, &*row.file).with(Detail::DaysLeft, days);
            changes.events.push(event.saying(&*text));
            changes.warnings.push(text);
        }
    }
}

impl Changes {
    /// Takes in what was told of certificates.
    pub(super) fn take(&mut self, told: Told) {
        self.news.extend(told.news);
        self.warnings.extend(told.warnings);
    }

    /// The same of what was read again.
    fn take_renewed(&mut self, told: Told) {
        let reloaded = told.news.iter().map(|text| (EventKey::CertificateReloaded, text));
        let failed = told.warnings.iter().map(|text| (EventKey::CertificateFailed, text));
        let events = reloaded.chain(failed);
        self.events.extend(events.map(|(key, text)| Subject::new(key).event().saying(&**text)));
        self.take(told);
    }
}
