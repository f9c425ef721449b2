//! Files with certificates and keys, in PEM.
//!
//! A file has two names: that under the chroot, which is where the server lives, and that for whoever reads a message.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

/// The longest file, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// The rights of those who are neither the owner of a key nor of its group.
const OTHERS: u32 = 0o007;

/// A file, or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// What to open.
    pub(super) inside: PathBuf,
    /// What to call it.
    pub(super) outside: PathBuf,
}

/// Why a file is of no use.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    #[error("cannot read `{0}`: {1}")]
    Read(PathBuf, io::Error),
    #[error("`{0}` is not PEM: {1}")]
    Pem(PathBuf, pem::Error),
    #[error("there is no certificate in `{0}`")]
    NoCertificate(PathBuf),
    #[error("there is no key in `{0}`, or it needs a password")]
    NoKey(PathBuf),
}

impl FileError {
    /// The file, if this process may not read it.
    pub(super) fn forbidden(&self) -> Option<&Path> {
        match self {
            Self::Read(path, error) if error.kind() == io::ErrorKind::PermissionDenied => Some(path),
            _ => None,
        }
    }
}

impl File {
    /// The file of that name in this folder.
    pub(super) fn join(&self, name: impl AsRef<Path>) -> Self {
        Self { inside: self.inside.join(&name), outside: self.outside.join(&name) }
    }

    /// The certificates in it, of which there is at least one.
    ///
    /// # Errors
    /// It can't be read, or has none.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, FileError> {
        let (text, _) = self.read()?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let found = found.map_err(|error| FileError::Pem(self.outside.clone(), error))?;
        if found.is_empty() { Err(FileError::NoCertificate(self.outside.clone())) } else { Ok(found) }
    }

    /// The first key in it, and whether everybody has rights to it.
    ///
    /// # Errors
    /// It can't be read, or has none.
    pub(super) fn key(&self) -> Result<(PrivateKeyDer<'static>, bool), FileError> {
        let (text, is_open) = self.read()?;
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
            pem::Error::NoItemsFound => FileError::NoKey(self.outside.clone()),
            error => FileError::Pem(self.outside.clone(), error),
        })?;
        Ok((key, is_open))
    }

    /// What is in it, and whether everybody has rights to it.
    fn read(&self) -> Result<(Vec<u8>, bool), FileError> {
        self.read_all().map_err(|error| FileError::Read(self.outside.clone(), error))
    }

    fn read_all(&self) -> io::Result<(Vec<u8>, bool)> {
        // Without O_NONBLOCK a FIFO would wait for its writer.
        let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).expect("flags are few");
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(&self.inside)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LONGEST {
            return Err(io::Error::other(format!("it has more than {LONGEST} bytes")));
        }
        Ok((bytes, metadata.mode() & OTHERS != 0))
    }
}
