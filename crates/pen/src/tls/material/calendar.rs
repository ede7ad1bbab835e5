//! Warnings that certificates are about to expire: 30, 7 and 1 days ahead and at the end, once each.

use std::collections::HashMap;

use pen_core::report::CertificateRow;

#[cfg(test)]
mod tests;

/// Days before the end at which a warning is due; the last is the end itself.
const STEPS: [i64; 4] = [30, 7, 1, 0];

/// What has been warned of: by fingerprint, the step.
#[derive(Debug, Default)]
pub struct Calendar {
    said: HashMap<String, i64>,
}

impl Calendar {
    /// The warnings that are due. What is no longer in use is forgotten.
    pub fn due(&mut self, rows: &[CertificateRow]) -> Vec<String> {
        self.said.retain(|known, _| rows.iter().any(|row| row.fingerprint == *known));
        let mut warnings = Vec::new();
        for row in rows {
            let days = row.days_left();
            let reached = STEPS.into_iter().filter(|step| days < *step || row.is_expired()).min();
            let Some(step) = reached else { continue };
            if self.said.get(&row.fingerprint).is_some_and(|said| *said <= step) {
                continue;
            }
            self.said.insert(row.fingerprint.clone(), step);
            warnings.push(warning(row, days));
        }
        warnings
    }
}

fn warning(row: &CertificateRow, days: i64) -> String {
    let (service, subject, file) = (&row.service, &row.subject, &row.file);
    let when = match (row.is_expired(), days) {
        (true, _) => "has EXPIRED: clients refuse it".to_owned(),
        (false, 0) => "expires in less than a day".to_owned(),
        (false, 1) => "expires in 1 day".to_owned(),
        (false, n) => format!("expires in {n} days"),
    };
    format!(
        "service {service}: the certificate {subject} ({file}) {when}; put a new one there and run \
         'ssl_reload'"
    )
}
