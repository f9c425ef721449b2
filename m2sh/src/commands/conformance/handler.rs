//! A library for handlers: ours, a program that uses another one, or a handler that somebody else starts.

use std::process::Command;

use conformance::check::Problem;
use conformance::handler::own::Own;
use conformance::handler::{Addresses, Pulse, Server, Subject, cases, within};

use super::child::Child;
use super::folder;
use super::interrupt::Interrupt;
use super::runner::Runner;
use crate::args::{Conformance, Tried};
use crate::error::{Error, say};
use crate::tail::last_lines;

pub(super) fn run(args: &Conformance, runner: &mut Runner<'_>) -> Result<(), Error> {
    let interrupt = runner.interrupt();
    // One that fails is cleared up by the case behind it: the handler may be somebody else's.
    runner.suite("handler", cases(), |old| old.map_or_else(|| start(args, &interrupt), Ok))
}

/// That a handler has its own options, and nothing else has them.
///
/// # Errors
/// It isn't so.
pub(super) fn only_there(args: &Conformance) -> Result<(), Error> {
    let is_handler = args.tried == Tried::Handler;
    if is_handler && args.program.is_some() {
        return Err(Error::usage("try a handler", "`-program` is for what listens for clients")
            .hint("`m2sh conformance handler -- COMMAND` starts a handler"));
    }
    if is_handler && args.folder.is_some() {
        return Err(Error::usage("try a handler", "`-folder` is for servers that somebody else starts")
            .hint("`m2sh conformance handler -send ADDRESS` waits for a handler"));
    }
    let own =
        [("`-send`", args.send.is_some()), ("`-recv`", args.recv.is_some()), ("a command", !args.command.is_empty())];
    if let Some((name, _)) = own.into_iter().find(|(_, is_given)| *is_given && !is_handler) {
        return Err(Error::usage(format!("use {name}"), "it is about libraries for handlers")
            .hint("`m2sh conformance handler` tries one"));
    }
    Ok(())
}

fn start(args: &Conformance, interrupt: &Interrupt) -> Result<Subject, Error> {
    let cannot =
        |error| Error::cannot("play a server", error).hint("an address is like `tcp://127.0.0.1:9997`, and free");
    let server = Server::bind(args.send.as_deref(), args.recv.as_deref()).map_err(cannot)?;
    if let Some((program, words)) = args.command.split_first() {
        return program_of(args, server, Command::new(program).args(words), interrupt);
    }
    if args.send.is_some() || args.recv.is_some() {
        say(&format!("m2sh: waits for a handler that connects to {}", named(server.addresses())));
        let subject = Subject::connect(server, Box::new(|| None), |_| !interrupt.has_come(), args.patience());
        let interrupted = || Error::cannot("wait for a handler", "interrupted");
        return subject.map_err(|problem| if interrupt.has_come() { interrupted() } else { unusable(problem) });
    }
    let own = Own::start(server.addresses()).map_err(|error| Error::cannot("start a handler", error))?;
    let pulse = Box::new(move || own.has_ended().then(|| "its thread has ended".to_owned()));
    connected(args, server, pulse)
}

/// Starts a program, which is told where the server is.
fn program_of(
    args: &Conformance,
    server: Server,
    command: &mut Command,
    interrupt: &Interrupt,
) -> Result<Subject, Error> {
    let folder = folder()?;
    let Addresses { requests, replies } = server.addresses();
    let log = folder.path().join("output.log");
    let child = Child::start(command.args([requests, replies]), &log, interrupt)?;
    // The folder goes with the program.
    let running = (child, folder);
    let told = move |end: String| format!("{end}\n{}", last_lines(&log)).trim_end().to_owned();
    connected(args, server, Box::new(move || running.0.end().map(&told)))
}

fn connected(args: &Conformance, server: Server, pulse: Pulse) -> Result<Subject, Error> {
    Subject::connect(server, pulse, within(args.patience()), args.patience()).map_err(unusable)
}

fn named(Addresses { requests, replies }: &Addresses) -> String {
    format!("`{requests}` for requests and to `{replies}` for replies")
}

fn unusable(problem: Problem) -> Error {
    let (Problem::Wrong(cause) | Problem::Missing(cause)) = problem;
    Error::cannot("try a handler", cause)
}
