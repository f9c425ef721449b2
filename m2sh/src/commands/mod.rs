//! The commands, one file each.

mod access;
mod blame;
mod cert;
mod check;
mod commit;
mod complete;
mod completions;
mod conformance;
mod control;
mod convert;
mod crew;
mod definitions;
mod demo;
mod diff;
mod drift;
mod dump;
mod export;
mod gc;
mod generations;
mod help;
mod hosts;
mod init;
mod load;
mod log;
mod man;
mod new;
mod plan;
mod procs;
mod profile;
mod reload;
mod rollback;
mod route;
mod routes;
mod running;
mod servers;
mod shell;
mod show;
mod start;
mod stop;
mod uuid;
mod version;

use crate::args::Command;
use crate::complete::Candidate;
use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;

/// What may be said next to a server behind these words, as far as it can be known without asking it.
pub fn control_words(before: &[String]) -> Vec<Candidate> {
    control::next_words(before, &|_| Vec::new())
}

/// Does what was typed.
///
/// # Errors
/// Whatever the command says.
pub fn run(command: Command, session: &mut Session) -> Result<Exit, Error> {
    match command {
        Command::Init(because) => init::run(&because, session),
        Command::Blame(args) => blame::run(&args, session),
        Command::Gc(args) => gc::run(&args, session),
        Command::Definitions(args) => definitions::run(&args, session),
        Command::Check(args) => check::run(&args, session),
        Command::Plan(args) => plan::run(&args, session),
        Command::Load(args) => load::run(&args, session),
        Command::Export(args) => export::run(&args, session),
        Command::Convert(args) => convert::run(&args, session),
        Command::Dump => dump::run(session),
        Command::Servers => servers::run(session),
        Command::Hosts(args) => hosts::run(&args, session),
        Command::Routes(args) => routes::run(&args, session),
        Command::Route(args) => route::run(&args, session),
        Command::Uuid => uuid::run(session),
        Command::Start(args) => start::run(&args, session),
        Command::Stop(args) => stop::run(&args, session),
        Command::Reload(args) => reload::run(&args, session),
        Command::Cert(args) => cert::run(&args, session),
        Command::Control(args) => control::run(&args, session),
        Command::Running(args) => running::run(&args, session),
        Command::Access(args) => access::run(&args, session),
        Command::Log(args) => log::run(&args, session),
        Command::Generations => generations::run(session),
        Command::Show(args) => show::run(&args, session),
        Command::Diff(args) => diff::run(&args, session),
        Command::Drift(args) => drift::run(&args, session),
        Command::Rollback(args) => rollback::run(&args, session),
        Command::Commit(args) => commit::run(args, session),
        Command::New(args) => new::run(&args, session),
        Command::Procs(args) => procs::run(&args, session),
        Command::Profile(args) => profile::run(&args, session),
        Command::Demo(args) => demo::run(&args, session),
        Command::Conformance(args) => conformance::run(&args, session),
        Command::Shell => shell::run(session),
        Command::Completions(args) => completions::run(&args, session),
        Command::Man(args) => man::run(&args, session),
        Command::Complete(args) => complete::run(&args, session),
        Command::Help(args) => help::run(&args, session),
        Command::Version => version::run(session),
    }
}
