//! Which message of a server is for whom: a new request, or a part of one that is going on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use ::http::{HeaderValue, StatusCode};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::exchange::{Exchange, Key};
use super::link::Link;
use super::outbox::{Outbox, Room};
use super::sink::Outgoing;
use super::socket::{self, Entrance};
use super::upload::{FromFile, Piece, Pieces, Upload};
use super::{Options, read, render};
use crate::app::{Body, Request, Response};
use crate::wire::request::{self, Request as Message};
use crate::wire::websocket::{self, Close, Frame};
use crate::wire::{extended::Extended, reply};

/// The code for a client that sends faster than the application receives (IANA's registry).
const TOO_FAST: u16 = 1013;

/// The code for one whose application isn't here any more, as the host was started anew (the same).
const RESTARTED: u16 = 1012;

/// The code for one whose application stops (RFC 6455, section 7.4.1).
pub(super) const GOING_AWAY: u16 = 1001;

/// All connections that something is going on with.
pub(super) struct Hub {
    options: Options,
    outbox: Outbox,
    entries: Mutex<HashMap<Key, Entry>>,
    /// Exchanges are counted, so that one that ends late doesn't end the next.
    numbers: AtomicU64,
    places: Arc<Semaphore>,
    is_stopping: AtomicBool,
}

struct Entry {
    link: Arc<Link>,
    number: u64,
    way: Way,
}

/// Where further messages of a connection go.
enum Way {
    Nowhere,
    Pieces { sender: mpsc::UnboundedSender<Piece>, offset: u64 },
    File { path: String, whole: oneshot::Sender<Upload> },
    Messages(Entrance),
}

impl Hub {
    pub(super) fn new(options: Options, outbox: Outbox) -> Self {
        let places = Arc::new(Semaphore::new(options.limit));
        let (entries, numbers) = (Mutex::default(), AtomicU64::new(1));
        Self { options, outbox, entries, numbers, places, is_stopping: AtomicBool::new(false) }
    }

    /// Takes a message; gives a request that has begun with it.
    pub(super) fn take(self: &Arc<Self>, message: Message) -> Option<(Request, Response)> {
        let key: Key = (message.sender.as_str().into(), message.id);
        if message.is_notice() {
            self.notice(&key, &message);
            return None;
        }
        match (message.header("METHOD"), message.upload()) {
            (Some("WEBSOCKET"), _) => self.frame(&key, message),
            // No HTTP, and so nothing that an application could answer.
            (Some("JSON" | "XML"), _) => {}
            (None, Some(request::Upload::Piece { offset, is_last })) => {
                self.piece(&key, offset, Piece { bytes: message.body.into(), is_last });
            }
            (None, _) => {}
            (Some(_), Some(request::Upload::Malformed)) => self.refuse(&key, &message, StatusCode::BAD_REQUEST),
            (Some(_), Some(request::Upload::Done(path))) => match Upload::below(&self.options.chroot, path) {
                Some(upload) => return self.whole(key, &message, path, upload),
                None => self.refuse(&key, &message, StatusCode::BAD_REQUEST),
            },
            (Some(_), _) => return self.begin(key, message, None),
        }
        None
    }

