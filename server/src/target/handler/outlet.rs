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
    kind: Kind,
    message: Vec<u8>,
}

#[derive(Debug)]
enum Kind {
    /// A request, which came then: a client waits.
    Request(Instant),
    /// A notice to the handler of that name; nobody waits.
    Notice(String),
}

impl Outlet {
    /// Makes an outlet whose queue holds that many messages, and the task that sends them.
    pub(super) fn new(socket: zmq::Socket, queue: usize) -> (Self, Sending) {
        let (sender, parcels) = mpsc::channel(queue);
        (Self { queue: sender }, Sending { socket, parcels })
    }

    pub(super) fn request(&self, id: u64, message: Vec<u8>) -> Result<(), Busy> {
        self.queue.try_send(Parcel { id, kind: Kind::Request(Instant::now()), message }).map_err(|_| Busy)
    }

    pub(super) fn notice(&self, id: u64, ident: &str, message: Vec<u8>) {
        if self.queue.try_send(Parcel { id, kind: Kind::Notice(ident.to_owned()), message }).is_err() {
            tracing::warn!("a notice that connection {id} is gone was dropped: the handler takes no messages");
        }
    }
}

/// The task that owns the socket.  It ends when nothing refers to its outlet any more.
pub(crate) struct Sending {
    socket: zmq::Socket,
    parcels: mpsc::Receiver<Parcel>,
}

impl Sending {
    pub(super) async fn run(self, worker: Rc<Worker>) {
        let Self { socket, mut parcels } = self;
        let mut socket = match Pollable::new(socket) {
            Ok(socket) => socket,
            Err(error) => return tracing::error!("cannot watch a handler socket: {error}"),
        };
        let mut told = Told::default();
        let mut batch = Vec::with_capacity(BATCH);
        let sending = async {
            while parcels.recv_many(&mut batch, BATCH).await > 0 {
                for parcel in batch.drain(..) {
                    let wait = worker.settings().handler_wait;
                    if told.is_news(&parcel)
                        && !send(&mut socket, &parcel, wait).await
                        && matches!(parcel.kind, Kind::Request(_))
                    {
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
            if told.is_news(&parcel) && !socket.send(&parcel.message).unwrap_or(false) {
                return;
            }
        }
    }
}

/// Sends a message, or gives up when it has waited for too long.
async fn send(socket: &mut Pollable, parcel: &Parcel, wait: Duration) -> bool {
    let since = if let Kind::Request(since) = parcel.kind { since } else { Instant::now() };
    let deadline = since + wait;
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

/// The connections whose end has been told last, and to whom: some handlers answer notices, which would go on
/// for ever.
#[derive(Debug, Default)]
struct Told {
    told: HashSet<(u64, String)>,
    order: VecDeque<(u64, String)>,
}

impl Told {
    /// Whether a message has to be sent: every request, and each notice once.
    fn is_news(&mut self, parcel: &Parcel) -> bool {
        match &parcel.kind {
            Kind::Request(_) => true,
            Kind::Notice(ident) => self.first((parcel.id, ident.clone())),
        }
    }

    fn first(&mut self, notice: (u64, String)) -> bool {
        let first = self.told.insert(notice.clone());
        if first {
            self.order.push_back(notice);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.told.remove(&oldest);
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_once_to_each_and_not_remembered_for_ever() {
        let mut told = Told::default();
        let mut first = |id: u64, ident: &str| told.first((id, ident.to_owned()));
        assert!(first(1, "a"));
        assert!(!first(1, "a"));
        assert!(first(1, "b"));
        for id in 2..=REMEMBERED as u64 + 1 {
            assert!(first(id, "a"));
        }
        assert!(first(1, "a"), "long forgotten");
        assert_eq!((told.told.len(), told.order.len()), (REMEMBERED, REMEMBERED));
    }
}
