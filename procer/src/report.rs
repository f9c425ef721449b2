//! What procer says: lines in `error.log`, and on stderr where it stays in the foreground.
//!
//! The file is opened for each line, so that it may be moved or removed at any time.

use std::io::{self, Write as _};

use chrono::{SecondsFormat, Utc};

use crate::folder::{ERROR_LOG, Folder};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Info,
    Warning,
    Error,
}

/// Where it is said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    /// Whether somebody looks at stderr.
    pub(crate) stderr: bool,
}

impl Report {
    /// Says a line about a service, or about procer.
    pub(crate) fn say(self, folder: &Folder, level: Level, about: Option<&str>, text: &str) {
        let about = about.map(|name| format!("{name}: ")).unwrap_or_default();
        let line = format!("{} {} {}\n", time(), level.word(), printable(&format!("{about}{text}")));
        // A full disk costs lines, and nothing else.
        let _ = folder.log(ERROR_LOG).and_then(|mut log| log.write_all(line.as_bytes()));
        if self.stderr {
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

/// The time as all logs have it.
pub(crate) fn time() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A text that stays on its line, and moves no terminal's cursor.
pub(crate) fn printable(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}
