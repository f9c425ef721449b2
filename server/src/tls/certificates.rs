//! Certificates with their keys, by the names that clients ask for.
//!
//! All are read at once, so that no handshake waits for a file: `UUID.crt` and `UUID.key` for whoever names nobody that
//! is known, and beside them `HOST.crt`, and `_.DOMAIN.crt` for each name that has one label more than DOMAIN.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::TlsError;
use super::dates;
use super::file::{File, FileError};

/// What is served.
#[derive(Debug)]
pub(super) struct Certificates {
    default: Arc<CertifiedKey>,
    /// By name in lower case; `_.` stands for any label.
    by_name: HashMap<String, Arc<CertifiedKey>>,
}

/// Where certificates are.
pub(super) struct Folder<'a> {
    pub(super) path: File,
    /// Whose they are.
    pub(super) uuid: &'a str,
    /// Other servers, whose certificates are not served.
    pub(super) others: Vec<&'a str>,
    /// What day it is, as the time since 1970.
    pub(super) today: Duration,
}

impl Certificates {
    /// The pair for a name.
    fn choose(&self, name: Option<&str>) -> &Arc<CertifiedKey> {
        name.and_then(|name| self.find(name.trim_end_matches('.'))).unwrap_or(&self.default)
    }

    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        if self.by_name.is_empty() {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let wildcard = || self.by_name.get(&format!("_.{}", name.split_once('.')?.1));
        self.by_name.get(&name).or_else(wildcard)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.choose(hello.server_name())))
    }
}

impl Folder<'_> {
    /// Reads all pairs.  One of `before` stays, with a warning, if it can't be read now.
    ///
    /// # Errors
    /// There is nothing before, and one of the pairs can't be used.
    pub(super) fn read(
        &self,
        provider: &CryptoProvider,
        before: Option<&Certificates>,
        warnings: &mut Vec<String>,
    ) -> Result<Certificates, TlsError> {
        let mut pairs = Pairs { folder: &self.path, provider, may_stay: before.is_some(), today: self.today, warnings };
        let default = pairs.read(self.uuid, before.map(|before| &before.default))?;
        let default = default.expect("what there was before stays");
        let names = match (self.names(before), before) {
            (Err(error), Some(before)) => {
                pairs.warnings.push(format!("{error}; those before are served"));
                return Ok(Certificates { default, by_name: before.by_name.clone() });
            }
            (names, _) => names?,
        };
        let mut by_name = HashMap::new();
        for stem in names {
            let name = stem.to_ascii_lowercase();
            if let Some(pair) = pairs.read(&stem, before.and_then(|before| before.by_name.get(&name)))? {
                by_name.insert(name, pair);
            }
        }
        Ok(Certificates { default, by_name })
    }

    /// The names of the pairs that are there beside the default one, or were there and have lost their keys.
    fn names(&self, before: Option<&Certificates>) -> Result<Vec<String>, TlsError> {
        let unreadable = |error| FileError::Read(self.path.outside.clone(), error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path.inside).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".crt")) else { continue };
            let is_served = || before.is_some_and(|before| before.by_name.contains_key(&stem.to_ascii_lowercase()));
            let has_key = || self.path.join(format!("{stem}.key")).inside.exists();
            if stem != self.uuid && !self.others.contains(&stem) && (has_key() || is_served()) {
                names.push(stem.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Reads one pair after the other.
struct Pairs<'a> {
    folder: &'a File,
    provider: &'a CryptoProvider,
    /// Whether a pair that can't be used is only worth a warning.
    may_stay: bool,
    today: Duration,
    warnings: &'a mut Vec<String>,
}

impl Pairs<'_> {
    /// Reads a pair; gives the one before if that can't be, if there was one.
    fn read(&mut self, stem: &str, before: Option<&Arc<CertifiedKey>>) -> Result<Option<Arc<CertifiedKey>>, TlsError> {
        match self.load(stem) {
            Ok(pair) => Ok(Some(Arc::new(pair))),
            Err(error) if self.may_stay => {
                let rest = if before.is_some() { "the one before is served" } else { "it is not served" };
                self.warnings.push(format!("{error}; {rest}"));
                Ok(before.cloned())
            }
            Err(error) => Err(error),
        }
    }

    fn load(&mut self, stem: &str) -> Result<CertifiedKey, TlsError> {
        let [certificate, key] = ["crt", "key"].map(|suffix| self.folder.join(format!("{stem}.{suffix}")));
        let chain = certificate.certificates()?;
        let (secret, is_open) = key.key()?;
        let signing = self.provider.key_provider.load_private_key(secret);
        let signing = signing.map_err(|error| TlsError::Key(key.outside.clone(), error))?;
        let pair = CertifiedKey::new(chain, signing);
        match pair.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(_)) => {
                return Err(TlsError::Mismatch { certificate: certificate.outside, key: key.outside });
            }
            Err(error) => return Err(TlsError::Certificate(certificate.outside, error)),
        }
        if is_open {
            let path = key.outside.display();
            self.warnings.push(format!("the key `{path}` is readable by others: chmod o= it"));
        }
        if let Some(trouble) = pair.cert.first().and_then(|own| dates::trouble(own, self.today)) {
            self.warnings.push(format!("the certificate `{}` {trouble}", certificate.outside.display()));
        }
        Ok(pair)
    }
}
