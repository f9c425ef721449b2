//! What a service is made of, what comes to it and what it wants done.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Tries;
use crate::profile::Restart;
use crate::signal::Signal;

/// A service, as far as it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// What it does.
    pub state: State,
    /// Whether it shall run.
    pub wanted: bool,
    /// Whether all that it depends on is ready.
    pub met: bool,
    /// Its restarts.
    pub tries: Tries,
}

/// What a service does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing, and nothing will happen by itself.
    Idle(Rest),
    /// It waits for what it depends on.
    Waiting,
    /// It waits before it is tried again.
    Delayed {
        /// Until when.
        until: Duration,
    },
    /// It is being started; the next event says what has come of it.
    Launching,
    /// `run` is at work; the service itself will be in the background.
    Starting {
        /// The script's process.
        run: Process,
        /// When it has to be done.
        by: Duration,
    },
    /// `run` has ended, and its PID file isn't there yet.
    Settling {
        /// When it has to be there.
        by: Duration,
    },
    /// It runs.
    Up {
        /// Its process.
        process: Process,
        /// Since when.
        since: Duration,
        /// Whether others can use it.
        ready: Readiness,
    },
    /// Its process has been told to end.
    Stopping {
        /// Which is its own, or that of `run`.
        process: Process,
        /// Whether it is that of `run`.
        run: bool,
        /// When it is killed, or once more.
        by: Duration,
        /// Whether it has been killed.
        hard: bool,
        /// What comes then.
        after: After,
    },
    /// Its process has ended, others of the same group have not.
    Clearing {
        /// When they are killed, or once more.
        by: Duration,
        /// What comes then.
        after: After,
    },
}

/// Why nothing happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// Nobody wants it to run.
    Down,
    /// It has ended well, and isn't restarted.
    Exited,
    /// It has ended, and isn't restarted any more: why.
    Failed(String),
}

/// Whether others can use a service that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Not yet.
    Pending {
        /// When it has to be; `None` is whenever it likes.
        by: Option<Duration>,
    },
    /// Yes.
    Ready,
    /// Not any more.
    Unready,
}

/// What comes after the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Rest,
    /// A start.
    Again,
    /// What the policy says about such an end after that uptime.
    Retry(Why, Duration),
}

/// A process, which nobody else can be: its number, and when it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Process {
    /// The process id.
    pub pid: i32,
    /// Clock ticks from boot to its start (proc_pid_stat(5), field 22).
    pub start: u64,
}

/// How a process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// With a status.
    Exited(i32),
    /// By a signal.
    Killed(i32),
    /// It was nobody's child here, so that nobody knows.
    Unknown,
}

/// Why something has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It did so itself.
    Ended(How),
    /// For another reason.
    Text(String),
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(How::Exited(126)) => formatter.write_str("exit status 126: it can't be executed"),
            Self::Ended(How::Exited(127)) => formatter.write_str("exit status 127: something can't be found"),
            Self::Ended(How::Exited(status)) => write!(formatter, "exit status {status}"),
            Self::Ended(How::Killed(number)) => match Signal::from_number(*number) {
                Some(signal) => write!(formatter, "killed by {signal}"),
                None => write!(formatter, "killed by signal {number}"),
            },
            Self::Ended(How::Unknown) => formatter.write_str("it has ended"),
            Self::Text(text) => formatter.write_str(text),
        }
    }
}

/// What comes to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It shall run.
    Start,
    /// It shall not run.
    Stop,
    /// It shall run, and be another process than now.
    Restart,
    /// Whether all that it depends on is ready.
    Needs(bool),
    /// Something that it needs has ended, and it shall be started again when that is back.
    Lost,
    /// Something that it needs has ended, and so shall it.
    LostForGood,
    /// It runs since before procer did.
    Adopted {
        /// Its process, or that of `run`.
        process: Process,
        /// When that was started.
        since: Duration,
        /// Whether it was ready.
        ready: bool,
        /// Whether the process is that of `run`, in front of a service in the background.
        run: bool,
        /// Whether it shall run.
        wanted: bool,
    },
    /// `run` has been started.
    Spawned(Process),
    /// It could not be started.
    Unspawnable(String),
    /// The PID file names this process, and may be believed.
    Found(Process),
    /// The process has ended; while the PID file is waited for, the one that it names.
    Ended {
        /// How.
        how: How,
        /// Whether others of its group are left.
        left: bool,
    },
    /// Nobody of its group is left.
    Cleared,
    /// Time has passed.
    Due,
    /// Checks say that it is ready.
    Ready,
    /// They say that it isn't any more.
    Unready(String),
    /// It uses more than it may.
    Excess(String),
}

/// What has to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start `run`, or find that the service runs already; [`Event::Spawned`], [`Event::Unspawnable`] or [`Event::Found`]
    /// has to be the next event.
    Run,
    /// Look at the PID file.
    Look,
    /// Begin to ask whether it is ready.
    Check,
    /// Send the process and its group the signal that asks them to end.
    Stop,
    /// Send them SIGKILL.
    Kill,
    /// Tell those who want to know.
    Tell(News),
}

/// What others may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It runs.
    Started(Process),
    /// It has been running since before procer did.
    Adopted(Process),
    /// Others can use it.
    Ready,
    /// They can't any more.
    Unready(String),
    /// It has ended, and nobody has asked for it.
    Died(Why),
    /// It will be tried again after that time.
    Delayed(Duration),
    /// It won't be tried again.
    Failed(String),
    /// It has ended as it was told to.
    Stopped,
}

/// The time since boot, and a number from 0 to 1 that nobody can guess.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Now {
    /// The time.
    pub time: Duration,
    /// The number.
    pub chance: f64,
}

/// What of a profile decides about the life of its service.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Whether it goes into the background.
    pub pid_file: bool,
    /// When it is started again.
    pub restart: Option<Restart>,
    /// How long `run` and the PID file may take.
    pub start_timeout: Duration,
    /// After what time a stop becomes a kill.
    pub stop_timeout: Duration,
    /// Whether it is asked for being ready, and how long that may take; zero is for ever.
    pub ready: Option<Duration>,
    /// Whether it is restarted when it isn't ready any more.
    pub restart_unready: bool,
}

impl Default for Service {
    fn default() -> Self {
        Self { state: State::Idle(Rest::Down), wanted: false, met: true, tries: Tries::default() }
    }
}

impl Service {
    /// When time has to be told to have passed.
    pub fn due(&self) -> Option<Duration> {
        match &self.state {
            State::Delayed { until } => Some(*until),
            State::Starting { by, .. }
            | State::Settling { by }
            | State::Stopping { by, .. }
            | State::Clearing { by, .. }
            | State::Up { ready: Readiness::Pending { by: Some(by) }, .. } => Some(*by),
            _ => None,
        }
    }

    /// Whether others can use it.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Up { ready: Readiness::Ready, .. })
    }

    /// Whether nothing of it runs.
    pub fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Idle(_) | State::Waiting | State::Delayed { .. })
    }

    /// Whether something of it is about to end.
    pub fn is_ending(&self) -> bool {
        matches!(self.state, State::Stopping { .. } | State::Clearing { .. })
    }

    /// The process that is watched.
    pub fn process(&self) -> Option<Process> {
        match &self.state {
            State::Starting { run: process, .. } | State::Up { process, .. } | State::Stopping { process, .. } => {
                Some(*process)
            }
            _ => None,
        }
    }
}
