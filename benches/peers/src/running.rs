//! A started server, which ends when it is dropped.

use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;
use crate::config::Site;
use crate::error::Error;
use crate::peer::{Kind, Peer};
use crate::usage;

/// How long a server may take to answer for the first time, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks; short, since the start is measured.
const PAUSE: Duration = Duration::from_micros(100);

/// A running server.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) site: Site,
    kind: Kind,
    child: Child,
    /// From the start of the process to its first answer.
    pub(crate) start: Duration,
}

impl Running {
    /// Starts a server and waits for its first answer.
    ///
    /// # Errors
    /// It can't be started, ends, or doesn't answer.
    pub(crate) fn start(peer: &Peer, site: Site) -> Result<Self, Error> {
        let began = Instant::now();
        let child = site.command(peer).spawn().map_err(Error::doing(format!("start {}", peer.name)))?;
        let mut running = Self { site, kind: peer.kind, child, start: Duration::ZERO };
        while !running.answers() {
            let ended = running.child.try_wait().map_err(Error::doing("watch it"))?;
            if let Some(status) = ended {
                return Err(Error::doing("start")(std::io::Error::other(format!("it ends with {status}"))));
            }
            if began.elapsed() > PATIENCE {
                return Err(Error::Silent(PATIENCE.as_secs()));
            }
            thread::sleep(PAUSE);
        }
        running.start = began.elapsed();
        Ok(running)
    }

    /// Where a file is.
    pub(crate) fn path(&self, file: &str) -> String {
        format!("{}{file}", self.site.prefix)
    }

    pub(crate) fn cpu(&self) -> Duration {
        usage::cpu(self.child.id())
    }

    pub(crate) fn memory(&self) -> u64 {
        usage::memory(self.child.id())
    }

    /// Makes it read its configuration again.
    pub(crate) fn reload(&self) {
        signal(self.child.id(), self.kind.reload());
    }

    fn answers(&self) -> bool {
        let ask = || Client::connect(self.site.address)?.get(&self.path("1k.txt"));
        ask().is_ok()
    }

    fn ends_within(&mut self, patience: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < patience {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(PAUSE);
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its children are ours to end as well if it doesn't.
        let family = usage::processes(self.child.id());
        signal(self.child.id(), Signal::TERM);
        if !self.ends_within(Duration::from_secs(5)) {
            family.into_iter().for_each(|process| signal(process, Signal::KILL));
            self.ends_within(PATIENCE);
        }
    }
}

/// Sends a signal; a process that has ended meanwhile doesn't need it.
fn signal(process: u32, signal: Signal) {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    let _ = process.map(|process| kill_process(process, signal));
}
