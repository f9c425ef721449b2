//! The folder with certificates and keys of a server: what is in it, what is wrong with that, and a new pair.
//!
//! A pair is `NAME.crt` and `NAME.key`.  NAME is the server's UUID, or that of a host for clients that name it
//! (SNI): all of them are the server's, but those of other servers' UUIDs.  The signers of clients' certificates
//! (`ssl.ca_chain`) may lie there too, without a key.  No clock is read here.

mod certificate;
mod fresh;
mod pair;

pub use certificate::Certificate;
pub use fresh::{Fresh, Owner, is_name};
pub use pair::{Fault, Pair};

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mongrel2::config::Server;
use mongrel2::config::settings::Settings;

/// The extensions of certificates and keys.
const EXTENSIONS: [&str; 2] = ["crt", "key"];

/// A server's certificates.
#[derive(Debug)]
pub struct Certdir<'a> {
    folder: PathBuf,
    server: &'a Server,
    /// The UUIDs of other servers.
    others: BTreeSet<&'a str>,
    /// Certificates that have no key here.
    signers: Option<PathBuf>,
}

impl<'a> Certdir<'a> {
    /// That of one of the servers; `None` if the settings name none.
    pub fn of(server: &'a Server, servers: &'a [Server], settings: &Settings) -> Option<Self> {
        let folder = server.under_chroot(settings.certdir.as_ref()?);
        let uuids = servers.iter().map(|other| other.uuid.as_str());
        let others = uuids.filter(|uuid| *uuid != server.uuid).collect();
        let signers = settings.ca_chain.as_ref().map(|path| server.under_chroot(path));
        Some(Self { folder, server, others, signers })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the server's own certificate and its key are, there or not.
    pub fn own(&self) -> [PathBuf; 2] {
        EXTENSIONS.map(|extension| self.folder.join(format!("{}.{extension}", self.server.uuid)))
    }

    /// All pairs, sorted by name; half a pair is one too, and so is the one that a server with TLS has to have.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn pairs(&self) -> io::Result<Vec<Pair>> {
        let mut names = match fs::read_dir(&self.folder) {
            Ok(entries) => names(entries)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => return Err(error),
        };
        if self.server.use_ssl {
            names.insert(self.server.uuid.clone());
        }
        let own = names.iter().filter(|name| !self.others.contains(name.as_str()));
        Ok(own.map(|name| Pair::read(&self.folder, name, self.signers.as_deref())).collect())
    }
}

/// The names of pairs; what a program is just writing begins with a dot.
fn names(entries: fs::ReadDir) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in entries {
        let file = entry?.file_name();
        let parts = file.to_str().and_then(|file| file.rsplit_once('.'));
        if let Some((name, extension)) = parts
            && EXTENSIONS.contains(&extension)
            && !name.starts_with('.')
            && !name.is_empty()
        {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}
