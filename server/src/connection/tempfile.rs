//! The file that an upload is written to: it goes when it isn't kept.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use mongrel2::config::paths::inside_chroot;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// How many names are tried before it is given up.
const TRIES: usize = 16;

/// A file below the chroot with a name that nobody can know before.
#[derive(Debug)]
pub(super) struct TempFile {
    /// None once it is whole.
    file: Option<File>,
    /// As the handler is told: the template with its random part.
    name: String,
    path: PathBuf,
    kept: bool,
}

impl TempFile {
    /// Makes a file from a template that ends in `XXXXXX`, with these rights whatever the umask is.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn create(template: &str, mode: u32) -> io::Result<Self> {
        for _ in 0..TRIES {
            let name = name(template)?;
            let path = inside_chroot(&name);
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => {
                    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
                    return Ok(Self { file: Some(file), name, path, kept: false });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    /// Closes the file, which is whole, and leaves it to the handler.
    pub(super) fn finish(&mut self) {
        (self.file, self.kept) = (None, true);
    }

    /// Takes the file back: no handler has taken it.
    pub(super) fn take_back(&mut self) {
        self.kept = false;
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!("cannot remove the upload `{}`: {error}", self.path.display());
        }
    }
}

fn name(template: &str) -> io::Result<String> {
    let mut random = [0; 6];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let letters = random.map(|byte| LETTERS[usize::from(byte % 64)] as char);
    let stem = template.strip_suffix("XXXXXX").expect("the setting has this form");
    Ok(stem.chars().chain(letters).collect())
}
