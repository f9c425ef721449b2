//! Replies on their way in: one SUB socket, whose messages go to the connections that they name.
//!
//! A handler is trusted only with connections that it has had a message of.  A reply for an id that is gone
//! is answered with a notice, once.  What doesn't parse is logged and skipped.

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use mongrel2::wire::extended::{self, Extended, ExtendedError};
use mongrel2::wire::reply::{self, Reply};
use tokio::sync::mpsc;

use super::Dispatch;
use super::sockets::Pollable;
use crate::worker::{Control, Delivery, Worker};

/// How many messages are handled before other tasks get their turn.
const BATCH: usize = 64;

/// The way from one address.
#[derive(Debug)]
pub(crate) struct Inlet {
    spec: String,
    wanted: mpsc::UnboundedSender<Vec<String>>,
    /// The handlers that reply here, for notices; touched only by reloads and for dead ids.
    senders: Mutex<Vec<Arc<Dispatch>>>,
}

impl Inlet {
    pub(super) fn new(spec: &str, socket: zmq::Socket) -> (Arc<Self>, Receiving) {
        let (wanted, subscriptions) = mpsc::unbounded_channel();
        let inlet = Arc::new(Self { spec: spec.to_owned(), wanted, senders: Mutex::default() });
        // The task holds no reference to its inlet, so that it ends when the last handler is gone.
        let receiving = Receiving { socket, subscriptions, inlet: Arc::downgrade(&inlet) };
        (inlet, receiving)
    }

    /// Sets what is subscribed to, and who replies here.
    pub(crate) fn serve(&self, subscriptions: Vec<String>, senders: Vec<Arc<Dispatch>>) {
        // The task ends only after this.
        let _ = self.wanted.send(subscriptions);
        *self.senders.lock().unwrap_or_else(PoisonError::into_inner) = senders;
    }

    /// Tells the handlers that a connection they replied to doesn't exist.
    pub(crate) fn dead(&self, id: u64) {
        for sender in self.senders.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            sender.unknown(id);
        }
    }
}

/// The task that owns the socket.
pub(crate) struct Receiving {
    socket: zmq::Socket,
    subscriptions: mpsc::UnboundedReceiver<Vec<String>>,
    inlet: std::sync::Weak<Inlet>,
}

impl Receiving {
    pub(super) async fn run(self, worker: Rc<Worker>) {
        let Self { socket, mut subscriptions, inlet } = self;
        let mut socket = match Pollable::new(socket) {
            Ok(socket) => socket,
            Err(error) => return tracing::error!("cannot watch a handler socket: {error}"),
        };
        let mut subscribed = Vec::new();
        // A socket throws away what it receives before it has subscribed to it.
        while let Ok(wanted) = subscriptions.try_recv() {
            subscribe(&socket, &mut subscribed, wanted);
        }
        loop {
            let more = receive(&mut socket, &inlet, &worker).await;
            tokio::select! {
                wanted = subscriptions.recv() => match wanted {
                    Some(wanted) => subscribe(&socket, &mut subscribed, wanted),
                    None => return,
                },
                () = socket.changed(), if !more => {}
                () = tokio::task::yield_now(), if more => {}
                () = worker.ended() => return,
            }
        }
    }
}

/// Handles what has come, up to a batch; gives whether there may be more.
async fn receive(socket: &mut Pollable, inlet: &std::sync::Weak<Inlet>, worker: &Rc<Worker>) -> bool {
    for _ in 0..BATCH {
        match socket.receive() {
            Ok(Some(message)) => {
                if let Some(inlet) = inlet.upgrade() {
                    handle(message, &inlet, worker).await;
                }
            }
            Ok(None) => return false,
            Err(error) => {
                tracing::error!("cannot receive from a handler: {error}");
                return false;
            }
        }
    }
    true
}

async fn handle(message: Bytes, inlet: &Arc<Inlet>, worker: &Rc<Worker>) {
    let reply = match reply::parse(&message, worker.site().settings.handler_targets) {
        Ok(reply) => reply,
        Err(error) => return tracing::warn!("cannot use a reply at {}: {error}", inlet.spec),
    };
    match delivery(&message, &reply) {
        Ok(delivery) => worker.deliver(reply.ids, delivery, inlet).await,
        Err(error) => tracing::warn!("cannot use an extended reply at {}: {error}", inlet.spec),
    }
}

fn delivery(message: &Bytes, reply: &Reply<'_>) -> Result<Delivery, ExtendedError> {
    if !reply.extended {
        let body = message.slice_ref(reply.body);
        return Ok(if body.is_empty() { Delivery::Close } else { Delivery::Bytes(body) });
    }
    Ok(match extended::parse(reply.body)? {
        Extended::SendFile(path) => Delivery::File(path.into()),
        Extended::Control { keep_alive, credits, cancel } => {
            Delivery::Control(Control { keep_alive, credits: credits.unwrap_or(0), cancel })
        }
    })
}

fn subscribe(socket: &Pollable, subscribed: &mut Vec<String>, wanted: Vec<String>) {
    for ident in wanted.iter().filter(|ident| !subscribed.contains(ident)) {
        socket.subscribe(ident);
    }
    for ident in subscribed.iter().filter(|ident| !wanted.contains(ident)) {
        socket.unsubscribe(ident);
    }
    *subscribed = wanted;
}
