//! `m2sh demo`: a deployment that works, made, loaded, started and explained.
//!
//! * [`folder`]: what the deployment folder is made of.  [`guide`]: what there is to try.
//! * [`server`]: mongrel2 as a child process.
//! * [`handler`]: the built-in handler, a thread around [`room`], which is who asked and who waits.
//! * [`all`]: `m2sh demo --all`, every demo of the examples under procer.

mod all;
mod folder;
mod guide;
mod handler;
mod room;
mod server;

use std::path::Path;

use mongrel2::config::Server;
use rustix::process::Signal;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::args::{DEFAULT_DB, Demo, Which};
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::report::Report;
use crate::session::Session;
use crate::tail::last_lines;

use super::start::Launch;
use super::{crew, load, start};
use folder::{Contents, Folder};
use handler::Handler;
use room::Room;
use server::{Child, Readiness};

pub(super) fn run(args: &Demo, session: &mut Session) -> Result<Exit, Error> {
    if session.db != Path::new(DEFAULT_DB) {
        return Err(Error::usage("use that database for the demo", "the demo's own is in its folder")
            .hint("leave out `-db`, or name the folder: `m2sh demo FOLDER`"));
    }
    if args.all { all::run(args, session) } else { run_one(args, session) }
}

/// The demo that needs nothing but m2sh.
fn run_one(args: &Demo, session: &mut Session) -> Result<Exit, Error> {
    let folder = Folder::at(args.folder(), Contents::of_demo())?;
    session.db = folder.database();
    refuse_second(session)?;
    folder.fill()?;
    let Some(server) = load(args, &folder, session)? else { return Ok(Exit::Failure) };
    start::make_folders(&server, None)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::cannot("wait for the server", error))?;
    runtime.block_on(serve(args, &folder, &server, session))
}

/// The database isn't touched while a server runs with it.  What is wrong with the database, if anything, is
/// told when the script is loaded into it.
fn refuse_second(session: &Session) -> Result<(), Error> {
    match session.db.exists().then(|| session.config()) {
        Some(Ok(config)) => start::startable(config.servers, session, &mut Report::default()).map(drop),
        _ => Ok(()),
    }
}

/// Loads the folder's script; `None` if it is faulty, which has been told then.
fn load(args: &Demo, folder: &Folder, session: &mut Session) -> Result<Option<Server>, Error> {
    let mut facts = crate::facts::facts();
    facts.variables.extend(folder.facts(args.port));
    let Some(config) = load::store(&folder.script(), &facts, None, session)? else { return Ok(None) };
    let mut servers = session.choose(config.servers, &Which::default(), "run")?;
    let server = servers.pop().expect("a choice is not empty");
    match args.port {
        Some(port) if server.port != i64::from(port) => Err(folder.deaf_to_port(port, server.port)),
        _ => Ok(Some(server)),
    }
}

async fn serve(args: &Demo, folder: &Folder, server: &Server, session: &mut Session) -> Result<Exit, Error> {
    let mut signals = crew::signals().map_err(|error| Error::cannot("listen for signals", error))?;
    let launch = Launch::new(&session.db)?;
    session.record(&session.operator.entry("start", None).about([server]));
    let mut child = Child::start(launch.command(server), server)?;
    tokio::select! {
        readiness = child.readiness() => if let Readiness::Failed { error, is_taken } = readiness? {
            let next = format!("or take another port: `{} --port {}`", guide::command(folder), server.port % 65535 + 1);
            return Err(if is_taken { error.hint(next) } else { error });
        },
        _ = signals.recv() => return finish(child, None, &mut signals).await,
    }
    let handler = Handler::start(server, Room::default())?;
    guide::show(args, folder, server, session)?;
    tokio::select! {
        end = child.end() => told(&end?, folder, server),
        _ = signals.recv() => {
            let exit = finish(child, handler, &mut signals).await?;
            say(&format!("m2sh: stopped; everything stays in `{}` for the next time", folder.path().display()));
            Ok(exit)
        }
    }
}

/// Stops the server, and the handler after it; another signal makes the server hurry.
async fn finish(
    mut child: Child,
    handler: Option<Handler>,
    signals: &mut UnboundedReceiver<Signal>,
) -> Result<Exit, Error> {
    child.interrupt()?;
    // Those who wait for the handler would hold the server up.
    handler.iter().for_each(Handler::close);
    loop {
        tokio::select! {
            end = child.end() => return end.map(|_| Exit::Success),
            _ = signals.recv() => child.interrupt()?,
        }
    }
}

/// The server has ended without having been asked to by this demo.
fn told(end: &std::process::ExitStatus, folder: &Folder, server: &Server) -> Result<Exit, Error> {
    if end.success() {
        say("m2sh: the server has been stopped, and the demo ends with it");
        return Ok(Exit::Success);
    }
    let path = server.under_chroot(&server.error_log);
    let lines = last_lines(&path);
    Err(Error::cannot("go on", format!("the server has ended: {end}\nthe end of `{}`:\n{lines}", path.display()))
        .hint(format!("start it again with `{}`", guide::command(folder))))
}
