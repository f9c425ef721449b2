//! `m2sh control`: asks running servers at their control ports, and tells them what to do.
//!
//! With words it says one thing, to one server or to several.  Without, it reads what to say line by line, for one
//! server; what can't be done is told, and the next line is read.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use mongrel2::config::{Server, Settings, closest};
use mongrel2::wire::control::{Command, Failure, Language, Selector, Table, parse_request};
use mongrel2::wire::tnetstring::Value;

use crate::args::Control;
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::found::Found;
use crate::port::{Port, PortError};
use crate::session::Session;
use crate::show::{Cell, escape};

/// What can be said, and what that does.
const WORDS: [(&str, &str); 15] = [
    ("status net", "tells of the connections"),
    ("status tasks", "tells of the threads and sockets"),
    ("status sessions", "tells of the pinned sessions of proxies"),
    ("time", "tells the server's time, in seconds since 1970"),
    ("uuid", "tells the server's UUID"),
    ("info", "tells what runs there"),
    ("kill ID", "closes the connection of that id"),
    ("kill route PATH", "closes the connections whose last request came by that route"),
    ("kill address IP", "closes the connections from that address"),
    ("kill session NUMBER", "ends that pinned session"),
    ("reload", "lets the server read its configuration again"),
    ("stop", "stops the server when the answers in progress are complete"),
    ("terminate", "stops the server at once"),
    ("control stop", "closes the control port until the server is restarted"),
    ("help", "lists what can be said"),
];

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    /// This list.
    Help,
    /// Something for the server.
    Ask(Command),
}

pub(super) fn run(args: &Control, session: &mut Session) -> Result<Exit, Error> {
    let words = args.words.join(" ");
    let wish = if words.is_empty() { None } else { Some(parse(&words)?) };
    if wish == Some(Wish::Help) {
        help(session)?;
        return Ok(Exit::Success);
    }
    let found = Found::all(session.selected(&args.which, "control")?)?;
    let settings = session.database()?.settings().unwrap_or_default();
    let talk = Talk { setting: Settings::new(&settings).control_port, why: args.because.why.as_deref() };
    match (wish, &found[..]) {
        (Some(Wish::Ask(command)), _) => talk.once(&command, &found, session),
        (_, [found]) => talk.lines(found, session),
        _ => {
            Err(Error::usage("read commands for several servers", "each line is for one").hint("name it with `-name`"))
        }
    }
}

struct Talk<'a> {
    /// Where the control port of servers is that name none.
    setting: String,
    why: Option<&'a str>,
}

impl Talk<'_> {
    /// Says one thing to each server; a failure of one does not keep it from the others.
    fn once(&self, command: &Command, servers: &[Found], session: &mut Session) -> Result<Exit, Error> {
        let running: Vec<&Found> = servers.iter().filter(|found| found.process().is_some()).collect();
        servers.iter().filter(|found| found.process().is_none()).for_each(|found| say(&found.absence()));
        let mut told: Vec<(&Found, Table)> = Vec::new();
        for found in &running {
            match self.ask(command, found) {
                Ok(table) => told.push((found, table)),
                Err(error) => drop(error.tell()),
            }
        }
        if !told.is_empty() {
            let servers: Vec<&Server> = told.iter().map(|(found, _)| &found.server).collect();
            self.record(command, &servers, &session.operator.how, session);
        }
        let done = told.len();
        show(told, servers.len() > 1, session)?;
        Ok(match (running.len(), done) {
            (0, _) => Exit::NotRunning,
            (running, done) if running == done => Exit::Success,
            _ => Exit::Failure,
        })
    }

    /// Says each line of stdin until there are no more.
    fn lines(&self, found: &Found, session: &mut Session) -> Result<Exit, Error> {
        if found.process().is_none() {
            say(&found.absence());
            return Ok(Exit::NotRunning);
        }
        let stdin = io::stdin().lock();
        let prompt = stdin.is_terminal().then(|| format!("m2 [{}]> ", escape(&found.server.name)));
        let mut exit = Exit::Success;
        ask_for_more(prompt.as_deref());
        for line in stdin.split(b'\n') {
            let line = line.map_err(|error| Error::cannot("read the commands", error))?;
            if let Err(error) = self.line(String::from_utf8_lossy(&line).trim(), found, session) {
                error.tell();
                exit = Exit::Failure;
            }
            session.show.flush()?;
            ask_for_more(prompt.as_deref());
        }
        if prompt.is_some() {
            say("");
        }
        Ok(exit)
    }

    fn line(&self, words: &str, found: &Found, session: &mut Session) -> Result<(), Error> {
        if words.is_empty() {
            return Ok(());
        }
        let Wish::Ask(command) = parse(words)? else {
            return help(session);
        };
        // It may have been stopped, and started again.
        let found = Found::one(found.server.clone())?;
        let table = self.ask(&command, &found)?;
        self.record(&command, &[&found.server], &format!("{} {}", session.operator.how, escape(words)), session);
        show(vec![(&found, table)], false, session)
    }

    fn ask(&self, command: &Command, found: &Found) -> Result<Table, Error> {
        let doing = || format!("do `{}` at server {}", escape(&command.to_string()), found.title());
        let Some(process) = found.process() else {
            return Err(Error::cannot(doing(), found.absence()));
        };
        let port = Port::open(&found.server, &self.setting, process).map_err(|error| closed(&doing(), &error))?;
        port.ask(command).map_err(|error| match error {
            PortError::Refused(failure) => Error::cannot(doing(), reason(command, &failure)),
            error => Error::cannot(doing(), error),
        })
    }

    /// Writes to the log what changes something; `how` it was said.
    fn record(&self, command: &Command, servers: &[&Server], how: &str, session: &Session) {
        let changes = matches!(
            command,
            Command::Kill(_)
                | Command::KillSession(_)
                | Command::Reload
                | Command::Stop
                | Command::Terminate
                | Command::ControlStop
        );
        if changes {
            let mut entry = session.operator.entry(command.name(), self.why).about(servers.iter().copied());
            entry.how = how.to_owned();
            session.record(&entry);
        }
    }
}

