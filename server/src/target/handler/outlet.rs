//! Requests on their way out: one PUSH or PUB socket, fed by a queue.
//!
//! PUSH gives each message to one of the connected handlers, PUB to all of them.  While none is connected the
//! queue holds the messages; a request that has waited for `handler.wait` is taken back, and its client gets 503.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};

use super::Busy;
use super::sender::{Message, Sender, Unwatched};
use crate::worker::Worker;

/// How many messages are taken from the queue at once.
const BATCH: usize = 64;

/// For how many connections it is remembered that their end has been told.
const REMEMBERED: usize = 16 * 1024;

/// The way to one address.
#[derive(Debug)]
pub(crate) struct Outlet {
    queue: mpsc::UnboundedSender<Parcel>,
    backlog: Arc<Backlog>,
}

/// What waits to be sent.
#[derive(Debug)]
struct Backlog {
    /// How many more requests may wait.
    room: Semaphore,
    /// How many messages wait.
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct Parcel {
    id: u64,
    since: Instant,
    kind: Kind,
    message: Vec<u8>,
}

#[derive(Debug)]
enum Kind {
    /// A request: a client waits.
    Request,
    /// The notice to the handler of that name that the connection is gone; nobody waits.
    Gone(Arc<str>),
    /// Another notice.
    Notice,
}

impl Outlet {
    /// Makes an outlet for which that many requests may wait, and the task that sends them.
    pub(super) fn new(sender: Unwatched, limit: usize) -> (Self, Sending) {
        let (queue, parcels) = mpsc::unbounded_channel();
        let backlog = Arc::new(Backlog { room: Semaphore::new(limit), waiting: AtomicUsize::new(0) });
        (Self { queue, backlog: Arc::clone(&backlog) }, Sending { sender, parcels, backlog })
    }

    /// How many messages wait.
    pub(crate) fn waiting(&self) -> usize {
        self.backlog.waiting.load(Ordering::Relaxed)
    }

    /// Waits until there is room for a request.
    pub(super) async fn room(&self) {
        // Nobody closes it.
        let _ = self.backlog.room.acquire().await;
    }

    pub(super) fn request(&self, id: u64, message: Vec<u8>) -> Result<(), Busy> {
        self.backlog.room.try_acquire().map_err(|_| Busy)?.forget();
        self.push(id, Kind::Request, message);
        Ok(())
    }

    /// Tells the end of a connection, of which there is one each: what waits of these needs no other bound.
    pub(super) fn gone(&self, id: u64, ident: &Arc<str>, message: Vec<u8>) {
        self.push(id, Kind::Gone(Arc::clone(ident)), message);
    }

    /// Tells a handler that a connection is gone which it has made up, perhaps; or how much a client has taken.
    pub(super) fn notice(&self, id: u64, ident: Option<&Arc<str>>, message: Vec<u8>) {
        if self.backlog.room.available_permits() == 0 {
            return tracing::warn!("a notice about connection {id} was dropped: the handler takes no messages");
        }
        self.push(id, ident.map_or(Kind::Notice, |ident| Kind::Gone(Arc::clone(ident))), message);
    }

    fn push(&self, id: u64, kind: Kind, message: Vec<u8>) {
        self.backlog.waiting.fetch_add(1, Ordering::Relaxed);
        // The task ends only after its outlets, or with the server.
        let _ = self.queue.send(Parcel { id, since: Instant::now(), kind, message });
    }
}

/// The task that owns the socket.  It ends when nothing refers to its outlet any more.
pub(crate) struct Sending {
    sender: Unwatched,
    parcels: mpsc::UnboundedReceiver<Parcel>,
    backlog: Arc<Backlog>,
}

impl Sending {
    pub(super) async fn run(self, worker: Rc<Worker>) {
        let Self { sender, mut parcels, backlog } = self;
        let mut sender = match sender.watch() {
            Ok(sender) => sender,
            Err(error) => return tracing::error!("cannot watch a handler socket: {error}"),
        };
        let mut told = Told::default();
        let sending = async {
            let mut batch = Vec::with_capacity(BATCH);
            while parcels.recv_many(&mut batch, BATCH).await > 0 {
                let wait = worker.site().settings.handler_wait;
                for parcel in batch.drain(..) {
                    deliver(parcel, &mut sender, &mut told, wait, &worker, &backlog).await;
                }
            }
        };
        tokio::select! {
            () = sending => return,
            () = worker.ended() => {}
        }
        // What is left are notices; whoever is there to take them gets them.
        while let Ok(parcel) = parcels.try_recv() {
            let mut sent = |message| sender.send(&mut Message::new(message)?);
            if told.is_news(&parcel) && !matches!(sent(parcel.message), Ok(true)) {
                return;
            }
        }
    }
}

/// Sends a message; tells the connection if nobody has taken its request.
async fn deliver(
    parcel: Parcel,
    sender: &mut Sender,
    told: &mut Told,
    wait: Duration,
    worker: &Worker,
    backlog: &Backlog,
) {
    let is_news = told.is_news(&parcel);
    let Parcel { id, since, kind, message } = parcel;
    let sent = !is_news || send(sender, message, since + wait).await;
    backlog.waiting.fetch_sub(1, Ordering::Relaxed);
    if matches!(kind, Kind::Request) {
        backlog.room.add_permits(1);
        if !sent {
            worker.unanswered(id).await;
        }
    }
}

/// Sends a message, or gives up when it has waited for too long.
async fn send(sender: &mut Sender, message: Vec<u8>, deadline: Instant) -> bool {
    let sending = async {
        let mut message = Message::new(message)?;
        while !sender.send(&mut message)? {
            if timeout_at(deadline, sender.changed()).await.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    };
    sending.await.unwrap_or_else(|error: zmq::Error| {
        tracing::error!("cannot send to a handler: {error}");
        false
    })
}

/// The connections whose end has been told last, and to whom: some handlers answer notices, which would go on
/// for ever.
#[derive(Debug, Default)]
struct Told {
    told: HashSet<(u64, Arc<str>)>,
    order: VecDeque<(u64, Arc<str>)>,
}

impl Told {
    /// Whether a message has to be sent: each end of a connection is told once.
    fn is_news(&mut self, parcel: &Parcel) -> bool {
        match &parcel.kind {
            Kind::Request | Kind::Notice => true,
            Kind::Gone(ident) => self.first((parcel.id, Arc::clone(ident))),
        }
    }

    fn first(&mut self, notice: (u64, Arc<str>)) -> bool {
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
        let mut first = |id: u64, ident: &str| told.first((id, ident.into()));
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
