//! `m2sh diff`: what two generations differ in, or one of them and the database; by default the one that a server runs
//! with and the database.

use mongrel2::config::Config;
use mongrel2::config::difference::difference;
use mongrel2::wire::control::Command;
use serde_json::json;

use crate::args::Diff;
use crate::changes::{self, Counts};
use crate::error::Error;
use crate::exit::Exit;
use crate::found::Found;
use crate::port::{Port, number};
use crate::session::Session;
use crate::show::{Form, escape};

pub(super) fn run(args: &Diff, session: &mut Session) -> Result<Exit, Error> {
    let (from, name) = match args.from {
        Some(number) => (number, format!("generation {number}")),
        None => {
            let (title, number) = running(args, session)?;
            (number, format!("generation {number}, with which server {title} runs,"))
        }
    };
    let old = session.generation(from, "compare")?;
    let (new, to) = match args.to {
        Some(number) => (session.generation(number, "compare")?, format!("generation {number}")),
        None => (session.config()?, session.db.display().to_string()),
    };
    tell(&old, &new, &format!("{name} and {to}"), session)
}

/// A running server, and the generation that it runs with.
fn running(args: &Diff, session: &Session) -> Result<(String, i64), Error> {
    let found = Found::all(session.selected(&args.which, "compare")?)?;
    let [found] = &found[..] else {
        return Err(Error::usage("compare several servers", "each may run with another generation"));
    };
    let setting = session.checked()?.settings().control_port.clone();
    Ok((found.title(), generation_of(found, &setting)?))
}

/// The generation that a server runs with, which it is asked for.
pub(super) fn generation_of(found: &Found, control_port: &str) -> Result<i64, Error> {
    let doing = format!("ask server {} for its generation", found.title());
    let Some(process) = found.process() else {
        return Err(Error::cannot(doing, found.absence())
            .hint("name a generation: `m2sh diff 1`; `m2sh generations` lists them"));
    };
    let told = Port::open(&found.server, control_port, process).and_then(|port| port.ask(&Command::Info));
    let told = told.map_err(|error| Error::cannot(&doing, error))?;
    number(&told, "generation").ok_or_else(|| Error::cannot(&doing, "it tells none"))
}

fn tell(old: &Config, new: &Config, what: &str, session: &mut Session) -> Result<Exit, Error> {
    let changes = difference(old, new);
    let Counts { add, change, remove } = Counts::of(&changes);
    if session.show.form() == Form::Json {
        session.show.json(&json!({"add": add, "change": change, "remove": remove, "changes": changes}))?;
    } else if changes.is_empty() {
        session.show.line(&escape(&format!("No difference: {what} are the same")))?;
    } else {
        changes::whole(&changes, &session.show).iter().try_for_each(|line| session.show.line(line))?;
        session.show.line(&format!("Difference: {add} added, {change} changed, {remove} removed"))?;
    }
    Ok(if changes.is_empty() { Exit::Success } else { Exit::Changes })
}
