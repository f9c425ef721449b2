//! Processes of this machine: who a number belongs to, when it ends, and signals that reach nobody else.
//!
//! A number may belong to another process at any time.  So a process is a number and the time of its start, and what is
//! signalled or waited for is a pidfd, opened first and compared then.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, WaitId, WaitIdOptions, WaitIdStatus, getpgid, getpgrp, kill_process_group, pidfd_open,
    pidfd_send_signal, test_kill_process_group, waitid,
};
use rustix::time::{ClockId, clock_gettime};

use crate::service::{How, Process};
use crate::signal::Signal;

/// What `/proc` says about a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) process: Process,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    /// The effective user.
    pub(crate) uid: u32,
}

/// Looks at a process; `None` if there is none, or only what is left of it.
pub(crate) fn see(pid: i32) -> Option<Seen> {
    let (state, parent, group, start) = stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let uid = ids.split_whitespace().nth(1)?.parse().ok()?;
    (!matches!(state, 'Z' | 'X')).then_some(Seen { process: Process { pid, start }, parent, group, uid })
}

/// The time of a process's start, in clock ticks from boot; that of a dead child too.
pub(crate) fn start(pid: i32) -> Option<u64> {
    stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?).map(|(_, _, _, start)| start)
}

/// State, parent, group and start (proc_pid_stat(5)); the name in parentheses may hold anything.
fn stat(text: &str) -> Option<(char, i32, i32, u64)> {
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<i32>().ok();
    Some((fields.first()?.chars().next()?, number(1)?, number(2)?, fields.get(19)?.parse().ok()?))
}

/// What a process executes, where this one may know.
pub(crate) fn executable(pid: i32) -> Option<String> {
    Some(fs::read_link(format!("/proc/{pid}/exe")).ok()?.to_string_lossy().into_owned())
}

/// Whether a process descends from this one.
pub(crate) fn is_ours(seen: &Seen) -> bool {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let mut parent = seen.parent;
    // Deeper than that nobody looks; a chain could change into a circle while it is followed.
    for _ in 0..64 {
        match parent {
            parent if parent == own => return true,
            ..=1 => return false,
            _ => {}
        }
        let Some(next) = see(parent) else { return false };
        parent = next.parent;
    }
    false
}

/// The resident memory of all processes, looked at once.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    groups: HashMap<i32, u64>,
    processes: HashMap<i32, u64>,
}

impl Memory {
    /// As it is now.
    pub(crate) fn look() -> Self {
        let page = rustix::param::page_size() as u64;
        let mut memory = Self::default();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
            let Some((pid, group, pages)) = pid.and_then(resident) else { continue };
            *memory.groups.entry(group).or_default() += pages * page;
            memory.processes.insert(pid, pages * page);
        }
        memory
    }

    /// That of all processes of a group together, in bytes.
    pub(crate) fn of_group(&self, group: i32) -> u64 {
        self.groups.get(&group).copied().unwrap_or_default()
    }

    /// That of one process, in bytes.
    pub(crate) fn of_process(&self, pid: i32) -> u64 {
        self.processes.get(&pid).copied().unwrap_or_default()
    }
}

/// A process's number, group and pages.
fn resident(pid: i32) -> Option<(i32, i32, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    Some((pid, fields.get(2)?.parse().ok()?, fields.get(21)?.parse().ok()?))
}

/// What tells one boot of the machine from another.
pub(crate) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// The time since boot.
pub(crate) fn now() -> Duration {
    elapsed(clock_gettime(ClockId::Boottime))
}

/// When a process was started, as a time since boot.
pub(crate) fn since(process: Process) -> Duration {
    let ticks = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_secs(process.start / ticks)
        + Duration::from_secs(process.start % ticks) / u32::try_from(ticks).unwrap_or(1)
}

/// When a process was started, as a time since 1970.
pub(crate) fn started(process: Process) -> Duration {
    (elapsed(clock_gettime(ClockId::Realtime)) + since(process)).saturating_sub(now())
}

fn elapsed(time: Timespec) -> Duration {
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// A process that is watched.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) process: Process,
    pub(crate) pidfd: OwnedFd,
}

