//! `m2sh show`: the configuration of a generation, as a script that loads to it.

use mongrel2::config::store::generations::Generation;

use crate::args::Show;
use crate::error::Error;
use crate::exit::Exit;
use crate::script::print;
use crate::session::Session;
use crate::show::escape;

use super::export::deliver;

pub(super) fn run(args: &Show, session: &mut Session) -> Result<Exit, Error> {
    let number = args.generation;
    let config = session.generation(number, "show")?;
    let listed = session.database()?.generations().map_err(|error| session.cannot("read the log", error))?;
    let head = listed.iter().find(|generation| generation.id == number).map(head).unwrap_or_default();
    let from = session.db.clone();
    deliver(&print(&config, head.iter().map(String::as_str)), &from, &args.output, session)
}

/// Which one it is, and who made it.
fn head(generation: &Generation) -> Vec<String> {
    let mut lines = vec![format!("Generation {}.", generation.id)];
    if let Some(entry) = &generation.logged {
        let who = format!("{}, {}@{}, {}", entry.happened_at, entry.who, entry.location, entry.what);
        let why = if entry.why == "command" { &entry.how } else { &entry.why };
        lines.extend([escape(&who), escape(why)]);
    }
    lines
}
