//! The folder with all profiles, and procer's own one in it, `.procer`.
//!
//! procer may be root and the folder somebody else's, who may put anything in place of a file.  So what procer writes is
//! opened below descriptors that it holds, never through a symbolic link, and only where it is a plain file of one name.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, fchmod, fchown, mkdirat, open, openat, statat, unlinkat};
use rustix::process::{Gid, Uid, geteuid};

/// The name of procer's own folder.
pub(crate) const OWN: &str = ".procer";
/// What all scripts say that have no log of their own.
pub(crate) const RUN_LOG: &str = "run.log";
/// What procer says.
pub(crate) const ERROR_LOG: &str = "error.log";

/// The folder with all profiles.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Without symbolic links.
    pub(crate) path: PathBuf,
    fd: OwnedFd,
    /// Who owns it.
    pub(crate) owner: u32,
    group: u32,
    /// procer's own.
    pub(crate) own: OwnedFd,
}

impl Folder {
    /// Opens the folder, and makes procer's own in it.
    ///
    /// # Errors
    /// What the system says; or somebody else has made one.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let fd = open(&path, directory(), Mode::empty())?;
        let found = rustix::fs::fstat(&fd)?;
        // Others pass through it to the sockets, and see nothing.
        let own = subfolder(&fd, OWN, Mode::from_raw_mode(0o711))?;
        for name in ["services", "output", "notify"] {
            subfolder(&own, name, Mode::from_raw_mode(if name == "notify" { 0o711 } else { 0o700 }))?;
        }
        Ok(Self { path, fd, owner: found.st_uid, group: found.st_gid, own })
    }

    /// The path of something in procer's own folder.
    pub(crate) fn own_path(&self, name: &str) -> PathBuf {
        self.path.join(OWN).join(name)
    }

    /// The path of a log.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a log in it to write at its end; it belongs to the folder's owner.
    ///
    /// # Errors
    /// What the system says; or there is something that is no log.
    pub(crate) fn log(&self, name: &str) -> io::Result<File> {
        append(&self.fd, name, Some((self.owner, self.group)))
    }
}

fn directory() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
}

/// Opens or makes a folder of procer's.
fn subfolder(fd: &OwnedFd, name: &str, mode: Mode) -> io::Result<OwnedFd> {
    match mkdirat(fd, name, mode) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let own = openat(fd, name, directory() | OFlags::NOFOLLOW, Mode::empty())?;
    if rustix::fs::fstat(&own)?.st_uid != geteuid().as_raw() {
        return Err(io::Error::other(format!("`{name}` belongs to somebody else")));
    }
    fchmod(&own, mode)?;
    Ok(own)
}

/// Opens the folder of a service's log, or makes it for `owner`.
pub(crate) fn log_folder(profile: &Path, owner: Option<(u32, u32)>) -> io::Result<OwnedFd> {
    let folder = open(profile, directory(), Mode::empty())?;
    let of = rustix::fs::fstat(&folder)?;
    let link = statat(rustix::fs::CWD, profile, AtFlags::SYMLINK_NOFOLLOW)?;
    if geteuid().is_root() && !crate::profile::may_follow(link.st_uid, of.st_uid) {
        return Err(io::Error::other("it is a symbolic link to somebody else's folder"));
    }
    let made = match mkdirat(&folder, "log", Mode::from_raw_mode(0o755)) {
        Ok(()) => true,
        Err(rustix::io::Errno::EXIST) => false,
        Err(error) => return Err(error.into()),
    };
    let trusted = of.st_uid == geteuid().as_raw();
    let follow = if trusted { OFlags::empty() } else { OFlags::NOFOLLOW };
    let log = openat(&folder, "log", directory() | follow, Mode::empty())?;
    if let (true, Some(owner)) = (made, owner) {
        give(&log, owner)?;
    }
    Ok(log)
}

/// Opens a file to write at its end; a new one is for `owner`, as far as that can be.
pub(crate) fn append(folder: impl AsFd, name: &str, owner: Option<(u32, u32)>) -> io::Result<File> {
    let flags =
        OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let opened = match openat(&folder, name, flags, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => {
            let mode = Mode::from_raw_mode(0o644);
            let file = openat(&folder, name, flags | OFlags::CREATE | OFlags::EXCL, mode)?;
            if let Some(owner) = owner {
                give(&file, owner)?;
            }
            file
        }
        opened => opened?,
    };
    let file = File::from(opened);
    let found = file.metadata()?;
    if !found.is_file() || found.nlink() > 1 {
        return Err(io::Error::other(format!("`{name}` is no plain file with one name")));
    }
    Ok(file)
}

/// Only root can give something away, and to itself it needn't.
fn give(fd: impl AsFd, (uid, gid): (u32, u32)) -> io::Result<()> {
    if geteuid().is_root() && uid != 0 {
        fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    Ok(())
}

/// Writes a file of procer's own as a whole: who reads it finds the old or the new.
pub(crate) fn replace(folder: &OwnedFd, name: &str, bytes: &[u8]) -> io::Result<()> {
    // A dot in front, so that it is never taken for a service's.
    let draft = format!(".{name}");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut file = File::from(openat(folder, &*draft, flags, Mode::from_raw_mode(0o600))?);
    io::Write::write_all(&mut file, bytes)?;
    Ok(rustix::fs::renameat(folder, &*draft, folder, name)?)
}

/// Removes a file, if there is one.
pub(crate) fn remove(folder: impl AsFd, name: &str) -> io::Result<()> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Opens one of procer's own folders.
pub(crate) fn within(own: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    Ok(openat(own, name, directory() | OFlags::NOFOLLOW, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn logs_are_plain_files() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        folder.log("a.log").unwrap().write_all(b"one\n").unwrap();
        folder.log("a.log").unwrap().write_all(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(temporary.path().join("a.log")).unwrap(), "one\ntwo\n");
        symlink(temporary.path().join("a.log"), temporary.path().join("b.log")).unwrap();
        assert!(folder.log("b.log").is_err(), "a symbolic link");
        fs::hard_link(temporary.path().join("a.log"), temporary.path().join("c.log")).unwrap();
        assert!(folder.log("c.log").is_err(), "a second name");
        fs::create_dir(temporary.path().join("d.log")).unwrap();
        assert!(folder.log("d.log").is_err(), "a folder");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let services = within(&folder.own, "services").unwrap();
        replace(&services, "x", b"a longer text").unwrap();
        replace(&services, "x", b"short").unwrap();
        let path = temporary.path().join(".procer/services");
        assert_eq!(fs::read(path.join("x")).unwrap(), b"short");
        assert_eq!(fs::read_dir(path).unwrap().count(), 1);
        remove(&services, "x").unwrap();
        remove(&services, "x").unwrap();
    }
}
