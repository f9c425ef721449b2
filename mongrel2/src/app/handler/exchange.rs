//! A request and its answer: what both share, and what becomes of the connection when both are gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::hub::Hub;
use super::link::Link;
use crate::app::WriteError;
use crate::wire::extended::Extended;

/// How much goes out in one message, so that none is the only one.
const PIECE: usize = 256 * 1024;

/// The server that a connection is one of, and the connection's id.
pub(super) type Key = (Arc<str>, u64);

/// What a request's body, its response and its WebSocket have in common; ends with the last of them.
pub(super) struct Exchange {
    pub(super) key: Key,
    /// Tells this request of the connection from the next.
    pub(super) number: u64,
    pub(super) link: Arc<Link>,
    hub: Arc<Hub>,
    /// Whether pieces of the body may still come.
    is_uploading: AtomicBool,
    /// One of those that the host has for requests at the same time.
    _place: OwnedSemaphorePermit,
}

impl Exchange {
    pub(super) fn new(key: Key, number: u64, link: Arc<Link>, hub: Arc<Hub>, place: OwnedSemaphorePermit) -> Self {
        Self { key, number, link, hub, is_uploading: AtomicBool::new(false), _place: place }
    }

    /// Pieces of the body come.
    pub(super) fn uploads(&self) {
        self.is_uploading.store(true, Ordering::Relaxed);
    }

    /// All of the body has come.
    pub(super) fn uploaded(&self) {
        self.is_uploading.store(false, Ordering::Relaxed);
    }

    /// Sends bytes to the client, as fast as the server takes them.
    pub(super) async fn send(&self, bytes: &[u8]) -> Result<(), WriteError> {
        let mut left = bytes;
        while !left.is_empty() {
            let size = self.link.take(left.len().min(PIECE)).await?;
            let room = self.hub.room(size).await;
            let (piece, rest) = left.split_at(size);
            self.hub.reply(&self.key, &self.link, piece, Some(room));
            left = rest;
        }
        self.here()
    }

    /// After how much silence a WebSocket is pinged, if ever.
    pub(super) fn ping(&self) -> Option<Duration> {
        self.hub.ping()
    }

    /// Whether the host is about to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.hub.is_stopping()
    }

    /// Whether the client is there.
    pub(super) fn here(&self) -> Result<(), WriteError> {
        if self.link.is_gone() { Err(WriteError::Gone) } else { Ok(()) }
    }

    /// Sends a few bytes, now.
    pub(super) fn say(&self, bytes: &[u8]) {
        if self.here().is_ok() {
            self.link.spend(bytes.len());
            self.hub.reply(&self.key, &self.link, bytes, None);
        }
    }

    /// Closes the connection behind what was sent.
    pub(super) fn close(&self) {
        self.uploaded();
        if self.here().is_ok() {
            self.hub.reply(&self.key, &self.link, b"", None);
        }
    }

    /// Drops the connection, so that the client can't take what it has for the whole.  No notice will say so.
    pub(super) fn reset(&self) {
        self.uploaded();
        if self.here().is_ok() {
            self.tell(&Extended::Control { keep_alive: false, credits: None, cancel: true });
            self.link.end();
        }
    }

    /// Lets more of the body come.
    pub(super) fn grant(&self, bytes: u64) {
        self.tell(&Extended::Control { keep_alive: false, credits: Some(bytes), cancel: false });
    }

    fn tell(&self, extended: &Extended) {
        self.hub.tell(&self.key, &self.link, extended);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // Nobody will ask for the rest, without which the connection has no next request.
        if *self.is_uploading.get_mut() {
            self.close();
        }
        self.hub.ended(self);
    }
}
