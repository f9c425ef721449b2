//! A host as a program, which is started and stopped as cases want it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conformance::app::{Life, hello};
use conformance::check::{Problem, Verdict};

use crate::commands::conformance::child::Child;
use crate::commands::conformance::interrupt::Interrupt;

/// How long the first answer may take before it is asked for again: what a host before this one was asked is lost.
const FIRST: Duration = Duration::from_secs(1);

/// A program that serves the sample.
pub(super) struct Program<C> {
    command: C,
    folder: PathBuf,
    address: SocketAddr,
    patience: Duration,
    interrupt: Interrupt,
    running: Mutex<Option<Child>>,
}

impl<C: Fn(Duration) -> Command + Send + Sync> Program<C> {
    /// One that answers at an address, once it is started; `command` gets how long it may take to stop.
    pub(super) fn new(
        command: C,
        folder: &Path,
        address: SocketAddr,
        patience: Duration,
        interrupt: Interrupt,
    ) -> Self {
        Self { command, folder: folder.to_owned(), address, patience, interrupt, running: Mutex::default() }
    }

    fn running(&self) -> MutexGuard<'_, Option<Child>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Fn(Duration) -> Command + Send + Sync> Life for Program<C> {
    fn restart(&self, grace: Duration) -> Verdict {
        // Dropped, it ends; however it does.
        drop(self.running().take());
        let mut command = (self.command)(grace);
        command.current_dir(&self.folder);
        let child = Child::start(&mut command, &self.folder.join("host.log"), &self.interrupt);
        let child = child.map_err(Problem::wrong)?;
        let answers = || hello(self.address, FIRST.min(self.patience)).is_ok();
        child.until("its start", self.patience, answers).map_err(Problem::wrong)?;
        *self.running() = Some(child);
        Ok(())
    }

    fn stop(&self) -> Verdict {
        let running = self.running();
        let child = running.as_ref().ok_or_else(|| Problem::wrong("it doesn't run"))?;
        child.stop();
        Ok(())
    }

    fn wait(&self) -> Verdict {
        let Some(child) = self.running().take() else { return Ok(()) };
        child.wait(self.patience).map_err(Problem::Wrong)
    }
}
