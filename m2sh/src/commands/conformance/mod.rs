//! `m2sh conformance`: tries what servers, hosts of applications and libraries for handlers promise, case by case.
//!
//! * [`runner`]: which cases are run, and how they are told.
//! * [`handler`]: a library for handlers.  [`server`]: a server.  [`child`]: it, or a handler, as a program that ends with this one.

mod child;
mod handler;
mod runner;
mod server;

use crate::args::{Conformance, Tried};
use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;

use runner::Runner;

pub(super) fn run(args: &Conformance, session: &mut Session) -> Result<Exit, Error> {
    handler::only_there(args)?;
    let mut runner = Runner::new(args, &mut session.show);
    match args.tried {
        Tried::Server => server::run(args, &mut runner)?,
        Tried::Handler => handler::run(args, &mut runner)?,
    }
    runner.finish()
}
