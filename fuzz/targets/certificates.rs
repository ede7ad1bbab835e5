//! Fuzzes what is read of certificates, keys, revocation lists and OCSP responses. It is in `crates/pen`, a
//! program: its files are taken by their paths.
#![no_main]
#![allow(dead_code, reason = "of the daemon only the readers of files are run")]
#![allow(unused_imports, reason = "of the daemon only the readers of files are run")]

#[path = "../../crates/pen/src/files.rs"]
mod files;
#[path = "../../crates/pen/src/tls"]
mod tls {
    mod system;

    pub mod material {
        mod authorities;
        mod certificate;
        mod ocsp;
        mod pem;
        mod sections;
        pub mod witness;
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| tls::material::witness::run(data));
