//! The files of a profile's folder.
//!
//! procer may be root and the folder somebody else's: then nothing in it leads elsewhere, neither by a symbolic link nor by
//! a second name of somebody's file, and nothing that isn't a plain file is opened.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fstat, open, openat, statat};
use rustix::io::Errno;

use super::{FILES, File, Log, Source, Stamp};

/// More than anybody writes into a file of settings.
const MAX_TEXT: u64 = 64 << 10;

/// More variables than anybody has.
const MAX_FILES: usize = 1000;

/// Gets the files of a folder.
///
/// # Errors
/// The folder can't be opened, or must not be followed to.
pub(crate) fn read(folder: &Path) -> io::Result<Source> {
    let link = statat(CWD, folder, AtFlags::SYMLINK_NOFOLLOW)?;
    let open = open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let found = fstat(&open)?;
    let root = rustix::process::geteuid().is_root();
    if root && !may_follow(link.st_uid, found.st_uid) {
        return Err(io::Error::other("it is a symbolic link to somebody else's folder"));
    }
    let trusted = found.st_uid == rustix::process::geteuid().as_raw();
    let folder_of = Folder { fd: open, owner: found.st_uid, trusted };
    let texts = FILES.iter().map(|name| (*name, folder_of.file(name, false)));
    let programs = [("run", folder_of.file("run", true)), ("log", folder_of.log())];
    let files = texts.chain(programs).filter_map(|(name, file)| Some((name.to_owned(), file?)));
    let owner = (found.st_uid, found.st_gid);
    Ok(Source { folder: folder.to_owned(), owner, root, files: files.collect() })
}

/// Whether root goes where a symbolic link of somebody leads: to what is the link's owner's, or where root says.
pub(crate) fn may_follow(link: u32, target: u32) -> bool {
    link == 0 || link == target
}

struct Folder {
    fd: OwnedFd,
    owner: u32,
    trusted: bool,
}

impl Folder {
    fn follow(&self) -> OFlags {
        if self.trusted { OFlags::empty() } else { OFlags::NOFOLLOW }
    }

    /// What has that name; `None` if there is nothing.
    fn file(&self, name: &str, program: bool) -> Option<File> {
        match self.look(name, program) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) && !self.trusted => {
                Some(File::Fault("it is a symbolic link in a folder that isn't procer's".into()))
            }
            Err(error) => Some(File::Fault(error.to_string())),
        }
    }

    fn look(&self, name: &str, program: bool) -> io::Result<File> {
        // The program is opened by whom it runs as, and may be a link.
        let flags = if program { AtFlags::empty() } else { self.at_flags() };
        let found = statat(&self.fd, name, flags)?;
        let executable = found.st_mode & 0o111 != 0;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile if executable && (program || name == "ready") => Ok(File::Program(stamp(&found))),
            FileType::RegularFile if program => Ok(File::Text(String::new())),
            FileType::RegularFile => self.text(name),
            FileType::Directory if name == "env" => self.folder(name, None),
            FileType::Directory => Ok(File::Folder(BTreeMap::new())),
            FileType::Symlink => Err(Errno::LOOP.into()),
            _ => Ok(File::Fault("it is no plain file".into())),
        }
    }

    fn at_flags(&self) -> AtFlags {
        if self.trusted { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW }
    }

    fn text(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | self.follow();
        let file = fs::File::from(openat(&self.fd, name, flags, Mode::empty())?);
        let found = file.metadata()?;
        if !found.is_file() || !self.trusted && found.uid() != self.owner && found.nlink() > 1 {
            return Ok(File::Fault("it is no plain file of this folder".into()));
        }
        let mut text = Vec::new();
        file.take(MAX_TEXT + 1).read_to_end(&mut text)?;
        if text.len() as u64 > MAX_TEXT {
            return Ok(File::Fault(format!("it is longer than {MAX_TEXT} bytes")));
        }
        Ok(String::from_utf8(text).map_or_else(|_| File::Fault("it is no text in UTF-8".into()), File::Text))
    }

    fn log(&self) -> Option<File> {
        match statat(&self.fd, "log", self.at_flags()) {
            Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Directory => {
                Some(self.folder("log", Some(&Log::NAMES)).unwrap_or_else(|error| File::Fault(error.to_string())))
            }
            Ok(_) => Some(File::Fault("it is no folder".into())),
            Err(Errno::NOENT) => None,
            Err(error) => Some(File::Fault(error.to_string())),
        }
    }

    /// The files of a folder in the folder: those with these names, or all.
    fn folder(&self, name: &str, names: Option<&[&str]>) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | self.follow();
        let fd = openat(&self.fd, name, flags, Mode::empty())?;
        let names: Vec<String> = match names {
            Some(names) => names.iter().map(|name| (*name).to_owned()).collect(),
            None => listed(&fd)?,
        };
        let folder = Self { fd, owner: self.owner, trusted: self.trusted };
        let plain = |name: String| folder.file(&name, false).map(|file| (name, file));
        Ok(File::Folder(names.into_iter().filter_map(plain).collect()))
    }
}

fn listed(fd: impl AsFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(fd)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
        if names.len() > MAX_FILES {
            return Err(io::Error::other(format!("there are more than {MAX_FILES} files in it")));
        }
    }
    Ok(names)
}

fn stamp(found: &rustix::fs::Stat) -> Stamp {
    #[expect(clippy::unnecessary_cast, reason = "the types differ between architectures")]
    let changed = (found.st_mtime as i64, found.st_mtime_nsec as u64);
    Stamp { inode: found.st_ino, size: found.st_size.unsigned_abs(), changed, owner: found.st_uid }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn files_become_texts_programs_and_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("run"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(path.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(path.join("pid_file"), [0xff, 0xfe]).unwrap();
        fs::write(path.join("restart"), vec![b'x'; 100_000]).unwrap();
        fs::create_dir_all(path.join("env")).unwrap();
        fs::write(path.join("env/PORT"), "1").unwrap();
        symlink("depends", path.join("depends")).unwrap();
        rustix::fs::mkfifoat(CWD, path.join("stop"), Mode::RUSR).unwrap();
        let files = read(path).unwrap().files;
        assert!(matches!(files["run"], File::Program(_)));
        assert_eq!(files["pid_file"], File::Fault("it is no text in UTF-8".into()));
        assert_eq!(files["restart"], File::Fault("it is longer than 65536 bytes".into()));
        assert_eq!(files["stop"], File::Fault("it is no plain file".into()));
        assert!(matches!(&files["depends"], File::Fault(problem) if problem.contains("symbolic links")), "{files:?}");
        assert!(matches!(&files["env"], File::Folder(env) if env["PORT"] == File::Text("1".into())));
        assert_eq!(files.len(), 6);
    }

    #[test]
    fn links_of_others_lead_nowhere() {
        assert!(may_follow(0, 1000) && may_follow(1000, 1000) && may_follow(0, 0));
        assert!(!may_follow(1000, 0) && !may_follow(1000, 1001));
    }
}
