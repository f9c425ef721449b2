//! What no Dir serves, wherever it lies: the configuration database, and what SQLite writes beside it.
//!
//! A file is known by its name, as it may be replaced at any time, and by its inode, as links have other names.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::fstat;

/// What SQLite puts behind the name of a database.
const BESIDE: [&[u8]; 4] = [b"", b"-journal", b"-wal", b"-shm"];

/// The files that are not served.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    name: Vec<u8>,
    /// Device and inode.
    file: Option<(u64, u64)>,
}

impl Hidden {
    /// A database and what belongs to it.
    pub(crate) fn database(path: &Path) -> Self {
        let file = fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
        Self { name: path.file_name().map(OsStr::as_bytes).unwrap_or_default().to_vec(), file }
    }

    /// Whether a path ends in one of their names.
    pub(super) fn is_named(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or_default().as_bytes();
        name.strip_prefix(self.name.as_slice()).is_some_and(|rest| !self.name.is_empty() && BESIDE.contains(&rest))
    }

    /// Whether an open file is one of them, by whatever path it was found.
    pub(super) fn has(&self, file: &File) -> io::Result<bool> {
        let Some(hidden) = self.file else { return Ok(false) };
        let stat = fstat(file)?;
        Ok(hidden == (stat.st_dev, stat.st_ino))
    }
}
