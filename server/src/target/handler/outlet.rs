//! Requests on their way out: one PUSH socket, fed by a queue.
//!
//! ZeroMQ gives each message to one of the connected handlers.  While none is connected the queue holds the
//! messages; a request that has waited for `handler.wait` is taken back, and its client gets 503.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::Busy;
use super::sockets::Pollable;
use crate::worker::Worker;

/// How many messages are taken from the queue at once.
const BATCH: usize = 64;

/// For how many connections it is remembered that their end has been told.
const REMEMBERED: usize = 16 * 1024;

/// The way to one address.
#[derive(Debug)]
pub(crate) struct Outlet {
    queue: mpsc::Sender<Parcel>,
}

#[derive(Debug)]
struct Parcel {
    id: u64,
    /// When a request came; a notice has no client that waits.
    since: Option<Instant>,
    message: Vec<u8>,
}

impl Outlet {
    /// Makes an outlet whose queue holds that many messages, and the task that sends them.
    pub(super) fn new(socket: zmq::Socket, queue: usize, wait: Duration) -> (Self, Sending) {
        let (sender, parcels) = mpsc::channel(queue);
        (Self { queue: sender }, Sending { socket, parcels, wait })
    }

    pub(super) fn request(&self, id: u64, message: Vec<u8>) -> Result<(), Busy> {
        self.queue.try_send(Parcel { id, since: Some(Instant::now()), message }).map_err(|_| Busy)
    }

    pub(super) fn notice(&self, id: u64, message: Vec<u8>) {
        if self.queue.try_send(Parcel { id, since: None, message }).is_err() {
            tracing::warn!("a notice that connection {id} is gone was dropped: the handler takes no messages");
        }
    }
}

/// The task that owns the socket.  It ends when nothing refers to its outlet any more.
pub(crate) struct Sending {
    socket: zmq::Socket,
    parcels: mpsc::Receiver<Parcel>,
    wait: Duration,
}

impl Sending {
    pub(super) async fn run(self, worker: Rc<Worker>) {
        let Self { socket, mut parcels, wait } = self;
        let mut socket = match Pollable::new(socket) {
            Ok(socket) => socket,
            Err(error) => return tracing::error!("cannot watch a handler socket: {error}"),
        };
        let mut told = Told::default();
        let mut batch = Vec::with_capacity(BATCH);
        let sending = async {
            while parcels.recv_many(&mut batch, BATCH).await > 0 {
                for parcel in batch.drain(..) {
                    let repeated = parcel.since.is_none() && !told.first(parcel.id);
                    if !repeated && !send(&mut socket, &parcel, wait).await && parcel.since.is_some() {
                        worker.unanswered(parcel.id).await;
                    }
                }
            }
        };
        tokio::select! {
            () = sending => return,
            () = worker.ended() => {}
        }
        // What is left are notices; whoever is there to take them gets them.
        while let Ok(parcel) = parcels.try_recv() {
            if told.first(parcel.id) && !socket.send(&parcel.message).unwrap_or(false) {
                return;
            }
        }
    }
}

/// Sends a message, or gives up when it has waited for too long.
async fn send(socket: &mut Pollable, parcel: &Parcel, wait: Duration) -> bool {
    let deadline = parcel.since.unwrap_or_else(Instant::now) + wait;
    loop {
        match socket.send(&parcel.message) {
            Ok(true) => return true,
            Ok(false) if timeout_at(deadline, socket.changed()).await.is_err() => return false,
            Ok(false) => {}
            Err(error) => {
                tracing::error!("cannot send to a handler: {error}");
                return false;
            }
        }
    }
}

/// The connections whose end has been told last: some handlers answer notices, which would go on for ever.
#[derive(Debug, Default)]
struct Told {
    ids: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Told {
    /// Whether the id wasn't told yet.
    fn first(&mut self, id: u64) -> bool {
        let first = self.ids.insert(id);
        if first {
            self.order.push_back(id);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_once_and_not_remembered_for_ever() {
        let mut told = Told::default();
        assert!(told.first(1));
        assert!(!told.first(1));
        for id in 2..=REMEMBERED as u64 + 1 {
            assert!(told.first(id));
        }
        assert_eq!((told.ids.len(), told.order.len()), (REMEMBERED, REMEMBERED));
        assert!(told.first(1), "long forgotten");
    }
}
