//! `m2sh export`: from a database, one of the original's too, to a Rhai script that loads to the same.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use mongrel2::config::{Config, Severity, check};
use serde_json::json;

use crate::args::{Export, Output};
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::script::print;
use crate::session::Session;
use crate::show::{Form, escape};

pub(super) fn run(args: &Export, session: &mut Session) -> Result<Exit, Error> {
    let config = session.config()?;
    warn(&config);
    let head =
        format!("The configuration of {}, as `m2sh export` has written it.", escape(&session.db.to_string_lossy()));
    let from = session.db.clone();
    deliver(&print(&config, [head.as_str()]), &from, &args.output, session)
}

/// Says why `m2sh load` would refuse the script.
fn warn(config: &Config) {
    let problems = check(config.clone()).map_or_else(|problems| problems, |(_, problems)| problems);
    for problem in problems.iter().filter(|problem| problem.severity > Severity::Note) {
        say(&format!("m2sh: warning: `m2sh load` will refuse the script: {}", problem.describe(config)));
    }
}

/// Prints a script that was made of `from`, or writes it to a file and says so.
pub(super) fn deliver(script: &str, from: &Path, output: &Output, session: &mut Session) -> Result<Exit, Error> {
    let from = from.display().to_string();
    match &output.output {
        Some(path) => {
            write(path, script, output.force).map_err(|error| refused(path, &error))?;
            let path = path.display().to_string();
            let told = format!("Wrote the configuration of {from} to {path}");
            session.show.either(&escape(&told), &json!({"from": from, "output": path}))?;
        }
        None if session.show.form() == Form::Json => session.show.json(&json!({"from": from, "script": script}))?,
        None => session.show.line(script.trim_end())?,
    }
    Ok(Exit::Success)
}

pub(super) fn write(path: &Path, script: &str, force: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    options.write(true).open(path)?.write_all(script.as_bytes())
}

pub(super) fn refused(path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    match error.kind() {
        ErrorKind::AlreadyExists => Error::cannot(format!("write `{shown}`"), "there is such a file already")
            .hint("name another, or write over it with `--force`"),
        _ => Error::cannot(format!("write `{shown}`"), error),
    }
}
