//! `m2sh load`: from a script, or from a plan, to the database, all of it or nothing.
//!
//! The script is run and checked before the database is so much as opened.  What changes is told; somebody at a
//! terminal is asked before a server, host or route goes.

mod reload;

use std::path::{Path, PathBuf};

use mongrel2::config::difference::{Change, Kind, Noun, difference, outline};
use mongrel2::config::store::StoreError;
use mongrel2::config::store::origin::Origin;
use mongrel2::config::{self, Config};
use serde_json::json;

use crate::args::Load;
use crate::changes::{self, counted};
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::facts::facts;
use crate::plan::Plan;
use crate::progress::during;
use crate::question;
use crate::script::{self, Facts, Troubles};
use crate::session::Session;
use crate::show::{Form, escape};

use reload::{Outcome, Servers};

pub(super) fn run(args: &Load, session: &mut Session) -> Result<Exit, Error> {
    let source = match &args.plan {
        Some(file) => Some(of_plan(file, session)?),
        None => of_script(&wanted_script(args, session)?, &facts(), session)?,
    };
    let Some(mut source) = source else { return Ok(Exit::Failure) };
    let why = args.because.why.as_deref();
    let servers = if args.reload { Some(Servers::find(&source, session)?) } else { None };
    if let Some(servers) = &servers {
        source.base.get_or_insert_with(|| servers.base());
    }
    let is_told = !args.yes && ask(&mut source, session)?;
    let changes = put(&source, why, session)?.ok();
    if session.show.form() != Form::Json {
        told(&source, changes.as_deref(), is_told, session)?;
    }
    let reloaded = servers.map(|servers| servers.reload(&source, why, session)).transpose()?;
    if session.show.form() == Form::Json {
        told_json(&source, changes.as_deref(), reloaded.as_ref(), session)?;
    } else if let Some(Outcome { report, .. }) = &reloaded {
        report.lines().try_for_each(|line| session.show.line(line))?;
    }
    Ok(if reloaded.is_some_and(|outcome| outcome.is_put_back) { Exit::Failure } else { Exit::Success })
}

/// Runs a script and saves what it says; `None` if it is faulty, which has been told then.
pub(super) fn store(
    path: &Path,
    facts: &Facts,
    why: Option<&str>,
    session: &mut Session,
) -> Result<Option<Config>, Error> {
    let Some(source) = of_script(path, facts, session)? else { return Ok(None) };
    put(&source, why, session)?.ok();
    Ok(Some(source.config))
}

/// Runs a script, which may take its time.
pub(super) fn run_script(path: &Path, facts: &Facts) -> Result<script::Outcome, Troubles> {
    during(&format!("run `{}`", path.display()), || script::run(path, facts))
}

/// What is to be loaded.
struct Source {
    /// The script.
    script: String,
    /// The file that was named: the script, or a plan.
    file: PathBuf,
    config: Config,
    /// What it was made of.
    origin: Origin,
    /// The hash of the only configuration that may be replaced; none if it may be any.
    base: Option<String>,
}

impl Source {
    fn doing(&self) -> String {
        format!("load `{}`", self.file.display())
    }
}

fn of_script(path: &Path, facts: &Facts, session: &mut Session) -> Result<Option<Source>, Error> {
    let outcome = match run_script(path, facts) {
        Ok(outcome) => outcome,
        Err(troubles) => return refuse(&troubles, session).map(|()| None),
    };
    if !outcome.notes.is_empty() {
        say(&outcome.notes.to_string());
    }
    let script = path.display().to_string();
    let (config, origin) = (outcome.checked.into_written(), outcome.origin);
    Ok(Some(Source { script, file: path.to_owned(), config, origin, base: None }))
}

/// The configuration of a plan, checked again: anybody may have been at the file.
fn of_plan(file: &Path, session: &Session) -> Result<Source, Error> {
    let Plan { script, base, mut config, origin, .. } = Plan::read(file)?;
    session.supply(&mut config, &format!("load `{}`", file.display()))?;
    match config::check(config.clone()) {
        Ok(_) => Ok(Source { script, file: file.to_owned(), config, origin, base: Some(base) }),
        Err(problems) => Err(session.faulty(file, &config, &problems)),
    }
}

/// Asks whoever is at the terminal before something goes that answers requests; gives whether the changes have been
/// told for that.  Once asked, only what was asked about is done.
fn ask(source: &mut Source, session: &mut Session) -> Result<bool, Error> {
    if !question::is_possible() {
        return Ok(false);
    }
    // A database that can't be read is told about when it is replaced; a plan for another base is refused there.
    let Ok(base) = session.base() else { return Ok(false) };
    let digest = base.digest();
    let changes = difference(&base, &source.config);
    if !changes.iter().any(removes) || source.base.as_ref().is_some_and(|expected| *expected != digest) {
        return Ok(false);
    }
    tell(&changes, session)?;
    session.show.flush()?;
    let agrees = question::agrees("Remove these?").map_err(|error| Error::cannot(source.doing(), error))?;
    if !agrees {
        let hint = "`-yes` loads without asking";
        return Err(Error::cannot(source.doing(), "nobody has said yes, and nothing is changed").hint(hint));
    }
    source.base = Some(digest);
    Ok(true)
}

