//! Everything that runs: started, told about, and ended.

use std::fs;

use ::procer::control::protocol::{Phase, Status};
use mongrel2::config::Server;

use crate::address::reachable;
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::process::State;
use crate::session::Session;
use crate::tail::last_lines;

use super::super::folder::Folder;
use super::super::guide::command;
use super::super::handler::Handler;
use super::board::Board;
use super::guide::{self, Started};
use super::patience::Patience;
use super::plan::{self, Row};
use super::probe;
use super::procer::Procer;
use super::services::SERVER;

/// The server and the demos, under procer.
pub(super) struct Running<'a> {
    folder: &'a Folder,
    server: &'a Server,
    procer: Procer,
}

impl<'a> Running<'a> {
    /// Begins with procer: a new one, or the one that a killed m2sh has left.
    ///
    /// # Errors
    /// procer can't be started.
    pub(super) fn begin(folder: &'a Folder, server: &'a Server) -> Result<Self, Error> {
        let procer = match Procer::find(folder)? {
            Some(found) => {
                say("m2sh: the last m2sh here was killed; what it has left running is taken over");
                found.reload()?;
                found
            }
            None => Procer::start(folder)?,
        };
        Ok(Self { folder, server, procer })
    }

    /// Runs it all until somebody ends it; then nothing of it runs any more.
    ///
    /// # Errors
    /// What can't be started or stopped.
    pub(super) fn run(&self, rows: &[Row], patience: &mut Patience, session: &mut Session) -> Result<Exit, Error> {
        let exit = self.attend(rows, patience, session);
        let end = self.end(patience);
        // What went wrong first is what is told.
        exit.and_then(|exit| end.map(|()| exit))
    }

    fn attend(&self, rows: &[Row], patience: &mut Patience, session: &mut Session) -> Result<Exit, Error> {
        self.procer.run(names(rows))?;
        let Some(started) = patience.unless_signalled("start the demos", self.started(rows)) else {
            return Ok(Exit::Success);
        };
        let _handler = Handler::start(self.server, Board::new(rows.to_vec(), self.procer.profiles()))?;
        guide::show(self.folder, self.server, &started?, session)?;
        match patience.silently(self.procer.ended()) {
            Some(()) => Err(self.deserted()),
            None => Ok(Exit::Success),
        }
    }

    /// Waits until all services have been started, and the demos answer.
    async fn started(&self, rows: &[Row]) -> Result<Vec<Started>, Error> {
        let services = self.procer.settled(names(rows)).await?;
        let runs = |name: &str| services.iter().any(|service| service.name == name && service.state == Phase::Ready);
        if !runs(SERVER) {
            return Err(self.refused(&services));
        }
        let mut started = Vec::new();
        for row in rows {
            let answers = row.lack.is_none() && row.services().all(runs) && self.answers(row).await;
            started.push(Started { row: row.clone(), answers });
        }
        Ok(started)
    }

    /// Waits until a demo answers, or one of its services has ended.
    async fn answers(&self, row: &Row) -> bool {
        let Some(path) = row.demo.probe else { return true };
        let names: Vec<&str> = row.services().collect();
        tokio::select! {
            answers = probe::answers(reachable(self.server.address()), path) => answers,
            () = self.procer.loses(&names) => false,
        }
    }

    /// Stops everything; a signal makes it hurry.
    fn end(&self, patience: &mut Patience) -> Result<(), Error> {
        patience.with_each_signal("stop everything", self.procer.end(), async || self.procer.hurry().await)?;
        // A server that is stopped before it serves leaves this behind.
        if matches!(State::of(self.server), State::Stale) {
            let _ = fs::remove_file(self.server.pid_path());
        }
        say(&format!("m2sh: stopped; everything stays in `{}` for the next time", self.folder.path().display()));
        Ok(())
    }

    /// The server isn't there, and why, as far as `m2sh start` has said it.
    fn refused(&self, services: &[Status]) -> Error {
        let of = services.iter().find(|service| service.name == SERVER);
        let why = of.and_then(|service| service.why.clone()).unwrap_or_default();
        let log = self.procer.profiles().join("run.log");
        let end = format!("the end of `{}`:\n{}", log.display(), last_lines(&log));
        Error::cannot("start the server", format!("{why}\n{end}"))
    }

    fn deserted(&self) -> Error {
        Error::cannot("go on", "procer has ended, and what it has started goes on")
            .hint(format!("`{} --all` takes it over; Ctrl-C stops it then", command(self.folder)))
    }
}

/// What is to run.
fn names(rows: &[Row]) -> Vec<String> {
    std::iter::once(SERVER.to_owned()).chain(plan::services(rows)).collect()
}
