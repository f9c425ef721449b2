//! `m2sh uuid`: a new random UUID.

use serde_json::json;

use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;

pub(super) fn run(session: &mut Session) -> Result<Exit, Error> {
    let uuid = uuid::Uuid::new_v4().to_string();
    session.show.either(&uuid, &json!({"uuid": uuid}))?;
    Ok(Exit::Success)
}