fn removes(change: &Change) -> bool {
    change.kind == Kind::Removed && matches!(change.path.noun(), Noun::Server | Noun::Host | Noun::Route)
}

/// Replaces the configuration, and gives what that has changed; what there was may be unreadable, which is told.
fn put(source: &Source, why: Option<&str>, session: &Session) -> Result<Result<Vec<Change>, StoreError>, Error> {
    let entry = session.operator.entry("load", why);
    let changes = session.create(&source.doing(), &entry, |change| {
        let base = change.config();
        let is_expected = |expected: &String| base.as_ref().is_ok_and(|base| base.digest() == *expected);
        if !source.base.as_ref().is_none_or(is_expected) {
            return Err(StoreError::Moved);
        }
        change.save_from(&source.config, Some(&source.origin))?;
        // Only programs are told of every field of what is new.
        let changes = if session.show.form() == Form::Json { difference } else { outline };
        Ok(base.map(|base| changes(&base, &source.config)))
    })?;
    if !source.config.secrets.is_empty() {
        session.warn_of_readers();
    }
    Ok(changes.inspect_err(|error| say(&format!("m2sh: warning: cannot tell what has changed: {error}"))))
}

fn wanted_script(args: &Load, session: &Session) -> Result<PathBuf, Error> {
    let hint = format!("m2sh load -db {} -config FILE", session.db.display());
    script_path(args.config.as_deref(), "load", &hint)
}

const DEFAULTS: [&str; 2] = ["mongrel2.conf", "config.rhai"];

/// The script where none was named: the first of the usual ones that is there.
pub(super) fn default_script() -> Option<PathBuf> {
    DEFAULTS.into_iter().map(PathBuf::from).find(|path| path.exists())
}

/// The script: what was named, else `mongrel2.conf`, else `config.rhai`.
pub(super) fn script_path(named: Option<&Path>, verb: &str, next: &str) -> Result<PathBuf, Error> {
    let path = named.map(Path::to_owned).or_else(default_script).unwrap_or_else(|| DEFAULTS[0].into());
    if path.exists() {
        return Ok(path);
    }
    let error = Error::cannot(format!("{verb} `{}`", path.display()), "there is no such file");
    Err(error.hint(format!("name the script: `{next}`")))
}

/// Tells what is wrong with a script.
pub(super) fn refuse(troubles: &Troubles, session: &mut Session) -> Result<(), Error> {
    match session.show.form() {
        Form::Json => session.show.json(troubles)?,
        Form::Lines | Form::Terminal => say(&troubles.to_string()),
    }
    Ok(())
}

/// Tells changes in their short form; where programs read, to whoever is asked.
fn tell(changes: &[Change], session: &mut Session) -> Result<(), Error> {
    let lines = changes::short(changes, &session.show);
    match session.show.form() {
        Form::Json => say(&lines.join("\n")),
        Form::Lines | Form::Terminal => lines.iter().try_for_each(|line| session.show.line(line))?,
    }
    Ok(())
}

fn told(source: &Source, changes: Option<&[Change]>, is_told: bool, session: &mut Session) -> Result<(), Error> {
    match changes {
        Some([]) => session.show.line("Nothing changed")?,
        Some(changes) if !is_told => tell(changes, session)?,
        _ => (),
    }
    let (file, db) = (source.file.display(), session.db.display());
    let line = escape(&format!("Loaded {} from {file} into {db}", counts_text(&source.config)));
    session.show.line(&line)?;
    Ok(())
}

fn told_json(
    source: &Source,
    changes: Option<&[Change]>,
    reloaded: Option<&Outcome>,
    session: &mut Session,
) -> Result<(), Error> {
    let [servers, hosts, routes] = counts(&source.config);
    let mut json = json!({
        "config": source.script, "db": session.db.display().to_string(),
        "servers": servers, "hosts": hosts, "routes": routes, "changes": changes,
    });
    if let Some(Outcome { report, is_put_back }) = reloaded {
        json["reload"] = report.rows().cloned().collect();
        json["put_back"] = (*is_put_back).into();
    }
    Ok(session.show.json(&json)?)
}

/// How many servers, hosts and routes there are.
pub(super) fn counts(config: &Config) -> [usize; 3] {
    let hosts = || config.servers.iter().flat_map(|server| &server.hosts);
    [config.servers.len(), hosts().count(), hosts().map(|host| host.routes.len()).sum()]
}

/// The same in words: `1 server, 1 host, 2 routes`.
pub(super) fn counts_text(config: &Config) -> String {
    let [servers, hosts, routes] = counts(config);
    [counted(servers, "server"), counted(hosts, "host"), counted(routes, "route")].join(", ")
}
