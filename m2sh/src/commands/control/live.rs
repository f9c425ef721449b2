//! The prompt of `m2sh control`: each line is a `m2sh control` of its own, so that Ctrl-C ends what it does and not more.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use mongrel2::wire::control::{Command, Status, Table};
use mongrel2::wire::tnetstring::Value;

use crate::args::{Control, Which};
use crate::complete::{Candidate, Known};
use crate::error::Error;
use crate::exit::Exit;
use crate::port::Port;
use crate::prompt::{Complete, Prompt, Typed, foreground};
use crate::session::Session;
use crate::show::Form;

use super::Talk;
use super::words::{self, Name};

/// How long somebody waits who has typed Tab.
const PATIENCE: Duration = Duration::from_secs(1);

/// Words that end it, as Ctrl-D does.
const ENDS: [&str; 2] = ["exit", "quit"];

/// Does what is typed until there is no more.
pub(super) fn run(talk: &Talk<'_>, args: &Control, session: &mut Session) -> Result<Exit, Error> {
    let title = talk.prompt();
    let mut prompt = Prompt::open("control-history", Live { talk, session })?;
    foreground::take_interrupts()?;
    let start = start(args, session);
    let mut exit = Exit::Success;
    loop {
        let line = match prompt.read(&title)? {
            Typed::End => return Ok(exit),
            Typed::Nothing => continue,
            Typed::Line(line) => line,
        };
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        match &words[..] {
            [] => {}
            [word] if ENDS.iter().any(|end| word == end) => return Ok(exit),
            words => {
                let done = foreground::run(start.iter().chain(words), Stdio::inherit())?;
                if done != Exit::Success && !is_interrupted(done) {
                    exit = Exit::Failure;
                }
            }
        }
    }
}

/// Ctrl-C is how `watch` ends.
fn is_interrupted(exit: Exit) -> bool {
    exit == Exit::Line(128 + 2)
}

/// What is before the words of a line.
fn start(args: &Control, session: &Session) -> Vec<OsString> {
    let Which { every, name, host, uuid } = &args.which;
    let option = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("-{name}={value}").into());
    let mut db = OsString::from("-db=");
    db.push(&session.db);
    [Some(db), (session.show.form() == Form::Json).then(|| "-json".into()), Some("control".into())]
        .into_iter()
        .chain([every.then(|| "-every".into()), option("name", name), option("host", host), option("uuid", uuid)])
        .chain([option("why", &args.because.why), Some("--".into())])
        .flatten()
        .collect()
}

/// Knows what the servers know.
struct Live<'a> {
    talk: &'a Talk<'a>,
    session: &'a Session,
}

impl Complete for Live<'_> {
    fn complete(&self, line: &str) -> (usize, Vec<Candidate>) {
        let start = line.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
        let before: Vec<String> = line[..start].split_whitespace().map(str::to_owned).collect();
        let mut found = words::next(&before, &|name| self.names(name));
        if before.is_empty() {
            found.extend(ENDS.map(|word| Candidate::new(word, "ends it, as Ctrl-D does")));
        }
        found.retain(|candidate| candidate.text.starts_with(&line[start..]));
        (start, found)
    }
}

impl Live<'_> {
    /// What of a kind there is at the servers that answer.
    fn names(&self, name: Name) -> Vec<String> {
        let (status, column) = match name {
            Name::Connection => (Status::Net, "id"),
            Name::Route => (Status::Net, "route"),
            Name::Address => (Status::Net, "address"),
            Name::Session => (Status::Sessions, "id"),
        };
        let mut names: BTreeSet<String> = self.ask(&Command::Status(status), column).into_iter().collect();
        if name == Name::Route {
            names.extend(Known::new(&self.session.db).routes());
        }
        // What has blanks in it can't be typed here, and control characters are not for terminals.
        let is_odd = |c: char| c.is_whitespace() || c.is_control();
        names.into_iter().filter(|name| !name.is_empty() && !name.contains(is_odd)).collect()
    }

    fn ask(&self, command: &Command, column: &str) -> Vec<String> {
        let found = self.talk.found();
        let tables = found.iter().filter_map(|found| {
            let port = Port::open(&found.server, &self.talk.setting, found.process()?).ok()?;
            port.ask_within(command, PATIENCE).ok()
        });
        tables.flat_map(|table| texts(&table, column)).collect()
    }
}

/// The values of a column.
fn texts(table: &Table, column: &str) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(String::from_utf8_lossy(text).into_owned()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    };
    table.rows.iter().filter_map(|row| text(table.value(row, column)?)).collect()
}
