//! Files below a directory (the manual, section 3.4.4).
//!
//! The kernel keeps every look-up below the base (openat2 with RESOLVE_BENEATH): neither `..` nor a symbolic
//! link leads out of it.  The base itself is looked up each time, so that a deployment may replace it.
//! [`cache`] remembers what is small and hot; [`conditions`], [`range`] and [`encoding`] read what clients ask.

pub(crate) mod cache;
pub(crate) mod conditions;
pub(crate) mod encoding;
pub(crate) mod hidden;
pub(crate) mod listing;
pub(crate) mod range;
pub(crate) mod served;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;

use self::encoding::{Accepted, Encoding};
use self::hidden::Hidden;
use self::listing::Entry;

/// A directory that is served.
#[derive(Debug)]
pub(crate) struct Directory {
    /// The directory, as a path from the server's working directory.
    pub(crate) base: PathBuf,
    /// Served for a path that ends in a slash; empty for nothing.
    pub(crate) index_file: String,
    /// Media type of files whose extension is unknown.
    pub(crate) default_ctype: String,
    /// How long clients may keep an answer without asking again.
    pub(crate) cache_ttl: Duration,
    /// Whether a folder without an index file may be listed.
    pub(crate) listing: bool,
    /// What is not served, though it is there.
    pub(crate) hidden: Arc<Hidden>,
}

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Found {
    File(Opened),
    /// A directory whose path lacks its last slash.
    Slash,
    /// A directory without an index file, that may be listed.
    Folder(Vec<Entry>),
    /// Nothing that may be served.
    Nothing,
    /// Something that the server may not read.
    Forbidden,
    /// The path has an escape that stands for nothing.
    Malformed,
}

/// An open regular file.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    /// Its path below the base, decoded; without the suffix of a compressed neighbour.
    pub(crate) name: String,
    /// The coding of a neighbour that was chosen in its place.
    pub(crate) encoding: Option<Encoding>,
    /// Whether there is a compressed neighbour at all, so that other clients may get another answer.
    pub(crate) varies: bool,
}

impl Directory {
    /// Looks up what is behind the route's prefix in a request's path, still percent-encoded.
    ///
    /// # Errors
    /// What the system says, where it isn't about what the client asked for.
    pub(crate) fn find(&self, rest: &[u8], accepted: Accepted) -> io::Result<Found> {
        let Some(rest) = decode(rest) else {
            return Ok(Found::Malformed);
        };
        self.look_up(rest.trim_start_matches('/'), accepted).or_else(refusal)
    }

    fn look_up(&self, rest: &str, accepted: Accepted) -> io::Result<Found> {
        let asks_directory = rest.is_empty() || rest.ends_with('/');
        let file = self.open(rest)?;
        match (kind(&file)?, asks_directory) {
            (FileType::Directory, false) => Ok(Found::Slash),
            (FileType::Directory, true) => match self.index(rest)? {
                Some((file, name)) => self.best(file, name, accepted),
                None if self.listing => Ok(Found::Folder(self.entries(&file)?)),
                None => Ok(Found::Nothing),
            },
            _ => self.best(file, rest.to_owned(), accepted),
        }
    }

    fn entries(&self, folder: &File) -> io::Result<Vec<Entry>> {
        let entries = listing::read(folder)?.into_iter();
        Ok(entries.filter(|entry| !self.hidden.is_named(entry.name())).collect())
    }

