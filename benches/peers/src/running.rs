//! A started server, which ends when it is dropped.

use std::io;
use std::net::SocketAddr;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;
use crate::config::Site;
use crate::error::Error;
use crate::handler::Program;
use crate::peer::{self, Kind, Peer};
use crate::row::Setup;
use crate::{tls, usage};

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
    handlers: Vec<Program>,
    /// Whom it passes requests to.
    upstream: Option<Box<Running>>,
    /// From the start of the process to its first answer.
    pub(crate) start: Duration,
}

impl Running {
    /// Starts a server and waits for its first answer; before it its upstream, and then its handlers, and waits for the
    /// first answer of theirs.
    ///
    /// # Errors
    /// It can't be started, ends, or doesn't answer; or its upstream, or its handlers.
    pub(crate) fn start(peer: &Peer, setup: Setup) -> Result<Self, Error> {
        let upstream = match setup {
            Setup::Proxy { .. } => Some(Box::new(Self::start(&peer::upstream()?, Setup::Files { routes: 0 })?)),
            _ => None,
        };
        let site = Site::prepare(peer.kind, setup, upstream.as_ref().map(|upstream| upstream.site.address))?;
        let began = Instant::now();
        let child = site.command(peer).spawn().map_err(Error::doing(format!("start {}", peer.name)))?;
        let mut running = Self { site, kind: peer.kind, child, handlers: Vec::new(), upstream, start: Duration::ZERO };
        running.await_answer("/1k.txt")?;
        running.start = began.elapsed();
        // Not earlier: whoever connects to a free port where nobody listens may meet himself.
        let places = std::mem::take(&mut running.site.handlers);
        running.handlers = places.iter().map(Program::start).collect::<Result<_, _>>()?;
        if !places.is_empty() {
            running.await_answer(&running.path("answer"))?;
        }
        Ok(running)
    }

    fn await_answer(&mut self, path: &str) -> Result<(), Error> {
        let began = Instant::now();
        let (address, tls) = (self.site.address, self.site.tls);
        let answers = || if tls { tls::client(address)?.get(path) } else { Client::connect(address)?.get(path) };
        while answers().is_err() {
            if let Some(status) = self.child.try_wait().map_err(Error::doing("watch it"))? {
                return Err(Error::doing("start")(io::Error::other(format!("it ends with {status}"))));
            }
            self.handlers.iter_mut().try_for_each(Program::check).map_err(Error::doing("start a handler"))?;
            if began.elapsed() > PATIENCE {
                return Err(Error::Silent(PATIENCE.as_secs()));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Where a file is, or what a handler is asked for.
    pub(crate) fn path(&self, file: &str) -> String {
        format!("{}{file}", self.site.prefix)
    }

    /// The address of its upstream, if it has one.
    pub(crate) fn upstream(&self) -> Option<SocketAddr> {
        self.upstream.as_ref().map(|upstream| upstream.site.address)
    }

    pub(crate) fn cpu(&self) -> Duration {
        usage::cpu(self.child.id())
    }

    pub(crate) fn memory(&self) -> u64 {
        usage::memory(self.child.id())
    }

    /// The most memory it has had since the last call.
    pub(crate) fn peak_memory(&self) -> u64 {
        usage::peak_memory(self.child.id())
    }

    /// Makes it read its configuration again.
    pub(crate) fn reload(&self) {
        signal(self.child.id(), self.kind.reload());
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
