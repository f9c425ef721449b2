//! `m2sh generations`: every configuration that there has been, and who made it, when and why.

use mongrel2::config::store::generations::Generation;

use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;
use crate::show::Cell;

const COLUMNS: [&str; 8] = ["generation", "happened_at", "who", "location", "what", "why", "digest", "kept"];

/// How much of a digest is enough to tell one from the other.
const DIGITS: usize = 12;

pub(super) fn run(session: &mut Session) -> Result<Exit, Error> {
    let generations = session.database()?.generations().map_err(|error| session.cannot("read the log", error))?;
    session.show.table(&COLUMNS, generations.iter().map(row))?;
    Ok(Exit::Success)
}

fn row(generation: &Generation) -> Vec<Cell> {
    let logged = generation.logged.as_ref();
    let text = |of: fn(&mongrel2::config::history::Logged) -> &str| Cell::from(logged.map_or("", of));
    let reason = logged.map_or("", |entry| if entry.why == "command" { &entry.how } else { &entry.why });
    let digest = generation.digest.get(..DIGITS).unwrap_or_default();
    vec![
        generation.id.into(),
        text(|entry| &entry.happened_at),
        text(|entry| &entry.who),
        text(|entry| &entry.location),
        text(|entry| &entry.what),
        reason.into(),
        digest.into(),
        generation.kept.into(),
    ]
}
