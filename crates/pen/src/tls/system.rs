//! Where the system keeps the certificate authorities that it trusts.

use std::env;
use std::path::PathBuf;

/// As OpenSSL and others have it: names a file that is to be used instead.
const VARIABLE: &str = "SSL_CERT_FILE";

/// One file each: Debian and its like, Red Hat and its like, Alpine and the BSDs.
const PLACES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// The file, if there is one.
pub(super) fn store() -> Option<PathBuf> {
    let named = env::var_os(VARIABLE).map(PathBuf::from);
    named.into_iter().chain(PLACES.map(PathBuf::from)).find(|path| path.is_file())
}

/// Where it was looked for, for a message.
pub(super) fn places() -> String {
    format!("${VARIABLE}, {}", PLACES.join(", "))
}
