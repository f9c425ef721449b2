//! A server: this one, another program that reads the same database, or one that somebody else starts.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use conformance::case::Case;
use conformance::check::Problem;
use conformance::server::{Setup, Site, Subject, UUID, cases};
use tempfile::TempDir;

use super::child::Child;
use super::interrupt::Interrupt;
use super::runner::Runner;
use super::{folder, program_at};
use crate::args::Conformance;
use crate::error::{Error, say};
use crate::operator::quoted;
use crate::profile::this_program;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// A server that is tried.
struct Tried {
    subject: Subject,
    /// Its program and its folder, if they are ours.
    own: Option<(Child, TempDir)>,
}

impl Tried {
    /// How its program has ended, if it has.
    fn end(&self) -> Option<String> {
        self.own.as_ref().and_then(|(program, _)| program.end())
    }
}

pub(super) fn run(args: &Conformance, runner: &mut Runner<'_>) -> Result<(), Error> {
    Setup::ALL.into_iter().try_for_each(|setup| {
        let explained = |case: Case<Subject>| case.on(|tried: &Tried| &tried.subject).explained(Tried::end);
        let cases = cases(setup).into_iter().map(explained).collect();
        let interrupt = runner.interrupt();
        runner.suite(setup.name(), cases, |old| {
            // Who starts it the first time may come when he likes.
            let patience = old.is_some().then(|| args.patience());
            // It has the ports that the new one needs.
            drop(old);
            match &args.folder {
                Some(folder) => find(args, &folder.join(setup.name()), setup, patience, &interrupt),
                None => start(args, setup, &interrupt),
            }
        })
    })
}

/// Starts it in a folder of its own.
fn start(args: &Conformance, setup: Setup, interrupt: &Interrupt) -> Result<Tried, Error> {
    let folder = folder()?;
    let site = open(folder.path(), setup)?;
    let mut command = command(args.program.as_deref())?;
    command.arg("config.sqlite").arg(UUID).current_dir(&site.folder);
    let program = Child::start(&mut command, &site.folder.join("logs/output.log"), interrupt)?;
    program.until("its start", args.patience(), || listens(site.address))?;
    let subject = connect(site, args, setup)?;
    Ok(Tried { subject, own: Some((program, folder)) })
}

/// Waits until somebody has started it; with a `patience` no longer than that.
fn find(
    args: &Conformance,
    folder: &Path,
    setup: Setup,
    patience: Option<Duration>,
    interrupt: &Interrupt,
) -> Result<Tried, Error> {
    let site = open(folder, setup)?;
    if !listens(site.address) {
        let folder = quoted(site.folder.as_os_str());
        say(&format!("m2sh: waiting for a server: `cd {folder} && mongrel2 config.sqlite {UUID}`"));
    }
    let began = Instant::now();
    while !listens(site.address) {
        if interrupt.has_come() {
            return Err(Error::cannot("wait for a server", "interrupted"));
        }
        if patience.is_some_and(|patience| began.elapsed() > patience) {
            return Err(Error::cannot(format!("connect to {}", site.address), "nobody listens there any more"));
        }
        thread::sleep(PAUSE);
    }
    Ok(Tried { subject: connect(site, args, setup)?, own: None })
}

fn open(folder: &Path, setup: Setup) -> Result<Site, Error> {
    Site::open(folder, setup).map_err(|error| Error::cannot("make a configuration", error))
}

fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

fn connect(site: Site, args: &Conformance, setup: Setup) -> Result<Subject, Error> {
    Subject::connect(site, args.patience()).map_err(|problem| {
        let (Problem::Wrong(cause) | Problem::Missing(cause)) = problem;
        Error::cannot(format!("try a server with the setup `{}`", setup.name()), cause)
    })
}

/// The server's program, without its arguments.
fn command(program: Option<&Path>) -> Result<Command, Error> {
    if let Some(program) = program {
        return Ok(Command::new(program_at(program)));
    }
    let mut command = Command::new(this_program()?);
    command.arg0("mongrel2");
    Ok(command)
}
