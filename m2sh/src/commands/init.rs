//! `m2sh init`: a fresh database, or the configuration of an existing one emptied; the log stays.

use serde_json::json;

use crate::args::Because;
use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;
use crate::show::escape;

pub(super) fn run(because: &Because, session: &mut Session) -> Result<Exit, Error> {
    let existed = session.db.exists();
    let db = session.db.display().to_string();
    let entry = session.operator.entry("init", because.why.as_deref());
    session.create("initialise the database", &entry, |change| change.init())?;
    let did = if existed { "Emptied the configuration of" } else { "Made" };
    session.show.either(&format!("{did} {}", escape(&db)), &json!({"db": db, "made": !existed}))?;
    Ok(Exit::Success)
}
