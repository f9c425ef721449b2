//! The error pages of a host: files of the operator's that stand in for the server's own small pages.
//!
//! A page is read when it is needed, so that a new version of the file shows at once.  What can't be read is
//! said once per site, since clients could fill the log otherwise; the built-in page answers then.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use mongrel2::config::paths::inside_chroot;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};

/// The longest page, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// A host's error pages by status.
#[derive(Debug)]
pub(crate) struct Pages(BTreeMap<u16, Page>);

#[derive(Debug)]
struct Page {
    /// From the server's working directory.
    path: PathBuf,
    ctype: String,
    /// Whether it has been said that the file can't be read.
    warned: AtomicBool,
}

impl Pages {
    /// Takes paths under the chroot by status; `mimetype` knows the media type of an extension with its dot.
    pub(crate) fn new<'m>(paths: &BTreeMap<i64, String>, mimetype: impl Fn(&str) -> Option<&'m str>) -> Self {
        let page = |path: &str| {
            let path = inside_chroot(path);
            let extension =
                path.extension().map(|extension| format!(".{}", extension.to_string_lossy().to_lowercase()));
            let ctype = extension.and_then(|extension| mimetype(&extension)).unwrap_or("text/html").to_owned();
            Page { path, ctype, warned: AtomicBool::new(false) }
        };
        let status = |status: &i64| u16::try_from(*status).expect("checked");
        Self(paths.iter().map(|(key, path)| (status(key), page(path))).collect())
    }

    /// Media type and bytes of the page of a status, if there is one that can be read.
    pub(crate) fn read(&self, status: u16) -> Option<(&str, Vec<u8>)> {
        let page = self.0.get(&status)?;
        match read(Path::new("."), &page.path) {
            Ok(bytes) => Some((&page.ctype, bytes)),
            Err(error) => {
                if !page.warned.swap(true, Ordering::Relaxed) {
                    let path = page.path.display();
                    tracing::warn!("cannot read `{path}`, the built-in page is the error page {status}: {error}");
                }
                None
            }
        }
    }
}

/// Reads a regular file that isn't too long, and that no link leads out of `base`.
fn read(base: &Path, path: &Path) -> io::Result<Vec<u8>> {
    // Without O_NONBLOCK a FIFO would wait for its writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let base = rustix::fs::open(base, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let file = openat2(base, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS)?;
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::from(file).take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::Error::other(format!("it has more than {LONGEST} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_regular_files_below_the_base_that_are_not_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("base");
        fs::create_dir_all(base.join("folder")).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        fs::write(base.join("page.html"), "page").unwrap();
        fs::write(base.join("long.html"), vec![b'x'; 1024 * 1024]).unwrap();
        fs::write(base.join("longer.html"), vec![b'x'; 1024 * 1024 + 1]).unwrap();
        symlink("../secret", base.join("out")).unwrap();
        symlink("page.html", base.join("inside")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, base.join("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
        for (name, expected) in [
            ("page.html", Some(4)),
            ("inside", Some(4)),
            ("long.html", Some(1024 * 1024)),
            ("longer.html", None),
            ("folder", None),
            ("fifo", None),
            ("out", None),
            ("../secret", None),
            ("missing", None),
        ] {
            assert_eq!(read(&base, Path::new(name)).ok().map(|bytes| bytes.len()), expected, "{name}");
        }
    }

    #[test]
    fn the_media_type_goes_by_the_extension() {
        let paths = ["/a.TXT", "/b.html", "/c", "d.odd"].into_iter().zip(400..).map(|(path, n)| (n, path.to_owned()));
        let known = |extension: &str| (extension == ".txt").then_some("text/plain");
        let pages = Pages::new(&paths.collect(), known);
        let types: Vec<_> = pages.0.values().map(|page| page.ctype.as_str()).collect();
        assert_eq!(types, ["text/plain", "text/html", "text/html", "text/html"]);
    }
}
