//! Lines that somebody types at a terminal: edited, completed and remembered.
//!
//! `history`: where they are remembered.  `foreground`: what they run.

pub mod foreground;
mod history;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use crate::complete::Candidate;
use crate::error::{Error, say};

/// How many lines are remembered.
const REMEMBERED: usize = 1000;

/// Who knows what may be typed next.
pub trait Complete {
    /// Where the word begins that a line ends with, and what it may become.
    fn complete(&self, line: &str) -> (usize, Vec<Candidate>);

    /// How a word has to be typed.
    fn spelt(&self, word: &str) -> String {
        word.to_owned()
    }
}

/// What somebody did at a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Typed a line.
    Line(String),
    /// Thought better of it: Ctrl-C.
    Nothing,
    /// Has finished: Ctrl-D.
    End,
}

/// A terminal at which lines are typed.
pub struct Prompt<C: Complete> {
    editor: Editor<Completion<C>, FileHistory>,
    history: Option<PathBuf>,
}

impl<C: Complete> std::fmt::Debug for Prompt<C> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Prompt").field("history", &self.history).finish_non_exhaustive()
    }
}

/// Whether somebody sits at a terminal who types and sees what is printed.
pub fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

impl<C: Complete> Prompt<C> {
    /// Makes the terminal ready; `name` is that of the file where lines are remembered.
    ///
    /// # Errors
    /// The terminal can't be used.
    pub fn open(name: &str, complete: C) -> Result<Self, Error> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .max_history_size(REMEMBERED)
            .map(rustyline::config::Builder::build)
            .map_err(|error| cannot(&error))?;
        let mut editor = Editor::with_config(config).map_err(|error| cannot(&error))?;
        editor.set_helper(Some(Completion(complete)));
        let history = history::file(name).and_then(|file| {
            editor.load_history(&file).map_err(|error| error.to_string())?;
            Ok(file)
        });
        let history = history.map_err(|why| say(&format!("m2sh: note: lines are not remembered: {why}"))).ok();
        Ok(Self { editor, history })
    }

    /// Reads a line.
    ///
    /// # Errors
    /// The terminal has gone.
    pub fn read(&mut self, prompt: &str) -> Result<Typed, Error> {
        match self.editor.readline(prompt) {
            Ok(line) => {
                self.remember(&line);
                Ok(Typed::Line(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Typed::Nothing),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(error) => Err(cannot(&error)),
        }
    }

    /// At once, as nobody knows how the session ends.  A full disk is no reason to stop.
    fn remember(&mut self, line: &str) {
        let is_new = self.editor.add_history_entry(line).unwrap_or(false);
        if let Some(file) = self.history.as_ref().filter(|_| is_new) {
            let _ = self.editor.append_history(file);
        }
    }
}

fn cannot(error: &ReadlineError) -> Error {
    Error::cannot("read from the terminal", error)
}

/// What rustyline wants to be told.
struct Completion<C>(C);

impl<C: Complete> Completer for Completion<C> {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, candidates) = self.0.complete(&line[..position]);
        let pair = |candidate: Candidate| {
            let blank = if candidate.is_whole { " " } else { "" };
            Pair { replacement: format!("{}{blank}", self.0.spelt(&candidate.text)), display: shown(&candidate) }
        };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

/// Names come from databases and servers: nothing in them may move the cursor.
fn shown(candidate: &Candidate) -> String {
    crate::show::escape(&candidate.text)
}

impl<C: Complete> Helper for Completion<C> {}
impl<C: Complete> Highlighter for Completion<C> {}
impl<C: Complete> Validator for Completion<C> {}

impl<C: Complete> Hinter for Completion<C> {
    type Hint = String;
}
