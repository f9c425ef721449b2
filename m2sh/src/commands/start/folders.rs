//! The folders that a server needs under its chroot: made where they are missing, and the chroot owner's.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::Path;

use mongrel2::config::Server;
use rustix::process::geteuid;

use crate::error::Error;
use crate::found::title;

use super::launch::Elevation;

/// Makes what is missing under the chroot, but not the chroot itself: that might be a slip of the pen.
///
/// # Errors
/// What can't be made.
pub(in crate::commands) fn make_folders(server: &Server, elevation: Option<&Elevation>) -> Result<(), Error> {
    let chroot = Path::new(&server.chroot);
    if !chroot.is_dir() {
        let message = format!("its chroot `{}` is not a folder", server.chroot);
        return Err(Error::cannot(format!("start server {}", title(server)), message)
            .hint("the path counts from the folder that you are in")
            .hint(format!("`mkdir -p {}` makes it", server.chroot)));
    }
    for folder in server.folders() {
        make(&folder, chroot, elevation).map_err(|error| {
            Error::cannot(format!("make the folder `{}` of server {}", folder.display(), title(server)), error)
        })?;
    }
    Ok(())
}

/// Makes a folder with those above it.  What root makes belongs to the chroot's owner, as whom the server will
/// write there.
///
/// # Errors
/// What the system says.
pub(in crate::commands) fn make_folder(folder: &Path, chroot: &Path) -> io::Result<()> {
    make(folder, chroot, None)
}

fn make(folder: &Path, chroot: &Path, elevation: Option<&Elevation>) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    make(folder.parent().unwrap_or(Path::new("")), chroot, elevation)?;
    let owner = chroot.metadata()?;
    let (uid, gid, me) = (owner.uid(), owner.gid(), geteuid());
    match elevation {
        Some(elevation) if !me.is_root() && me.as_raw() != uid => elevation.make_folder(folder, uid, gid),
        _ => fs::create_dir(folder)
            .and_then(|()| if me.is_root() { lchown(folder, Some(uid), Some(gid)) } else { Ok(()) }),
    }
}
