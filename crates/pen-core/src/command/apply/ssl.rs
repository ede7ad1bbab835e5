//! What `ssl_...` lines do to the settings of TLS.

use super::Done;
use crate::command::{Fault, Ssl};
use crate::config::Tls;
use crate::near::shown;

/// Changes `tls`, wholly or not at all.
pub(super) fn apply(tls: &mut Tls, setting: &Ssl, done: &mut Done) -> Result<(), Fault> {
    match setting {
        Ssl::Pair(certificate, key) => {
            tls.certificate = Some(certificate.clone());
            tls.key = Some(key.clone());
        }
        Ssl::Ciphers(Some(list)) => {
            let foreign = list.as_ref().map_or(&[][..], |l| l.foreign());
            if !foreign.is_empty() {
                let all: Vec<String> = foreign.iter().map(|w| shown(w)).collect();
                done.notices.push(format!("ssl_ciphers: Pen does not offer {}", all.join(", ")));
            }
            tls.ciphers.clone_from(list);
        }
        Ssl::Ciphers(None) => {
            let text = tls.ciphers.as_ref().map_or("", |l| l.text());
            done.reply = if text.is_empty() { String::new() } else { format!("{text}\n") };
        }
        Ssl::Option(option, on) => {
            let mut options = tls.options;
            *options.of(*option) = *on;
            if options.no_tls12 && options.no_tls13 {
                let message = "ssl_option: no version would be left: TLS 1.2 and 1.3 are all there \
                               are; take one back with 'no ssl_option'";
                return Err(Fault::new(message, 0));
            }
            tls.options = options;
        }
        Ssl::NoOptions => tls.options = Default::default(),
        Ssl::Clients(choice) => tls.clients = *choice,
        Ssl::Alpn(names) => tls.alpn.clone_from(names),
    }
    Ok(())
}
