//! `m2sh show`: the configuration of a generation, as a script that loads to it, or the script that it was loaded from.

use mongrel2::config::store::generations::Generation;
use mongrel2::config::store::origin::{File, Origin};

use crate::args::Show;
use crate::error::Error;
use crate::exit::Exit;
use crate::script::print;
use crate::session::Session;
use crate::show::{Form, escape};

use super::export::deliver;

pub(super) fn run(args: &Show, session: &mut Session) -> Result<Exit, Error> {
    let number = args.generation;
    let config = session.generation(number, "show")?;
    let read = |error| session.cannot(format!("show generation {number}"), error);
    let origin = session.database()?.origin(number).map_err(read)?;
    if args.source {
        return source(number, origin, session);
    }
    let listed = session.database()?.generations().map_err(read)?;
    let generation = listed.iter().find(|generation| generation.id == number);
    let head = generation.map(|generation| head(generation, origin.as_ref())).unwrap_or_default();
    let from = session.db.clone();
    deliver(&print(&config, head.iter().map(String::as_str)), &from, &args.output, session)
}

/// Prints the files of a script as they were, each behind its path if there are several.
fn source(number: i64, origin: Option<Origin>, session: &mut Session) -> Result<Exit, Error> {
    let Some(origin) = origin else {
        let cause = "it was not loaded from one, or by a version that kept none";
        let hint = format!("`m2sh show {number}` writes its configuration as a script");
        return Err(Error::cannot(format!("show the script of generation {number}"), cause).hint(hint));
    };
    if session.show.form() == Form::Json {
        session.show.json(&origin)?;
        return Ok(Exit::Success);
    }
    for File { path, text } in &origin.files {
        if origin.files.len() > 1 {
            session.show.line(&escape(&format!("// {path}")))?;
        }
        session.show.line(text.strip_suffix('\n').unwrap_or(text))?;
    }
    Ok(Exit::Success)
}

/// Which one it is, who made it, and what it was made of.
fn head(generation: &Generation, origin: Option<&Origin>) -> Vec<String> {
    let mut lines = vec![format!("Generation {}.", generation.id)];
    if let Some(entry) = &generation.logged {
        let who = format!("{}, {}@{}, {}", entry.happened_at, entry.who, entry.location, entry.what);
        let why = if entry.why == "command" { &entry.how } else { &entry.why };
        lines.extend([escape(&who), escape(why)]);
    }
    lines.extend(origin.map(made_of));
    lines
}

fn made_of(origin: &Origin) -> String {
    let files = origin.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>().join(", ");
    let mut asked = origin.variables.clone();
    asked.extend(origin.hostname.as_ref().map(|name| format!("the host name ({name})")));
    match &asked[..] {
        [] => escape(&format!("Made from {files}.")),
        asked => escape(&format!("Made from {files}, which asked for {}.", asked.join(", "))),
    }
}
