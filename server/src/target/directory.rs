//! Files below a directory (the manual, section 3.4.4).
//!
//! The kernel keeps every look-up below the base (openat2 with RESOLVE_BENEATH): neither `..` nor a symbolic
//! link leads out of it.  The base itself is looked up for each request, so that a deployment may replace it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use percent_encoding::percent_decode;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;

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
}

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Found {
    File(Served),
    /// A directory whose path lacks its last slash.
    Slash,
    /// A directory without an index file that may be listed.
    Folder,
    /// Nothing that may be served.
    Nothing,
    /// Something that the server may not read.
    Forbidden,
    /// The path has an escape that stands for nothing.
    Malformed,
}

/// An open file and what has to be known of it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) file: File,
    pub(crate) size: u64,
    /// In whole seconds, as HTTP has them.
    pub(crate) modified: SystemTime,
    /// The entity tag, in its quotes (RFC 9110, section 8.8.3).
    pub(crate) etag: String,
    /// The file's extension with its dot, in lower case; empty if it has none.
    pub(crate) extension: String,
}

impl Directory {
    /// Looks up what is behind the route's prefix in a request's path, still percent-encoded.
    ///
    /// # Errors
    /// What the system says, where it isn't about what the client asked for.
    pub(crate) fn find(&self, rest: &[u8]) -> io::Result<Found> {
        let Some(rest) = decode(rest) else {
            return Ok(Found::Malformed);
        };
        let rest = rest.trim_start_matches('/');
        let asks_directory = rest.is_empty() || rest.ends_with('/');
        let opened = self.open(rest).and_then(|file| {
            let is_directory = FileType::from_raw_mode(fstat(&file)?.st_mode) == FileType::Directory;
            match (is_directory, asks_directory) {
                (true, false) => Ok(Err(Found::Slash)),
                (true, true) if self.index_file.is_empty() && self.listing => Ok(Err(Found::Folder)),
                (true, true) if self.index_file.is_empty() => Ok(Err(Found::Nothing)),
                (true, true) => {
                    self.open(&format!("{rest}{}", self.index_file)).map(|file| Ok((file, self.index_file.as_str())))
                }
                (false, _) => Ok(Ok((file, rest))),
            }
        });
        match opened {
            Ok(Ok((file, name))) => served(file, name),
            Ok(Err(found)) => Ok(found),
            Err(error) => refusal(error),
        }
    }

    fn open(&self, rest: &str) -> io::Result<File> {
        // Without O_NONBLOCK a FIFO would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let base = rustix::fs::open(&self.base, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let path = if rest.is_empty() { "." } else { rest };
        Ok(openat2(base, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS)?.into())
    }
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

fn served(file: File, name: &str) -> io::Result<Found> {
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(Found::Nothing);
    }
    let seconds = u64::try_from(stat.st_mtime).unwrap_or(0);
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    Ok(Found::File(Served {
        file,
        size,
        modified: UNIX_EPOCH + Duration::from_secs(seconds),
        etag: format!("\"{seconds:x}-{:x}-{size:x}\"", stat.st_mtime_nsec),
        extension: extension.map_or_else(String::new, |extension| format!(".{}", extension.to_ascii_lowercase())),
    }))
}

/// Errors that are the client's answer; the others are the operator's.
fn refusal(error: io::Error) -> io::Result<Found> {
    match Errno::from_io_error(&error) {
        // XDEV: it would lead out of the base.  NXIO: it is a socket.
        Some(Errno::NOENT | Errno::NOTDIR | Errno::XDEV | Errno::LOOP | Errno::NAMETOOLONG | Errno::NXIO) => {
            Ok(Found::Nothing)
        }
        Some(Errno::ACCESS | Errno::PERM) => Ok(Found::Forbidden),
        _ => Err(error),
    }
}

impl Served {
    /// Whether the client's copy is still good (RFC 9110, section 13.2.2): If-None-Match decides where it is
    /// given, else If-Modified-Since.
    pub(crate) fn is_unchanged(&self, if_none_match: Option<&[u8]>, if_modified_since: Option<&[u8]>) -> bool {
        if let Some(tags) = if_none_match {
            return matches_any(tags, &self.etag);
        }
        let since = if_modified_since.and_then(|date| std::str::from_utf8(date).ok());
        since.and_then(|date| httpdate::parse_http_date(date).ok()).is_some_and(|since| self.modified <= since)
    }
}

/// Weak comparison of an entity tag with a list (RFC 9110, section 13.1.2).
fn matches_any(tags: &[u8], etag: &str) -> bool {
    tags.split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes())
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
        };
        (folder, directory)
    }

    fn check(directory: &Directory, rest: &str, expected: &str) {
        let found = match directory.find(rest.as_bytes()).unwrap() {
            Found::File(served) => io::read_to_string(served.file).unwrap(),
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
    fn a_base_that_appears_later_is_served() {
        let (_folder, mut directory) = site();
        directory.base = directory.base.join("later");
        check(&directory, "", "Nothing");
        fs::create_dir(&directory.base).unwrap();
        fs::write(directory.base.join("index.html"), "later").unwrap();
        check(&directory, "", "later");
    }

    #[test]
    fn conditions() {
        let (_folder, directory) = site();
        let Found::File(served) = directory.find(b"").unwrap() else { panic!("no file") };
        let date = |time| Some(httpdate::fmt_http_date(time).into_bytes());
        let weak = format!("\"x\", W/{}", served.etag).into_bytes();
        let earlier = date(served.modified - Duration::from_secs(1));
        for (tags, since, expected) in [
            (None, None, false),
            (Some(served.etag.clone().into_bytes()), None, true),
            (Some(weak), None, true),
            (Some(b"*".to_vec()), None, true),
            (Some(b"\"other\"".to_vec()), date(served.modified), false),
            (None, date(served.modified), true),
            (None, earlier, false),
            (None, Some(b"yesterday".to_vec()), false),
        ] {
            assert_eq!(served.is_unchanged(tags.as_deref(), since.as_deref()), expected, "{tags:?} {since:?}");
        }
    }

    proptest! {
        #[test]
        fn never_outside_whatever_the_path(rest in "[./%25efac0-9sub]{0,24}") {
            let (_folder, directory) = site();
            if let Ok(Found::File(served)) = directory.find(rest.as_bytes()) {
                prop_assert_ne!(io::read_to_string(served.file).unwrap(), "secret");
            }
        }
    }
}
