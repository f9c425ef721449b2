//! Small files that are asked for again and again, kept in memory by each worker.
//!
//! A file is served from here only if its inode, size and times are still what they were: one system call
//! instead of seven, and a change is seen at the next request.  A file that has changed a moment ago is not
//! kept, since another change might carry the same time.  What can't be seen in the file itself, a compressed
//! neighbour that appears, is looked for again after a second.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Stat, statat};

use super::encoding::Accepted;
use super::served::{Body, SMALL, Served};
use super::{Directory, Found};

/// How long after a change a file may change again without its times telling.
const UNSETTLED: Duration = Duration::from_millis(100);

/// For how long neighbours are not looked for again.
const NEIGHBOURS: Duration = Duration::from_secs(1);

/// What an entry takes beside its file, about.
const OVERHEAD: usize = 512;

/// The files of one worker, by the rest of their path as clients write it.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    entries: RefCell<HashMap<Vec<u8>, Vec<Entry>>>,
    bytes: Cell<usize>,
}

#[derive(Debug)]
struct Entry {
    /// The directory, by identity: a reload makes new ones and empties the cache.
    directory: *const Directory,
    accepted: Accepted,
    path: CString,
    stamp: Stamp,
    looked_up: Instant,
    served: Rc<Served>,
}

/// What changes when a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp([i128; 5]);

impl Stamp {
    fn of(stat: &Stat) -> Self {
        let time = |seconds: i64, nanos: u64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Self([
            i128::from(stat.st_dev),
            i128::from(stat.st_ino),
            i128::from(stat.st_size),
            time(stat.st_mtime, stat.st_mtime_nsec),
            time(stat.st_ctime, stat.st_ctime_nsec),
        ])
    }

    /// Whether the last change is long enough ago.
    fn is_settled(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        i128::try_from(now.as_nanos()).is_ok_and(|now| now - self.0[4] > UNSETTLED.as_nanos() as i128)
    }
}

/// What came of a look-up.
#[derive(Debug)]
pub(crate) enum Lookup {
    Served(Rc<Served>),
    Not(Found),
}

impl Cache {
    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.entries.borrow_mut().clear();
        self.bytes.set(0);
    }

    /// A file of a directory, from memory if it hasn't changed; at most `limit` bytes are kept.
    ///
    /// # Errors
    /// What the system says, where it isn't about what the client asked for.
    pub(crate) fn find(
        &self,
        directory: &Arc<Directory>,
        rest: &[u8],
        accepted: Accepted,
        limit: usize,
        mimetype: impl Fn(&str) -> Option<String>,
    ) -> io::Result<Lookup> {
        if let Some(served) = self.known(directory, rest, accepted) {
            return Ok(Lookup::Served(served));
        }
        let opened = match directory.find(rest, accepted)? {
            Found::File(opened) => opened,
            other => return Ok(Lookup::Not(other)),
        };
        let mut path = directory.base.join(&opened.name).into_os_string();
        path.push(opened.encoding.map_or("", super::Encoding::suffix));
        let (served, stat) = Served::new(opened, directory, mimetype)?;
        let served = Rc::new(served);
        let stamp = Stamp::of(&stat);
        if matches!(served.body, Body::Memory(_)) && stamp.is_settled(SystemTime::now()) {
            let path = CString::new(path.as_bytes()).map_err(io::Error::other)?;
            let (directory, looked_up) = (Arc::as_ptr(directory), Instant::now());
            let entry = Entry { directory, accepted, path, stamp, looked_up, served: Rc::clone(&served) };
            self.keep(rest, entry, limit);
        }
        Ok(Lookup::Served(served))
    }

    fn known(&self, directory: &Arc<Directory>, rest: &[u8], accepted: Accepted) -> Option<Rc<Served>> {
        let mut entries = self.entries.borrow_mut();
        let same = entries.get_mut(rest)?;
        let is_it = |entry: &Entry| entry.directory == Arc::as_ptr(directory) && entry.accepted == accepted;
        let index = same.iter().position(is_it)?;
        let entry = &same[index];
        let unchanged = || statat(CWD, &entry.path, AtFlags::empty()).is_ok_and(|stat| Stamp::of(&stat) == entry.stamp);
        if entry.looked_up.elapsed() < NEIGHBOURS && unchanged() {
            return Some(Rc::clone(&entry.served));
        }
        self.bytes.set(self.bytes.get() - weight(&same.swap_remove(index)));
        None
    }

    fn keep(&self, rest: &[u8], entry: Entry, limit: usize) {
        let weight = weight(&entry);
        if weight > limit {
            return;
        }
        if self.bytes.get() + weight > limit {
            self.clear();
        }
        self.bytes.set(self.bytes.get() + weight);
        self.entries.borrow_mut().entry(rest.to_vec()).or_default().push(entry);
    }
}

