//! The mongrel2 server.
//!
//! The way of a request: `listen` → `worker` accepts → `connection` parses → `site` finds host, route and
//! target → `target` answers → `connection` writes → `log`.
//!
//! * `start`: from the command line to a server with everything open; `run`: its main thread, with `signal`.
//! * `worker`: one thread per core, each with its own connections.  Workers share nothing that changes.
//! * `site`: what a reload replaces; never changed, only replaced.
//! * `target`: files, handlers and redirects; `page`: the error pages of a host.  `connection`: HTTP.
//! * `log`: both logs.  [`pidfile`]: who is running.

mod connection;
mod listen;
mod log;
mod page;
pub mod pidfile;
mod run;
mod signal;
mod site;
mod start;
mod target;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;

use start::{Command, StartError};

/// The whole program: `mongrel2 DATABASE UUID`.
///
/// `arguments` are those behind the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let started = Command::parse(arguments).and_then(start::start);
    match started.and_then(run::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mongrel2: cannot start: {error}");
            if let Some(hint) = error.hint() {
                eprintln!("hint: {hint}");
            }
            if matches!(error, StartError::Usage) { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
