//! `m2sh demo --all`: every demo of the examples in one folder, behind one server, under procer.
//!
//! * [`demos`]: the table of them.  [`contents`]: what the folder is made of.  [`claim`]: one m2sh for each folder.
//! * [`tools`], with [`python`] and [`child`]: what this machine has of what they need.  [`plan`]: which run.
//! * [`services`]: their profiles.  [`procer`]: who runs them.  [`probe`]: whether they answer.
//! * [`board`]: what the page shows.  [`guide`]: what the terminal shows.

mod board;
mod child;
mod claim;
mod contents;
mod demos;
mod guide;
mod plan;
mod probe;
mod procer;
mod python;
mod services;
mod tools;

use std::net::TcpListener;

use ::procer::control::protocol::{Phase, Status};
use mongrel2::config::Server;
use rustix::process::Signal;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::address::reachable;
use crate::args::{Demo as Args, Which};
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::found::Found;
use crate::progress::during;
use crate::session::Session;
use crate::tail::last_lines;

use super::super::{crew, start};
use super::folder::Folder;
use super::guide as one;
use super::handler::Handler;
use board::Board;
use claim::Claim;
use contents::contents;
use guide::Started;
use plan::Row;
use procer::Procer;
use tools::Tools;

pub(super) fn run(args: &Args, session: &mut Session) -> Result<Exit, Error> {
    let folder = Folder::at(args.folder(), contents())?;
    folder.fill()?;
    let _claim = Claim::take(&folder)?;
    session.db = folder.database();
    let Some(server) = configured(args, &folder, session)? else { return Ok(Exit::Failure) };
    start::make_folders(&server, None)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::cannot("wait for the demos", error))?;
    let signals = runtime.block_on(async { crew::signals() });
    let mut signals = signals.map_err(|error| Error::cannot("listen for signals", error))?;
    let tools = during("see what the demos need", || {
        runtime.block_on(async {
            tokio::select! {
                tools = Tools::look(folder.path()) => Some(tools),
                _ = signals.recv() => None,
            }
        })
    });
    let Some(tools) = tools else { return Ok(Exit::Success) };
    let rows = plan::rows(&folder, &server, &tools);
    services::write(&folder, &server, &rows)?;
    let demos = All { folder: &folder, server: &server, procer: procer(&folder)? };
    let exit = demos.attend(&rows, &runtime, &mut signals, session);
    let end = demos.end(&runtime, &mut signals);
    // What went wrong first is what is told.
    exit.and_then(|exit| end.map(|()| exit))
}

/// The server that is to be run, from the script; `None` if that is faulty, which has been told then.  One that runs
/// already, as an m2sh was killed, stays as it is.
fn configured(args: &Args, folder: &Folder, session: &mut Session) -> Result<Option<Server>, Error> {
    if let Some(server) = running(session)? {
        return match args.port {
            Some(port) if server.port != i64::from(port) => {
                let pid = folder.path().join("run/procer.pid");
                Err(Error::cannot(
                    format!("use port {port}"),
                    format!("the server runs already, on port {}", server.port),
                )
                .hint("leave out `--port`, and what runs is taken over; Ctrl-C stops it then")
                .hint(format!("what runs it is the process in `{}`", pid.display())))
            }
            _ => Ok(Some(server)),
        };
    }
    let Some(server) = super::load(args, folder, session)? else { return Ok(None) };
    let next = format!("{} --all --port {}", one::command(folder), server.port % 65535 + 1);
    TcpListener::bind(server.address()).map_err(|error| {
        Error::cannot(format!("listen on {}", server.address()), error).hint(format!("take another port: `{next}`"))
    })?;
    Ok(Some(server))
}

fn running(session: &Session) -> Result<Option<Server>, Error> {
    // What is wrong with a database, if anything, is told when the script is loaded into it.
    let Some(config) = session.db.exists().then(|| session.config().ok()).flatten() else { return Ok(None) };
    let mut servers = session.choose(config.servers, &Which::default(), "run")?;
    let found = Found::one(servers.pop().expect("a choice is not empty"))?;
    Ok(found.process().is_some().then(|| found.server.clone()))
}

/// The procer of the folder, and what it says if it takes over something.
fn procer(folder: &Folder) -> Result<Procer, Error> {
    let Some(found) = Procer::find(folder)? else { return Procer::start(folder) };
    say("m2sh: the last m2sh here was killed; what it has left running is taken over");
    Ok(found)
}

/// Everything that runs.
struct All<'a> {
    folder: &'a Folder,
    server: &'a Server,
    procer: Procer,
}

impl All<'_> {
    /// Starts the demos, tells about them, and waits until somebody ends it.
    fn attend(
        &self,
        rows: &[Row],
        runtime: &Runtime,
        signals: &mut UnboundedReceiver<Signal>,
        session: &mut Session,
    ) -> Result<Exit, Error> {
        let started = during("start the demos", || {
            runtime.block_on(async {
                tokio::select! {
                    started = self.start(rows) => started.map(Some),
                    _ = signals.recv() => Ok(None),
                }
            })
        });
        let Some(started) = started? else { return Ok(Exit::Success) };
        let _handler = Handler::start(self.server, Board::new(rows.to_vec(), self.procer.profiles()))?;
        guide::show(self.folder, self.server, &started, session)?;
        runtime.block_on(async {
            tokio::select! {
                () = self.procer.ended() => Err(self.deserted()),
                _ = signals.recv() => Ok(Exit::Success),
            }
        })
    }

    /// Starts all services, and waits until the demos answer.
    async fn start(&self, rows: &[Row]) -> Result<Vec<Started>, Error> {
        let names = std::iter::once(services::SERVER.to_owned()).chain(plan::services(rows));
        let services = self.procer.run(names.collect()).await?;
        let runs = |name: &str| services.iter().any(|service| service.name == name && service.state == Phase::Ready);
        if !runs(services::SERVER) {
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

    /// Stops everything; another signal makes it hurry.
    fn end(&self, runtime: &Runtime, signals: &mut UnboundedReceiver<Signal>) -> Result<(), Error> {
        let end = async {
            let end = self.procer.end();
            tokio::pin!(end);
            loop {
                tokio::select! {
                    ended = &mut end => return ended,
                    _ = signals.recv() => self.procer.hurry().await,
                }
            }
        };
        during("stop everything", || runtime.block_on(end))?;
        say(&format!("m2sh: stopped; everything stays in `{}` for the next time", self.folder.path().display()));
        Ok(())
    }

    /// The server isn't there, and why, as far as `m2sh start` has said it.
    fn refused(&self, services: &[Status]) -> Error {
        let of = services.iter().find(|service| service.name == services::SERVER);
        let why = of.and_then(|service| service.why.clone()).unwrap_or_default();
        let log = self.procer.profiles().join("run.log");
        let end = format!("the end of `{}`:\n{}", log.display(), last_lines(&log));
        Error::cannot("start the server", format!("{why}\n{end}"))
    }

    fn deserted(&self) -> Error {
        Error::cannot("go on", "procer has ended, and what it has started goes on")
            .hint(format!("`{} --all` takes it over; Ctrl-C stops it then", one::command(self.folder)))
    }
}
