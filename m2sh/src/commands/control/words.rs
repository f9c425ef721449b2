//! What can be said at a control port: the list, what was typed, and what may be typed next.  Pure.

use std::time::Duration;

use mongrel2::config::closest;
use mongrel2::wire::control::{Command, Failure, Language, parse_request};

use crate::complete::Candidate;
use crate::error::Error;
use crate::session::Session;
use crate::show::{Cell, escape};

/// How often a command is said that is watched.
const INTERVAL: Duration = Duration::from_secs(2);

/// Whoever wants it faster asks too much of a server.
const SHORTEST: Duration = Duration::from_millis(100);

const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What can be said, and what that does.
const WORDS: [(&str, &str); 17] = [
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
    ("watch COMMAND", "says a command that changes nothing again and again, every 2 s, until Ctrl-C"),
    ("watch SECONDS COMMAND", "the same, every so many seconds"),
    ("help", "lists what can be said"),
];

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// This list.
    Help,
    /// Something for the server.
    Ask(Command),
    /// Something that tells something, again and again.
    Watch(Duration, Command),
}

/// What can't be known here: the names that stand for the capitals in [`WORDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// The id of a connection.
    Connection,
    /// The path of a route.
    Route,
    /// A client's address.
    Address,
    /// The number of a pinned session.
    Session,
}

/// Reads what was typed.
pub(super) fn parse(words: &str) -> Result<Wish, Error> {
    if let Some(watched) = words.strip_prefix("watch").filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
        return watch(words, watched.trim());
    }
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

/// `COMMAND`, or `SECONDS COMMAND`.
fn watch(words: &str, watched: &str) -> Result<Wish, Error> {
    let (first, rest) = watched.split_once(' ').unwrap_or((watched, ""));
    let seconds = first.parse().ok().filter(|_| first.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    let (interval, command) = match seconds {
        None => (Some(INTERVAL), watched),
        Some(seconds) => {
            let interval = Duration::try_from_secs_f64(seconds).ok();
            (interval.filter(|interval| (SHORTEST..=LONGEST).contains(interval)), rest.trim())
        }
    };
    let doing = || format!("do `{}`", escape(words));
    let interval =
        interval.ok_or_else(|| Error::usage(doing(), "seconds are from 0.1 to 86400, as in `watch 5 status net`"))?;
    match parse(command) {
        Ok(Wish::Ask(command)) if changes(&command) => {
            Err(Error::usage(doing(), "what changes something is said once").hint(format!("say `{command}`")))
        }
        Ok(Wish::Ask(command)) => Ok(Wish::Watch(interval, command)),
        Ok(_) => Err(Error::usage(doing(), "only what a server tells can be watched")),
        Err(_) if command.is_empty() => Err(misunderstood("watch")),
        Err(error) => Err(error),
    }
}

/// Whether a command changes something, so that it is written to the log.
pub(super) fn changes(command: &Command) -> bool {
    matches!(
        command,
        Command::Kill(_)
            | Command::KillSession(_)
            | Command::Reload
            | Command::Stop
            | Command::Terminate
            | Command::ControlStop
    )
}

/// The list of what can be said.
pub(super) fn help(session: &mut Session) -> Result<(), Error> {
    let rows = WORDS.iter().map(|(form, does)| vec![Cell::from(*form), Cell::from(*does)]);
    Ok(session.show.table(&["command", "does"], rows)?)
}

/// What may be said next, behind these words; names are given by who knows them.
pub(crate) fn next(before: &[String], names: &dyn Fn(Name) -> Vec<String>) -> Vec<Candidate> {
    match before {
        [watch, rest @ ..] if watch == "watch" => {
            let is_number = |word: &String| word.parse::<f64>().is_ok();
            let rest = if rest.first().is_some_and(is_number) { &rest[1..] } else { rest };
            let mut found = told_next(rest, names);
            found.retain(|candidate| rest.first().map_or(&candidate.text, |first| first) != "kill");
            found
        }
        _ => told_next(before, names),
    }
}

fn told_next(before: &[String], names: &dyn Fn(Name) -> Vec<String>) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for (form, does) in WORDS {
        let words: Vec<&str> = form.split(' ').collect();
        let fits = before.iter().zip(&words).all(|(said, word)| said == word);
        let Some(word) = words.get(before.len()).filter(|_| fits) else { continue };
        let help = if words.len() == before.len() + 1 { does } else { "" };
        let candidates = match *word {
            "ID" => names(Name::Connection),
            "PATH" => names(Name::Route),
            "IP" => names(Name::Address),
            "NUMBER" => names(Name::Session),
            "COMMAND" | "SECONDS" => continue,
            word => vec![word.to_owned()],
        };
        let is_new = |text: &String| !found.iter().any(|candidate| candidate.text == *text);
        let candidates: Vec<String> = candidates.into_iter().filter(is_new).collect();
        found.extend(candidates.into_iter().map(|text| Candidate::new(text, help)));
    }
    found
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

#[cfg(test)]
mod tests {
    use mongrel2::wire::control::COMMANDS;

    use super::*;

    #[test]
    fn everything_that_is_listed_is_understood() {
        for (form, _) in WORDS {
            let example = form
                .replace("COMMAND", "time")
                .replace("SECONDS", "1")
                .replace("ID", "19")
                .replace("PATH", "/x")
                .replace("IP", "127.0.0.1")
                .replace("NUMBER", "1");
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
        for words in [
            "frob",
            "19",
            "watch",
            "watch 2",
            "watch kill 19",
            "watch help",
            "watch 0 time",
            "watch 1e9 time",
            "watched",
            "watch -1 time",
            "watch watch time",
            "10:4:help,0:}]",
            "kill",
            "kill x",
            "status",
            "status nothing",
            "stop now",
            "Ki\u{e4}",
        ] {
            assert!(parse(words).is_err(), "{words}");
        }
        assert!(matches!(parse("  help "), Ok(Wish::Help)));
    }

    #[test]
    fn what_is_watched() {
        for (words, seconds) in [("watch time", 2.0), ("watch  5   time", 5.0), ("watch 0.5 time", 0.5)] {
            assert_eq!(parse(words).unwrap(), Wish::Watch(Duration::from_secs_f64(seconds), Command::Time), "{words}");
        }
    }

    #[test]
    fn what_comes_next() {
        let name = |name| vec![format!("{name:?}")];
        let check = |line: &str, expected: &[&str]| {
            let before: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let texts: Vec<_> = next(&before, &name).into_iter().map(|candidate| candidate.text).collect();
            assert_eq!(texts, expected, "{line}");
        };
        check(
            "",
            &["status", "time", "uuid", "info", "kill", "reload", "stop", "terminate", "control", "watch", "help"],
        );
        check("status", &["net", "tasks", "sessions"]);
        check("kill", &["Connection", "route", "address", "session"]);
        check("kill route", &["Route"]);
        check("kill address", &["Address"]);
        check("kill session", &["Session"]);
        check("watch 5 status", &["net", "tasks", "sessions"]);
        check("watch kill", &[]);
        check("reload", &[]);
        check("frob", &[]);
    }
}
