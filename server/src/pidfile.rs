//! The PID file: written by the server, believed only while the server is alive.
//!
//! The server holds a POSIX record lock (fcntl(2), F_SETLK) on the file as long as it runs.  The kernel drops
//! the lock with the process, however it ends, and tells anyone who asks which process holds it.  So a file
//! that was left behind, or whose number now belongs to a stranger, never counts.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Flock, FlockType, Pid, fcntl_getlk};
use thiserror::Error;

/// The PID file of this process.  It is removed when this is dropped.
///
/// While it exists this process must not open the file again: closing any descriptor of a file drops the
/// process's record locks on it.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    _locked: File,
}

/// Why there can be no PID file.
#[derive(Debug, Error)]
pub enum PidFileError {
    /// The server is running already.
    #[error("the server is already running as process {0}")]
    Running(u32),
    /// The file can't be written.
    #[error("cannot write the PID file `{0}`: {1}")]
    Io(PathBuf, io::Error),
}

impl PidFile {
    /// Claims the file for this process.
    ///
    /// # Errors
    /// Another living process has it, or it can't be written.
    pub fn create(path: &Path) -> Result<Self, PidFileError> {
        let fault = |error| PidFileError::Io(path.to_owned(), error);
        loop {
            let file =
                OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).map_err(fault)?;
            if let Err(error) = fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                return Err(match holder(&file).map_err(fault)? {
                    Some(pid) => PidFileError::Running(pid),
                    None => fault(error.into()),
                });
            }
            if is_at(&file, path).map_err(fault)? {
                write_pid(&file).map_err(fault)?;
                return Ok(Self { path: path.to_owned(), _locked: file });
            }
        }
    }
}

/// Whether a file still has that name: a server that ends at the same moment removes its file, and a lock on
/// a file without a name would be seen by nobody.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let locked = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (locked.dev(), locked.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn write_pid(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Nothing is left to be done about a failure here: a file without a lock counts as stale.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The living server process that a PID file belongs to.
///
/// # Errors
/// The file exists but can't be read.
pub fn owner(path: &Path) -> io::Result<Option<u32>> {
    match File::open(path) {
        Ok(file) => holder(&file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn holder(file: &File) -> io::Result<Option<u32>> {
    let lock = fcntl_getlk(file, &Flock::from(FlockType::WriteLock))?;
    let pid = lock.and_then(|lock| lock.pid).map(Pid::as_raw_nonzero);
    Ok(pid.and_then(|pid| u32::try_from(pid.get()).ok()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_file_without_a_living_owner_is_stale() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pid");
        assert_eq!(owner(&path).unwrap(), None);
        std::fs::write(&path, "1\n").unwrap();
        assert_eq!(owner(&path).unwrap(), None, "init is not our server");
        std::fs::write(&path, "words\n").unwrap();
        assert_eq!(owner(&path).unwrap(), None);
    }

    #[test]
    fn the_file_says_who_and_goes_when_the_server_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pid");
        std::fs::write(&path, "12345678 a longer leftover\n").unwrap();
        let file = PidFile::create(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn another_process_sees_the_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pid");
        // A child takes the lock as a server would, says so, and waits until its input ends.
        let script = "import fcntl, os, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print(os.getpid(), flush=True); sys.stdin.read()";
        let child = Command::new("python3")
            .args(["-c", script])
            .arg(&path)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            assert!(std::env::var_os("CI").is_none(), "python3 is missing");
            eprintln!("skipped: python3 is missing");
            return;
        };
        let mut line = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        let pid: u32 = line.trim().parse().unwrap();
        assert_eq!(owner(&path).unwrap(), Some(pid));
        assert!(matches!(PidFile::create(&path), Err(PidFileError::Running(found)) if found == pid));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(owner(&path).unwrap(), None);
    }
}
