//! A file that one process at a time holds: procer's lock, and its PID file.
//!
//! What counts is a POSIX record lock (fcntl(2), F_SETLK), which the kernel drops with the process, however it ends, and
//! which a forked child doesn't have.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, fcntl_lock, openat};
use rustix::process::{Flock, FlockType, fcntl_getlk};
use thiserror::Error;

/// A file that this process holds.  It has to be removed by hand, or stays.
///
/// This process must not open it again: to close any descriptor of it drops the lock.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    _locked: File,
}

/// Why a file can't be held.
#[derive(Debug, Error)]
pub(crate) enum ClaimError {
    /// Another process does.
    #[error("process {0} holds it")]
    Held(i32),
    /// The system says no.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Claim {
    /// Takes the file, and writes this process's number into it.
    ///
    /// # Errors
    /// Another living process has it, or it can't be written.
    pub(crate) fn take(path: &Path) -> Result<Self, ClaimError> {
        // Whoever owns the folder could have put a link to anything there.
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        loop {
            let file = File::from(openat(CWD, path, flags, Mode::from_raw_mode(0o644)).map_err(io::Error::from)?);
            let found = file.metadata()?;
            if !found.is_file() || found.nlink() > 1 {
                return Err(io::Error::other("it is no plain file with one name").into());
            }
            if fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                return Err(holder(&file)?.map_or_else(|| io::Error::other("it is locked").into(), ClaimError::Held));
            }
            // One that ends at this moment removes the file, and a lock on a file without a name is seen by nobody.
            let named = std::fs::symlink_metadata(path);
            if named.is_ok_and(|named| (named.dev(), named.ino()) == (found.dev(), found.ino())) {
                file.set_len(0)?;
                writeln!(&file, "{}", std::process::id())?;
                return Ok(Self { path: path.to_owned(), _locked: file });
            }
        }
    }

    /// Removes the file.
    pub(crate) fn remove(self) {
        // A file that nobody holds counts as stale.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn holder(file: &File) -> io::Result<Option<i32>> {
    let lock = fcntl_getlk(file, &Flock::from(FlockType::WriteLock))?;
    Ok(lock.and_then(|lock| lock.pid).map(|pid| pid.as_raw_nonzero().get()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_holds_the_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("procer.pid");
        fs::write(&path, "1234567 a longer leftover\n").unwrap();
        let claim = Claim::take(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        claim.remove();
        assert!(!path.exists());
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert!(matches!(Claim::take(&path), Err(ClaimError::Io(_))));
    }
}
