//! What can be told of a server beyond whether it runs: since when, as whom, with which generation, and how it does.
//!
//! The kernel tells the first two, the server itself the others, at its control port.  Where that is not for this user,
//! only whether somebody is let in at its port is left.

use std::net::TcpStream;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mongrel2::control::ClientError;
use mongrel2::wire::control::Table;

use crate::address::reachable;
use crate::found::Found;
use crate::operator::user_name;
use crate::port::{Port, PortError, number, word};
use crate::process::Process;
use crate::procfs;

/// How long a port may take to accept a connection.
const ACCEPT: Duration = Duration::from_secs(2);

/// How a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It serves the newest generation.
    Serving,
    /// It serves an older one.
    Stale,
    /// It completes answers, and will end then.
    Stopping,
    /// Its port accepts connections; it can't be asked for more.
    Accepting,
    /// It runs, and nobody answers.
    Silent,
    /// It doesn't run.
    NotRunning,
    /// That can't be told.
    Unknown,
}

impl Health {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Stale => "stale generation",
            Self::Stopping => "stopping",
            Self::Accepting => "accepting",
            Self::Silent => "no answer",
            Self::NotRunning => "not running",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When it was started.
    pub since: Option<DateTime<Utc>>,
    /// As whom it runs.
    pub user: Option<String>,
    /// The port that it has, or would have.
    pub port: i64,
    /// The generation that it serves.
    pub generation: Option<i64>,
    /// How it does.
    pub health: Health,
    /// Why not more is known.
    pub why: Option<String>,
}

impl Seen {
    /// Looks at a server; `control_port` is where those have theirs that name none, `newest` the database's generation.
    pub fn of(found: &Found, control_port: &str, newest: i64) -> Self {
        let nothing = Self {
            since: None,
            user: None,
            port: found.server.port,
            generation: None,
            health: Health::NotRunning,
            why: None,
        };
        let Some(process) = found.process() else {
            let trouble = found.trouble().map(|error| error.to_string());
            let health = if trouble.is_some() { Health::Unknown } else { Health::NotRunning };
            return Self { health, why: trouble, ..nothing };
        };
        let mut seen = match Port::open(&found.server, control_port, process) {
            Ok(port) => told(&port.info, newest, nothing),
            Err(error) => unasked(found, &error, nothing),
        };
        seen.fill(process);
        seen
    }

    /// What the kernel tells, if it is still that process.
    fn fill(&mut self, process: &Process) {
        let (since, user) = (procfs::started(process.pid), procfs::user(process.pid));
        if !process.wait(Duration::ZERO).unwrap_or(false) {
            self.since = since.or(self.since);
            self.user = user.map(|uid| user_name(uid.into()));
        }
    }

    /// For how long it has run.
    pub fn uptime(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        // Clocks are set back sometimes.
        self.since.map(|since| (now - since).max(TimeDelta::zero()))
    }
}

/// What a server says of itself.
fn told(info: &Table, newest: i64, nothing: Seen) -> Seen {
    let generation = number(info, "generation");
    let is_stopping = word(info, "state").is_some_and(|state| state == "stopping");
    let health = match generation {
        _ if is_stopping => Health::Stopping,
        Some(generation) if generation < newest => Health::Stale,
        _ => Health::Serving,
    };
    let since = number(info, "started").and_then(|started| DateTime::from_timestamp(started, 0));
    Seen { since, generation, health, port: number(info, "port").unwrap_or(nothing.port), ..nothing }
}

/// What can be told of a server that can't be asked.
fn unasked(found: &Found, error: &PortError, nothing: Seen) -> Seen {
    let address = reachable(found.server.address());
    let accepts = || TcpStream::connect_timeout(&address, ACCEPT).is_ok();
    let health = match error {
        // The kernel accepts for a process that does nothing any more.
        PortError::Client(ClientError::Late) => Health::Silent,
        _ if accepts() => Health::Accepting,
        _ => Health::Silent,
    };
    Seen { health, why: Some(error.to_string()), ..nothing }
}

/// A length of time in its two largest units.
pub fn words(time: TimeDelta) -> String {
    let seconds = time.num_seconds().max(0);
    let units = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let first = units.iter().position(|(number, _)| *number > 0).unwrap_or(units.len() - 1);
    let told = units[first..].iter().take(2).map(|(number, unit)| format!("{number} {unit}"));
    told.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (seconds, expected) in [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3600, "1 h 0 min"),
            (90_061, "1 d 1 h"),
            (10_000_000, "115 d 17 h"),
        ] {
            assert_eq!(words(TimeDelta::seconds(seconds)), expected);
        }
    }

    #[test]
    fn what_a_server_says_makes_its_health() {
        let nothing =
            || Seen { since: None, user: None, port: 1, generation: None, health: Health::NotRunning, why: None };
        let check = |generation: Option<i64>, state: &str, expected: Health| {
            let columns = [("state", state.into())].into_iter();
            let generation =
                generation.map(|number| ("generation", mongrel2::wire::tnetstring::Value::Integer(number)));
            let (headers, row): (Vec<_>, Vec<_>) = columns.chain(generation).unzip();
            let seen = told(&Table::new(&headers, vec![row]), 7, nothing());
            assert_eq!((seen.health, seen.port), (expected, 1));
        };
        check(Some(7), "serving", Health::Serving);
        check(Some(6), "serving", Health::Stale);
        check(Some(6), "stopping", Health::Stopping);
        check(None, "", Health::Serving);
    }
}
