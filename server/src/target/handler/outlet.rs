//! Requests on their way out: one PUSH or PUB socket, fed by a queue.
//!
//! PUSH gives each message to one of the connected handlers, PUB to all of them.  While none is connected the
//! queue holds the messages; a request that has waited for `handler.wait` is taken back, and its client gets 503.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::Busy;
use super::sender::{Sender, Sent, Unwatched};
use crate::worker::Worker;

/// How many messages are taken from the queue at once.
const BATCH: usize = 64;

/// For how many connections it is remembered that their end has been told.
const REMEMBERED: usize = 16 * 1024;

/// The way to one address.
#[derive(Debug)]
pub(crate) struct Outlet {
    queue: mpsc::Sender<Parcel>,
    /// How many messages the task has taken from the queue and not sent yet.
    taken: Arc<AtomicUsize>,
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
    /// The notice to the handler of that name that the connection is gone; nobody waits.
    Gone(Arc<str>),
    /// Another notice.
    Notice,
}

impl Outlet {
    /// Makes an outlet whose queue holds that many messages, and the task that sends them.
    pub(super) fn new(sender: Unwatched, queue: usize) -> (Self, Sending) {
        let (queue, parcels) = mpsc::channel(queue);
        let taken = Arc::<AtomicUsize>::default();
        (Self { queue, taken: Arc::clone(&taken) }, Sending { sender, parcels, taken })
    }

    /// How many messages wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity() + self.taken.load(Ordering::Relaxed)
    }

    /// Waits until there is room in the queue.
    pub(super) async fn room(&self) {
        // The task ends only after its outlets.
        let _ = self.queue.reserve().await;
    }

    pub(super) fn request(&self, id: u64, message: Vec<u8>) -> Result<(), Busy> {
        self.queue.try_send(Parcel { id, kind: Kind::Request(Instant::now()), message }).map_err(|_| Busy)
    }

    pub(super) fn gone(&self, id: u64, ident: &Arc<str>, message: Vec<u8>) {
        self.notice(Parcel { id, kind: Kind::Gone(Arc::clone(ident)), message });
    }

    pub(super) fn credits(&self, id: u64, message: Vec<u8>) {
        self.notice(Parcel { id, kind: Kind::Notice, message });
    }

    fn notice(&self, parcel: Parcel) {
        if let Err(error) = self.queue.try_send(parcel) {
            let id = error.into_inner().id;
            tracing::warn!("a notice about connection {id} was dropped: the handler takes no messages");
        }
    }
}

/// The task that owns the socket.  It ends when nothing refers to its outlet any more.
pub(crate) struct Sending {
    sender: Unwatched,
    parcels: mpsc::Receiver<Parcel>,
    taken: Arc<AtomicUsize>,
}

impl Sending {
    pub(super) async fn run(self, worker: Rc<Worker>) {
        let Self { sender, mut parcels, taken } = self;
        let mut sender = match sender.watch() {
            Ok(sender) => sender,
            Err(error) => return tracing::error!("cannot watch a handler socket: {error}"),
        };
        let mut told = Told::default();
        let mut batch = Vec::with_capacity(BATCH);
        let sending = async {
            while parcels.recv_many(&mut batch, BATCH).await > 0 {
                let wait = worker.site().settings.handler_wait;
                let left = (1..=batch.len()).rev();
                for (parcel, left) in batch.drain(..).zip(left).filter(|(parcel, _)| told.is_news(parcel)) {
                    taken.store(left, Ordering::Relaxed);
                    let Parcel { id, kind, message } = parcel;
                    let since = if let Kind::Request(since) = kind { since } else { Instant::now() };
                    if !send(&mut sender, message, since + wait).await && matches!(kind, Kind::Request(_)) {
                        worker.unanswered(id).await;
                    }
                }
                taken.store(0, Ordering::Relaxed);
            }
        };
        tokio::select! {
            () = sending => return,
            () = worker.ended() => {}
        }
        // What is left are notices; whoever is there to take them gets them.
        while let Ok(parcel) = parcels.try_recv() {
            if told.is_news(&parcel) && !matches!(sender.send(parcel.message), Ok(Sent::Yes)) {
                return;
            }
        }
    }
}

/// Sends a message, or gives up when it has waited for too long.
async fn send(sender: &mut Sender, mut message: Vec<u8>, deadline: Instant) -> bool {
    loop {
        match sender.send(message) {
            Ok(Sent::Yes) => return true,
            Ok(Sent::No(_)) if timeout_at(deadline, sender.changed()).await.is_err() => return false,
            Ok(Sent::No(back)) => message = back,
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
    told: HashSet<(u64, Arc<str>)>,
    order: VecDeque<(u64, Arc<str>)>,
}

impl Told {
    /// Whether a message has to be sent: each end of a connection is told once.
    fn is_news(&mut self, parcel: &Parcel) -> bool {
        match &parcel.kind {
            Kind::Request(_) | Kind::Notice => true,
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
