//! An application behind a server: a handler, over ZeroMQ.
//!
//! Bodies of any length come as a stream, in memory within bounds: those that the server passes on in pieces
//! (`upload.stream`) as fast as the application reads them; those that it writes to a file (`upload.temp_store`) once
//! the file is whole, which is removed.  The application is called with the first message in both cases.
//!
//! Answers go out as fast as the application writes them, as far as ZeroMQ has room.  A client that reads more slowly
//! loses its connection when more waits for it than the server's `limits.reply_queue`, unless the server has
//! `download.flow_control`: then writing waits for the client.
//!
//! Uploads in pieces, WebSockets, credits and clients that leave are told in messages of their own, which the server gives
//! to any of the handlers that are connected to its `send_spec`: connect one host to each.
//!
//! JSON and XML sockets are no HTTP; their messages are left alone.  [`crate::handler`] answers them.

mod exchange;
mod hub;
mod link;
mod outbox;
mod read;
mod render;
mod silence;
mod sink;
mod socket;
#[cfg(test)]
mod tests;
mod upload;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Application;
use super::tasks::Tasks;
use crate::handler::{AsyncConnection, HandlerError, Requests};
use hub::Hub;

/// Serves an application behind a server for ever; see [`Host`] for more.
///
/// # Errors
/// Those of [`Host::connect`] and [`Host::serve`].
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn serve(
    app: impl Application,
    sender_id: &str,
    requests_from: &str,
    replies_to: &str,
) -> Result<(), HandlerError> {
    Host::connect(sender_id, requests_from, replies_to)?.serve(app, std::future::pending()).await
}

/// A connection with a server, or several, for an application.
pub struct Host {
    connection: AsyncConnection,
    options: Options,
}

/// What a host can be told.
struct Options {
    chroot: PathBuf,
    window: u64,
    limit: usize,
    patience: Duration,
    ping: Duration,
}

impl Host {
    /// Connects to a server, whether it is there already or not; the words are those of [`AsyncConnection::connect`].
    ///
    /// # Errors
    /// [`HandlerError::Connect`] if an address is malformed or `sender_id` has more than 255 bytes.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn connect(sender_id: &str, requests_from: &str, replies_to: &str) -> Result<Self, HandlerError> {
        let connection = AsyncConnection::connect(sender_id, requests_from, replies_to)?;
        let options = Options {
            chroot: PathBuf::from("."),
            window: 256 * 1024,
            limit: 10_000,
            patience: Duration::from_secs(30),
            ping: Duration::from_secs(50),
        };
        Ok(Self { connection, options })
    }

    /// Where the server's chroot is, from which the paths of uploads count; the current folder if this isn't said.
    #[must_use]
    pub fn chroot(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.chroot = path.into();
        self
    }

    /// How many bytes of each streamed upload may be on their way or wait for the application: 256 KiB, or this.
    #[must_use]
    pub fn window(mut self, bytes: u64) -> Self {
        self.options.window = bytes.max(1);
        self
    }

    /// How many requests, and WebSockets, there may be at a time: 10,000, or this.  Others get 503.
    #[must_use]
    pub fn limit(mut self, requests: usize) -> Self {
        self.options.limit = requests;
        self
    }

    /// For how long a host that stops waits for requests that are being answered: 30 seconds, or this.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.options.patience = patience;
        self
    }

    /// After how much silence a WebSocket is pinged: 50 seconds, or this; 0: never.  A client that is there answers, so that
    /// the server, which drops those that are silent for longer than its `limits.min_ping`, keeps it.
    ///
    /// One that has not answered when as much time has passed again has left: it can't be received from, and its connection
    /// is dropped.  Both happen while the application receives.
    #[must_use]
    pub fn ping(mut self, silence: Duration) -> Self {
        self.options.ping = silence;
        self
    }

    /// Serves an application until `stop`.
    ///
    /// Then WebSockets are closed with 1001, requests that are being answered have time to end, those that come get 503.
    ///
    /// # Errors
    /// [`HandlerError::Receive`] if the socket fails.
    pub async fn serve(self, app: impl Application, stop: impl Future<Output = ()>) -> Result<(), HandlerError> {
        let (mut requests, replies) = self.connection.split();
        let (outbox, queue) = outbox::outbox();
        let sending = tokio::spawn(queue.send_all(replies));
        let patience = self.options.patience;
        let hub = Arc::new(Hub::new(self.options, outbox.clone()));
        let (app, tasks) = (Arc::new(app), Tasks::default());
        let served = tokio::select! {
            error = take_all(&mut requests, &hub, &app, &tasks) => Err(error),
            () = stop => {
                hub.stop();
                // What goes on may need more messages.
                tokio::select! {
                    error = take_all(&mut requests, &hub, &app, &tasks) => Err(error),
                    () = tasks.end(patience) => Ok(()),
                }
            }
        };
        outbox.end();
        // A server that isn't there gets nothing, however long it is waited for.
        let _ = tokio::time::timeout(patience, sending).await;
        served
    }
}

/// Takes messages for ever, unless the socket fails.
async fn take_all<A: Application>(
    requests: &mut Requests,
    hub: &Arc<Hub>,
    app: &Arc<A>,
    tasks: &Tasks,
) -> HandlerError {
    loop {
        match requests.recv().await {
            Ok(message) => {
                if let Some((request, response)) = hub.take(message) {
                    tasks.call(app, request, response);
                }
            }
            Err(error @ HandlerError::Message { .. }) => tracing::warn!("{error}"),
            Err(error) => return error,
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Host")
    }
}
