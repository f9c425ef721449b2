//! `m2sh conformance`: tries what servers, hosts of applications and libraries for handlers promise, case by case.
//!
//! * [`runner`]: which cases are run, and how they are told.
//! * [`server`]: a server.  [`app`]: a host of applications.  [`handler`]: a library for handlers.
//! * [`child`]: each of them, as a program that ends with this one.  [`interrupt`]: Ctrl-C.

mod app;
mod child;
mod handler;
mod interrupt;
mod runner;
mod server;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::args::{Conformance, Tried};
use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;

use runner::Runner;

pub(super) fn run(args: &Conformance, session: &mut Session) -> Result<Exit, Error> {
    app::only_there(args)?;
    handler::only_there(args)?;
    if !args.serve.is_empty() {
        return app::serve(args);
    }
    let mut runner = Runner::new(args, &mut session.show)?;
    match args.tried {
        Tried::Server => server::run(args, &mut runner)?,
        Tried::App => app::run(args, &mut runner)?,
        Tried::Handler => handler::run(args, &mut runner)?,
    }
    runner.finish()
}

/// A folder for what is started, which goes with it.
fn folder() -> Result<TempDir, Error> {
    let folder = tempfile::Builder::new().prefix("m2sh-conformance-").tempdir();
    folder.map_err(|error| Error::cannot("make a folder", error))
}

/// A program by its path as it was typed, or by its name alone; it is going to be run in another folder.
fn program_at(typed: &Path) -> PathBuf {
    let has_folder = typed.components().count() > 1;
    std::path::absolute(typed).ok().filter(|_| has_folder).unwrap_or_else(|| typed.to_owned())
}
