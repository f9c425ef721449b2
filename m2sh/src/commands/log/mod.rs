//! `m2sh log`: the audit log, a line per entry in the form of the manual's section 3.7; and whether it is as it was written.

mod stats;

use std::thread::sleep;
use std::time::Duration;

use mongrel2::config::history::{Fault, Filter, Logged, Verdict};
use mongrel2::config::{Database, Server, closest};
use serde_json::json;

use crate::args::Log;
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::progress::during;
use crate::session::Session;
use crate::show::{Form, escape};
use crate::{since, syslog};

/// How often is looked for new entries: SQLite tells no other process of them.
const TICK: Duration = Duration::from_millis(200);

pub(super) fn run(args: &Log, session: &mut Session) -> Result<Exit, Error> {
    let database = session.database()?;
    if args.seal {
        return last_seal(&database, session);
    }
    if args.syslog {
        return send(&database, session);
    }
    if args.verify {
        return verify(&database, args.kept.as_deref(), session);
    }
    let since = args.since.as_deref().map(|text| since::parse(text, chrono::Utc::now()));
    let since = since.transpose().map_err(|why| Error::usage("read -since", why))?;
    let servers = args.server.as_deref().map_or(Ok(Vec::new()), |server| uuids_of(server, &database, session))?;
    let Log { who, what, last, .. } = args;
    let mut filter = Filter { since, who: who.clone(), what: what.clone(), servers, last: *last, ..Filter::default() };
    if args.stats {
        return stats::run(&database, &filter, session);
    }
    // What is left out now is left out for good.
    let end = database.log_of(&Filter { last: Some(1), ..Filter::default() });
    let end = end.map_err(|error| session.cannot("read the log", error))?.last().map_or(0, |entry| entry.id);
    let mut newest = print(&database, &filter, session)?.unwrap_or(0).max(end);
    if !args.follow {
        return Ok(Exit::Success);
    }
    loop {
        sleep(TICK);
        filter = Filter { after: newest, last: None, ..filter };
        newest = print(&database, &filter, session)?.unwrap_or(newest);
    }
}

/// Prints entries; gives the number of the last of them.
fn print(database: &Database, filter: &Filter, session: &mut Session) -> Result<Option<i64>, Error> {
    let read = || Ok((database.log_of(filter)?, database.first_sealed()?));
    let (entries, sealed) = during("read the log", read).map_err(|error| session.cannot("read the log", error))?;
    let newest = entries.last().map(|entry| entry.id);
    match session.show.form() {
        Form::Json if newest.is_none() && filter.after > 0 => {}
        Form::Json => session.show.json(&entries)?,
        Form::Lines | Form::Terminal => {
            entries.iter().try_for_each(|entry| session.show.line(&line(entry, sealed)))?;
        }
    }
    session.show.flush()?;
    Ok(newest)
}

/// An entry that has a reason shows the reason; the others show the command line.  One of another program's, among those
/// that have seals, is told.
fn line(entry: &Logged, sealed: Option<i64>) -> String {
    let Logged { who, what, location, happened_at, how, why, .. } = entry;
    let text = if why.is_empty() || why == "command" { how } else { why };
    let marks = marks(entry, sealed).join(", ");
    let marks = if marks.is_empty() { marks } else { format!(" ({marks})") };
    escape(&format!("[{}, {who}@{location}, {what}] {text}{marks}", happened_at.replacen(' ', "T", 1)))
}

