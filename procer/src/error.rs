//! What can go wrong in a command, and how it is told: once, on stderr, with hints.

use std::fmt::Display;
use std::io::{self, Write as _};

use crate::exit::Exit;

/// Why a command failed.
#[derive(Debug)]
pub struct Error {
    exit: Exit,
    /// Nobody reads the output any more, which is not worth a word.
    silent: bool,
    message: String,
    hints: Vec<String>,
}

impl Error {
    /// Something that could not be done, and the cause: `cannot …: …`.
    pub(crate) fn cannot(what: impl Display, cause: impl Display) -> Self {
        Self { exit: Exit::Failure, silent: false, message: format!("cannot {what}: {cause}"), hints: Vec::new() }
    }

    /// Ends with another code.
    #[must_use]
    pub(crate) fn exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Says it on stderr, and gives the exit code.
    pub fn tell(&self) -> Exit {
        if !self.silent {
            // That stderr is gone is no reason to end otherwise.
            let _ = io::stderr().write_all(self.lines().as_bytes());
        }
        self.exit
    }

    /// What it says.
    pub fn lines(&self) -> String {
        let hints: String = self.hints.iter().map(|hint| format!("hint: {hint}\n")).collect();
        format!("procer: {}\n{hints}", self.message)
    }
}

impl From<io::Error> for Error {
    /// What a failing stdout says.
    fn from(error: io::Error) -> Self {
        let silent = error.kind() == io::ErrorKind::BrokenPipe;
        let exit = if silent { Exit::Success } else { Exit::Failure };
        Self { silent, ..Self::cannot("write the output", error) }.exit(exit)
    }
}
