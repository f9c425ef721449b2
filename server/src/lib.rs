//! The mongrel2 server.
//!
//! The way of a request: `listen` → `worker` accepts → `connection` parses → `site` finds host, route and
//! target → `target` answers → `connection` writes → `log`.
//!
//! * `run`: the main thread, with `signal`; `start`: from the command line to a server with everything open.
//! * `control`: the control port, where operators ask and command.
//! * `daemon`: into the background; `privilege`: out of root's rights.  `error`: why there is no start.
//! * `worker`: one thread per core, each with its own connections.  Workers share nothing that changes.
//! * `site`: what a reload replaces; never changed, only replaced.
//! * `target`: files, handlers and redirects; `page`: the error pages of a host.  `connection`: HTTP.
//! * `tls`: certificates, and what clients have to show.
//! * `statistics`: what is counted of requests, for the database and for `metrics`, which are fetched by HTTP.
//! * `log`: both logs.  [`pidfile`]: who is running.

mod addresses;
mod connection;
mod control;
mod daemon;
mod error;
mod listen;
mod log;
mod metrics;
mod page;
pub mod pidfile;
mod privilege;
mod run;
mod signal;
mod site;
mod start;
mod statistics;
mod target;
mod tls;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;

/// What programs that run servers allocate with: blocks of one size lie beside each other, without headers, so that a
/// connection takes a fifth less than with the allocator of the C library.
pub use mimalloc::MiMalloc as Allocator;

use daemon::{Caller, Side, detach};
use start::{Command, Plan};

/// The whole program: `mongrel2 DATABASE UUID`, and `-background` or `-foreground` where that is not up to the setting.
///
/// `arguments` are those behind the program's name.  There must be no other thread yet.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let plan = match Command::parse(arguments).and_then(start::plan) {
        Ok(plan) => plan,
        Err(error) => return Caller::Terminal.failed(error.code(), &error.text()),
    };
    if !plan.daemonizes() {
        return serve(plan, Caller::Terminal);
    }
    match detach() {
        Ok(Side::Caller(code)) => code,
        Ok(Side::Daemon(caller)) => serve(plan, caller),
        Err(error) => Caller::Terminal.failed(1, &error::StartError::System(error).text()),
    }
}

fn serve(plan: Plan, mut caller: Caller) -> ExitCode {
    match run::run(plan, &mut caller) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => caller.failed(error.code(), &error.text()),
    }
}
