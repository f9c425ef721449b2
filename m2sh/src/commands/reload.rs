//! `m2sh reload`: lets servers read the database again, once it is known that they can.
//!
//! A server is asked at its control port, and tells what came of it.  One that has none, or whose control port is not
//! there for this user, gets SIGHUP, and tells nothing.

use mongrel2::wire::control::{Command, Table};
use mongrel2::wire::tnetstring::Value;
use rustix::process::Signal;

use crate::args::Act;
use crate::error::Error;
use crate::exit::Exit;
use crate::found::{Found, each};
use crate::port::{Port, number};
use crate::progress::during;
use crate::report::Report;
use crate::session::Session;

use super::stop::refused;

pub(super) fn run(args: &Act, session: &mut Session) -> Result<Exit, Error> {
    let servers = session.selected(&args.which, "reload")?;
    let checked = session.checked()?;
    let found: Vec<Found> = servers.into_iter().map(Found::look).collect();
    let control_port = &checked.settings().control_port;
    let outcomes = during("reload", || each(&found, |found| reload(found, control_port)));
    let mut report = Report::default();
    found.iter().zip(outcomes).for_each(|(found, outcome)| outcome.tell(found, &mut report));
    if report.any_done() {
        let entry = session.operator.entry("reload", args.because.why.as_deref());
        session.record(&entry.about(report.servers()));
    }
    report.finish(session)
}

/// What became of a server.
enum Outcome {
    /// It doesn't run.
    Absent,
    /// It serves that generation, and warns of something.
    Reloaded(i64, Vec<String>),
    /// It got the signal.
    Signalled,
    /// It could not be done.
    Failed(Error),
}

impl Outcome {
    fn tell(self, found: &Found, report: &mut Report) {
        match self {
            Self::Absent => report.absent(found),
            Self::Reloaded(generation, warnings) => report.reloaded(found, generation, &warnings),
            Self::Signalled => report.done("Reloading", found),
            Self::Failed(error) => report.failed(&error),
        }
    }
}

fn reload(found: &Found, control_port: &str) -> Outcome {
    let Some(process) = found.process() else { return Outcome::Absent };
    let Ok(port) = Port::open(&found.server, control_port, process) else {
        let sent = process.signal(Signal::HUP);
        return sent.map_or_else(|error| Outcome::Failed(refused("reload", found, &error)), |()| Outcome::Signalled);
    };
    match ask(&port) {
        Ok((generation, warnings)) => Outcome::Reloaded(generation, warnings),
        Err(reason) => Outcome::Failed(Error::cannot(format!("reload server {}", found.title()), reason)),
    }
}

/// Has a server reload, and gives the generation that it serves then, and what it warns of; else why it doesn't.
pub(super) fn ask(port: &Port<'_>) -> Result<(i64, Vec<String>), String> {
    let answer = port.ask(&Command::Reload).map_err(|error| error.to_string())?;
    let generation = number(&answer, "generation").ok_or("the answer names no generation")?;
    Ok((generation, warnings(&answer)))
}

/// What an answer to reload warns of; that of an older server has no such column.
fn warnings(answer: &Table) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    };
    match answer.rows.first().and_then(|row| answer.value(row, "warnings")) {
        Some(Value::List(warnings)) => warnings.iter().filter_map(text).collect(),
        _ => Vec::new(),
    }
}
