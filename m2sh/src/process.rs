//! A running server: found by its PID file, held by a pidfd, so that no signal reaches a stranger.
//!
//! A PID may be given to another process at any time; a pidfd stays with the process that it was opened
//! for.  So the PID file is asked a second time once the pidfd is there: if the server is still the owner,
//! the pidfd is the server's.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use mongrel2::config::Server;
use mongrel2_server::pidfile;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The process of a running server.
#[derive(Debug)]
pub struct Process {
    /// Its process ID.
    pub pid: u32,
    pidfd: OwnedFd,
}

/// What a server's PID file says.
#[derive(Debug)]
pub enum State {
    /// The server runs.
    Running(Process),
    /// A server has left the file behind.
    Stale,
    /// There is no file.
    Missing,
    /// This user can't look.
    Hidden(io::Error),
}

impl State {
    /// Looks a server up.
    pub fn of(server: &Server) -> Self {
        let path = server.pid_path();
        Self::at(&path).unwrap_or_else(Self::Hidden)
    }

    fn at(path: &Path) -> io::Result<Self> {
        while let Some(pid) = pidfile::owner(path)? {
            if let Some(process) = Process::open(pid)?
                && pidfile::owner(path)? == Some(pid)
            {
                return Ok(Self::Running(process));
            }
        }
        Ok(if path.try_exists()? { Self::Stale } else { Self::Missing })
    }
}

impl Process {
    /// A process by its ID; `None` if it has ended.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(pid: u32) -> io::Result<Option<Self>> {
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        match pidfd_open(raw, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Some(Self { pid, pidfd })),
            Err(rustix::io::Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a signal.  That the process has ended already is no failure.
    ///
    /// # Errors
    /// The process belongs to another user.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            result => Ok(result?),
        }
    }

    /// Waits for the end of the process, within a tokio runtime.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn ended(&self) -> io::Result<()> {
        // SAFETY: the descriptor is borrowed from `self`, so that it is open, and the same, until after the `AsyncFd` is
        // dropped, and a copy of what is borrowed is the same descriptor.
        let end = unsafe { AsyncFd::register_with_interest(self.pidfd.as_fd(), Interest::READABLE) }?;
        end.readable().await.map(drop)
    }

    /// Waits for the end of the process, at most until `deadline`; says whether it has come.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn wait_until(&self, deadline: Instant) -> io::Result<bool> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
            match poll(&mut fds, Some(&timespec(left))) {
                Ok(ready) => return Ok(ready > 0),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The same, for so long from now.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn wait(&self, time: Duration) -> io::Result<bool> {
        self.wait_until(Instant::now() + time)
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(time.subsec_nanos()) }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_signalled_and_waited_for() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::open(child.id()).unwrap().unwrap();
        assert!(!process.wait(Duration::ZERO).unwrap());
        process.signal(Signal::TERM).unwrap();
        assert!(process.wait(Duration::from_secs(30)).unwrap());
        child.wait().unwrap();
        process.signal(Signal::TERM).unwrap();
        assert!(Process::open(child.id()).unwrap().is_none());
    }
}
