//! What is wrong with a script, and how it is told: to people in the manner of rustc, to programs as JSON.
//!
//! A trouble carries its source line, so that it can be printed when the script is long gone.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

/// How bad a trouble is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The script cannot be loaded.
    Error,
    /// Worth saying; nothing is wrong.
    Note,
}

impl Display for Level {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Note => "note",
        })
    }
}

/// Something wrong with a script, or worth saying about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// How bad it is.
    pub severity: Level,
    /// What is wrong.
    pub message: String,
    /// The file it is in, as the operator wrote it or relative to that; empty if the file can't be read.
    pub file: String,
    /// Line, from 1; none if it is about the whole file.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// The text of that line.
    pub source: Option<String>,
    /// How many characters the caret underlines.
    #[serde(skip)]
    pub width: usize,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Trouble {
    /// A trouble without a place in a script.
    pub(super) fn general(message: String, hint: impl Into<String>) -> Self {
        Self {
            severity: Level::Error,
            message,
            file: String::new(),
            line: None,
            column: None,
            source: None,
            width: 0,
            hint: Some(hint.into()),
        }
    }

    /// The line of source with its number, and a caret under what is meant.
    fn excerpt(&self, f: &mut Formatter<'_>, line: usize, column: usize, source: &str) -> fmt::Result {
        let margin = " ".repeat(self.margin());
        let lead: String = source.chars().take(column - 1).map(|c| if c == '\t' { c } else { ' ' }).collect();
        let carets = "^".repeat(self.width.max(1));
        write!(f, "\n{margin} |\n{line:>width$} | {source}", width = margin.len())?;
        write!(f, "\n{margin} | {lead}{carets}")
    }

    /// How wide the column of line numbers is.
    fn margin(&self) -> usize {
        self.line.map_or(1, |line| line.to_string().len()) + 1
    }
}

impl Display for Trouble {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { severity, message, file, line, column, source, hint, .. } = self;
        let margin = " ".repeat(self.margin());
        write!(f, "{severity}: {message}")?;
        match (line, column) {
            (Some(line), Some(column)) => {
                write!(f, "\n{margin}--> {file}:{line}:{column}")?;
                if let Some(source) = source {
                    self.excerpt(f, *line, *column, source)?;
                }
            }
            _ if !file.is_empty() => write!(f, "\n{margin}--> {file}")?,
            _ => (),
        }
        match hint {
            Some(hint) => write!(f, "\n{margin} = hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// All that is wrong with a script, by file and line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Troubles(Vec<Trouble>);

impl Troubles {
    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Trouble> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Troubles {
    type Item = &'a Trouble;
    type IntoIter = std::slice::Iter<'a, Trouble>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Trouble> for Troubles {
    fn from_iter<I: IntoIterator<Item = Trouble>>(troubles: I) -> Self {
        Self(troubles.into_iter().collect())
    }
}

impl From<Trouble> for Troubles {
    fn from(trouble: Trouble) -> Self {
        Self(vec![trouble])
    }
}

impl Display for Troubles {
    /// Each with a blank line before the next; no newline at the end.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, trouble) in self.iter().enumerate() {
            let blank = if index == 0 { "" } else { "\n\n" };
            write!(f, "{blank}{trouble}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Troubles {}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble() -> Trouble {
        Trouble {
            severity: Level::Error,
            message: "`prot` is not a field of Server".into(),
            file: "config.rhai".into(),
            line: Some(7),
            column: Some(2),
            source: Some("\tprot: 6767,".into()),
            width: 4,
            hint: Some("did you mean `port`?".into()),
        }
    }

    #[test]
    fn a_tab_stays_a_tab_above_and_below() {
        let expected = "error: `prot` is not a field of Server\n  --> config.rhai:7:2\n   |\n 7 | \tprot: 6767,\n   \
                        | \t^^^^\n   = hint: did you mean `port`?";
        assert_eq!(trouble().to_string(), expected);
    }

    #[test]
    fn programs_get_json() {
        let json = serde_json::to_value(Troubles::from(trouble())).unwrap();
        let expected = serde_json::json!([{
            "severity": "error", "message": "`prot` is not a field of Server", "file": "config.rhai",
            "line": 7, "column": 2, "source": "\tprot: 6767,", "hint": "did you mean `port`?",
        }]);
        assert_eq!(json, expected);
    }
}
