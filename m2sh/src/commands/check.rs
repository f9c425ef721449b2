//! `m2sh check`: whether a script is sound, without a database.

use serde_json::json;

use crate::args::Script;
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::facts::facts;
use crate::session::Session;
use crate::show::{Form, escape};

use super::load::{counts, counts_text, refuse, run_script, script_path};

pub(super) fn run(args: &Script, session: &mut Session) -> Result<Exit, Error> {
    let path = script_path(args.named(), "check", "m2sh check FILE")?;
    let outcome = match run_script(&path, &facts()) {
        Ok(outcome) => outcome,
        Err(troubles) => return refuse(&troubles, session).map(|()| Exit::Failure),
    };
    let config = outcome.checked.written();
    let [servers, hosts, routes] = counts(config);
    let script = path.display().to_string();
    if session.show.form() != Form::Json && !outcome.notes.is_empty() {
        say(&outcome.notes.to_string());
    }
    session.show.either(
        &escape(&format!("{script}: {}: sound", counts_text(config))),
        &json!({
            "script": script, "sound": true, "servers": servers, "hosts": hosts, "routes": routes,
            "notes": outcome.notes,
        }),
    )?;
    Ok(Exit::Success)
}
