//! Signals, turned into a closed set of events at the edge.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What an operator wants of a running server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// SIGHUP: take the configuration anew, and open the logs again.
    Reload,
    /// SIGUSR1: open the logs again.
    Reopen,
    /// SIGINT or SIGTERM: stop.
    Stop,
}

/// The signals that the server listens to.
#[derive(Debug)]
pub(crate) struct Signals {
    hangup: Signal,
    user1: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Starts to listen; must be called within a tokio runtime.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.interrupt.recv() => Event::Stop,
            _ = self.terminate.recv() => Event::Stop,
            _ = self.hangup.recv() => Event::Reload,
            _ = self.user1.recv() => Event::Reopen,
        }
    }
}
