//! The files that handlers have the server send: each below its handler's folder, and opened when its turn comes.
//!
//! While one waits for its client it is a name: descriptors are few, and a handler may send many.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::Handler;

/// A file that a handler has sent.
#[derive(Debug, Clone)]
pub(crate) struct SentFile {
    handler: Arc<Handler>,
    name: Bytes,
}

impl SentFile {
    /// What as many of these take that wait as there may be bytes.
    pub(crate) const WEIGHT: usize = 4096;

    pub(crate) fn new(handler: Arc<Handler>, name: Bytes) -> Self {
        Self { handler, name }
    }

    /// Opens it, and tells its size.
    ///
    /// # Errors
    /// It isn't there, isn't a file, or lies outside of the handler's folder.
    pub(crate) fn open(&self) -> io::Result<(File, u64)> {
        let root = self.handler.sendfile_root.as_deref().ok_or(io::ErrorKind::NotFound)?;
        let file = open(root, &self.name)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        Ok((file, metadata.len()))
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }
}

/// Opens a file below a folder: no `..` and no link leads out of it.
fn open(root: &Path, name: &[u8]) -> io::Result<File> {
    let name = std::str::from_utf8(name).map_err(io::Error::other)?;
    let name = PathBuf::from(name.trim_start_matches('/'));
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let folder = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(File::from(rustix::fs::openat2(&folder, &name, flags, Mode::empty(), ResolveFlags::BENEATH)?))
}
