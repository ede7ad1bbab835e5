//! TLS with programs that are not ours: openssl, curl, h2load, Python.

mod clients;
mod http2;
mod openssl;
mod python;
mod staple;
mod talk;

use std::path::PathBuf;

use pen_test::{Authority, Farm, Pen, PenBuilder, Scratch};

/// The name in the default certificate.
const NAME: &str = "default.example";

/// An authority, the files it made, and the default certificate.
struct Office {
    authority: Authority,
    scratch: Scratch,
    /// The authority's certificate.
    root: PathBuf,
    certificate: PathBuf,
}

impl Office {
    fn new() -> Self {
        let (authority, scratch) = (Authority::new("test authority"), Scratch::new());
        let root = scratch.write("root.crt", authority.pem());
        let certificate = authority.sign(&[NAME]).write(&scratch, "default.pem");
        Self { authority, scratch, root, certificate }
    }

    /// A pen that shows the default certificate.
    fn pen(&self, farm: &Farm) -> PenBuilder {
        self.secured(Pen::over(farm))
    }

    fn secured(&self, pen: PenBuilder) -> PenBuilder {
        pen.args(["-E".to_owned(), self.certificate.display().to_string()])
    }

    /// Certificate and key for `name`, the way `ssl_sni_path` wants them, in the directory `dir`.
    fn add_to(&self, dir: &str, name: &str) -> PathBuf {
        let made = self.authority.sign(&[name]);
        let dir = self.scratch.path(dir);
        std::fs::create_dir_all(&dir).expect("ours");
        std::fs::write(dir.join(format!("{name}.crt")), made.certificate).expect("ours");
        std::fs::write(dir.join(format!("{name}.key")), made.key).expect("ours");
        dir
    }

    fn file(&self, name: &str) -> String {
        self.scratch.path(name).display().to_string()
    }
}
