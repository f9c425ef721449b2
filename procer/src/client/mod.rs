//! The commands that talk to a procer.
//!
//! `link` is the connection; `show` prints; `logs` reads the logs themselves, which needs no procer.  `whole` is for programs
//! that run a procer of their own.

mod link;
mod logs;
mod show;
pub mod whole;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::args::{At, Change, Command, Events, Names, Signal, Status as StatusArgs, Wait};
use crate::control::protocol::{Happened, Phase, Reply, Request, Status};
use crate::error::Error;
use crate::exit::Exit;
use link::Link;
pub use show::{COLUMNS, row};

/// How services are: those of these names, or all.  The folder is the one that is given, or found as commands find it.
///
/// # Errors
/// There is no procer, or no such service.
pub fn services(profiles: Option<PathBuf>, names: Vec<String>) -> Result<Vec<Status>, Error> {
    Ok(Link::open(&At { profiles })?.ask(&Request::Status { names })?.services)
}

/// Whether a service is what it shall be: one that is asked for by name has to be ready, or to have done what it had to do.
pub fn is_well(service: &Status, named: bool) -> bool {
    is_up(service) || !(named || service.wanted)
}

/// Does what a command says.
pub(crate) fn run(command: Command) -> Result<Exit, Error> {
    match command {
        Command::Status(args) => status(args),
        Command::Start(args) => change(args, |names| Request::Start { names }, Goal::Ready),
        Command::Stop(args) => change(args, |names| Request::Stop { names }, Goal::Down),
        Command::Restart(args) => change(args, |names| Request::Restart { names }, Goal::Ready),
        Command::Reload(args) => reload(args),
        Command::Signal(args) => signal(args),
        Command::Wait(args) => wait(args),
        Command::Logs(args) => logs::run(&args),
        Command::Events(args) => events(args),
        Command::Quit(at) => {
            let mut link = Link::open(&at)?;
            link.ask(&Request::Quit {})?;
            link.wait_for_end();
            Ok(Exit::Success)
        }
    }
}

fn status(args: StatusArgs) -> Result<Exit, Error> {
    let mut link = Link::open(&args.at)?;
    let reply = link.ask(&Request::Status { names: args.names.clone() })?;
    if args.follow {
        link.ask(&Request::Events {})?;
    }
    show::table(&reply.services, args.json)?;
    let named = !args.names.is_empty();
    let missing = reply.services.iter().any(|service| !is_well(service, named));
    if !args.follow {
        return Ok(if missing { Exit::NotReady } else { Exit::Success });
    }
    loop {
        let happened = link.event(None)?;
        if !named || args.names.contains(&happened.service.name) {
            show::table(&[happened.service], args.json)?;
        }
    }
}

/// Ready, or done with what it had to do.
fn is_up(service: &Status) -> bool {
    matches!(service.state, Phase::Ready | Phase::Exited)
}

fn reload(args: Names) -> Result<Exit, Error> {
    let reply = Link::open(&args.at)?.ask(&Request::Reload { names: args.names })?;
    if reply.troubles.is_empty() {
        return Ok(Exit::Success);
    }
    Err(Error::cannot("understand all profiles", reply.troubles.join("\n  ")))
}

fn signal(args: Signal) -> Result<Exit, Error> {
    Link::open(&args.at)?.ask(&Request::Signal { names: args.names, signal: args.signal })?;
    Ok(Exit::Success)
}

fn events(args: Events) -> Result<Exit, Error> {
    let mut link = Link::open(&args.at)?;
    link.ask(&Request::Events {})?;
    loop {
        let happened = link.event(None)?;
        if args.names.is_empty() || args.names.contains(&happened.service.name) {
            show::event(&happened, args.json)?;
        }
    }
}

/// What services shall come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Ready,
    Down,
}

fn change(args: Change, request: impl Fn(Vec<String>) -> Request, goal: Goal) -> Result<Exit, Error> {
    let mut link = Link::open(&args.at)?;
    // Heard from the beginning, so that nothing is missed.
    link.ask(&Request::Events {})?;
    let reply = link.ask(&request(args.names))?;
    if args.no_wait { Ok(Exit::Success) } else { reach(&mut link, reply, goal, args.timeout) }
}

fn wait(args: Wait) -> Result<Exit, Error> {
    let mut link = Link::open(&args.at)?;
    link.ask(&Request::Events {})?;
    let reply = link.ask(&Request::Status { names: args.names })?;
    let goal = if args.down { Goal::Down } else { Goal::Ready };
    reach(&mut link, reply, goal, args.timeout)
}

/// Waits until all services of a reply have come to what they shall, or can't any more.
fn reach(link: &mut Link, reply: Reply, goal: Goal, timeout: Duration) -> Result<Exit, Error> {
    let deadline = Instant::now() + timeout;
    let mut open: BTreeMap<String, Status> = BTreeMap::new();
    for service in reply.services {
        judge(&mut open, service, goal)?;
    }
    while !open.is_empty() {
        let Happened { service, .. } = match link.event(Some(deadline)) {
            Ok(happened) => happened,
            Err(error) if Instant::now() >= deadline => return Err(late(&open, error)),
            Err(error) => return Err(error),
        };
        if open.contains_key(&service.name) {
            judge(&mut open, service, goal)?;
        }
    }
    Ok(Exit::Success)
}

/// Whether a service has come to it, or never will.
fn judge(open: &mut BTreeMap<String, Status>, service: Status, goal: Goal) -> Result<(), Error> {
    match (goal, service.state) {
        (Goal::Ready, Phase::Ready | Phase::Exited) | (Goal::Down, Phase::Down | Phase::Exited | Phase::Failed) => {
            open.remove(&service.name);
            Ok(())
        }
        (Goal::Ready, Phase::Failed) => {
            let why = service.why.unwrap_or_default();
            let hint = format!("`procer logs {}` may say more", service.name);
            Err(Error::cannot(format!("have `{}` ready", service.name), why).hint(hint))
        }
        _ => {
            open.insert(service.name.clone(), service);
            Ok(())
        }
    }
}

fn late(open: &BTreeMap<String, Status>, _: Error) -> Error {
    let of = |service: &Status| {
        let why = service.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        format!("`{}` is {}{why}", service.name, service.state.word())
    };
    let all: Vec<String> = open.values().map(of).collect();
    Error::cannot("wait any longer", all.join(", ")).exit(Exit::Timeout)
}
