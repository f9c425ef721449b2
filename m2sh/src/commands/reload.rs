//! `m2sh reload`: lets servers read the database again, once it is known that they can.
//!
//! A server is asked at its control port, and tells what came of it.  One that has none, or whose control port is not
//! there for this user, gets SIGHUP, and tells nothing.

use std::time::{Duration, Instant};

use mongrel2::config::Server;
use mongrel2::control::Client;
use mongrel2::wire::control::{Answer, Command};
use mongrel2::wire::tnetstring::Value;
use rustix::process::Signal;

use crate::args::Act;
use crate::error::Error;
use crate::exit::Exit;
use crate::found::Found;
use crate::process::Process;
use crate::report::Report;
use crate::session::Session;

use super::stop::refused;

/// How long a server may take to say who it is.
const HELLO: Duration = Duration::from_secs(5);

/// How long a reload may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked whether the server still runs.
const TICK: Duration = Duration::from_millis(100);

pub(super) fn run(args: &Act, session: &mut Session) -> Result<Exit, Error> {
    let servers = session.selected(&args.which, "reload")?;
    let checked = session.checked()?;
    let found = Found::all(servers)?;
    let mut report = Report::default();
    found.iter().for_each(|found| reload(&mut report, found, &checked.settings().control_port));
    if report.any_done() {
        session.record(&session.operator.entry("reload", args.because.why.as_deref()));
    }
    report.finish(session)
}

fn reload(report: &mut Report, found: &Found, control_port: &str) {
    let Some(process) = found.process() else {
        return report.absent(found);
    };
    match port_of(&found.server, control_port, process).map(|client| ask(&client, process)) {
        Some(Ok(reloaded)) => report.reloaded(found, reloaded.generation, &reloaded.warnings),
        Some(Err(reason)) => report.failed(&Error::cannot(format!("reload server {}", found.title()), reason)),
        None => match process.signal(Signal::HUP) {
            Ok(()) => report.done("Reloading", found),
            Err(error) => report.failed(&refused("reload", found, &error)),
        },
    }
}

/// The server's control port, if it is there and this server's.
fn port_of(server: &Server, setting: &str, process: &Process) -> Option<Client> {
    let client = Client::connect(&server.outside(server.control_port_or(setting))).ok()?;
    let info = client.ask(&Command::Info, HELLO).ok()?;
    (number(&info, "pid") == Some(process.pid.into())).then_some(client)
}

/// What a server tells of its reload.
struct Reloaded {
    generation: i64,
    /// What isn't as the configuration says.
    warnings: Vec<String>,
}

/// Reloads; gives what the server tells, or why there is nothing.
fn ask(client: &Client, process: &Process) -> Result<Reloaded, String> {
    let deadline = Instant::now() + PATIENCE;
    client.send(&Command::Reload).map_err(|error| error.to_string())?;
    loop {
        match client.answer(TICK) {
            Ok(Some(Err(failure))) => return Err(failure.to_string()),
            Ok(Some(answer)) => {
                let generation = number(&answer, "generation").ok_or("it names no generation")?;
                return Ok(Reloaded { generation, warnings: warnings(&answer) });
            }
            Err(error) => return Err(error.to_string()),
            Ok(None) if process.wait(Duration::ZERO).unwrap_or(false) => return Err("it has ended".into()),
            Ok(None) if Instant::now() > deadline => {
                return Err(format!("no answer in {} s; see its error log", PATIENCE.as_secs()));
            }
            Ok(None) => {}
        }
    }
}

/// What an answer to reload warns of; that of an older server has no such column.
fn warnings(answer: &Answer) -> Vec<String> {
    let text = |value: &Value| if let Value::String(text) = value { Some(text.clone()) } else { None };
    match value(answer, "warnings") {
        Some(Value::List(warnings)) => {
            warnings.iter().filter_map(text).map(|text| String::from_utf8_lossy(&text).into_owned()).collect()
        }
        _ => Vec::new(),
    }
}

/// A number in the first row of an answer.
fn number(answer: &Answer, column: &str) -> Option<i64> {
    if let Value::Integer(number) = value(answer, column)? { Some(*number) } else { None }
}

fn value<'a>(answer: &'a Answer, column: &str) -> Option<&'a Value> {
    let table = answer.as_ref().ok()?;
    table.value(table.rows.first()?, column)
}
