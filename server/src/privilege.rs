//! Root's rights: kept as long as something needs them, then given up for good.
//!
//! A server that root starts is locked into its chroot and becomes the chroot's owner.  What it has opened as
//! root becomes the owner's too, so that all of it can be opened once more: logs, handlers, the database.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, lchown};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, getgroups, setgroups, setresgid, setresuid};
use rustix::fs::Access;
use rustix::process::DumpableBehavior;

const ROOT: Uid = Uid::from_raw(0);
const ROOTS: Gid = Gid::from_raw(0);

/// What root gives up, and for whom.
#[derive(Debug)]
pub(crate) struct Privilege {
    /// Without symbolic links.
    chroot: PathBuf,
    uid: Uid,
    gid: Gid,
}

impl Privilege {
    /// Of a process of root, to be given up for the owner of `chroot`; others have none.
    ///
    /// # Errors
    /// There is no such folder.
    pub(crate) fn held(chroot: &Path) -> io::Result<Option<Self>> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        let chroot = chroot.canonicalize()?;
        let owner = chroot.metadata()?;
        let (uid, gid) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
        Ok(Some(Self { chroot, uid, gid }))
    }

    /// What a file is called inside; `None` if it lies outside.
    pub(crate) fn inside(&self, file: &Path) -> Option<PathBuf> {
        Some(file.canonicalize().ok()?.strip_prefix(&self.chroot).ok()?.to_owned())
    }

    /// What a file inside is called outside.
    pub(crate) fn outside(&self, file: &Path) -> PathBuf {
        self.chroot.join(file)
    }

    /// The owner as chown(1) takes it.
    pub(crate) fn owner(&self) -> String {
        format!("{}:{}", self.uid, self.gid)
    }

    /// Whether nothing is given up, as the chroot's owner is root.
    pub(crate) fn stays(&self) -> bool {
        self.uid.is_root()
    }

    /// Locks this process in.
    ///
    /// It has to have no other thread yet: a thread inherits that its programs gain no rights.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn enter(&self) -> io::Result<()> {
        rustix::thread::set_no_new_privs(true)?;
        rustix::process::chroot(&self.chroot)?;
        std::env::set_current_dir("/")
    }

    /// Gives a file that was made inside to the owner; what is missing, or is of a kind that a server doesn't
    /// make, stays as it is.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn hand_over(&self, path: &Path) -> io::Result<()> {
        let Ok(found) = path.symlink_metadata() else { return Ok(()) };
        let kind = found.file_type();
        // A second name could have been given to a file that is none of the owner's business.
        let ours = kind.is_file() && found.nlink() == 1 || kind.is_socket() || kind.is_fifo();
        if ours { lchown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw())) } else { Ok(()) }
    }

    /// Becomes the owner, in all threads, with no way back.
    ///
    /// # Errors
    /// What the system says; rights may be left then, so that the process has to end.
    pub(crate) fn give_up(&self) -> io::Result<()> {
        if self.stays() {
            // It may take them back at any time; this is only for order.
            let _ = setgroups(&[]);
        } else {
            setgroups(&[])?;
            setresgid(self.gid, self.gid, self.gid)?;
            setresuid(self.uid, self.uid, self.uid)?;
            self.verify()?;
        }
        Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
    }

    fn verify(&self) -> io::Result<()> {
        let user = setresuid(ROOT, ROOT, ROOT).is_ok() || Uid::current() != self.uid || Uid::effective() != self.uid;
        let group = self.gid != ROOTS && setresgid(ROOTS, ROOTS, ROOTS).is_ok() || Gid::effective() != self.gid;
        if user || group || !getgroups()?.is_empty() {
            return Err(io::Error::other("the system gives them back"));
        }
        Ok(())
    }
}

/// Whether this process may make and remove files in a folder.
pub(crate) fn may_write(folder: &Path) -> bool {
    rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}
