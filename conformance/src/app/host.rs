//! A host that runs, and serves the sample.

use std::net::SocketAddr;
use std::time::Duration;

use crate::check::{Problem, Verdict, equal, holds};
use crate::client::{Answer, ask};

/// A host that is tried.
pub struct Host {
    /// Where clients connect.
    pub address: SocketAddr,
    /// How long anything may take.
    pub patience: Duration,
    /// What stands before it.
    pub place: Place,
    /// How it is stopped, if it can be.
    pub life: Option<Box<dyn Life>>,
}

/// What stands before a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A server that passes long bodies on while they come, and tells what has been written to clients.
    Streams,
    /// A server that writes long bodies to files, and tells nothing.
    Files,
    /// Nothing.
    Alone,
}

/// Whoever starts and stops a host.
pub trait Life: Send + Sync {
    /// Ends the one that runs, and starts another at the same address, which answers.  When it stops it is to wait that
    /// long for what doesn't end.
    ///
    /// # Errors
    /// It doesn't.
    fn restart(&self, grace: Duration) -> Verdict;

    /// Has it stop.
    ///
    /// # Errors
    /// It doesn't run.
    fn stop(&self) -> Verdict;

    /// Waits until it has stopped.
    ///
    /// # Errors
    /// It takes too long, or it has ended as it shouldn't.
    fn wait(&self) -> Verdict;
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Streams, Self::Files, Self::Alone];

    /// The name of the suite.
    pub fn name(self) -> &'static str {
        match self {
            Self::Streams => "app-streams",
            Self::Files => "app-files",
            Self::Alone => "app-alone",
        }
    }

    /// Whether the application gets long bodies while they come.
    pub(super) fn streams(self) -> bool {
        self != Self::Files
    }

    /// How many bytes may wait for a client that doesn't read: with more it may lose its connection
    /// (`limits.reply_queue`).
    pub(super) fn room(self) -> usize {
        match self {
            Self::Files => 4 * 1024 * 1024,
            Self::Streams | Self::Alone => usize::MAX,
        }
    }

    /// Whether somebody answers for a host that doesn't.
    pub(super) fn is_behind(self) -> bool {
        self != Self::Alone
    }
}

impl Host {
    /// How it is stopped.
    ///
    /// # Errors
    /// It can't be.
    pub(super) fn life(&self) -> Verdict<&dyn Life> {
        self.life.as_deref().ok_or_else(|| Problem::Missing("nobody here can stop the host".into()))
    }
}

/// That the sample is served at an address.
///
/// # Errors
/// It isn't, or not well.
pub fn hello(address: SocketAddr, patience: Duration) -> Verdict {
    let answer = ask(address, patience, "GET /hello HTTP/1.1", "", "")?;
    answer.expect(200, "Hello\n")?;
    for (name, value) in [("content-type", "text/plain"), ("content-length", "6")] {
        equal(format!("`{name}`"), header(&answer, name)?, Some(value))?;
    }
    let date = header(&answer, "date")?;
    holds(date.is_some_and(|date| date.ends_with(" GMT")), || format!("`date` is {date:?}, wanted a date"))
}

/// The value of a header that comes once, or not at all.
pub(super) fn header<'a>(answer: &'a Answer, name: &str) -> Verdict<Option<&'a str>> {
    let values = answer.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
    let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
    match values[..] {
        [] => Ok(None),
        [value] => Ok(Some(value)),
        _ => Err(Problem::wrong(format!("`{name}` comes more than once: {values:?}"))),
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Host").field("address", &self.address).finish_non_exhaustive()
    }
}