    /// Lets no more requests come; WebSockets are closed.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        for entry in self.entries().values() {
            if let Way::Messages(entrance) = &entry.way {
                entrance.close(GOING_AWAY);
            }
        }
    }

    fn notice(&self, key: &Key, message: &Message) {
        if message.is_disconnect() {
            let entry = self.entries().remove(key);
            entry.inspect(|entry| entry.link.end());
        } else if let (Some(credits), Some(entry)) = (message.credits(), self.entries().get(key)) {
            entry.link.credit(credits);
        }
    }

    fn frame(&self, key: &Key, message: Message) {
        let flags = message.header("FLAGS").and_then(|flags| u8::from_str_radix(flags.strip_prefix("0x")?, 16).ok());
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(key) else {
            // It was opened before we were here, or by another handler.  Its client would speak to nobody for ever.
            tracing::warn!("a WebSocket that was not opened here is closed");
            return self.close(key, &Arc::new(Link::new(None)), RESTARTED);
        };
        let Way::Messages(entrance) = &entry.way else { return };
        if !entrance.push(flags.unwrap_or_default(), message.body) {
            entry.way = Way::Nowhere;
            self.close(key, &entry.link, TOO_FAST);
        }
    }

    /// Ends a WebSocket.
    fn close(&self, key: &Key, link: &Arc<Link>, code: u16) {
        let mut bytes = Vec::new();
        let close = Frame::Close(Some(Close { code, reason: "" }));
        websocket::render(&mut bytes, &close).expect("the code may be sent");
        self.reply(key, link, &bytes, None);
        self.reply(key, link, b"", None);
    }

    fn piece(&self, key: &Key, offset: u64, piece: Piece) {
        let mut entries = self.entries();
        let entry = entries.get_mut(key);
        if let Some(Entry { way: way @ Way::Pieces { .. }, .. }) = entry {
            let Way::Pieces { sender, offset: expected } = way else { return };
            if *expected == offset {
                *expected += piece.bytes.len() as u64;
                // A body that nobody wants ends its connection itself.
                let _ = sender.send(piece);
            } else {
                tracing::error!("parts of an upload are missing: does another handler get them?");
                *way = Way::Nowhere;
            }
        } else {
            // Its beginning went to somebody else, or before we were here.  Without credits it would wait for ever.
            let link = entry.map_or_else(|| Arc::new(Link::new(None)), |entry| Arc::clone(&entry.link));
            self.reply(key, &link, b"", None);
        }
    }

    /// A file is whole: it belongs to a request that has begun, or to one that begins now.
    fn whole(self: &Arc<Self>, key: Key, message: &Message, path: &str, upload: Upload) -> Option<(Request, Response)> {
        let mut entries = self.entries();
        let known = match entries.get_mut(&key) {
            Some(entry) if matches!(&entry.way, Way::File { path: started, .. } if started == path) => {
                Some(std::mem::replace(&mut entry.way, Way::Nowhere))
            }
            _ => None,
        };
        drop(entries);
        match known {
            Some(Way::File { whole, .. }) => {
                // What isn't wanted any more is removed.
                drop(whole.send(upload));
                self.forget_idle(&key);
                None
            }
            _ => self.begin(key, message.clone(), Some(upload)),
        }
    }

    fn begin(self: &Arc<Self>, key: Key, message: Message, whole: Option<Upload>) -> Option<(Request, Response)> {
        let Some(origin) = read::head(&message) else {
            self.refuse(&key, &message, StatusCode::BAD_REQUEST);
            return None;
        };
        let place = Some(()).filter(|()| !self.is_stopping());
        let Some(place) = place.and_then(|()| Arc::clone(&self.places).try_acquire_owned().ok()) else {
            self.refuse(&key, &message, StatusCode::SERVICE_UNAVAILABLE);
            return None;
        };
        let exchange = self.exchange(key, message.credits(), place);
        let (body, socket) = self.body(&exchange, &message, whole);
        let is_socket = socket.is_some();
        let method = origin.head.method.clone();
        let sink = Outgoing::new(exchange, &origin.head);
        let sink = match (socket, HeaderValue::from_bytes(&message.body)) {
            (Some(inbox), Ok(accept)) => sink.with_handshake(accept, inbox),
            _ => sink,
        };
        let request = Request::new(origin.head, origin.remote, origin.scheme, is_socket, body);
        Some((request, Response::new(&method, sink)))
    }

    /// Begins to answer a request of a connection, known or new.
    fn exchange(self: &Arc<Self>, key: Key, credits: Option<u64>, place: OwnedSemaphorePermit) -> Arc<Exchange> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries();
        // Only the first request of a connection tells its credits.
        let known = entries.get(&key).map(|entry| Arc::clone(&entry.link)).filter(|link| link.is_credited());
        let link = known.filter(|_| credits.is_none()).unwrap_or_else(|| Arc::new(Link::new(credits)));
        entries.insert(key.clone(), Entry { link: Arc::clone(&link), number, way: Way::Nowhere });
        drop(entries);
        Arc::new(Exchange::new(key, number, link, Arc::clone(self), place))
    }

    /// The body of a request, and where the messages of its WebSocket are to come in.
    fn body(
        &self,
        exchange: &Arc<Exchange>,
        message: &Message,
        whole: Option<Upload>,
    ) -> (Body, Option<socket::Inbox>) {
        let bytes = || Bytes::copy_from_slice(&message.body);
        let (way, body, inbox) = match message.upload() {
            _ if message.is_handshake() => {
                let (entrance, inbox) = socket::inbox();
                (Way::Messages(entrance), Body::empty(), Some(inbox))
            }
            Some(request::Upload::Piece { is_last: false, .. }) => {
                exchange.uploads();
                let (sender, pieces) = mpsc::unbounded_channel();
                let first = Piece { bytes: bytes(), is_last: false };
                let body = Pieces::new(Arc::clone(exchange), first, pieces, self.options.window);
                (Way::Pieces { sender, offset: message.body.len() as u64 }, Body::from_source(body), None)
            }
            Some(request::Upload::Started(path) | request::Upload::Done(path)) => {
                let (sender, receiver) = oneshot::channel();
                let body = Body::from_source(FromFile::new(Arc::clone(exchange), receiver));
                let way = match whole {
                    Some(upload) => {
                        drop(sender.send(upload));
                        Way::Nowhere
                    }
                    None => Way::File { path: path.to_owned(), whole: sender },
                };
                (way, body, None)
            }
            _ => (Way::Nowhere, Body::whole(bytes()), None),
        };
        if let Some(entry) = self.entries().get_mut(&exchange.key) {
            entry.way = way;
        }
        (body, inbox)
    }

    /// An exchange has ended.
    pub(super) fn ended(&self, exchange: &Exchange) {
        let mut entries = self.entries();
        if let Some(entry) = entries.get_mut(&exchange.key).filter(|entry| entry.number == exchange.number) {
            // A file that is still to come has to be removed.
            if !matches!(entry.way, Way::File { .. }) {
                entry.way = Way::Nowhere;
            }
            entry.number = 0;
        }
        drop(entries);
        self.forget_idle(&exchange.key);
    }

    /// Forgets a connection that nothing more will come for, and whose credits nobody counts.
    fn forget_idle(&self, key: &Key) {
        let mut entries = self.entries();
        let is_idle = |entry: &Entry| entry.number == 0 && matches!(entry.way, Way::Nowhere);
        let is_over = |entry: &Entry| !entry.link.is_credited() || entry.link.is_gone();
        if entries.get(key).is_some_and(|entry| is_idle(entry) && is_over(entry)) {
            entries.remove(key);
        }
    }

    /// Answers instead of the application, and closes: what else comes with the request isn't wanted.
    fn refuse(&self, key: &Key, message: &Message, status: StatusCode) {
        let link = Arc::new(Link::new(None));
        let is_head = message.header("METHOD") == Some("HEAD");
        self.reply(key, &link, &render::own(status, is_head, true, SystemTime::now()), None);
        self.reply(key, &link, b"", None);
    }

    /// After how much silence a WebSocket is pinged, if ever.
    pub(super) fn ping(&self) -> Option<Duration> {
        Some(self.options.ping).filter(|silence| !silence.is_zero())
    }

    /// Whether no more requests come.
    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Waits until there is room for so many bytes.
    pub(super) async fn room(&self, bytes: usize) -> Room {
        self.outbox.room(bytes).await
    }

    /// Has bytes sent to a connection; none close it.
    pub(super) fn reply(&self, key: &Key, link: &Arc<Link>, bytes: &[u8], room: Option<Room>) {
        let mut message = Vec::new();
        reply::render(&mut message, key.0.as_bytes(), &[key.1], bytes);
        self.outbox.push(message, link, room);
    }

    /// Has the server told something about a connection.
    pub(super) fn tell(&self, key: &Key, link: &Arc<Link>, extended: &Extended) {
        let mut message = Vec::new();
        reply::render_extended(&mut message, key.0.as_bytes(), &[key.1], extended);
        self.outbox.push(message, link, None);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.entries().len()
    }
}
