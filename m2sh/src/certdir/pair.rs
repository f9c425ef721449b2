//! A certificate and its key, as they lie in a folder, and what is wrong with them.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::certificate::{Certificate, date};

/// Larger files are neither certificates nor keys.
const LARGEST: u64 = 1 << 20;

/// The rights of those who are neither the owner nor of the group.
const OTHERS: u32 = 0o007;

/// Two files that belong together.
#[derive(Debug)]
pub struct Pair {
    /// The path of the certificate.
    pub file: PathBuf,
    /// What it says.
    pub certificate: Result<Certificate, Fault>,
    /// `None` if there is none to be.
    key: Option<Result<Key, Fault>>,
}

/// Why there is nothing in a file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// There is no file.
    #[error("missing")]
    Missing,
    /// The system doesn't let us.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// It is something else.
    #[error("cannot be read: {0}")]
    Malformed(&'static str),
}

/// What of a key may be known.
#[derive(Debug)]
struct Key {
    /// The public part, with its kind (DER), if its kind has one.
    public: Option<Vec<u8>>,
    exposed: bool,
}

impl Pair {
    /// Reads both files; `signers` is a certificate that needs no key.
    pub(super) fn read(folder: &Path, name: &str, signers: Option<&Path>) -> Self {
        let file = folder.join(format!("{name}.crt"));
        let certificate = read(&file)
            .and_then(|(text, _)| Certificate::parse(&text).ok_or(Fault::Malformed("it is not a certificate in PEM")));
        let needs_key = signers != Some(&file);
        Self { certificate, key: needs_key.then(|| Key::read(&folder.join(format!("{name}.key")))), file }
    }

    /// What is wrong with them, each fit for a cell of a table.
    pub fn troubles(&self, now: i64) -> Vec<String> {
        let mut troubles = Vec::new();
        match &self.certificate {
            Err(fault) => troubles.push(format!("certificate {fault}")),
            Ok(certificate) if certificate.ends < now => troubles.push("certificate over".into()),
            Ok(certificate) if certificate.begins > now => {
                troubles.push(format!("certificate not valid until {}", date(certificate.begins)));
            }
            Ok(_) => {}
        }
        match &self.key {
            Some(Err(fault)) => troubles.push(format!("key {fault}")),
            Some(Ok(key)) => troubles.extend(key.troubles(self.certificate.as_ref().ok()).map(str::to_owned)),
            None => {}
        }
        troubles
    }
}

impl Key {
    fn read(path: &Path) -> Result<Self, Fault> {
        let (text, metadata) = read(path)?;
        let der = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|_| Fault::Malformed("it is not a private key in PEM without a passphrase"))?;
        let key = any_supported_type(&der).map_err(|_| Fault::Malformed("it is of a kind that TLS has no use for"))?;
        let public = key.public_key().map(|key| key.to_vec());
        Ok(Self { public, exposed: metadata.permissions().mode() & OTHERS != 0 })
    }

    fn troubles(&self, certificate: Option<&Certificate>) -> impl Iterator<Item = &'static str> {
        let other =
            certificate.is_some_and(|certificate| self.public.as_ref().is_some_and(|key| *key != certificate.key));
        let other = other.then_some("key does not match");
        other.into_iter().chain(self.exposed.then_some("key readable by others"))
    }
}

fn read(path: &Path) -> Result<(Vec<u8>, Metadata), Fault> {
    let found = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Fault::Missing,
        _ => Fault::Unreadable(error),
    };
    let metadata = path.metadata().map_err(found)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(Fault::Malformed("it is not a file, or a large one"));
    }
    Ok((fs::read(path).map_err(found)?, metadata))
}