fn marks(entry: &Logged, sealed: Option<i64>) -> Vec<String> {
    let Logged { id, who, login, uid, seal, .. } = entry;
    let is_foreign = seal.is_empty() && sealed.is_some_and(|first| *id > first);
    let login = login.as_ref().filter(|login| *login != who);
    [
        (*uid == Some(0) && who != "root").then(|| "as root".to_owned()),
        login.map(|login| format!("logged in as {login}")),
        is_foreign.then(|| "unsealed".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The servers of that name or UUID; of one that is gone the log may know the UUID.
fn uuids_of(given: &str, database: &Database, session: &Session) -> Result<Vec<String>, Error> {
    let cannot = |error| session.cannot("use the database", error);
    let servers = database.servers().map_err(cannot)?;
    let is_meant = |server: &&Server| server.uuid == given || server.name == given;
    let mut uuids: Vec<String> = servers.iter().filter(is_meant).map(|server| server.uuid.clone()).collect();
    if uuids.is_empty() && database.log_names(given).map_err(cannot)? {
        uuids.push(given.to_owned());
    }
    if uuids.is_empty() {
        return Err(unknown(given, &servers, session));
    }
    Ok(uuids)
}

fn unknown(given: &str, servers: &[Server], session: &Session) -> Error {
    let names = servers.iter().flat_map(|server| [server.name.as_str(), server.uuid.as_str()]);
    let meant = closest(given, names.filter(|name| !name.is_empty()));
    let error =
        Error::cannot("tell which server is meant", format!("neither the database nor its log knows `{given}`"));
    let error = meant.map(|meant| format!("did you mean `{meant}`?")).into_iter().fold(error, Error::hint);
    error.hint(format!("see them with `m2sh servers -db {}`", session.db.display()))
}

fn last_seal(database: &Database, session: &mut Session) -> Result<Exit, Error> {
    let seal = database.last_seal().map_err(|error| session.cannot("read the log", error))?;
    match seal {
        Some(seal) => session.show.either(&seal, &json!({ "seal": seal }))?,
        None => return Err(Error::cannot("print the last seal", "no entry of the log has one")),
    }
    Ok(Exit::Success)
}

/// Sends the last seal to where the setting says, or else to where it mostly is.
fn send(database: &Database, session: &mut Session) -> Result<Exit, Error> {
    let socket = syslog::socket(database).unwrap_or_else(|| syslog::USUAL.into());
    let doing = format!("send the last seal to `{}`", socket.display());
    let entry = database.last_sealed().map_err(|error| session.cannot("read the log", error))?;
    let entry = entry.ok_or_else(|| Error::cannot(&doing, "no entry of the log has one"))?;
    syslog::send(&socket, &session.db, &entry)
        .map_err(|error| Error::cannot(&doing, error).hint("is there a syslog?  `m2sh log -seal` prints the seal"))?;
    let Logged { id, seal, .. } = &entry;
    let told = format!("Sent the seal of entry {id} to {}: {seal}", socket.display());
    session.show.either(&escape(&told), &json!({"socket": socket.display().to_string(), "entry": id, "seal": seal}))?;
    Ok(Exit::Success)
}

fn verify(database: &Database, kept: Option<&str>, session: &mut Session) -> Result<Exit, Error> {
    let verdict =
        during("verify the log", || database.verify(kept)).map_err(|error| session.cannot("read the log", error))?;
    let faults: Vec<String> = verdict.faults.iter().map(Fault::to_string).collect();
    let Verdict { entries, seals, unsealed, last, .. } = &verdict;
    if session.show.form() == Form::Json {
        let last = last.as_deref();
        let value = json!({"entries": entries, "seals": seals, "unsealed": unsealed, "seal": last, "faults": faults});
        session.show.json(&value)?;
    } else {
        faults.iter().for_each(|fault| say(&format!("m2sh: {fault}")));
        if !unsealed.is_empty() {
            let ids: Vec<String> = unsealed.iter().map(i64::to_string).collect();
            say(&format!("m2sh: not sealed yet, as other programs wrote them: {}", ids.join(", ")));
        }
        if faults.is_empty() {
            let last = last.as_deref().map_or_else(String::new, |seal| format!(", the last of them {seal}"));
            session.show.line(&format!("The log is as it was written: {entries} entries, {seals} seals{last}"))?;
        }
    }
    Ok(if faults.is_empty() { Exit::Success } else { Exit::Failure })
}

#[cfg(test)]
mod tests {
    use mongrel2::config::history::About;

    use super::*;

    fn entry(how: &str, why: &str, seal: &str) -> Logged {
        Logged {
            id: 2,
            who: "mongrel2".into(),
            what: "load".into(),
            location: "zedshaw".into(),
            happened_at: "2010-07-18 04:14:53".into(),
            how: how.into(),
            why: why.into(),
            seal: seal.into(),
            servers: About::Nothing,
            login: None,
            uid: None,
        }
    }

    fn check(how: &str, why: &str, expected: &str) {
        assert_eq!(
            line(&entry(how, why, ""), None),
            format!("[2010-07-18T04:14:53, mongrel2@zedshaw, load] {expected}")
        );
    }

    #[test]
    fn a_line_is_that_of_the_manual() {
        check("m2sh load -db x", "command", "m2sh load -db x");
        check("m2sh load -db x", "", "m2sh load -db x");
        check("m2sh load -db x -why y", "y", "y");
        check("m2sh", "two\nlines", "two\\nlines");
    }

    #[test]
    fn entries_of_other_programs_are_told() {
        let is_marked = |seal, first| line(&entry("m2sh", "", seal), first).ends_with(" (unsealed)");
        assert!(is_marked("", Some(1)));
        assert!(!is_marked("", Some(3)), "it is older than all seals");
        assert!(!is_marked("", None));
        assert!(!is_marked("ab", Some(1)));
    }

    #[test]
    fn who_was_root_is_told() {
        let ended = |who: &str, login: Option<&str>, uid| {
            let login = login.map(str::to_owned);
            let line = line(&Logged { who: who.into(), login, uid, ..entry("", "x", "") }, None);
            line.split_once("load] ").map(|(_, end)| end.to_owned())
        };
        assert_eq!(ended("zed", Some("zed"), Some(0)).unwrap(), "x (as root)");
        assert_eq!(ended("zed", Some("ann"), Some(0)).unwrap(), "x (as root, logged in as ann)");
        assert_eq!(ended("zed", None, Some(1000)).unwrap(), "x");
    }
}
