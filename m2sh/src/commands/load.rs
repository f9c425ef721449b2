//! `m2sh load`: from a script to the database, all of it or nothing.
//!
//! The script is run and checked before the database is so much as opened.

use std::path::{Path, PathBuf};

use mongrel2::config::Config;
use serde_json::json;

use crate::args::Load;
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::operator::hostname;
use crate::script::{self, Facts, Troubles};
use crate::session::Session;
use crate::show::{Form, escape};

pub(super) fn run(args: &Load, session: &mut Session) -> Result<Exit, Error> {
    let path = script_path(args.config.as_deref(), session)?;
    match store(&path, &facts(), args.because.why.as_deref(), session)? {
        None => Ok(Exit::Failure),
        Some(config) => told(&config, &path, session),
    }
}

/// Runs a script and saves what it says; `None` if it is faulty, which has been told then.
pub(super) fn store(
    path: &Path,
    facts: &Facts,
    why: Option<&str>,
    session: &mut Session,
) -> Result<Option<Config>, Error> {
    let outcome = match script::run(path, facts) {
        Ok(outcome) => outcome,
        Err(troubles) => return refuse(&troubles, session).map(|()| None),
    };
    if !outcome.notes.is_empty() {
        say(&outcome.notes.to_string());
    }
    let config = outcome.checked.into_config();
    let entry = session.operator.entry("load", why);
    session.create(&format!("load `{}`", path.display()), &entry, |change| change.save(&config))?;
    Ok(Some(config))
}

/// What a script may know: the environment of m2sh, as far as it is text, and the machine's name.
pub(super) fn facts() -> Facts {
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Facts { variables: variables.collect(), hostname: hostname() }
}

/// The script to load: what was named, else `mongrel2.conf`, else `config.rhai`.
fn script_path(named: Option<&Path>, session: &Session) -> Result<PathBuf, Error> {
    let defaults = ["mongrel2.conf", "config.rhai"].map(PathBuf::from);
    let path = match named {
        Some(path) => path.to_owned(),
        None => defaults.iter().find(|path| path.exists()).unwrap_or(&defaults[0]).clone(),
    };
    if path.exists() {
        return Ok(path);
    }
    let db = session.db.display();
    Err(Error::cannot(format!("load `{}`", path.display()), "there is no such file")
        .hint(format!("name the script: `m2sh load -db {db} -config FILE`")))
}

pub(super) fn refuse(troubles: &Troubles, session: &mut Session) -> Result<(), Error> {
    match session.show.form() {
        Form::Json => session.show.json(troubles)?,
        Form::Lines | Form::Terminal => say(&troubles.to_string()),
    }
    Ok(())
}

fn told(config: &Config, path: &Path, session: &mut Session) -> Result<Exit, Error> {
    let (path, db) = (path.display().to_string(), session.db.display().to_string());
    let [servers, hosts, routes] = counts(config);
    let (servers_text, hosts_text, routes_text) =
        (counted(servers, "server"), counted(hosts, "host"), counted(routes, "route"));
    session.show.either(
        &escape(&format!("Loaded {servers_text}, {hosts_text}, {routes_text} from {path} into {db}")),
        &json!({"config": path, "db": db, "servers": servers, "hosts": hosts, "routes": routes}),
    )?;
    Ok(Exit::Success)
}

fn counts(config: &Config) -> [usize; 3] {
    let hosts = || config.servers.iter().flat_map(|server| &server.hosts);
    [config.servers.len(), hosts().count(), hosts().map(|host| host.routes.len()).sum()]
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
