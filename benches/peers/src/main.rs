//! Compares this server with its peers: `cargo run --release -p peers -- [ROW…]`.
//!
//! * [`args`]: the command line.  [`row`]: what is measured, a value each; new rows are added there.
//! * [`peer`]: which servers there are on this machine.  [`config`]: equal configurations for them.
//! * [`running`]: a started server.  [`handler`]: whom it passes requests to, a process of its own.
//! * [`usage`]: what a server uses, from `/proc`.
//! * [`wrk`], [`client`], [`tls`] and [`swarm`]: who asks.  [`measure`]: one figure of one server.
//! * [`supervisors`]: procer and its peers, in rows of their own.
//! * [`contest`]: all servers in turns.  [`report`]: tables and JSON.  [`machine`]: where it was.
//!
//! It installs nothing, talks to 127.0.0.1 only, and ends by itself.

mod args;
mod client;
mod config;
mod contest;
mod error;
mod handler;
mod machine;
mod measure;
mod peer;
mod report;
mod row;
mod running;
mod supervisors;
mod swarm;
mod tls;
mod usage;
mod wrk;

use std::io::{self, Write};
use std::process::ExitCode;

use crate::args::{Args, Role};
use crate::error::Error;
use crate::machine::Machine;
use crate::wrk::Wrk;

fn main() -> ExitCode {
    let args = Args::read();
    let done = match &args.role {
        Some(Role::Handler(place)) => handler::run(place),
        Some(Role::Supervisors(crew)) => supervisors::run(crew),
        None => run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            error.hint().into_iter().for_each(|hint| eprintln!("hint: {hint}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Error> {
    let wrk = Wrk::find()?;
    let peers = peer::find(args)?;
    machine::raise_descriptors()?;
    let machine = Machine::look(&wrk, &peers);
    let mut results = Vec::new();
    for row in args.rows() {
        let result = contest::hold(row, &peers, &wrk, args);
        if !args.json {
            print(&report::table(&result))?;
        }
        results.push(result);
    }
    print(&if args.json { report::json(&results, &machine) } else { machine.to_string() })
}

fn print(text: &str) -> Result<(), Error> {
    writeln!(io::stdout(), "{text}").map_err(Error::doing("write"))
}
