//! `m2sh rollback`: makes the configuration what it was in an earlier generation, whichever that is.
//!
//! It is a change like any other: it makes a generation, and a line of the log.

use mongrel2::config::check;
use serde_json::json;

use crate::args::Rollback;
use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;

pub(super) fn run(args: &Rollback, session: &mut Session) -> Result<Exit, Error> {
    let number = args.generation;
    let doing = format!("go back to generation {number}");
    let mut config = session.generation(number, "go back to")?;
    session.supply(&mut config, &doing)?;
    let origin = session.database()?.origin(number).map_err(|error| session.cannot(&doing, error))?;
    let db = session.db.display().to_string();
    let (checked, _) =
        check::check(config.clone()).map_err(|problems| session.faulty(&session.db, &config, &problems))?;
    let entry = session.operator.entry("rollback", args.because.why.as_deref());
    session.change(&doing, &entry, |change| change.save_from(checked.written(), origin.as_ref()))?;
    let now = session.database()?.snapshot().map_err(|error| session.cannot(&doing, error))?.generation;
    session.show.either(
        &format!("The configuration is that of generation {number} again, as generation {now}"),
        &json!({"db": db, "from": number, "generation": now}),
    )?;
    Ok(Exit::Success)
}