fn weight(entry: &Entry) -> usize {
    usize::try_from(entry.served.size.min(SMALL)).unwrap_or(0) + OVERHEAD
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn directory(base: &Path) -> Arc<Directory> {
        let (index_file, default_ctype) = ("index.html".into(), "text/plain".into());
        Arc::new(Directory {
            base: base.to_owned(),
            index_file,
            default_ctype,
            cache_ttl: Duration::ZERO,
            listing: false,
            hidden: Arc::default(),
        })
    }

    fn text(cache: &Cache, directory: &Arc<Directory>, rest: &str) -> String {
        match cache.find(directory, rest.as_bytes(), Accepted::default(), 100_000, |_| None).unwrap() {
            Lookup::Served(served) => match &served.body {
                Body::Memory(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                Body::Disk(_) => "on disk".into(),
            },
            Lookup::Not(found) => format!("{found:?}"),
        }
    }

    /// Waits until a file is old enough to be kept, and makes the cache keep it.
    fn kept(cache: &Cache, directory: &Arc<Directory>, rest: &str) {
        testkit::wait::until("the file to be kept", || {
            text(cache, directory, rest);
            cache.entries.borrow().contains_key(rest.as_bytes()).then_some(())
        });
    }

    #[test]
    fn every_change_is_seen_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, directory) = (Cache::default(), directory(folder.path()));
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        kept(&cache, &directory, "a");
        fs::write(&path, "two").unwrap();
        assert_eq!(text(&cache, &directory, "a"), "two");
        kept(&cache, &directory, "a");
        fs::write(folder.path().join("b"), "new").unwrap();
        fs::rename(folder.path().join("b"), &path).unwrap();
        assert_eq!(text(&cache, &directory, "a"), "new");
        kept(&cache, &directory, "a");
        fs::remove_file(&path).unwrap();
        assert_eq!(text(&cache, &directory, "a"), "Nothing");
    }

    #[test]
    fn changes_in_quick_succession_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, directory) = (Cache::default(), directory(folder.path()));
        for round in 0..2000 {
            let content = format!("{:04}", round);
            fs::write(folder.path().join("a"), &content).unwrap();
            assert_eq!(text(&cache, &directory, "a"), content);
        }
    }

    #[test]
    fn a_link_that_turns_outside_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("base");
        fs::create_dir(&base).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        fs::write(base.join("good"), "good").unwrap();
        std::os::unix::fs::symlink("good", base.join("link")).unwrap();
        let (cache, directory) = (Cache::default(), directory(&base));
        kept(&cache, &directory, "link");
        fs::remove_file(base.join("link")).unwrap();
        std::os::unix::fs::symlink("../secret", base.join("link")).unwrap();
        assert_eq!(text(&cache, &directory, "link"), "Nothing");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, directory) = (Cache::default(), directory(folder.path()));
        for number in 0..50 {
            fs::write(folder.path().join(number.to_string()), vec![b'x'; 10_000]).unwrap();
        }
        for number in 0..50 {
            kept(&cache, &directory, &number.to_string());
            assert!(cache.bytes.get() <= 100_000);
        }
        fs::write(folder.path().join("large"), vec![b'x'; 100_000]).unwrap();
        assert_eq!(text(&cache, &directory, "large"), "on disk");
        cache.clear();
        assert_eq!(cache.bytes.get(), 0);
    }
}
