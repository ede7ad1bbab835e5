//! Warnings that certificates are about to expire: 30, 7 and 1 days ahead and at the end, once each;
//! and one that the time of a certificate has not begun.

use std::collections::{HashMap, HashSet};

use pen_core::report::CertificateRow;

#[cfg(test)]
mod tests;

/// Days before the end at which a warning is due; the last is the end itself.
const STEPS: [i64; 4] = [30, 7, 1, 0];

/// The step of what is not valid yet: every other one comes after it.
const EARLY: i64 = i64::MAX;

/// What has been warned of: by fingerprint and file, the step.
#[derive(Debug, Default)]
pub struct Calendar {
    said: HashMap<(String, String), i64>,
}

impl Calendar {
    /// The warnings that are due. What is no longer in use is forgotten.
    pub fn due(&mut self, rows: &[CertificateRow]) -> Vec<String> {
        self.due_of(rows).into_iter().map(|(_, warning)| warning).collect()
    }

    /// The same, each with the certificate that it is about.
    pub fn due_of<'a>(&mut self, rows: &'a [CertificateRow]) -> Vec<(&'a CertificateRow, String)> {
        let used: HashSet<(&str, &str)> =
            rows.iter().map(|row| (row.fingerprint.as_str(), row.file.as_str())).collect();
        self.said.retain(|(print, file), _| used.contains(&(print.as_str(), file.as_str())));
        let mut warnings = Vec::new();
        for row in rows {
            let days = row.days_left();
            let reached = STEPS.into_iter().filter(|step| days < *step || row.is_expired()).min();
            let early = row.is_early().then_some(EARLY);
            let Some(step) = reached.or(early) else { continue };
            let key = (row.fingerprint.clone(), row.file.clone());
            if self.said.get(&key).is_some_and(|said| *said <= step) {
                continue;
            }
            self.said.insert(key, step);
            warnings.push((row, warning(row, days)));
        }
        warnings
    }
}

fn warning(row: &CertificateRow, days: i64) -> String {
    let (service, subject, file) = (&row.service, &row.subject, &row.file);
    let when = match (row.is_early(), row.is_expired(), days) {
        (true, _, _) => {
            let minutes = row.not_before.0.saturating_sub(row.now.0) / 60;
            format!(
                "is NOT YET VALID, clients refuse it for {minutes} minutes; is the clock right?"
            )
        }
        (_, true, _) => "has EXPIRED: clients refuse it".to_owned(),
        (_, _, 0) => "expires in less than a day".to_owned(),
        (_, _, 1) => "expires in 1 day".to_owned(),
        (_, _, n) => format!("expires in {n} days"),
    };
    format!(
        "service {service}: the certificate {subject} ({file}) {when}; put a new one there and run \
         'ssl_reload'"
    )
}
