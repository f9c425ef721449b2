//! m2sh: configures, audits and controls mongrel2 servers.
//!
//! * [`args`]: the command line as typed.  Nothing else knows clap.
//! * [`commands`]: one file per command.  Each gets a [`session`]: the database, the output, the operator.
//! * [`select`]: which servers a command is about.  [`process`], [`found`], [`report`]: the running ones, and what
//!   became of them.
//! * [`port`]: their control ports.  [`address`]: where they can be reached.  [`health`]: how they do,
//!   by what they say and [`procfs`] tells.  [`tail`]: the end of their logs.
//! * [`show`]: tables, tab-separated lines, JSON.  [`target`]: what a route leads to, in words.
//! * [`changes`]: a difference in words.  [`plan`]: one that is kept in a file.  [`question`]: to who is at the terminal.
//! * [`accesslog`]: the access logs of servers, in any form.
//! * [`profile`]: the folder of a service, for procer.
//! * [`asked`]: what `m2sh route` is asked about.  [`certdir`]: certificates and keys, and new ones.
//! * [`deployments`]: what servers have counted under each generation.  [`plot`]: numbers as blocks.
//! * [`operator`]: who is at work here, for the audit log.  [`facts`]: what scripts may know of where they run.
//! * [`syslog`]: entries of that log, to the system's.
//! * [`progress`]: a sign of life of what takes long.  [`prompt`]: lines of who sits at a terminal, with completion and history.
//! * [`complete`]: what may be typed next.
//! * [`error`] and [`exit`]: what goes wrong, told once, here.
//! * [`script`]: runs a configuration script.

pub mod accesslog;
pub mod address;
pub mod args;
pub mod asked;
pub mod certdir;
pub mod changes;
pub mod commands;
pub mod complete;
pub mod deployments;
pub mod error;
pub mod exit;
pub mod facts;
pub mod found;
pub mod health;
pub mod operator;
pub mod plan;
pub mod plot;
pub mod port;
pub mod process;
pub mod procfs;
pub mod profile;
pub mod progress;
pub mod prompt;
pub mod question;
pub mod report;
pub mod script;
pub mod select;
pub mod session;
pub mod show;
pub mod since;
pub mod syslog;
pub mod tail;
pub mod target;

use std::ffi::OsString;
use std::process::ExitCode;

use args::Parsed;
use error::Error;
use exit::Exit;
use operator::Operator;
use session::Session;
use show::Show;

/// The whole program; `arguments` begin with its name.
pub fn main(arguments: &[OsString]) -> ExitCode {
    let exit = match run(arguments) {
        Ok(exit) => exit,
        Err(error) => error.tell(),
    };
    exit.into()
}

fn run(arguments: &[OsString]) -> Result<Exit, Error> {
    match args::parse(arguments) {
        Parsed::Args(args) => {
            let args = *args;
            let mut session =
                Session { db: args.db, show: Show::stdout(args.json), operator: Operator::current(arguments) };
            let exit = commands::run(args.command, &mut session)?;
            session.show.flush()?;
            Ok(exit)
        }
        Parsed::Told(exit) => Ok(exit),
    }
}
