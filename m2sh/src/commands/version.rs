//! `m2sh version`: the version of this program, and so of the server in it.

use serde_json::json;

use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;

pub(super) fn run(session: &mut Session) -> Result<Exit, Error> {
    let version = env!("CARGO_PKG_VERSION");
    session.show.either(&format!("m2sh {version}"), &json!({"version": version}))?;
    Ok(Exit::Success)
}
