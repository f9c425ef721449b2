//! `m2sh definitions`: what editors with Rhai's language server are told of the words of a configuration.

use serde_json::json;

use crate::args::Definitions;
use crate::error::Error;
use crate::exit::Exit;
use crate::script::definitions;
use crate::session::Session;
use crate::show::escape;

use super::export::{refused, write};

pub(super) fn run(args: &Definitions, session: &mut Session) -> Result<Exit, Error> {
    let text = definitions();
    match &args.output.output {
        Some(path) => {
            write(path, &text, args.output.force).map_err(|error| refused(path, &error))?;
            let path = path.display().to_string();
            session.show.either(&escape(&format!("Wrote the definitions to {path}")), &json!({"output": path}))?;
        }
        None => session.show.either(text.trim_end(), &json!({"definitions": text}))?,
    }
    Ok(Exit::Success)
}
