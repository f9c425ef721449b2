//! A server: this one, another program that reads the same database, or one that somebody else starts.

use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use conformance::check::Problem;
use conformance::server::{Setup, Site, Subject, UUID, cases};
use tempfile::TempDir;

use super::child::Child;
use super::runner::Runner;
use crate::args::Conformance;
use crate::error::Error;

/// A server that is tried.
struct Tried {
    subject: Subject,
    _program: Child,
    _folder: TempDir,
}

pub(super) fn run(args: &Conformance, runner: &mut Runner<'_>) -> Result<(), Error> {
    Setup::ALL.into_iter().try_for_each(|setup| {
        let cases = cases(setup).into_iter().map(|case| case.on(|tried: &Tried| &tried.subject)).collect();
        runner.suite(setup.name(), cases, || start(args, setup))
    })
}

/// Starts it in a folder of its own.
fn start(args: &Conformance, setup: Setup) -> Result<Tried, Error> {
    let folder = tempfile::Builder::new().prefix("m2sh-conformance-").tempdir();
    let folder = folder.map_err(|error| Error::cannot("make a folder", error))?;
    let site = Site::open(folder.path(), setup).map_err(|error| Error::cannot("make a configuration", error))?;
    let mut command = command(args.program.as_deref())?;
    command.arg("config.sqlite").arg(UUID).current_dir(&site.folder);
    let mut program = Child::start(&mut command, &site.folder.join("logs/output.log"))?;
    let address = site.address;
    program.until("its start", args.patience(), || TcpStream::connect(address).is_ok())?;
    let subject = Subject::connect(site, args.patience()).map_err(|problem| unusable(setup, problem))?;
    Ok(Tried { subject, _program: program, _folder: folder })
}

/// The server's program, without its arguments.
fn command(program: Option<&Path>) -> Result<Command, Error> {
    if let Some(program) = program {
        // It is run in another folder.
        let path = std::path::absolute(program).ok().filter(|_| program.components().count() > 1);
        return Ok(Command::new(path.as_deref().unwrap_or(program)));
    }
    let this = std::env::current_exe().map_err(|error| Error::cannot("find the program m2sh itself", error))?;
    let mut command = Command::new(this);
    command.arg0("mongrel2");
    Ok(command)
}

fn unusable(setup: Setup, problem: Problem) -> Error {
    let (Problem::Wrong(cause) | Problem::Missing(cause)) = problem;
    Error::cannot(format!("try a server with the setup `{}`", setup.name()), cause)
}