    /// The index file of a directory, if there is one.
    fn index(&self, directory: &str) -> io::Result<Option<(File, String)>> {
        if self.index_file.is_empty() {
            return Ok(None);
        }
        let name = format!("{directory}{}", self.index_file);
        match self.open(&name) {
            Ok(file) => Ok(Some((file, name))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The file, or the best of its compressed neighbours that the client accepts.
    fn best(&self, file: File, name: String, accepted: Accepted) -> io::Result<Found> {
        if kind(&file)? != FileType::RegularFile {
            return Ok(Found::Nothing);
        }
        let mut best = Opened { file, name, encoding: None, varies: false };
        for encoding in Encoding::ALL {
            if let Some(neighbour) = self.neighbour(&best.name, encoding) {
                best.varies = true;
                if best.encoding.is_none() && accepted.has(encoding) {
                    (best.file, best.encoding) = (neighbour, Some(encoding));
                }
            }
        }
        Ok(Found::File(best))
    }

    fn neighbour(&self, name: &str, encoding: Encoding) -> Option<File> {
        let file = self.open(&format!("{name}{}", encoding.suffix())).ok()?;
        (kind(&file).ok()? == FileType::RegularFile).then_some(file)
    }

    fn open(&self, rest: &str) -> io::Result<File> {
        // Without O_NONBLOCK a FIFO would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let base = rustix::fs::open(&self.base, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let path = if rest.is_empty() { "." } else { rest };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let file = File::from(openat2(base, path, flags, Mode::empty(), resolve)?);
        if self.hidden.is_named(rest) || self.hidden.has(&file)? {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(file)
    }
}

fn kind(file: &File) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(fstat(file)?.st_mode))
}

/// Percent-decodes a path; nothing if an escape is broken or stands for a NUL byte.
fn decode(path: &[u8]) -> Option<String> {
    for at in memchr::memchr_iter(b'%', path) {
        let digits = path.get(at + 1..at + 3)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) || digits == b"00" {
            return None;
        }
    }
    percent_decode(path).decode_utf8().ok().map(String::from)
}

/// Errors that are the client's answer; the others are the operator's.
fn refusal(error: io::Error) -> io::Result<Found> {
    if error.kind() == io::ErrorKind::NotFound {
        return Ok(Found::Nothing);
    }
    match Errno::from_io_error(&error) {
        // XDEV: it would lead out of the base.  NXIO: it is a socket.
        Some(Errno::NOTDIR | Errno::XDEV | Errno::LOOP | Errno::NAMETOOLONG | Errno::NXIO) => Ok(Found::Nothing),
        Some(Errno::ACCESS | Errno::PERM) => Ok(Found::Forbidden),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    fn site() -> (tempfile::TempDir, Directory) {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("base");
        fs::create_dir_all(base.join("sub/empty")).unwrap();
        fs::create_dir(folder.path().join("base2")).unwrap();
        fs::write(base.join("index.html"), "index").unwrap();
        fs::write(base.join("sub/index.html"), "sub").unwrap();
        fs::write(base.join("a b.TXT"), "blank").unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        fs::write(folder.path().join("base2/secret"), "secret").unwrap();
        symlink("../secret", base.join("out")).unwrap();
        symlink("/etc/passwd", base.join("absolute")).unwrap();
        symlink("..", base.join("up")).unwrap();
        symlink("sub/index.html", base.join("inside")).unwrap();
        symlink("loop", base.join("loop")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, base.join("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
        let directory = Directory {
            base,
            index_file: "index.html".into(),
            default_ctype: "text/plain".into(),
            cache_ttl: Duration::ZERO,
            listing: false,
            hidden: Arc::default(),
        };
        (folder, directory)
    }

    fn check(directory: &Directory, rest: &str, expected: &str) {
        let found = match directory.find(rest.as_bytes(), Accepted::default()).unwrap() {
            Found::File(opened) => io::read_to_string(opened.file).unwrap(),
            other => format!("{other:?}"),
        };
        assert_eq!(found, expected, "{rest}");
    }

    #[test]
    fn files_and_folders() {
        let (_folder, directory) = site();
        check(&directory, "", "index");
        check(&directory, "/", "index");
        check(&directory, "index.html", "index");
        check(&directory, "sub/", "sub");
        check(&directory, "sub", "Slash");
        check(&directory, "sub/empty/", "Nothing");
        check(&directory, "a%20b.TXT", "blank");
        check(&directory, "inside", "sub");
        check(&directory, "sub/../index.html", "index");
        check(&directory, "missing", "Nothing");
        check(&directory, "index.html/", "Nothing");
        check(&directory, "fifo", "Nothing");
        check(&directory, "loop", "Nothing");
        check(&directory, "%", "Malformed");
        check(&directory, "%zz", "Malformed");
        check(&directory, "index.html%00.txt", "Malformed");
        check(&directory, "%ff", "Malformed");
    }

    #[test]
    fn nothing_outside_of_the_base() {
        let (_folder, directory) = site();
        for rest in [
            "../secret",
            "%2e%2e/secret",
            "..%2fsecret",
            "sub/../../secret",
            "out",
            "absolute",
            "up/secret",
            "../base2/secret",
            "//etc/passwd",
            "%2fetc/passwd",
            "/../../../../../../etc/passwd",
        ] {
            check(&directory, rest, "Nothing");
        }
    }

    #[test]
    fn the_database_is_not_there() {
        let (_folder, mut directory) = site();
        directory.listing = true;
        directory.index_file = "config.sqlite".into();
        let database = directory.base.join("sub/config.sqlite");
        for name in ["config.sqlite", "config.sqlite-journal", "config.sqlite-wal", "config.sqlite.html"] {
            fs::write(directory.base.join("sub").join(name), name).unwrap();
        }
        fs::hard_link(&database, directory.base.join("link")).unwrap();
        symlink("sub/config.sqlite", directory.base.join("symlink")).unwrap();
        directory.hidden = Arc::new(Hidden::database(&database));
        for rest in [
            "sub/config.sqlite",
            "sub/config.sqlit%65",
            "sub/config.sqlite-journal",
            "sub/config.sqlite-wal",
            "link",
            "symlink",
        ] {
            check(&directory, rest, "Nothing");
        }
        check(&directory, "sub/config.sqlite.html", "config.sqlite.html");
        let Found::Folder(entries) = directory.find(b"sub/", Accepted::default()).unwrap() else {
            panic!("it is no index file either");
        };
        assert!(entries.iter().map(Entry::name).eq(["empty", "config.sqlite.html", "index.html"]), "{entries:?}");
    }

    #[test]
    fn a_base_that_appears_later_is_served() {
        let (_folder, mut directory) = site();
        directory.base = directory.base.join("later");
        check(&directory, "", "Nothing");
        fs::create_dir(&directory.base).unwrap();
        fs::write(directory.base.join("index.html"), "later").unwrap();
        check(&directory, "", "later");
    }

    #[test]
    fn compressed_neighbours() {
        let (_folder, directory) = site();
        for (name, text) in [("index.html.gz", "gzip"), ("index.html.br", "brotli")] {
            fs::write(directory.base.join(name), text).unwrap();
        }
        for (header, expected) in [("gzip", "gzip"), ("gzip, br", "brotli"), ("zstd", "index"), ("", "index")] {
            let Found::File(opened) = directory.find(b"", Accepted::parse(Some(header.as_bytes()))).unwrap() else {
                panic!("no file");
            };
            assert!(opened.varies);
            assert_eq!(io::read_to_string(opened.file).unwrap(), expected, "{header}");
        }
        check(&directory, "index.html.gz", "gzip");
    }

    proptest! {
        #[test]
        fn never_outside_whatever_the_path(rest in "[./%25efac0-9sub]{0,24}") {
            let (_folder, directory) = site();
            if let Ok(Found::File(opened)) = directory.find(rest.as_bytes(), Accepted::default()) {
                prop_assert_ne!(io::read_to_string(opened.file).unwrap(), "secret");
            }
        }
    }
}
