//! procer, which runs the demos: started in the background, or found there, followed, and ended with all that it runs.
//!
//! It is no child of m2sh: should m2sh be killed, procer goes on, and the next m2sh finds it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use procer::client::{self, whole};
use procer::control::protocol::{Phase, Status};
use tokio::time::sleep;

use crate::error::Error;
use crate::process::Process;
use crate::profile::this_program;

use super::super::folder::Folder;

/// How long the start of everything may take.
const START: Duration = Duration::from_secs(120);

/// How long the end of everything may take; procer kills what takes too long by itself.
const END: Duration = Duration::from_secs(60);

/// How often services are looked at that have not answered yet.
const TICK: Duration = Duration::from_millis(300);

/// The procer of a folder.
#[derive(Debug)]
pub(super) struct Procer {
    profiles: PathBuf,
    process: Process,
}

impl Procer {
    /// The one that an m2sh has left behind, if there is one.
    ///
    /// # Errors
    /// There is one that can't be followed.
    pub(super) fn find(folder: &Folder) -> Result<Option<Self>, Error> {
        let profiles = folder.path().join("profiles");
        if client::services(Some(profiles.clone()), Vec::new()).is_err() {
            return Ok(None);
        }
        let pid =
            fs::read_to_string(folder.path().join("run/procer.pid")).ok().and_then(|text| text.trim().parse().ok());
        let process = pid.and_then(|pid| Process::open(pid).ok().flatten());
        let foreign = || {
            Error::cannot("find the procer that runs already", "it has not written `run/procer.pid`")
                .hint(format!("`procer quit --profiles {}` ends it", profiles.display()))
        };
        let process = process.ok_or_else(foreign)?;
        Ok(Some(Self { profiles, process }))
    }

    /// Starts one.
    ///
    /// # Errors
    /// What it says.
    pub(super) fn start(folder: &Folder) -> Result<Self, Error> {
        let cannot = |error: &dyn std::fmt::Display| Error::cannot("start procer", error);
        let mut procer = Command::new(this_program()?);
        procer.arg("procer").args(["profiles", "run/procer.pid"].map(|name| folder.path().join(name)));
        let output = procer.stdin(Stdio::null()).stdout(Stdio::null()).output().map_err(|error| cannot(&error))?;
        if !output.status.success() {
            return Err(Error::listed(String::from_utf8_lossy(&output.stderr)));
        }
        match Self::find(folder) {
            Ok(found) => found.ok_or_else(|| cannot(&"it has ended again")),
            Err(error) => {
                // Nobody else will end it.  What keeps it from being ended is no news to who hears what went wrong first.
                let _ = whole::end(folder.path().join("profiles"), END);
                Err(error)
            }
        }
    }

    /// Has the profiles read again, which may have changed since they were.
    ///
    /// # Errors
    /// What procer says.
    pub(super) fn reload(&self) -> Result<(), Error> {
        whole::reload(self.profiles()).map_err(told)
    }

    /// Has services started.  This doesn't wait for them, and is over before anything else is asked: a start that came
    /// behind the [`end`](Self::end) would be one too many.
    ///
    /// # Errors
    /// What procer says.
    pub(super) fn run(&self, names: Vec<String>) -> Result<(), Error> {
        whole::start(self.profiles(), names).map_err(told)
    }

    /// Waits until nothing more is to be expected of services.
    ///
    /// # Errors
    /// What procer says.
    pub(super) async fn settled(&self, names: Vec<String>) -> Result<Vec<Status>, Error> {
        self.ask(move |profiles| whole::settled(profiles, names, START)).await
    }

    /// Stops all services, and ends.
    ///
    /// # Errors
    /// What procer says.
    pub(super) async fn end(&self) -> Result<(), Error> {
        self.ask(|profiles| whole::end(profiles, END)).await?;
        // Its last words are said; now it is gone too.
        self.ended().await;
        Ok(())
    }

    /// Waits until one of these services isn't ready any more.  They are asked for again and again: a thread that waited for
    /// events couldn't be called back by who has heard enough, and would hold up the end.
    pub(super) async fn loses(&self, names: &[&str]) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        loop {
            sleep(TICK).await;
            let names = names.clone();
            let services = self.ask(|profiles| client::services(Some(profiles), names)).await;
            if services.map_or(true, |services| services.iter().any(|service| service.state != Phase::Ready)) {
                return;
            }
        }
    }

    /// Kills what doesn't end by itself.
    pub(super) async fn hurry(&self) {
        // If procer has ended, so has the rest.
        let _ = self.ask(whole::kill).await;
    }

    /// Waits until procer has ended.
    pub(super) async fn ended(&self) {
        // What can't be followed counts as gone.
        let _ = self.process.ended().await;
    }

    /// The folder with the profiles.
    pub(super) fn profiles(&self) -> PathBuf {
        self.profiles.clone()
    }

    /// Has a conversation with it, which blocks, on a thread of its own.
    async fn ask<T: Send + 'static>(
        &self,
        talk: impl FnOnce(PathBuf) -> Result<T, procer::error::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let profiles = self.profiles();
        tokio::task::spawn_blocking(move || talk(profiles)).await.expect("talking never panics").map_err(told)
    }
}

/// What procer's side says, in its own words.
fn told(error: procer::error::Error) -> Error {
    Error::listed(error.lines())
}
