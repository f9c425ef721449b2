//! One m2sh for each folder: a file that is locked for as long as it runs.  The lock goes with the process, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use crate::error::Error;

use super::super::folder::Folder;

/// The folder, taken; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    _locked: File,
}

impl Claim {
    /// Takes a folder.
    ///
    /// # Errors
    /// Another m2sh has it, or its file can't be written.
    pub(super) fn take(folder: &Folder) -> Result<Self, Error> {
        let path = folder.path().join("run/demo.pid");
        let cannot = |cause: &dyn std::fmt::Display| Error::cannot(format!("write `{}`", path.display()), cause);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.map_err(|error| cannot(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(&mut file, folder)),
            Err(TryLockError::Error(error)) => return Err(cannot(&error)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(|error| cannot(&error))?;
        Ok(Self { path, _locked: file })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A file that nobody has locked says nothing.
        let _ = fs::remove_file(&self.path);
    }
}

fn taken(file: &mut File, folder: &Folder) -> Error {
    let mut pid = String::new();
    // Who is just taking it hasn't written it yet.
    let _ = file.read_to_string(&mut pid);
    let pid = pid.trim();
    Error::cannot(
        format!("run the demos in `{}`", folder.path().display()),
        format!("they are running already, by process {pid}"),
    )
    .hint(format!("Ctrl-C there, or `kill {pid}`, stops them"))
    .hint("another folder and another `--port` don't get in their way")
}
