//! What waits to be sent to servers, in order, and the task that sends it.
//!
//! What applications write waits for room; what the host says itself, in a few bytes, never does, so that it can be
//! said wherever a thing ends.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::link::Link;
use crate::handler::{HandlerError, Replies};

/// How many bytes of applications may wait.
const ROOM: u32 = 8 * 1024 * 1024;

/// The way to the task; there are many.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    sender: UnboundedSender<Outgoing>,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
enum Outgoing {
    Message { message: Vec<u8>, link: Arc<Link>, room: Option<OwnedSemaphorePermit> },
    End,
}

/// Room for a message.
pub(super) struct Room(OwnedSemaphorePermit);

/// What is to be sent, for the task.
pub(super) struct Queue(UnboundedReceiver<Outgoing>);

/// A queue, empty.
pub(super) fn outbox() -> (Outbox, Queue) {
    let (sender, receiver) = unbounded_channel();
    (Outbox { sender, room: Arc::new(Semaphore::new(ROOM as usize)) }, Queue(receiver))
}

impl Outbox {
    /// Waits until there is room for so many bytes.
    pub(super) async fn room(&self, bytes: usize) -> Room {
        let size = u32::try_from(bytes).map_or(ROOM, |size| size.min(ROOM));
        Room(Arc::clone(&self.room).acquire_many_owned(size).await.expect("it is never closed"))
    }

    /// Queues a message to a connection.
    pub(super) fn push(&self, message: Vec<u8>, link: &Arc<Link>, room: Option<Room>) {
        let message = Outgoing::Message { message, link: Arc::clone(link), room: room.map(|room| room.0) };
        // Nobody takes it only when the host has stopped.
        let _ = self.sender.send(message);
    }

    /// Has the task end behind what is queued.
    pub(super) fn end(&self) {
        let _ = self.sender.send(Outgoing::End);
    }
}

impl Queue {
    /// What is queued, instead of sending it.
    #[cfg(test)]
    pub(super) fn take_all(&mut self) -> Vec<Vec<u8>> {
        let next = || match self.0.try_recv() {
            Ok(Outgoing::Message { message, .. }) => Some(message),
            _ => None,
        };
        std::iter::from_fn(next).collect()
    }

    /// Sends what comes, until the end.
    pub(super) async fn send_all(mut self, mut replies: Replies) {
        while let Some(Outgoing::Message { message, link, room }) = self.0.recv().await {
            // What was written for a client that has left needs no way any more.
            if link.is_gone() && room.is_some() {
                continue;
            }
            match replies.send(&message).await {
                Ok(()) => {}
                Err(error) => {
                    link.end();
                    tell(&error);
                }
            }
        }
    }
}

fn tell(error: &HandlerError) {
    tracing::error!("a client was given up: {error}");
}
