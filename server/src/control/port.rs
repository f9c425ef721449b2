//! An address bound as a control port.
//!
//! libzmq removes whatever has the name of a socket that it binds, be it another server's.  So somebody who listens there
//! is looked for first, and a lock on the folder keeps two servers from doing so at the same time.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mongrel2::config::paths::inside_chroot;
use rustix::fs::{FlockOperation, Mode, flock};
use rustix::process::umask;
use thiserror::Error;

use crate::target::handler::{Sockets, address};

/// The largest request.
const MAX_REQUEST: i64 = 64 * 1024;

/// How many requests and answers may wait for each client.
const WAITING: i32 = 8;

/// How long another server may take to bind its own.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bound address.
pub(crate) struct Port {
    pub(super) spec: String,
    pub(super) file: Option<SocketFile>,
    pub(super) socket: zmq::Socket,
}

/// Why there is no control port.
#[derive(Debug, Error)]
pub(crate) enum PortError {
    #[error("another server answers at the control port `{0}`")]
    Taken(String),
    #[error("the control port `{0}` would replace a file that is no socket")]
    NoSocket(String),
    #[error("cannot look for the control port `{0}`: {1}")]
    Io(String, io::Error),
    #[error("cannot bind the control port `{0}`: {1}")]
    Bind(String, zmq::Error),
}

/// The file of a bound socket; it goes when this is dropped.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode: another server may have made another one of that name.
    place: (u64, u64),
}

/// The file of an address, from the chroot, if it has one.
pub(crate) fn file(spec: &str) -> Option<PathBuf> {
    spec.strip_prefix("ipc://").filter(|name| !name.starts_with('@')).map(inside_chroot)
}

impl PortError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Taken(_) => {
                Some("give each server of a chroot a `control_port` of its own, and `m2sh load` again".into())
            }
            Self::NoSocket(spec) => Some(format!("move the file away, or name another `control_port` than {spec}")),
            Self::Bind(_, zmq::Error::EADDRINUSE) => Some("another program has this address; see who: ss -ltnp".into()),
            Self::Bind(spec, zmq::Error::ENOENT) => {
                let file = file(spec)?;
                let folder = file.parent().unwrap_or(Path::new("."));
                Some(format!("mkdir -p {} (in the chroot), or `m2sh start`, which does so", folder.display()))
            }
            _ => None,
        }
    }

    /// Whether it may be different in a moment.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Taken(_) | Self::Bind(_, zmq::Error::EADDRINUSE))
    }
}

impl Port {
    /// Binds an address, which may take so long to become free; only the owner of the process may connect to that of a
    /// file.
    ///
    /// # Errors
    /// Why it can't be had.
    pub(crate) fn bind(sockets: &Sockets, spec: &str, patience: Duration) -> Result<Self, PortError> {
        let fault = |error| PortError::Bind(spec.to_owned(), error);
        let socket = sockets.reply().map_err(fault)?;
        socket.set_maxmsgsize(MAX_REQUEST).map_err(fault)?;
        socket.set_rcvhwm(WAITING).map_err(fault)?;
        socket.set_sndhwm(WAITING).map_err(fault)?;
        let deadline = Instant::now() + patience;
        let file = loop {
            match bind(&socket, spec) {
                Ok(file) => break file,
                Err(error) if error.may_pass() && Instant::now() < deadline => std::thread::yield_now(),
                Err(error) => return Err(error),
            }
        };
        Ok(Self { spec: spec.to_owned(), file, socket })
    }
}

fn bind(socket: &zmq::Socket, spec: &str) -> Result<Option<SocketFile>, PortError> {
    let bind = || socket.bind(&address(spec)).map_err(|error| PortError::Bind(spec.to_owned(), error));
    let Some(path) = file(spec) else {
        return bind().map(|()| None);
    };
    let _alone = lock(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")));
    if is_served(&path, spec)? {
        return Err(PortError::Taken(spec.to_owned()));
    }
    // Nobody may connect between bind(2) and a chmod(2).
    let before = umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
    let bound = bind();
    umask(before);
    bound?;
    SocketFile::of(path).map(Some).map_err(|error| PortError::Io(spec.to_owned(), error))
}

/// Whether somebody listens there; a file that a crashed server has left behind doesn't.
fn is_served(path: &Path, spec: &str) -> Result<bool, PortError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(PortError::Io(spec.to_owned(), error)),
        Ok(found) if !found.file_type().is_socket() => return Err(PortError::NoSocket(spec.to_owned())),
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Ok(false),
        Err(error) => Err(PortError::Io(spec.to_owned(), error)),
    }
}

/// Keeps other servers from binding anything in a folder, as long as what is given lives.  A lock that can't be had, or
/// that somebody keeps, keeps nobody from starting.
fn lock(folder: &Path) -> Option<File> {
    let folder = File::open(folder).ok()?;
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK || Instant::now() > deadline {
            return None;
        }
        std::thread::yield_now();
    }
    Some(folder)
}

impl SocketFile {
    fn of(path: PathBuf) -> io::Result<Self> {
        Ok(Self { place: place(&path)?, path })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if place(&self.path).is_ok_and(|place| place == self.place) {
            // Whoever comes next removes it, if this process may not.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn place(path: &Path) -> io::Result<(u64, u64)> {
    path.symlink_metadata().map(|found| (found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_have_a_file() {
        for (spec, expected) in [
            ("ipc://run/control", Some("run/control")),
            ("ipc:///run/control", Some("run/control")),
            ("ipc://@control", None),
            ("tcp://127.0.0.1:5000", None),
        ] {
            assert_eq!(file(spec).as_deref(), expected.map(Path::new), "{spec}");
        }
    }

    #[test]
    fn who_listens_is_told_from_what_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        assert!(!is_served(&path, "x").unwrap());
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(is_served(&path, "x").unwrap());
        drop(listener);
        assert!(!is_served(&path, "x").unwrap(), "it is stale");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(is_served(&path, "x"), Err(PortError::NoSocket(_))));
    }

    #[test]
    fn only_its_own_file_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let _first = std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(SocketFile::of(path.clone()).unwrap());
        assert!(!path.exists());
        let _second = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let file = SocketFile::of(path.clone()).unwrap();
        std::fs::rename(&path, folder.path().join("other")).unwrap();
        let _third = std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(file);
        assert!(path.exists());
    }

    #[test]
    fn a_lock_that_somebody_keeps_is_waited_for_and_then_done_without() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path());
        assert!(first.is_some());
        assert!(lock(folder.path()).is_none());
        drop(first);
        assert!(lock(folder.path()).is_some());
    }
}
