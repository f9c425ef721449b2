//! `m2sh start`: starts servers by running this very program under the name `mongrel2`.
//!
//! One server takes the place of m2sh: in the foreground, or, if root starts it, until its daemon serves.
//! Several become its children: see [`crew`].

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use mongrel2::config::Server;
use serde_json::json;

use crate::args::Start;
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::found::{Found, title};
use crate::session::Session;

use super::crew;

pub(super) fn run(args: &Start, session: &mut Session) -> Result<Exit, Error> {
    let servers = session.choose(session.checked()?.into_config().servers, &args.which, "run")?;
    let servers = startable(servers, session)?;
    for server in &servers {
        make_folders(server)?;
    }
    let program = std::env::current_exe().map_err(|error| Error::cannot("find the program m2sh itself", error))?;
    session.record(&session.operator.entry("start", args.because.why.as_deref()).about(&servers));
    announce(&servers, session)?;
    let commands = servers.iter().map(|server| command(&program, &session.db, server, args.sudo)).collect();
    launch(servers, commands, args.sudo)
}

/// Those that don't run yet; with only such ones as do, an error.
pub(super) fn startable(servers: Vec<Server>, session: &Session) -> Result<Vec<Server>, Error> {
    let (running, idle): (Vec<_>, Vec<_>) =
        Found::all(servers)?.into_iter().partition(|found| found.process().is_some());
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

/// Makes what is missing under the chroot, but not the chroot itself: that might be a slip of the pen.
pub(super) fn make_folders(server: &Server) -> Result<(), Error> {
    if !Path::new(&server.chroot).is_dir() {
        let message = format!("its chroot `{}` is not a folder", server.chroot);
        return Err(Error::cannot(format!("start server {}", title(server)), message)
            .hint("the path counts from the folder that you are in")
            .hint(format!("`mkdir -p {}` makes it", server.chroot)));
    }
    for folder in server.folders() {
        make_folder(&folder, Path::new(&server.chroot)).map_err(|error| {
            Error::cannot(format!("make the folder `{}` of server {}", folder.display(), title(server)), error)
        })?;
    }
    Ok(())
}

/// Makes a folder with those above it.  What root makes belongs to the chroot's owner, as whom the server will
/// write there.
pub(super) fn make_folder(folder: &Path, chroot: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    make_folder(folder.parent().unwrap_or(Path::new("")), chroot)?;
    std::fs::create_dir(folder)?;
    if rustix::process::geteuid().is_root() {
        let owner = chroot.metadata()?;
        std::os::unix::fs::lchown(folder, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// Says what is about to happen, all of it: nothing is held back when this process becomes the server.
fn announce(servers: &[Server], session: &mut Session) -> Result<(), Error> {
    let line = |server: &Server| format!("Launching server {} on port {}", title(server), server.port);
    let json = |server: &Server| json!({"name": server.name, "uuid": server.uuid, "port": server.port});
    let lines = servers.iter().map(line).collect::<Vec<_>>().join("\n");
    session.show.either(&lines, &servers.iter().map(json).collect::<Vec<_>>())?;
    Ok(session.show.flush()?)
}

/// The command line of a server: `mongrel2 DATABASE UUID`.
///
/// sudo doesn't pass on another name for a program, so there the name is the first argument.
pub(super) fn command(program: &Path, db: &Path, server: &Server, sudo: bool) -> Command {
    let arguments = [db.as_os_str(), server.uuid.as_ref()];
    if sudo {
        let mut command = Command::new("sudo");
        command.arg("--").arg(program).arg("mongrel2").args(arguments);
        return command;
    }
    let mut command = Command::new(program);
    command.arg0("mongrel2").args(arguments);
    command
}

fn launch(servers: Vec<Server>, mut commands: Vec<Command>, sudo: bool) -> Result<Exit, Error> {
    match &mut commands[..] {
        [command] => {
            let error = command.exec();
            Err(not_run(command, &error))
        }
        _ => crew::run(servers.into_iter().zip(commands).collect(), sudo),
    }
}

/// A program that could not be run.
pub(super) fn not_run(command: &Command, error: &io::Error) -> Error {
    Error::cannot(format!("run `{}`", command.get_program().display()), error)
}
