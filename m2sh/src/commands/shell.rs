//! `m2sh shell`: command lines without `m2sh` in front, quoted as in a POSIX shell; typed, or read from stdin.
//!
//! Each line is a m2sh of its own, so that one that becomes a server, fails or is interrupted leaves the shell as it was.

use std::ffi::OsString;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::args::{DEFAULT_DB, grammar};
use crate::complete::{Candidate, Typed, candidates, spelt};
use crate::error::Error;
use crate::exit::Exit;
use crate::prompt::{self, Complete, Prompt, foreground};
use crate::session::Session;
use crate::show::{Form, escape};

/// What a shell understands beside the commands of m2sh.
const ENDS: [&str; 2] = ["exit", "quit"];

pub(super) fn run(session: &Session) -> Result<Exit, Error> {
    let db = Some(session.db.clone()).filter(|db| db != Path::new(DEFAULT_DB));
    let shell = Shell { db, json: session.show.form() == Form::Json };
    if prompt::is_possible() { shell.live() } else { shell.script() }
}

/// What is so for all lines that don't say otherwise.
#[derive(Clone)]
struct Shell {
    db: Option<PathBuf>,
    json: bool,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Nothing,
    End,
    /// The words behind `m2sh`.
    Command(Vec<OsString>),
}

impl Shell {
    /// Does what is typed until there is no more.
    fn live(&self) -> Result<Exit, Error> {
        let title = self.db.as_ref().map(|db| format!(" [{}]", escape(&db.display().to_string()))).unwrap_or_default();
        let mut prompt = Prompt::open("shell-history", self.clone())?;
        foreground::take_interrupts()?;
        loop {
            let line = match prompt.read(&format!("m2sh{title}> "))? {
                prompt::Typed::End => return Ok(Exit::Success),
                prompt::Typed::Nothing => continue,
                prompt::Typed::Line(line) => line,
            };
            match self.parse(&line) {
                Ok(Line::End) => return Ok(Exit::Success),
                Ok(Line::Nothing) => {}
                Ok(Line::Command(words)) => {
                    if let Err(error) = foreground::run(words, Stdio::inherit()) {
                        error.tell();
                    }
                }
                Err(error) => drop(error.tell()),
            }
        }
    }

    /// Does each line of stdin, whatever becomes of those before; the exit code is that of the last one that failed.
    fn script(&self) -> Result<Exit, Error> {
        let mut exit = Exit::Success;
        for line in io::stdin().lock().split(b'\n') {
            let line = line.map_err(|error| Error::cannot("read the commands", error))?;
            let done = match self.parse(&String::from_utf8_lossy(&line)) {
                Ok(Line::End) => break,
                Ok(Line::Nothing) => Exit::Success,
                // The rest of the lines is not for the command to read.
                Ok(Line::Command(words)) => foreground::run(words, Stdio::null())?,
                Err(error) => error.tell(),
            };
            exit = if done == Exit::Success { exit } else { done };
        }
        Ok(exit)
    }

    fn parse(&self, line: &str) -> Result<Line, Error> {
        let doing = || format!("do `{}`", escape(line.trim()));
        let words = shlex::split(line).ok_or_else(|| Error::usage(doing(), "it ends within quotes"))?;
        // Out of habit.
        let words = if words.first().is_some_and(|word| word == "m2sh") { &words[1..] } else { &words[..] };
        match words {
            [] => Ok(Line::Nothing),
            [end] if ENDS.contains(&&end[..]) => Ok(Line::End),
            words => {
                let place = grammar::place(words);
                match place.command.as_deref() {
                    Some("shell") => Err(Error::usage(doing(), "this is one already")),
                    _ => Ok(Line::Command(self.completed(words, &place))),
                }
            }
        }
    }

    /// The words, with what was said for all lines.
    fn completed(&self, words: &[String], place: &grammar::Place) -> Vec<OsString> {
        let db = self.db.iter().filter(|_| place.db.is_none());
        let db = db.flat_map(|db| [OsString::from("-db"), db.clone().into_os_string()]);
        let json = (self.json && !place.json).then(|| OsString::from("-json"));
        db.chain(json).chain(words.iter().map(OsString::from)).collect()
    }
}

impl Complete for Shell {
    fn complete(&self, line: &str) -> (usize, Vec<Candidate>) {
        let Typed { before, start, begun } = Typed::parse(line);
        let before = if before.first().is_some_and(|word| word == "m2sh") { &before[1..] } else { &before[..] };
        let mut found = candidates(before, &begun, self.db.as_deref());
        found.retain(|candidate| !candidate.text.contains(char::is_control));
        if before.is_empty() {
            let ends = ENDS.iter().filter(|end| end.starts_with(&begun));
            found.extend(ends.map(|end| Candidate::new(*end, "ends the shell, as Ctrl-D does")));
        }
        (start, found)
    }

    fn spelt(&self, word: &str) -> String {
        spelt(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shell: &Shell, line: &str, expected: &[&str]) {
        let expected = expected.iter().map(OsString::from).collect();
        assert_eq!(shell.parse(line).ok(), Some(Line::Command(expected)), "{line}");
    }

    #[test]
    fn lines_are_words() {
        let shell = Shell { db: None, json: false };
        check(&shell, "load -config x", &["load", "-config", "x"]);
        check(&shell, " m2sh commit --what 'a b' -why \"c \\\"d\" # e", &["commit", "--what", "a b", "-why", "c \"d"]);
        for line in ["", "  ", "# only a comment", "m2sh"] {
            assert_eq!(shell.parse(line).ok(), Some(Line::Nothing), "{line}");
        }
        for line in ["exit", "quit ", "m2sh exit"] {
            assert_eq!(shell.parse(line).ok(), Some(Line::End), "{line}");
        }
        for line in ["load 'x", "shell", "-db x shell", "load \\"] {
            assert!(shell.parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_said_for_all_lines_can_be_said_otherwise() {
        let shell = Shell { db: Some("a".into()), json: true };
        check(&shell, "servers", &["-db", "a", "-json", "servers"]);
        check(&shell, "servers -db b", &["-json", "servers", "-db", "b"]);
        check(&shell, "-db=config.sqlite servers --json", &["-db=config.sqlite", "servers", "--json"]);
    }
}
