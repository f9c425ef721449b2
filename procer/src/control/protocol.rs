//! What clients and procer say to each other: one JSON object in a line, as `docs/protocol.md` has it.

use serde::{Deserialize, Serialize};

/// What a client asks for.  No names are all services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// To be told how services are.
    Status {
        /// Which.
        #[serde(default)]
        names: Vec<String>,
    },
    /// To have services started.
    Start {
        /// Which.
        #[serde(default)]
        names: Vec<String>,
    },
    /// To have services stopped, those first that need others.
    Stop {
        /// Which.
        #[serde(default)]
        names: Vec<String>,
    },
    /// To have services stopped and started.
    Restart {
        /// Which.
        #[serde(default)]
        names: Vec<String>,
    },
    /// To have the folder read again; or, with names, to have services told to read theirs.
    Reload {
        /// Which.
        #[serde(default)]
        names: Vec<String>,
    },
    /// To have the processes of services sent a signal.
    Signal {
        /// Which.
        names: Vec<String>,
        /// The signal.
        signal: String,
    },
    /// To be told from now on whatever happens.
    Events {},
    /// To have procer end; services go on.
    Quit {},
}

/// What procer answers to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Whether it could be done.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The services that it was about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Status>,
    /// What a reload has found wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<String>,
}

/// How a service is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// What it does.
    pub state: Phase,
    /// Its process.
    pub pid: Option<i32>,
    /// For how many seconds it has been running.
    pub uptime: Option<f64>,
    /// How often it was started again.
    pub restarts: u64,
    /// Whether it shall run.
    pub wanted: bool,
    /// Why it is in that state, or what it says about itself.
    pub why: Option<String>,
}

/// What a service does, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nobody wants it to run.
    Down,
    /// It has ended well, and isn't restarted.
    Exited,
    /// It has ended, or can't be started, and isn't tried any more.
    Failed,
    /// It waits for services that it depends on.
    Waiting,
    /// It waits before it is tried again.
    Delayed,
    /// `run` is at work.
    Starting,
    /// It runs, and isn't ready yet.
    Up,
    /// It runs, and others can use it.
    Ready,
    /// It runs, and isn't ready any more.
    Unready,
    /// It has been told to end.
    Stopping,
}

impl Phase {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Exited => "exited",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
            Self::Delayed => "delayed",
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Ready => "ready",
            Self::Unready => "unready",
            Self::Stopping => "stopping",
        }
    }
}

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// When, as RFC 3339 has it.
    pub time: String,
    /// What.
    pub event: Kind,
    /// How the service is now.
    pub service: Status,
}

/// What happens to services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It runs.
    Started,
    /// Others can use it.
    Ready,
    /// They can't any more.
    Unready,
    /// It has ended, and nobody has asked for it.
    Died,
    /// It will be tried again.
    Delayed,
    /// It won't be tried again.
    Failed,
    /// It has ended as it was told to.
    Stopped,
    /// Its state has changed otherwise.
    Changed,
    /// There is no such service any more.
    Removed,
}

impl Kind {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Ready => "ready",
            Self::Unready => "unready",
            Self::Died => "died",
            Self::Delayed => "delayed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

impl Reply {
    /// It has been done.
    pub fn done() -> Self {
        Self { ok: true, error: None, services: Vec::new(), troubles: Vec::new() }
    }

    /// It can't be done.
    pub fn refused(error: impl Into<String>) -> Self {
        Self { ok: false, error: Some(error.into()), services: Vec::new(), troubles: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_lines() {
        let names = vec!["chat".to_owned()];
        assert_eq!(
            serde_json::to_string(&Request::Start { names: names.clone() }).unwrap(),
            r#"{"do":"start","names":["chat"]}"#
        );
        assert_eq!(serde_json::from_str::<Request>(r#"{"do":"status"}"#).unwrap(), Request::Status { names: vec![] });
        assert_eq!(serde_json::from_str::<Request>(r#"{"do":"events"}"#).unwrap(), Request::Events {});
        for text in [r#"{"do":"signal","names":[]}"#, r#"{"do":"sing"}"#, "{}", "[]", r#"{"do":"stop","name":"x"}"#] {
            assert!(serde_json::from_str::<Request>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn words_are_those_of_the_protocol() {
        for phase in [Phase::Down, Phase::Exited, Phase::Unready, Phase::Stopping] {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.word());
        }
        for kind in [Kind::Started, Kind::Died, Kind::Removed] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
    }
}
