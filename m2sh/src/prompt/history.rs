//! Where lines are remembered: `$XDG_STATE_HOME/m2sh`, or `~/.local/state/m2sh`, for nobody else's eyes.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The file of that name, made if it isn't there.
///
/// # Errors
/// Why there is none.
pub(super) fn file(name: &str) -> Result<PathBuf, String> {
    let folder = folder(std::env::var_os("XDG_STATE_HOME").map(Into::into), std::env::var_os("HOME").map(Into::into))
        .ok_or("there is no home folder")?;
    make(&folder, name).map_err(|error| format!("cannot use `{}`: {error}", folder.display()))
}

/// By the XDG Base Directory Specification a path that isn't absolute counts for nothing.
fn folder(state: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let home = || home.filter(|home| home.is_absolute()).map(|home| home.join(".local/state"));
    Some(state.filter(|state| state.is_absolute()).or_else(home)?.join("m2sh"))
}

fn make(folder: &Path, name: &str) -> io::Result<PathBuf> {
    is_ours(folder)?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let file = folder.join(name);
    OpenOptions::new().append(true).create(true).mode(0o600).open(&file)?;
    Ok(file)
}

/// Root, with sudo in somebody else's home, would leave files there that their owner can't write.
fn is_ours(folder: &Path) -> io::Result<()> {
    let owner = folder.ancestors().find_map(|folder| folder.metadata().ok()).map(|metadata| metadata.uid());
    match owner {
        Some(owner) if owner != 0 && rustix::process::geteuid().is_root() => {
            Err(io::Error::other("it belongs to another user"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_that_of_the_specification() {
        let check = |state: Option<&str>, home: Option<&str>, expected: Option<&str>| {
            assert_eq!(folder(state.map(Into::into), home.map(Into::into)), expected.map(PathBuf::from));
        };
        check(Some("/s"), Some("/h"), Some("/s/m2sh"));
        check(None, Some("/h"), Some("/h/.local/state/m2sh"));
        check(Some(""), Some("/h"), Some("/h/.local/state/m2sh"));
        check(Some("s"), Some("h"), None);
        check(None, None, None);
    }

    #[test]
    fn nobody_else_reads_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/m2sh");
        let file = make(&folder, "shell").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        std::fs::write(&file, "kept").unwrap();
        make(&folder, "shell").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
        std::fs::write(root.path().join("file"), "").unwrap();
        assert!(make(&root.path().join("file"), "shell").is_err());
    }
}
