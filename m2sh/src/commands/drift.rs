//! `m2sh drift`: whether the script, the database and the servers that run are of one mind.
//!
//! The database is in the middle: the script is compared with it as by `plan`, each server's generation as by `diff`, and the
//! newest generation shows what was changed by plain SQL, behind m2sh's back.

use mongrel2::config::Config;
use mongrel2::config::difference::{Change, difference};
use mongrel2::config::settings::Settings;
use serde_json::{Value, json};

use crate::args::Script;
use crate::changes;
use crate::error::Error;
use crate::exit::Exit;
use crate::facts::facts;
use crate::found::Found;
use crate::session::Session;
use crate::show::{Form, escape};

use super::diff::generation_of;
use super::load::{default_script, refuse, run_script};

/// What the database was compared with.
struct Side {
    /// What is told of it before the changes.
    heading: String,
    json: Value,
    changes: Vec<Change>,
}

pub(super) fn run(args: &Script, session: &mut Session) -> Result<Exit, Error> {
    let snapshot = session.database()?.snapshot().map_err(|error| session.cannot("use the database", error))?;
    let mut sides = Vec::new();
    let path = args.named().map(ToOwned::to_owned).or_else(default_script);
    if let Some(path) = path {
        let outcome = match run_script(&path, &facts()) {
            Ok(outcome) => outcome,
            Err(troubles) => return refuse(&troubles, session).map(|()| Exit::Failure),
        };
        let name = path.display().to_string();
        sides.push(Side {
            heading: format!("To load {name} would change:"),
            json: json!({"script": name}),
            changes: difference(&snapshot.config, outcome.checked.written()),
        });
    }
    let newest = snapshot.generation;
    if let Some(kept) = session.kept(newest)? {
        sides.push(Side {
            heading: format!("Behind m2sh's back, since generation {newest}, the database was changed:"),
            json: json!({"generation": newest}),
            changes: difference(&kept, &snapshot.config),
        });
    }
    let are_told = servers(&snapshot.config, &mut sides, session)?;
    tell(&sides, session)?;
    Ok(match sides.iter().all(|side| side.changes.is_empty()) {
        _ if !are_told => Exit::Failure,
        true => Exit::Success,
        false => Exit::Changes,
    })
}

/// Adds the servers that run; whether all of them told what they run with.
fn servers(config: &Config, sides: &mut Vec<Side>, session: &Session) -> Result<bool, Error> {
    let control_port = Settings::new(&config.settings).control_port;
    let mut are_told = true;
    for found in Found::all(config.servers.clone())? {
        if found.process().is_none() {
            continue;
        }
        let kept = |generation| Ok((generation, session.generation(generation, "compare")?));
        let (generation, running) = match generation_of(&found, &control_port).and_then(kept) {
            Ok(running) => running,
            Err(error) => {
                error.tell();
                are_told = false;
                continue;
            }
        };
        sides.push(Side {
            heading: format!(
                "To reload server {}, which runs with generation {generation}, would change:",
                found.title()
            ),
            json: json!({"server": found.server.uuid, "generation": generation}),
            changes: difference(&running, config),
        });
    }
    Ok(are_told)
}

fn tell(sides: &[Side], session: &mut Session) -> Result<(), Error> {
    if session.show.form() == Form::Json {
        let with_changes = |side: &Side| {
            let mut json = side.json.clone();
            json["changes"] = json!(side.changes);
            json
        };
        session.show.json(&sides.iter().map(with_changes).collect::<Vec<_>>())?;
        return Ok(());
    }
    for (index, side) in sides.iter().filter(|side| !side.changes.is_empty()).enumerate() {
        if index > 0 {
            session.show.line("")?;
        }
        session.show.line(&escape(&side.heading))?;
        changes::whole(&side.changes, &session.show).iter().try_for_each(|line| session.show.line(line))?;
    }
    if sides.iter().all(|side| side.changes.is_empty()) {
        session.show.line("No drift")?;
    }
    Ok(())
}
