//! `m2sh demo --all`: every demo of the examples in one folder, behind one server, under procer.
//!
//! * [`demos`]: the table of them.  [`contents`]: what the folder is made of.  [`claim`]: one m2sh for each folder.
//! * [`tools`], with [`python`] and [`child`]: what this machine has of what they need.  [`way`]: what the script has.
//!   [`plan`]: which run.
//! * [`services`]: their profiles.  [`shared`]: what two of them share.  [`ports`]: theirs.  [`procer`]: who runs them.  [`probe`]:
//!   whether they answer.
//! * [`running`]: all of that from its start to its end.  [`patience`]: waiting, with an ear for signals.
//! * [`board`]: what the page shows.  [`guide`]: what the terminal shows.

mod board;
mod child;
mod claim;
mod contents;
mod demos;
mod guide;
mod patience;
mod plan;
mod ports;
mod probe;
mod procer;
mod python;
mod running;
mod services;
mod shared;
mod tools;
mod way;

use std::net::TcpListener;

use mongrel2::config::Server;

use crate::args::{Demo as Args, Which};
use crate::error::Error;
use crate::exit::Exit;
use crate::found::Found;
use crate::session::Session;

use super::super::start;
use super::folder::Folder;
use super::guide::command;
use claim::Claim;
use contents::contents;
use patience::Patience;
use running::Running;
use tools::Tools;

pub(super) fn run(args: &Args, session: &mut Session) -> Result<Exit, Error> {
    let folder = Folder::at(args.folder(), contents(args.folder(), args.port)?)?;
    folder.fill()?;
    // Signals are heard before there is anything that one could leave behind.
    let mut patience = Patience::new()?;
    let _claim = Claim::take(&folder)?;
    session.db = folder.database();
    let Some(server) = configured(args, &folder, session)? else { return Ok(Exit::Failure) };
    start::make_folders(&server, None)?;
    let Some(tools) = patience.unless_signalled("see what the demos need", Tools::look(folder.path())) else {
        return Ok(Exit::Success);
    };
    let rows = plan::rows(&folder, &server, &tools);
    services::write(&folder, &server, &rows)?;
    Running::begin(&folder, &server)?.run(&rows, &mut patience, session)
}

/// The server that is to be run, from the script; `None` if that is faulty, which has been told then.  One that runs
/// already, as an m2sh was killed, stays as it is.
fn configured(args: &Args, folder: &Folder, session: &mut Session) -> Result<Option<Server>, Error> {
    if let Some(server) = running(session)? {
        return match args.port {
            Some(port) if server.port != i64::from(port) => Err(elsewhere(port, &server, folder)),
            _ => Ok(Some(server)),
        };
    }
    let Some(server) = super::load(args, folder, session)? else { return Ok(None) };
    let next = format!("{} --all --port {}", command(folder), server.port % 65535 + 1);
    TcpListener::bind(server.address()).map_err(|error| {
        Error::cannot(format!("listen on {}", server.address()), error).hint(format!("take another port: `{next}`"))
    })?;
    Ok(Some(server))
}

fn running(session: &Session) -> Result<Option<Server>, Error> {
    // What is wrong with a database, if anything, is told when the script is loaded into it.
    let Some(config) = session.db.exists().then(|| session.config().ok()).flatten() else { return Ok(None) };
    let mut servers = session.choose(config.servers, &Which::default(), "run")?;
    let found = Found::one(servers.pop().expect("a choice is not empty"))?;
    Ok(found.process().is_some().then(|| found.server.clone()))
}

fn elsewhere(port: u16, server: &Server, folder: &Folder) -> Error {
    let command = command(folder);
    Error::cannot(format!("use port {port}"), format!("the server of an m2sh that was killed runs on {}", server.port))
        .hint(format!("`{command} --all` takes over what runs there, and Ctrl-C stops it then"))
}
