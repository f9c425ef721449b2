//! What the kernel tells everybody of a process, in the words of proc(5): since when it runs, and as whom.
//!
//! Pure but for [`started`] and [`user`], which read; on a system that hides the processes of others they know nothing.

use std::fs;

use chrono::{DateTime, Utc};

/// When a process began.
pub fn started(pid: u32) -> Option<DateTime<Utc>> {
    let ticks = start_ticks(&fs::read(format!("/proc/{pid}/stat")).ok()?)?;
    let boot = boot_time(&fs::read_to_string("/proc/stat").ok()?)?;
    let seconds = ticks / rustix::param::clock_ticks_per_second().max(1);
    DateTime::from_timestamp(boot + i64::try_from(seconds).ok()?, 0)
}

/// The id of the user as whom a process acts.
pub fn user(pid: u32) -> Option<u32> {
    effective_user(&fs::read(format!("/proc/{pid}/status")).ok()?)
}

/// The start in clock ticks since the system's: the 22nd field, the second of which may have anything in its brackets.
fn start_ticks(stat: &[u8]) -> Option<u64> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let behind = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    behind.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

/// The system's own start, in seconds since 1970.
fn boot_time(stat: &str) -> Option<i64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn effective_user(status: &[u8]) -> Option<u32> {
    // The name of the process may be no UTF-8, and can't break a line.
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_found_behind_any_name() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        for name in ["mongrel2", "a b) R 1 2", "x\u{1b}("] {
            assert_eq!(start_ticks(format!("12 ({name}) {fields}").as_bytes()), Some(4711), "{name}");
        }
        for broken in ["", "12 (x", "12 (x) S 1", "12 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x"] {
            assert_eq!(start_ticks(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn the_system_began_at_some_time() {
        assert_eq!(boot_time("cpu 1\nbtime 1795170000\nprocesses 5\n"), Some(1_795_170_000));
        assert_eq!(boot_time("cpu 1\n"), None);
    }

    #[test]
    fn a_process_acts_as_its_effective_user() {
        assert_eq!(effective_user(b"Name:\t\xff\nUid:\t0\t65534\t0\t0\nGid:\t1\t2\t3\t4\n"), Some(65534));
        assert_eq!(effective_user(b"Name:\tx\n"), None);
    }

    #[test]
    fn this_process_is_known() {
        let pid = std::process::id();
        assert!(started(pid).unwrap() <= Utc::now() && started(pid).unwrap() > DateTime::UNIX_EPOCH);
        assert_eq!(user(pid), Some(rustix::process::geteuid().as_raw()));
        assert_eq!((started(u32::MAX), user(u32::MAX)), (None, None));
    }
}
