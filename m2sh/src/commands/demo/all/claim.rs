//! One m2sh for each folder: a file that is locked for as long as it runs.  The lock goes with the process, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

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
        let cannot = |cause: io::Error| Error::cannot(format!("write `{}`", path.display()), cause);
        let mut file = loop {
            let mut file = open(&path).map_err(cannot)?;
            match file.try_lock() {
                // The one who had it may have taken the file away before it was locked here.
                Ok(()) if is_at(&file, &path).map_err(cannot)? => break file,
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(taken(&mut file, folder)),
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
            }
        };
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(cannot)?;
        Ok(Self { path, _locked: file })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // While it is locked it is nobody else's; and a file that nobody has locked says nothing.
        let _ = fs::remove_file(&self.path);
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Whether an open file is the one that a path names.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (open, named) = (file.metadata()?, path.metadata());
    match named {
        Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::super::folder::Contents;
    use super::*;

    fn folder(root: &Path) -> Folder {
        let folder = Folder::at(root, Contents::of_demo()).unwrap();
        folder.fill().unwrap();
        folder
    }

    #[test]
    fn a_folder_is_free_again_when_it_is_left() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let claim = Claim::take(&folder).unwrap();
        let pid = std::process::id();
        let refusal = Claim::take(&folder).unwrap_err().to_string();
        assert!(refusal.contains(&format!("they are running already, by process {pid}")), "{refusal}");
        drop(claim);
        assert!(!root.path().join("run/demo.pid").exists());
        // One that was left behind by somebody who was killed.
        fs::write(root.path().join("run/demo.pid"), "4194305\n").unwrap();
        let _claim = Claim::take(&folder).unwrap();
        assert_eq!(fs::read_to_string(root.path().join("run/demo.pid")).unwrap(), format!("{pid}\n"));
    }

    #[test]
    fn a_file_that_was_taken_away_is_told_from_its_successor() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a");
        let first = open(&path).unwrap();
        assert!(is_at(&first, &path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&first, &path).unwrap());
        let second = open(&path).unwrap();
        assert!(!is_at(&first, &path).unwrap() && is_at(&second, &path).unwrap());
    }

    #[test]
    fn of_many_who_come_and_go_one_has_it_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let (inside, times) = (AtomicU32::new(0), AtomicU32::new(0));
        let come_and_go = || {
            for _ in 0..2000 {
                let Ok(claim) = Claim::take(&folder) else { continue };
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two have it");
                times.fetch_add(1, Ordering::SeqCst);
                std::thread::yield_now();
                inside.fetch_sub(1, Ordering::SeqCst);
                drop(claim);
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(come_and_go))));
        assert!(times.into_inner() > 0);
    }
}
