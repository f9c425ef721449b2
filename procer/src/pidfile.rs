//! The PID file of a service: read, and believed only with a reason.
//!
//! A file that was left behind may hold the number of a process that has nothing to do with it.  The process that the file
//! was written about existed when it was written: one that was started later is a stranger.  Nor is it believed when its
//! process is another user's, is init, or is procer itself.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;
use thiserror::Error;

use crate::process::{Seen, is_ours, see, started};
use crate::service::Process;

/// Times of files lag by the kernel's tick, times of starts by a clock tick, and clocks are slewed.
const SLACK: Duration = Duration::from_millis(250);

/// Longer than any number.
const MAX_SIZE: u64 = 64;

/// Why a PID file names no process of the service.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum Disbelief {
    #[error("it isn't there")]
    Missing,
    #[error("it can't be read: {0}")]
    Unreadable(String),
    #[error("it holds no number")]
    Words,
    #[error("it names {0}, which is no service")]
    NoService(i64),
    #[error("process {0} has ended")]
    Dead(i32),
    #[error("process {0} was started after the file was written")]
    Younger(i32),
    #[error("process {0} is another user's")]
    Foreign(i32),
}

/// The process that a file names, if it may be that of a service of the user `uid`; root's may be anybody's.
pub(crate) fn look(path: &Path, uid: u32) -> Result<Process, Disbelief> {
    let (text, written) = read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Disbelief::Missing,
        _ => Disbelief::Unreadable(error.to_string()),
    })?;
    let pid = number(&text, std::process::id())?;
    let seen = see(pid).ok_or(Disbelief::Dead(pid))?;
    judge(&seen, uid, started(seen.process), written, || is_ours(&seen))?;
    Ok(seen.process)
}

/// When a file was written, as a time since 1970.
pub(crate) fn written(path: &Path) -> Option<Duration> {
    std::fs::metadata(path).ok()?.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()
}

fn read(path: &Path) -> io::Result<(String, Duration)> {
    // A pipe or a terminal under that name must not hold procer up.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file: File = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_SIZE).read_to_end(&mut bytes)?;
    let written = Duration::new(found.mtime().unsigned_abs(), u32::try_from(found.mtime_nsec()).unwrap_or_default());
    Ok((String::from_utf8_lossy(&bytes).into_owned(), written))
}

/// The first word, as far as it may be the number of a service.
fn number(text: &str, own: u32) -> Result<i32, Disbelief> {
    let word = text.split_whitespace().next().ok_or(Disbelief::Words)?;
    let number: i64 = word.parse().map_err(|_| Disbelief::Words)?;
    let pid = i32::try_from(number).ok().filter(|pid| *pid > 1 && i64::from(*pid) != i64::from(own));
    pid.ok_or(Disbelief::NoService(number))
}

fn judge(
    seen: &Seen,
    uid: u32,
    started: Duration,
    written: Duration,
    ours: impl FnOnce() -> bool,
) -> Result<(), Disbelief> {
    let pid = seen.process.pid;
    if uid != 0 && seen.uid != uid {
        return Err(Disbelief::Foreign(pid));
    }
    if started > written + SLACK && !ours() {
        return Err(Disbelief::Younger(pid));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    #[test]
    fn numbers_that_are_no_services() {
        assert_eq!(number("4711\n", 9), Ok(4711));
        assert_eq!(number(" 4711 and more", 9), Ok(4711));
        for text in ["", "\n", "words", "12x", "0x10", "99999999999999999999"] {
            assert_eq!(number(text, 9), Err(Disbelief::Words), "{text}");
        }
        for text in ["0", "1", "-1", "-4711", "9", "99999999999"] {
            assert!(matches!(number(text, 9), Err(Disbelief::NoService(_))), "{text}");
        }
    }

    #[test]
    fn strangers_are_told_by_user_and_start() {
        let seen = Seen { process: Process { pid: 50, start: 1 }, parent: 1, group: 50, uid: 1000 };
        let at = Duration::from_secs;
        let judged = |uid, started, written, ours| judge(&seen, uid, at(started), at(written), || ours);
        assert_eq!(judged(1000, 100, 100, false), Ok(()));
        assert_eq!(judged(0, 100, 5000, false), Ok(()), "root's service may have become somebody else");
        assert_eq!(judged(1001, 100, 100, false), Err(Disbelief::Foreign(50)));
        assert_eq!(judged(1001, 100, 100, true), Err(Disbelief::Foreign(50)), "nor is it another service");
        assert_eq!(judged(1000, 101, 100, false), Err(Disbelief::Younger(50)));
        assert_eq!(judged(1000, 101, 100, true), Ok(()), "procer has started it itself");
    }

    #[test]
    fn files_of_all_kinds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pid");
        let uid = rustix::process::geteuid().as_raw();
        assert_eq!(look(&path, uid), Err(Disbelief::Missing));
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(&path, format!("{}\n", child.id())).unwrap();
        assert_eq!(look(&path, uid).map(|process| process.pid), Ok(i32::try_from(child.id()).unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(look(&path, uid), Err(Disbelief::Dead(i32::try_from(child.id()).unwrap())));
        assert!(matches!(look(folder.path(), uid), Err(Disbelief::Unreadable(_))));
        assert!(matches!(look(Path::new("/dev/zero"), uid), Err(Disbelief::Unreadable(_))));
        fs::write(&path, std::process::id().to_string()).unwrap();
        assert!(matches!(look(&path, uid), Err(Disbelief::NoService(_))));
        fs::write(&path, vec![b'7'; 1_000_000]).unwrap();
        assert_eq!(look(&path, uid), Err(Disbelief::Words));
    }
}