/// Reads what was typed.
fn parse(words: &str) -> Result<Wish, Error> {
    // What begins with a digit would be for programs.
    let parsed = match Language::of(words.as_bytes()) {
        Language::Text => parse_request(words.as_bytes()),
        Language::Tnetstring => Err(Failure::CALLBACK_NOT_FOUND),
    };
    match parsed {
        Ok(Command::Help) => Ok(Wish::Help),
        Ok(command) => Ok(Wish::Ask(command)),
        Err(_) => Err(misunderstood(words)),
    }
}

fn misunderstood(words: &str) -> Error {
    let typed = words.split_whitespace().next().unwrap_or_default();
    let first = |form: &'static str| form.split(' ').next().unwrap_or_default();
    let forms: Vec<String> =
        WORDS.iter().filter(|(form, _)| first(form) == typed).map(|(form, _)| format!("`{form}`")).collect();
    let doing = format!("do `{}`", escape(words));
    if !forms.is_empty() {
        return Error::usage(doing, format!("it is written {}", forms.join(", ")));
    }
    let meant = closest(typed, WORDS.iter().map(|(form, _)| first(form)));
    let error = Error::usage(doing, "there is no such command");
    let error = meant.map(|meant| format!("did you mean `{meant}`?")).into_iter().fold(error, Error::hint);
    error.hint("`m2sh control help` lists them")
}

fn closed(doing: &str, error: &PortError) -> Error {
    let refusal = Error::cannot(doing, error);
    match error {
        PortError::Client(_) => {
            refusal.hint("is it your server?  `sudo` helps if not.  After `control stop` only a restart opens the port")
        }
        _ => refusal,
    }
}

/// Why a server refuses, in words for who has typed.
fn reason(command: &Command, failure: &Failure) -> String {
    match command {
        Command::Kill(Selector::Id(_)) if *failure == Failure::INVALID_ARGUMENT => "there is no such connection".into(),
        Command::KillSession(_) if *failure == Failure::INVALID_ARGUMENT => "there is no such session".into(),
        _ => failure.to_string(),
    }
}

fn help(session: &mut Session) -> Result<(), Error> {
    let rows = WORDS.iter().map(|(form, does)| vec![Cell::from(*form), Cell::from(*does)]).collect();
    Ok(session.show.table(&["command", "does"], rows)?)
}

/// Shows answers as one table, of several servers with their UUIDs first.
fn show(told: Vec<(&Found, Table)>, several: bool, session: &mut Session) -> Result<(), Error> {
    let columns = told.first().map(|(_, table)| table.headers.clone()).unwrap_or_default();
    let mut rows = Vec::new();
    for (found, table) in told {
        table.note.iter().for_each(|note| say(&format!("m2sh: {}: {}", found.title(), escape(note))));
        let server = several.then(|| Cell::from(found.server.uuid.as_str()));
        rows.extend(table.rows.iter().map(|row| server.iter().cloned().chain(row.iter().map(cell)).collect()));
    }
    let columns: Vec<&str> =
        several.then_some("server").into_iter().chain(columns.iter().map(String::as_str)).collect();
    Ok(session.show.table(&columns, rows)?)
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::String(text) => Cell::from(&*String::from_utf8_lossy(text)),
        Value::Integer(number) => Cell::from(*number),
        Value::Float(number) => Cell::value((*number).into()),
        Value::Bool(truth) => Cell::from(*truth),
        Value::Null => Cell::value(serde_json::Value::Null),
        Value::List(values) => Cell::list(values.iter().map(text)),
        Value::Dict(pairs) => Cell::list(pairs.iter().map(|pair| format!("{pair:?}"))),
    }
}

/// What stands for an element of a list.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => String::from_utf8_lossy(text).into_owned(),
        value => format!("{value:?}"),
    }
}

fn ask_for_more(prompt: Option<&str>) {
    if let Some(prompt) = prompt {
        let mut stderr = io::stderr();
        // That stderr is gone is no reason to stop.
        let _ = write!(stderr, "{prompt}").and_then(|()| stderr.flush());
    }
}

#[cfg(test)]
mod tests {
    use mongrel2::wire::control::COMMANDS;

    use super::*;

    #[test]
    fn texts_in_a_list_are_texts() {
        assert_eq!([text(&"cannot read it".into()), text(&Value::Integer(1))], ["cannot read it", "Integer(1)"]);
    }

    #[test]
    fn everything_that_is_listed_is_understood() {
        for (form, _) in WORDS {
            let example =
                form.replace("ID", "19").replace("PATH", "/x").replace("IP", "127.0.0.1").replace("NUMBER", "1");
            assert!(parse(&example).is_ok(), "{example}");
        }
    }

    #[test]
    fn everything_that_servers_do_is_listed() {
        for (name, _) in COMMANDS {
            let name = name.replace('_', " ");
            assert!(WORDS.iter().any(|(form, _)| form.starts_with(&name)), "{name}");
        }
    }

    #[test]
    fn what_is_not_understood() {
        for words in
            ["frob", "19", "10:4:help,0:}]", "kill", "kill x", "status", "status nothing", "stop now", "Ki\u{e4}"]
        {
            assert!(parse(words).is_err(), "{words}");
        }
        assert!(matches!(parse("  help "), Ok(Wish::Help)));
    }
}
