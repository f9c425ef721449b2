//! procer: keeps services running.
//!
//! The way of a crash: the kernel tells `supervise` (pidfd, `poll`) → [`service`], a table `(service, event, now) →
//! (service, actions)` → `spawn` → `pidfile` → those that depend on it.
//!
//! * [`profile`]: the folder of a service, read and understood.  [`order`]: who needs whom.  [`service`]: the life of one.
//!   These decide, and do nothing themselves.
//! * `supervise`: the loop.  `process`, `spawn`, `pidfile`, `record`: processes, and how they are found again.
//!   `output`: what services say.  `check`: whether they are ready.
//! * `folder`, `claim`, `report`: the folder of profiles, who holds it, and procer's own log.
//! * [`control`]: the socket, where operators ask.  `client`: the commands that do so.
//! * `args`, `start`, `daemon`, [`error`], [`exit`]: the command line, and what comes of it.

pub mod args;
mod check;
mod claim;
pub mod client;
pub mod control;
mod daemon;
pub mod error;
pub mod exit;
mod folder;
pub mod order;
mod output;
mod pidfile;
mod poll;
mod process;
pub mod profile;
mod record;
mod report;
pub mod service;
pub mod signal;
mod spawn;
mod start;
mod supervise;

use std::ffi::OsString;
use std::process::ExitCode;

use args::Parsed;
use error::Error;

/// The whole program; `arguments` are those behind the program's name.  There must be no other thread yet.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    run(arguments).unwrap_or_else(|error| error.tell().into())
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<ExitCode, Error> {
    match args::parse(std::iter::once("procer".into()).chain(arguments)) {
        Parsed::Supervise(plan) => start::start(&plan),
        Parsed::Command(command) => client::run(command).map(Into::into),
        Parsed::Told(exit) => Ok(exit.into()),
    }
}
