//! Signals by name and number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A signal that a process may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signal(rustix::process::Signal);

impl Signal {
    /// SIGTERM: please end.
    pub const TERM: Self = Self(rustix::process::Signal::TERM);
    /// SIGKILL: the end.
    pub const KILL: Self = Self(rustix::process::Signal::KILL);
    /// SIGHUP: by custom, read the configuration again.
    pub const HUP: Self = Self(rustix::process::Signal::HUP);

    /// By its name, with or without `SIG`, in any case, or by its number; `None` if there is none.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse() {
            return Self::from_number(number);
        }
        let upper = text.to_ascii_uppercase();
        let name = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
        let signal: nix::sys::signal::Signal = name.parse().ok()?;
        Self::from_number(signal as i32)
    }

    /// By its number; `None` if it has no name.
    pub fn from_number(number: i32) -> Option<Self> {
        rustix::process::Signal::from_named_raw(number).map(Self)
    }

    /// As the kernel's calls take it.
    pub(crate) fn raw(self) -> rustix::process::Signal {
        self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.as_raw();
        match nix::sys::signal::Signal::try_from(number) {
            Ok(signal) => formatter.write_str(signal.as_str()),
            Err(_) => write!(formatter, "signal {number}"),
        }
    }
}

impl From<Signal> for String {
    fn from(signal: Signal) -> Self {
        signal.to_string()
    }
}

impl TryFrom<String> for Signal {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is no signal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for text in ["TERM", "SIGTERM", "term", "sigterm", "15"] {
            assert_eq!(Signal::parse(text), Some(Signal::TERM), "{text}");
        }
        assert_eq!(Signal::parse("usr1").map(|signal| signal.to_string()).as_deref(), Some("SIGUSR1"));
        for text in ["", "0", "-9", "TERMINATE", "999", "SIG"] {
            assert_eq!(Signal::parse(text), None, "{text}");
        }
    }
}
