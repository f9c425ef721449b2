//! Requests on their way out: one PUSH or PUB socket, fed by a queue.
//!
//! PUSH gives each message to one of the connected handlers, PUB to all of them.  While none is connected the
//! queue holds the messages; a request that has waited for `handler.wait` is taken back, and its client gets 503.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
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
    /// How many more messages of clients may wait that may each have many: they leave room for requests.
    messages: Arc<Semaphore>,
    /// How many messages wait.
    waiting: AtomicUsize,
}

/// Room for a message of a client that may have many.
#[derive(Debug)]
pub(crate) struct Room(OwnedSemaphorePermit);

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
    /// Another message of a client.
    Message,
    /// The notice to the handler of that name that the connection is gone; nobody waits.
    Gone(Arc<str>),
    /// The notice to the handler of that name that there is no such connection.
    Unknown(Arc<str>),
    /// Another notice.
    Notice,
}

impl Outlet {
    /// Makes an outlet for which that many requests may wait, and as many other messages, and the task that sends them.
    pub(super) fn new(sender: Unwatched, limit: usize) -> (Self, Sending) {
        let (queue, parcels) = mpsc::unbounded_channel();
        let messages = Arc::new(Semaphore::new(limit));
        let backlog = Arc::new(Backlog { room: Semaphore::new(limit), messages, waiting: AtomicUsize::new(0) });
        (Self { queue, backlog: Arc::clone(&backlog) }, Sending { sender, parcels, backlog })
    }

    /// How many messages wait.
    pub(crate) fn waiting(&self) -> usize {
        self.backlog.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn request(&self, id: u64, message: Vec<u8>) -> Result<(), Busy> {
        self.backlog.room.try_acquire().map_err(|_| Busy)?.forget();
        self.push(id, Kind::Request, message);
        Ok(())
    }

    /// Room for a message, if there is any now.
    pub(super) fn try_room(&self) -> Option<Room> {
        Arc::clone(&self.backlog.messages).try_acquire_owned().ok().map(Room)
    }

    /// Waits for room for a message.
    pub(super) async fn room(&self) -> Room {
        Room(Arc::clone(&self.backlog.messages).acquire_owned().await.expect("nobody closes it"))
    }

    pub(super) fn message(&self, room: Room, id: u64, message: Vec<u8>) {
        room.0.forget();
        self.push(id, Kind::Message, message);
    }

    /// Tells the end of a connection, of which there is one each: what waits of these needs no other bound.
    pub(super) fn gone(&self, id: u64, ident: &Arc<str>, message: Vec<u8>) {
        self.push(id, Kind::Gone(Arc::clone(ident)), message);
    }

    /// Tells a handler that there is no connection of that id, which it may have made up.
    pub(super) fn unknown(&self, id: u64, ident: &Arc<str>, message: Vec<u8>) {
        self.notice(id, Kind::Unknown(Arc::clone(ident)), message);
    }

    /// Tells a handler how much a client has taken.
    pub(super) fn credits(&self, id: u64, message: Vec<u8>) {
        self.notice(id, Kind::Notice, message);
    }

    fn notice(&self, id: u64, kind: Kind, message: Vec<u8>) {
        if self.backlog.room.available_permits() == 0 || self.waiting() > REMEMBERED {
            return tracing::warn!("a notice about connection {id} was dropped: the handler takes no messages");
        }
        self.push(id, kind, message);
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
    // The one whose turn it is takes no room.
    match parcel.kind {
        Kind::Request => backlog.room.add_permits(1),
        Kind::Message => backlog.messages.add_permits(1),
        Kind::Gone(_) | Kind::Unknown(_) | Kind::Notice => {}
    }
    let is_news = told.is_news(&parcel);
    let Parcel { id, since, kind, message } = parcel;
    let sent = !is_news || send(sender, message, since + wait).await;
    backlog.waiting.fetch_sub(1, Ordering::Relaxed);
    if !sent && matches!(kind, Kind::Request | Kind::Message) {
        worker.unanswered(id).await;
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
    told: HashMap<(u64, Arc<str>), How>,
    order: VecDeque<(u64, Arc<str>)>,
}

/// Why it has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// The connection has ended.
    Ended,
    /// A handler has replied to it; a connection of that id may yet come.
    Asked,
}

impl Told {
    /// Whether a message has to be sent: each end of a connection is told once.
    fn is_news(&mut self, parcel: &Parcel) -> bool {
        match &parcel.kind {
            Kind::Request | Kind::Message | Kind::Notice => true,
            Kind::Gone(ident) => self.first((parcel.id, Arc::clone(ident)), How::Ended),
            Kind::Unknown(ident) => self.first((parcel.id, Arc::clone(ident)), How::Asked),
        }
    }

    fn first(&mut self, notice: (u64, Arc<str>), how: How) -> bool {
        match (self.told.get(&notice), how) {
            (Some(How::Ended), _) | (Some(How::Asked), How::Asked) => return false,
            (Some(How::Asked), How::Ended) => {}
            (None, _) => self.order.push_back(notice.clone()),
        }
        self.told.insert(notice, how);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.told.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_once_to_each_and_not_remembered_for_ever() {
        let mut told = Told::default();
        let mut first = |id: u64, ident: &str| told.first((id, ident.into()), How::Ended);
        assert!(first(1, "a"));
        assert!(!first(1, "a"));
        assert!(first(1, "b"));
        for id in 2..=REMEMBERED as u64 + 1 {
            assert!(first(id, "a"));
        }
        assert!(first(1, "a"), "long forgotten");
        assert_eq!((told.told.len(), told.order.len()), (REMEMBERED, REMEMBERED));
    }

    #[test]
    fn asking_for_an_id_takes_nothing_from_its_end() {
        let mut told = Told::default();
        let news =
            [How::Asked, How::Asked, How::Ended, How::Ended, How::Asked].map(|how| told.first((1, "a".into()), how));
        assert_eq!(news, [true, false, true, false, false]);
        assert_eq!((told.told.len(), told.order.len()), (1, 1));
    }
}
