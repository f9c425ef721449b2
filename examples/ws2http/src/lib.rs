//! ws2http: WebSockets for programs that answer one HTTP request after the other.
//!
//! The way of an event: a server → `session`, which has a socket from handshake to end → `courier`, which keeps the
//! events of a socket in order → `backend`, which makes an HTTP request of each.  The way of an order: a backend →
//! `bridge`, which takes requests → `sockets` → the `mailbox` of each socket that is meant → its session.
//!
//! * `backends`: whose socket it is, by its path.  `event`: what a backend is told, as a form.  `tries`: how often.
//!   `order`: what a backend wants, out of a form.  `origin`: which pages may open a socket.  These are pure.
//! * `queue`: what waits, bounded in bytes.  `id`: the names of sockets.  `token`: a secret between bridge and backends.
//! * `run`: all of it, until a signal.  `args`, `plan`, `log`, `error`: the command line, and what comes of it.

mod args;
mod backend;
mod backends;
mod bridge;
mod courier;
mod error;
mod event;
mod id;
mod log;
mod mailbox;
mod order;
mod origin;
mod plan;
mod queue;
mod run;
mod session;
mod sockets;
mod token;
mod tries;

use std::ffi::OsString;
use std::process::ExitCode;

use args::Parsed;
use error::Error;

/// The whole program; `arguments` are those behind the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match args::parse(std::iter::once("ws2http".into()).chain(arguments)) {
        Parsed::Serve(line) => serve(line).map_or_else(|error| error.tell(), |()| ExitCode::SUCCESS),
        Parsed::Told(exit) => exit,
    }
}

fn serve(line: args::Line) -> Result<(), Error> {
    log::install(line.log);
    let plan = plan::Plan::make(line)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
    let ended = runtime.block_on(run::run(plan));
    // A name that is still being looked up is waited for by nobody.
    runtime.shutdown_background();
    ended
}