impl Watch {
    /// Takes hold of a process; `None` if it has ended.
    pub(crate) fn open(process: Process) -> io::Result<Option<Self>> {
        let Some(pid) = Pid::from_raw(process.pid) else { return Ok(None) };
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok((start(process.pid) == Some(process.start)).then_some(Self { process, pidfd }))
    }

    /// Sends it alone a signal; that it has ended is no failure.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.pidfd, signal.raw()) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            result => Ok(result?),
        }
    }

    /// How it has ended, if it has.
    pub(crate) fn end(&self) -> Option<How> {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        if poll(&mut fds, Some(&Timespec::default())) != Ok(1) {
            return None;
        }
        let waited =
            waitid(WaitId::PidFd(rustix::fd::AsFd::as_fd(&self.pidfd)), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        Some(waited.ok().flatten().map_or(How::Unknown, |status| how(&status)))
    }

    /// The group that may be signalled as a whole: the one that it leads, or that its `run` has led.
    pub(crate) fn group(&self, run: Option<i32>) -> Option<i32> {
        let group = getpgid(Pid::from_raw(self.process.pid)).ok()?;
        let own = group == getpgrp();
        let group = group.as_raw_nonzero().get();
        (!own && group > 1 && (group == self.process.pid || Some(group) == run)).then_some(group)
    }
}

fn how(status: &WaitIdStatus) -> How {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => How::Exited(status),
        (None, Some(signal)) => How::Killed(signal),
        (None, None) => How::Unknown,
    }
}

/// Takes one dead child away: its number, and how it has ended.
pub(crate) fn reap() -> Option<(i32, How)> {
    let (pid, status) = rustix::process::wait(rustix::process::WaitOptions::NOHANG).ok().flatten()?;
    let how = match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => How::Exited(status),
        (None, Some(signal)) => How::Killed(signal),
        (None, None) => How::Unknown,
    };
    Some((pid.as_raw_nonzero().get(), how))
}

/// Whether there is anybody in a group.
pub(crate) fn has_members(group: i32) -> bool {
    // That they may not be signalled says that they are there.
    Pid::from_raw(group).is_some_and(|group| test_kill_process_group(group) != Err(rustix::io::Errno::SRCH))
}

/// Sends all processes of a group a signal.
pub(crate) fn signal_group(group: i32, signal: Signal) {
    if let Some(group) = Pid::from_raw(group).filter(|group| group.as_raw_nonzero().get() > 1) {
        // Whoever has ended meanwhile needs none.
        let _ = kill_process_group(group, signal.raw());
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_stat_is_read_behind_the_last_parenthesis() {
        let text = "4711 (a) b (c) S 1 4712 4711 0 -1 4194304 9 0 0 0 120 35 0 0 20 0 3 0 98765 1 2\n";
        assert_eq!(stat(text), Some(('S', 1, 4712, 98765)));
        assert_eq!(stat("4711 (short) S 1"), None);
    }

    #[test]
    fn a_child_is_seen_and_its_end_noticed() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let seen = see(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(is_ours(&seen));
        assert_eq!(seen.uid, rustix::process::geteuid().as_raw());
        let age = elapsed(clock_gettime(ClockId::Realtime)).saturating_sub(started(seen.process));
        assert!(age < Duration::from_secs(60), "{age:?}");
        let watch = Watch::open(seen.process).unwrap().unwrap();
        assert_eq!(watch.end(), None);
        assert_eq!(watch.group(None), None, "the group is that of the test");
        let other = Process { start: seen.process.start + 1, ..seen.process };
        assert!(Watch::open(other).unwrap().is_none(), "another process had that number");
        watch.signal(Signal::KILL).unwrap();
        let mut fds = [PollFd::new(&watch.pidfd, PollFlags::IN)];
        poll(&mut fds, None).unwrap();
        assert_eq!(watch.end(), Some(How::Killed(9)));
        assert!(child.wait().is_err() || see(seen.process.pid).is_none());
    }

    #[test]
    fn nobody_is_in_the_group_of_nobody() {
        assert!(!has_members(i32::MAX));
        assert!(see(i32::MAX).is_none() && see(0).is_none() && see(-1).is_none());
    }
}
