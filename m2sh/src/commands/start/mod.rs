//! `m2sh start`: starts servers by running this very program under the name `mongrel2`.
//!
//! In the foreground one server takes the place of m2sh, and several become its children: see [`crew`].  In the
//! [`background`] each goes on by itself, and m2sh ends when all serve or have said why not.

mod background;
mod folders;
mod launch;

use mongrel2::config::{Server, Settings};
use serde_json::json;

use crate::args::Start;
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::found::{Found, title};
use crate::report::Report;
use crate::session::Session;

pub(super) use folders::{make_folder, make_folders};
pub(super) use launch::{Launch, not_run};

use super::crew;
use launch::Elevation;

pub(super) fn run(args: &Start, session: &mut Session) -> Result<Exit, Error> {
    let checked = session.checked()?;
    let settings = checked.settings().clone();
    let servers = session.choose(checked.into_config().servers, &args.which, "run")?;
    let elevation = args.sudo.as_deref().map(|name| Elevation::named(name.as_ref()));
    let mut report = Report::default();
    let mut servers = startable(servers, session, &mut report)?;
    servers.retain(|server| match make_folders(server, elevation.as_ref()) {
        Ok(()) => true,
        Err(error) => {
            report.failed(&error);
            false
        }
    });
    if servers.is_empty() {
        return Ok(Exit::Failure);
    }
    let is_back = goes_back(args, &settings);
    let mut launch = Launch::new(&session.db)?;
    launch.option = option(args, is_back);
    launch.elevation = elevation;
    match is_back {
        true => leave(&servers, &launch, (args, &settings), report, session),
        false => stay(servers, &launch, args, report, session),
    }
}

/// Whether the servers go into the background: root's do by themselves.
fn goes_back(args: &Start, settings: &Settings) -> bool {
    let root = rustix::process::geteuid().is_root() || args.sudo.is_some();
    args.background || !args.foreground && root && settings.daemonize
}

/// What a server has to be told about that: nothing that it does anyway.  Who is behind sudo may be anybody.
fn option(args: &Start, is_back: bool) -> Option<&'static str> {
    let is_asked = args.background || args.foreground || args.sudo.is_some();
    match is_back {
        true if is_asked => Some("--background"),
        false if args.foreground => Some("--foreground"),
        _ => None,
    }
}

/// Starts servers that go on without m2sh.
fn leave(
    servers: &[Server],
    launch: &Launch,
    (args, settings): (&Start, &Settings),
    mut report: Report,
    session: &mut Session,
) -> Result<Exit, Error> {
    // What has become of them is the JSON.
    if session.show.form() != crate::show::Form::Json {
        announce(servers, session)?;
    }
    background::start(servers, launch, &settings.control_port, &mut report);
    if report.any_done() {
        let entry = session.operator.entry("start", args.because.why.as_deref());
        session.record(&entry.about(report.servers()));
    }
    report.finish(session)
}

/// Starts servers that m2sh becomes, or waits for.
fn stay(
    servers: Vec<Server>,
    launch: &Launch,
    args: &Start,
    report: Report,
    session: &mut Session,
) -> Result<Exit, Error> {
    session.record(&session.operator.entry("start", args.because.why.as_deref()).about(&servers));
    announce(&servers, session)?;
    if let ([server], false) = (&servers[..], report.any_failed()) {
        return Err(launch.replace(server));
    }
    let commands = servers.into_iter().map(|server| (launch.command(&server), server)).collect();
    let exit = crew::run(commands, launch.elevation.is_some())?;
    Ok(if report.any_failed() { Exit::Failure } else { exit })
}

/// Those that don't run yet; with only such ones as do, an error.
pub(super) fn startable(servers: Vec<Server>, session: &Session, report: &mut Report) -> Result<Vec<Server>, Error> {
    let found = servers.into_iter().map(Found::look);
    let (hidden, found): (Vec<_>, Vec<_>) = found.partition(|found| found.trouble().is_some());
    let (running, idle): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.process().is_some());
    hidden.iter().filter_map(Found::trouble).for_each(|error| report.failed(&error));
    let runs = |found: &Found| format!("it is running already, at PID {}", found.pid().unwrap_or_default());
    if let (Some(first), true) = (running.first(), idle.is_empty()) {
        let (db, uuid) = (session.db.display(), &first.server.uuid);
        return Err(Error::cannot(format!("start server {}", first.title()), runs(first))
            .hint(format!("`m2sh reload -db {db} -uuid {uuid}` gives it a changed configuration"))
            .hint(format!("`m2sh stop -db {db} -uuid {uuid}` stops it")));
    }
    for found in &running {
        say(&format!("m2sh: not starting server {}: {}", found.title(), runs(found)));
    }
    Ok(idle.into_iter().map(|found| found.server).collect())
}

/// Says what is about to happen, all of it: nothing is held back when this process becomes the server.
fn announce(servers: &[Server], session: &mut Session) -> Result<(), Error> {
    let line = |server: &Server| format!("Launching server {} on port {}", title(server), server.port);
    let json = |server: &Server| json!({"name": server.name, "uuid": server.uuid, "port": server.port});
    let lines = servers.iter().map(line).collect::<Vec<_>>().join("\n");
    session.show.either(&lines, &servers.iter().map(json).collect::<Vec<_>>())?;
    Ok(session.show.flush()?)
}
