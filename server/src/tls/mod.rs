//! TLS as the configuration wants it: which certificates, what clients have to show, which cipher suites.
//!
//! [`Terms`] are what a server offers its clients.  They are never changed: a reload reads them anew, as everything of
//! a site, and connections keep those under which they came.  Nothing here touches a socket; that is
//! `connection::tls`.

mod certificates;
mod clients;
mod dates;
mod file;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mongrel2::config::ciphers::Ciphers;
use mongrel2::config::paths::inside_chroot;
use mongrel2::config::{Checked, Server, Settings};
use nix::unistd::Uid;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::{ServerConfig, SupportedCipherSuite};
use thiserror::Error;

use self::certificates::Certificates;
use self::clients::Clients;
use self::file::{File, FileError};

/// What is spoken over it.  HTTP/2 would come first.
const PROTOCOLS: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// What a server offers its clients.
#[derive(Debug)]
pub(crate) struct Terms {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    clients: Clients,
    port: u16,
}

/// Why there are no terms; fits after "cannot start:".
#[derive(Debug, Error)]
pub(crate) enum TlsError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the key `{key}` is not that of the certificate `{certificate}`")]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("cannot use the certificate `{0}`: {1}")]
    Certificate(PathBuf, rustls::Error),
    #[error("cannot use the key `{0}`: {1}")]
    Key(PathBuf, rustls::Error),
    #[error("cannot tell clients by their certificates: {0}")]
    Authorities(FileError),
    #[error("cannot use `{0}` to tell clients by: {1}")]
    Authority(PathBuf, rustls::Error),
    #[error("cannot make keys for session tickets: {0}")]
    Tickets(rustls::Error),
}

impl TlsError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        if let Self::File(error) | Self::Authorities(error) = self
            && let Some(path) = error.forbidden()
        {
            let folder = path.parent().unwrap_or(path).display();
            // At the start that is the owner of the chroot.
            let (user, path) = (Uid::current(), path.display());
            return Some(format!("the server runs as user {user}: chown {user} {path}, and {folder} if need be"));
        }
        match self {
            Self::Tickets(_) => None,
            Self::Authority(..) | Self::Authorities(_) => Some(
                "ssl.ca_chain names a file under the chroot, of certificates in PEM that sign those of clients".into(),
            ),
            _ => Some("m2sh cert -new makes a pair; m2sh cert shows those that are there".into()),
        }
    }
}

impl Terms {
    /// Reads the terms of a server, with what is worth saying about them; `None` if it speaks in the clear.
    ///
    /// What `before` has stays if its file is broken now; without it, that is an error.
    ///
    /// # Errors
    /// A certificate, a key or the certificates that clients' have to be signed by can't be used.
    pub(crate) fn read(
        checked: &Checked,
        server: &Server,
        before: Option<&Self>,
    ) -> Result<(Option<Arc<Self>>, Vec<String>), TlsError> {
        let settings = checked.settings();
        let Some(certdir) = settings.certdir.as_deref().filter(|_| server.use_ssl) else {
            return Ok((None, Vec::new()));
        };
        let others = checked.config().servers.iter().map(|server| server.uuid.as_str());
        let folder = certificates::Folder {
            path: file(server, certdir),
            uuid: &server.uuid,
            others: others.filter(|uuid| *uuid != server.uuid).collect(),
            today: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        };
        let provider = provider(settings);
        let mut warnings = Vec::new();
        let before_certificates = before.map(|before| &*before.certificates);
        let certificates = Arc::new(folder.read(&provider, before_certificates, &mut warnings)?);
        let authorities = settings.ca_chain.as_deref().map(|path| file(server, path));
        let clients = Clients::read(settings.client_certificates, authorities.as_ref())?;
        let tickets = match before {
            // Whoever resumes has shown then what has to be shown now.
            Some(before) if before.clients == clients => Arc::clone(&before.config.ticketer),
            _ => ring::Ticketer::new().map_err(TlsError::Tickets)?,
        };
        let config = Arc::new(config(provider, &certificates, &clients, tickets)?);
        let port = u16::try_from(server.port).expect("checked");
        Ok((Some(Arc::new(Self { config, certificates, clients, port })), warnings))
    }

    /// What a connection begins with.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// The port that clients come to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// A file or a folder of a server, by its path under the chroot.
fn file(server: &Server, path: &str) -> File {
    File { inside: inside_chroot(path), outside: server.under_chroot(path) }
}

fn provider(settings: &Settings) -> Arc<CryptoProvider> {
    let provider = ring::default_provider();
    let suite = |number| provider.cipher_suites.iter().find(|suite| u16::from(suite.suite()) == number);
    let in_force = Ciphers::parse(&settings.ciphers).in_force();
    let cipher_suites: Vec<SupportedCipherSuite> =
        in_force.iter().filter_map(|known| suite(known.number)).copied().collect();
    Arc::new(CryptoProvider { cipher_suites, ..provider })
}

fn config(
    provider: Arc<CryptoProvider>,
    certificates: &Arc<Certificates>,
    clients: &Clients,
    tickets: Arc<dyn ProducesTickets>,
) -> Result<ServerConfig, TlsError> {
    let verifier = clients.verifier(&provider)?;
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("there are suites for both versions");
    let mut config =
        builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::<Certificates>::clone(certificates));
    config.ticketer = tickets;
    // Tickets do without, and workers share nothing that changes.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_suite_that_can_be_named_is_there() {
        let all = provider(&Settings::new(&BTreeMap::new()));
        assert_eq!(all.cipher_suites.len(), mongrel2::config::ciphers::SUITES.len());
        assert_eq!(all.cipher_suites.len(), ring::default_provider().cipher_suites.len());
        for (suite, known) in all.cipher_suites.iter().zip(mongrel2::config::ciphers::SUITES) {
            let name = suite.suite().as_str().unwrap().replace("TLS13_", "TLS_");
            assert_eq!(name, known.name);
        }
    }
}
