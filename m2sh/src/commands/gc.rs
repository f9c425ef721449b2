//! `m2sh gc`: throws away what was kept of old generations, but for those that servers run with.
//!
//! The log, and who changed what in which generation, stay.

use std::collections::BTreeSet;
use std::fs;

use mongrel2::config::settings::Settings;
use serde_json::json;

use crate::args::Gc;
use crate::changes::counted;
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::found::Found;
use crate::session::Session;
use crate::show::escape;

use super::diff::generation_of;

pub(super) fn run(args: &Gc, session: &mut Session) -> Result<Exit, Error> {
    let served = served(session)?;
    let before = size(session);
    let entry = session.operator.entry("gc", args.because.why.as_deref());
    let doing = "throw away old generations";
    let gone = session.change(doing, &entry, |change| change.collect(args.keep as usize, &served))?;
    if let Err(error) = session.shrink() {
        say(&format!("m2sh: warning: the file keeps its size: {error}"));
    }
    let freed = before.saturating_sub(size(session));
    let text = match &gone[..] {
        [] => "Nothing to throw away".to_owned(),
        [one] => format!("Threw away generation {one}; {freed} bytes are free again"),
        [first, .., last] => {
            let count = counted(gone.len(), "generation");
            format!("Threw away {count}, from {first} to {last}; {freed} bytes are free again")
        }
    };
    session.show.either(&escape(&text), &json!({"generations": gone, "freed": freed}))?;
    Ok(Exit::Success)
}

/// The generations that servers run with.
///
/// A server that runs and cannot be asked ends it: its generation could be any.
fn served(session: &Session) -> Result<BTreeSet<i64>, Error> {
    let servers = session.database()?.servers().map_err(|error| session.cannot("use the database", error))?;
    let settings = session.database()?.settings().unwrap_or_default();
    let control_port = Settings::new(&settings).control_port;
    let running = Found::all(servers)?.into_iter().filter(|found| found.process().is_some());
    running.map(|found| generation_of(&found, &control_port)).collect()
}

/// How long the database is, in bytes.
fn size(session: &Session) -> u64 {
    fs::metadata(&session.db).map_or(0, |metadata| metadata.len())
}
