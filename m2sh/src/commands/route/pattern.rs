//! `m2sh route -pattern ROUTE -match PATH`: whether a route would take a path; neither has to be in a configuration.

use mongrel2::route::Path;
use serde_json::json;

use super::verdict;
use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;
use crate::show::escape;

pub(super) fn run(route: &str, path: &str, session: &mut Session) -> Result<Exit, Error> {
    let parsed = Path::parse(route, false).map_err(|error| Error::usage(format!("use the route `{route}`"), error))?;
    let has_prefix = path.starts_with(&parsed.fixed);
    let matches = has_prefix && parsed.matches_rest(path.as_bytes());
    let verdict = if has_prefix { verdict(route, false, matches) } else { "it does not begin with its prefix" };
    let outcome = if matches { "matches" } else { "does not match" };
    let text = format!("`{path}` {outcome} `{route}`: {verdict}");
    let json = json!({"route": route, "path": path, "matches": matches, "verdict": verdict});
    session.show.either(&escape(&text), &json)?;
    Ok(Exit::Success)
}
