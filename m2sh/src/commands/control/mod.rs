//! `m2sh control`: asks running servers at their control ports, and tells them what to do.
//!
//! With words it says one thing.  Without, it reads what to say line by line; what can't be done is told, and the next
//! line is read.  `words`: what can be said.  `answer`: how answers are shown.  `watch`: one thing again and again.
//! `live`: the prompt for who sits at a terminal.

mod answer;
mod live;
mod watch;
mod words;

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use mongrel2::config::{Server, Settings};
use mongrel2::wire::control::{Command, Table};

use crate::args::Control;
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::found::{Found, each};
use crate::port::{Port, PortError};
use crate::progress::during;
use crate::prompt;
use crate::session::Session;
use crate::show::{Form, escape};

use answer::{closed, reason, show};
use words::Wish;

pub(crate) use words::next as next_words;

pub(super) fn run(args: &Control, session: &mut Session) -> Result<Exit, Error> {
    let words = args.words.join(" ");
    let wish = if words.is_empty() { None } else { Some(words::parse(&words)?) };
    match wish {
        Some(Wish::Help) => words::help(session).map(|()| Exit::Success),
        Some(Wish::Ask(command)) => Talk::of(args, session)?.once(&command, session),
        Some(Wish::Watch(interval, command)) => watch::run(&Talk::of(args, session)?, interval, &command, session),
        None => Talk::of(args, session)?.listen(args, session),
    }
}

/// The servers that are talked to, and how.
struct Talk<'a> {
    servers: Vec<Server>,
    /// Where the control port of servers is that name none.
    setting: String,
    why: Option<&'a str>,
}

impl<'a> Talk<'a> {
    fn of(args: &'a Control, session: &Session) -> Result<Self, Error> {
        let servers = session.selected(&args.which, "control")?;
        let settings = session.database()?.settings().unwrap_or_default();
        let setting = Settings::new(&settings).control_port;
        Ok(Self { servers, setting, why: args.because.why.as_deref() })
    }

    /// What the PID files say now: servers may be stopped, and started again.
    fn found(&self) -> Vec<Found> {
        self.servers.iter().cloned().map(Found::look).collect()
    }

    /// Does what is typed, if any of the servers runs.
    fn listen(&self, args: &Control, session: &mut Session) -> Result<Exit, Error> {
        let (running, absent) = self.found().into_iter().partition::<Vec<_>, _>(|found| found.process().is_some());
        match (missed(&absent), running.is_empty()) {
            (exit, true) => Ok(exit),
            _ if prompt::is_possible() => live::run(self, args, session),
            _ => self.lines(session),
        }
    }

    /// Says one thing to each server that runs.
    fn once(&self, command: &Command, session: &mut Session) -> Result<Exit, Error> {
        let (running, absent) = self.found().into_iter().partition::<Vec<_>, _>(|found| found.process().is_some());
        let missed = missed(&absent);
        let how = session.operator.how.clone();
        let done = self.tell(command, &running, &how, session)?;
        if done == 0 && session.show.form() == Form::Json {
            show(Vec::new(), false, session)?;
        }
        Ok(match missed {
            Exit::NotRunning if done == running.len() && done > 0 => Exit::Success,
            Exit::NotRunning if running.is_empty() => Exit::NotRunning,
            _ => Exit::Failure,
        })
    }

    /// Says each line of stdin until there are no more.
    fn lines(&self, session: &mut Session) -> Result<Exit, Error> {
        let stdin = io::stdin().lock();
        let prompt = stdin.is_terminal().then(|| self.prompt());
        let mut exit = Exit::Success;
        ask_for_more(prompt.as_deref());
        for line in stdin.split(b'\n') {
            let line = line.map_err(|error| Error::cannot("read the commands", error))?;
            match self.line(String::from_utf8_lossy(&line).trim(), session) {
                Ok(true) => {}
                Ok(false) => exit = Exit::Failure,
                Err(error) => {
                    error.tell();
                    exit = Exit::Failure;
                }
            }
            session.show.flush()?;
            ask_for_more(prompt.as_deref());
        }
        if prompt.is_some() {
            say("");
        }
        Ok(exit)
    }

    /// Says whether a line was done by all servers.
    fn line(&self, words: &str, session: &mut Session) -> Result<bool, Error> {
        if words.is_empty() {
            return Ok(true);
        }
        let command = match words::parse(words)? {
            Wish::Ask(command) => command,
            Wish::Help => return words::help(session).map(|()| true),
            Wish::Watch(..) => {
                let doing = format!("do `{}`", escape(words));
                return Err(Error::usage(doing, "it never ends, and other lines would wait")
                    .hint(format!("say it alone: `m2sh control {}`", escape(words))));
            }
        };
        let found = self.found();
        let how = format!("{} {}", session.operator.how, escape(words));
        Ok(self.tell(&command, &found, &how, session)? == found.len())
    }

    /// Says a thing to each of the servers, shows and records what they answer, and tells how many have done it; a failure
    /// of one does not keep it from the others.
    fn tell(&self, command: &Command, servers: &[Found], how: &str, session: &mut Session) -> Result<usize, Error> {
        let mut told: Vec<(&Found, Table)> = Vec::new();
        let answers = during(&format!("do `{command}`"), || each(servers, |found| self.ask(command, found)));
        for (found, answer) in servers.iter().zip(answers) {
            match answer {
                Ok(table) => told.push((found, table)),
                Err(error) => drop(error.tell()),
            }
        }
        let done = told.len();
        if done > 0 && words::changes(command) {
            let about = told.iter().map(|(found, _)| &found.server);
            let mut entry = session.operator.entry(command.name(), self.why).about(about);
            entry.how = how.to_owned();
            session.record(&entry);
        }
        if done > 0 {
            show(told, self.servers.len() > 1, session)?;
        }
        Ok(done)
    }

    fn ask(&self, command: &Command, found: &Found) -> Result<Table, Error> {
        let doing = || format!("do `{}` at server {}", escape(&command.to_string()), found.title());
        let Some(process) = found.process() else {
            return Err(found.trouble().unwrap_or_else(|| Error::cannot(doing(), found.absence())));
        };
        let port = Port::open(&found.server, &self.setting, process).map_err(|error| closed(&doing(), &error))?;
        port.ask(command).map_err(|error| match error {
            PortError::Refused(failure) => Error::cannot(doing(), reason(command, &failure)),
            error => Error::cannot(doing(), error),
        })
    }

    /// What asks for a line.
    fn prompt(&self) -> String {
        let name = |server: &Server| escape(if server.name.is_empty() { &server.uuid } else { &server.name });
        match &self.servers[..] {
            servers @ ([] | [_] | [_, _] | [_, _, _]) => {
                format!("m2 [{}]> ", servers.iter().map(name).collect::<Vec<_>>().join(", "))
            }
            servers => format!("m2 [{} servers]> ", servers.len()),
        }
    }
}

/// Tells of servers that don't run.  One of which that can't be known is a failure.
fn missed(absent: &[Found]) -> Exit {
    let troubles: Vec<Error> = absent.iter().filter_map(Found::trouble).collect();
    troubles.iter().for_each(|error| _ = error.tell());
    let known = absent.iter().filter(|found| found.trouble().is_none());
    known.for_each(|found| say(&found.absence()));
    if troubles.is_empty() { Exit::NotRunning } else { Exit::Failure }
}

fn ask_for_more(prompt: Option<&str>) {
    if let Some(prompt) = prompt {
        let mut stderr = io::stderr();
        // That stderr is gone is no reason to stop.
        let _ = write!(stderr, "{prompt}").and_then(|()| stderr.flush());
    }
}
