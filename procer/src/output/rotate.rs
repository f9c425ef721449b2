//! A log file, and the older ones beside it.
//!
//! The file in use is `current`; one that is put aside is named by the time, so that names sort as lines do.  The file is
//! opened for each write: it may be removed at any time, and holds no descriptor.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::fs::{AtFlags, RenameFlags, StatxFlags, renameat_with, statx, unlinkat};

use crate::folder::append;
use crate::profile::Log;

/// The name of the file in use.
const CURRENT: &str = "current";

/// A log with its older files.
#[derive(Debug)]
pub(super) struct Series {
    folder: OwnedFd,
    owner: Option<(u32, u32)>,
    size: u64,
    /// Since when there is something in the file, as a time since 1970.
    begun: Option<Duration>,
    /// The time in the youngest name, in microseconds.
    last: i64,
}

impl Series {
    /// The one in a folder.
    pub(super) fn open(folder: OwnedFd, owner: Option<(u32, u32)>) -> io::Result<Self> {
        let mut series = Self { folder, owner, size: 0, begun: None, last: 0 };
        series.look()?;
        Ok(series)
    }

    /// Since when there is something in it.
    pub(super) fn begun(&self) -> Option<Duration> {
        self.begun
    }

    /// Whether so many bytes more make it large enough to be put aside.
    pub(super) fn is_full(&self, more: usize, settings: &Log) -> bool {
        self.size + more as u64 >= settings.size
    }

    /// Writes whole lines, and puts the file aside if it is large enough then.
    pub(super) fn write(&mut self, lines: &[u8], settings: &Log) -> io::Result<()> {
        let mut file = append(&self.folder, CURRENT, self.owner)?;
        let before = file.metadata()?.len();
        if let Err(error) = file.write_all(lines) {
            // Half a line is worse than none.
            let _ = file.set_len(before);
            return Err(error);
        }
        if before == 0 {
            self.begun = Some(now());
        }
        self.size = before + lines.len() as u64;
        if self.is_full(0, settings) || self.is_old(settings) {
            self.put_aside(settings)?;
        }
        Ok(())
    }

    /// Puts a file aside that is old enough.
    pub(super) fn age(&mut self, settings: &Log) -> io::Result<()> {
        self.look()?;
        if self.is_old(settings) { self.put_aside(settings) } else { Ok(()) }
    }

    fn is_old(&self, settings: &Log) -> bool {
        self.begun.zip(settings.age).is_some_and(|(begun, age)| now() >= begun + age)
    }

    /// What is there already, from before.
    fn look(&mut self) -> io::Result<()> {
        let flags = StatxFlags::SIZE | StatxFlags::BTIME | StatxFlags::MTIME;
        let found = match statx(&self.folder, CURRENT, AtFlags::SYMLINK_NOFOLLOW, flags) {
            Ok(found) => found,
            Err(rustix::io::Errno::NOENT) => {
                (self.size, self.begun) = (0, None);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let born = if found.stx_mask & StatxFlags::BTIME.bits() != 0 { found.stx_btime } else { found.stx_mtime };
        self.size = found.stx_size;
        self.begun = (found.stx_size > 0).then(|| Duration::new(born.tv_sec.unsigned_abs(), born.tv_nsec));
        Ok(())
    }

    fn put_aside(&mut self, settings: &Log) -> io::Result<()> {
        let mut time = Utc::now().timestamp_micros().max(self.last + 1);
        loop {
            let moved = renameat_with(&self.folder, CURRENT, &self.folder, name(time), RenameFlags::NOREPLACE);
            match moved {
                Err(rustix::io::Errno::EXIST) => time += 1,
                Err(error) => return Err(error.into()),
                Ok(()) => break,
            }
        }
        (self.last, self.size, self.begun) = (time, 0, None);
        if settings.keep > 0 { self.prune(settings.keep) } else { Ok(()) }
    }

    /// Removes all but the youngest.
    fn prune(&self, keep: usize) -> io::Result<()> {
        let entries = rustix::fs::Dir::read_from(&self.folder)?;
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut old: Vec<String> = names.filter(|name| is_old(name)).collect();
        old.sort_unstable();
        for name in &old[..old.len().saturating_sub(keep)] {
            unlinkat(&self.folder, name, AtFlags::empty())?;
        }
        Ok(())
    }
}

/// The time since 1970.
pub(super) fn now() -> Duration {
    Duration::from_micros(Utc::now().timestamp_micros().unsigned_abs())
}

fn name(time: i64) -> String {
    DateTime::from_timestamp_micros(time).unwrap_or_default().format("%Y%m%dT%H%M%S%.6fZ").to_string()
}

fn is_old(name: &str) -> bool {
    let fits = |(index, byte): (usize, u8)| match index {
        8 => byte == b'T',
        15 => byte == b'.',
        22 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    name.len() == 23 && name.bytes().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_times() {
        let name = name(1_795_201_365_000_007);
        assert_eq!(name, "20261120T190245.000007Z");
        assert!(is_old(&name));
        for other in ["current", "size", "20261120T190245.000007", "20261120T190245.00000xZ", "x0261120T190245.000007Z"]
        {
            assert!(!is_old(other), "{other}");
        }
    }

    #[test]
    fn a_file_that_is_old_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let fd: OwnedFd = std::fs::File::open(folder.path()).unwrap().into();
        let mut series = Series::open(fd, None).unwrap();
        let settings = Log { age: Some(Duration::from_secs(60)), ..Log::default() };
        series.write(b"one\n", &settings).unwrap();
        series.age(&settings).unwrap();
        assert!(folder.path().join(CURRENT).exists());
        series.begun = Some(now() - Duration::from_secs(61));
        series.write(b"two\n", &settings).unwrap();
        assert!(!folder.path().join(CURRENT).exists(), "put aside with its last line");
        assert_eq!(series.begun(), None);
    }
}
