//! What can go wrong in a command, and how it is told: once, on stderr, with hints.
//!
//! A message fits after `m2sh: `, mostly as `cannot …: …`.  A hint is what to do about it, best of all the
//! next command to type.

use std::fmt::{self, Display};
use std::io::{self, Write as _};

use crate::exit::Exit;
use crate::progress;

/// Why a command failed.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    hints: Vec<String>,
}

/// What sort of failure it is, which decides how m2sh ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The operation failed.
    Failed,
    /// The same, but the message is a text of its own.
    Listed,
    /// The arguments make no sense together.
    Usage,
    /// Nobody reads the output any more, as in `m2sh log | head -1`: not worth a word.
    BrokenPipe,
}

impl Error {
    /// Something that could not be done, and the cause: `cannot …: …`.
    pub fn cannot(what: impl Display, cause: impl Display) -> Self {
        Self { kind: Kind::Failed, message: format!("cannot {what}: {cause}"), hints: Vec::new() }
    }

    /// Arguments that make no sense: `cannot …: …`, and exit code 2.
    pub fn usage(what: impl Display, cause: impl Display) -> Self {
        Self { kind: Kind::Usage, ..Self::cannot(what, cause) }
    }

    /// A text of several lines that stands for itself.
    pub fn listed(text: impl Into<String>) -> Self {
        Self { kind: Kind::Listed, message: text.into(), hints: Vec::new() }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Says it on stderr, and gives the exit code.
    pub fn tell(&self) -> Exit {
        if self.kind != Kind::BrokenPipe {
            say(&self.lines());
        }
        match self.kind {
            Kind::Failed | Kind::Listed => Exit::Failure,
            Kind::Usage => Exit::Usage,
            Kind::BrokenPipe => Exit::Success,
        }
    }

    fn lines(&self) -> String {
        let hints: String = self.hints.iter().map(|hint| format!("\nhint: {hint}")).collect();
        let name = if self.kind == Kind::Listed { "" } else { "m2sh: " };
        format!("{name}{}{hints}", self.message)
    }
}

impl Display for Error {
    /// The message alone.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl From<io::Error> for Error {
    /// What a failing stdout says.
    fn from(error: io::Error) -> Self {
        let kind = if error.kind() == io::ErrorKind::BrokenPipe { Kind::BrokenPipe } else { Kind::Failed };
        Self { kind, ..Self::cannot("write the output", error) }
    }
}

/// Says a line, or several, to the operator.
///
/// That stderr is gone is no reason to stop.
pub fn say(text: &str) {
    let _ = progress::aside(|| writeln!(io::stderr(), "{}", text.trim_end()));
}
