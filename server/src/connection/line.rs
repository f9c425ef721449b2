//! What handlers have for one connection, on its way to the client.
//!
//! The registry of the worker holds a `Line` from the connection's first request to a handler until its end.
//! The queue is bounded in bytes: a client that reads too slowly loses its connection, and slows nobody.
//! Everything here happens on the thread of the worker; the connection's own task is the only one that waits.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use smallvec::SmallVec;

use super::vitals::{Kind, Vitals};
use crate::target::handler::{Handler, Inlet};
use crate::worker::Item;

/// The queue of one connection.
#[derive(Debug)]
pub(crate) struct Line {
    vitals: Rc<Vitals>,
    /// How many more bytes of an upload the handler wants.
    credits: Cell<u64>,
    state: Cell<State>,
    parts: RefCell<Parts>,
}

/// Up to which size a message is joined with its neighbours: as one of many it would cost more than its bytes.
const SHORT: usize = 1024;

/// How many bytes are joined into one piece.
const JOINED: usize = 64 * 1024;

/// What waits for the client.
#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    /// Short messages behind them, one after the other.
    short: Vec<u8>,
    bytes: usize,
}

/// What of it isn't a number, in one cell: there may be many thousands that wait.
#[derive(Debug, Default)]
struct Parts {
    /// Nothing unless something waits.
    queue: Option<Box<Queue>>,
    /// The connection's task, if it waits for something from here.
    waker: Option<Waker>,
    /// The handlers that have had a message of this connection; the last one is the one that is talked to.
    handlers: SmallVec<[Arc<Handler>; 1]>,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// More waits than the client may keep waiting.
    Overflown,
    /// A handler has said that the connection is to be dropped.
    Cancelled,
}

impl Line {
    pub(crate) fn new(vitals: Rc<Vitals>) -> Self {
        Self { vitals, credits: Cell::new(0), state: Cell::new(State::Open), parts: RefCell::default() }
    }

    pub(crate) fn id(&self) -> u64 {
        self.vitals.id
    }

    /// Remembers that a handler knows of the connection, and is the one that is talked to.
    pub(crate) fn introduce(&self, handler: &Arc<Handler>) {
        let handlers = &mut self.parts.borrow_mut().handlers;
        match handlers.iter().position(|known| known.is_same(handler)) {
            Some(place) if place + 1 == handlers.len() => {}
            Some(place) => handlers[place..].rotate_left(1),
            None => handlers.push(Arc::clone(handler)),
        }
    }

    /// Whether this is the first request that a handler hears of.
    pub(crate) fn is_new(&self) -> bool {
        self.parts.borrow().handlers.is_empty()
    }

    /// The handler that is talked to.
    pub(crate) fn handler(&self) -> Option<Arc<Handler>> {
        self.parts.borrow().handlers.last().cloned()
    }

    /// Whether whoever replies there has had a message of this connection.
    pub(crate) fn knows(&self, inlet: &Arc<Inlet>) -> bool {
        self.parts.borrow().handlers.iter().any(|handler| Arc::ptr_eq(&handler.inlet, inlet))
    }

    /// The handler that has had a message of this connection and replies there.
    pub(crate) fn handler_of(&self, inlet: &Arc<Inlet>) -> Option<Arc<Handler>> {
        self.parts.borrow().handlers.iter().rev().find(|handler| Arc::ptr_eq(&handler.inlet, inlet)).cloned()
    }

    /// Whether what comes from there is encoded for this client.
    pub(crate) fn encodes(&self, inlet: &Arc<Inlet>) -> bool {
        let raw = |handler: &Arc<Handler>| Arc::ptr_eq(&handler.inlet, inlet) && handler.raw_payload;
        matches!(self.vitals.kind.get(), Kind::Json | Kind::Xml) && !self.parts.borrow().handlers.iter().any(raw)
    }

    /// Tells the handlers that know of the connection that it is gone.
    pub(crate) fn tell_gone(&self) {
        for handler in std::mem::take(&mut self.parts.borrow_mut().handlers) {
            handler.dispatch.disconnect(self.id());
        }
    }

    /// Takes note of a reload; `successor` gives what has become of a handler.  A handler that is removed is told at
    /// once that it has lost the connection, and the connection ends if it waits for that handler.
    pub(crate) fn reload(&self, successor: impl Fn(&Arc<Handler>) -> Option<Arc<Handler>>) {
        let mut parts = self.parts.borrow_mut();
        let last = parts.handlers.last().cloned();
        parts.handlers.retain(|handler| match successor(handler) {
            Some(next) => {
                *handler = next;
                true
            }
            None => {
                handler.dispatch.disconnect(self.id());
                false
            }
        });
        if last.is_some_and(|last| successor(&last).is_none()) {
            drop(parts);
            self.push(Item::Removed, usize::MAX);
        }
    }

    /// Queues something for the client; `limit` bytes may wait.
    pub(crate) fn push(&self, item: Item, limit: usize) {
        // A single message may be larger than the limit: it is there already.
        let parts = &mut *self.parts.borrow_mut();
        let queue = parts.queue.get_or_insert_default();
        if queue.has_end() {
            // Nothing that comes now will ever be sent.
        } else if queue.bytes + item.size() > limit && !queue.is_empty() {
            self.state.set(State::Overflown);
        } else {
            queue.push(item);
        }
        parts.wake();
    }

    /// Takes the next item.
    pub(crate) fn pop(&self) -> Option<Item> {
        let queue = &mut self.parts.borrow_mut().queue;
        let item = queue.as_mut()?.pop();
        if item.is_none() {
            *queue = None;
        }
        item
    }

    /// Whether there is something in the queue, or the connection is to end.
    pub(crate) fn has_work(&self) -> bool {
        self.has_ended() || self.parts.borrow().queue.as_ref().is_some_and(|queue| !queue.is_empty())
    }

    /// How many bytes wait.
    pub(crate) fn waiting(&self) -> usize {
        self.parts.borrow().queue.as_ref().map_or(0, |queue| queue.bytes)
    }

    /// Notes a sign of life.
    pub(crate) fn keep_alive(&self) {
        self.vitals.moved(0);
    }

    /// Lets so many more bytes of an upload come.
    pub(crate) fn credit(&self, bytes: u64) {
        self.credits.set(self.credits.get().saturating_add(bytes));
        self.wake();
    }

    /// Drops the connection at once; whoever replies there need not be told.
    pub(crate) fn cancel(&self, inlet: &Arc<Inlet>) {
        self.parts.borrow_mut().handlers.retain(|handler| !Arc::ptr_eq(&handler.inlet, inlet));
        self.state.set(State::Cancelled);
        self.wake();
    }

    /// How many bytes of an upload may come.
    pub(crate) fn credits(&self) -> u64 {
        self.credits.get()
    }

    /// Uses credits up; a debt is not kept.
    pub(crate) fn spend(&self, bytes: u64) {
        self.credits.set(self.credits.get().saturating_sub(bytes));
    }

    /// Begins an upload.
    pub(crate) fn reset_credits(&self) {
        self.credits.set(0);
    }

    /// Waits until there is something in the queue, or the connection is to end.
    pub(crate) fn poll_changed(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.has_work() {
            return Poll::Ready(());
        }
        self.listen(context);
        Poll::Pending
    }

    /// Waits until the connection is to end, whatever is in the queue.
    pub(crate) fn poll_ended(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.has_ended() {
            return Poll::Ready(());
        }
        self.listen(context);
        Poll::Pending
    }

    /// Waits until the handler wants more of an upload.
    pub(crate) fn poll_credits(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.credits.get() > 0 {
            return Poll::Ready(());
        }
        self.listen(context);
        Poll::Pending
    }

    /// Whether the connection is to be dropped.
    pub(crate) fn has_ended(&self) -> bool {
        self.state.get() != State::Open
    }

    /// Whether the client has read too slowly.
    pub(crate) fn has_overflown(&self) -> bool {
        self.state.get() == State::Overflown
    }

    fn listen(&self, context: &Context<'_>) {
        let waker = &mut self.parts.borrow_mut().waker;
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
    }

    fn wake(&self) {
        self.parts.borrow().wake();
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.items.is_empty() && self.short.is_empty()
    }

    /// Whether the connection closes behind what waits.
    fn has_end(&self) -> bool {
        self.short.is_empty() && matches!(self.items.back(), Some(Item::Close))
    }

    fn push(&mut self, item: Item) {
        self.bytes += item.size();
        match item {
            Item::Bytes(bytes) if bytes.len() <= SHORT && !self.is_empty() => {
                if self.short.len() + bytes.len() > JOINED {
                    self.end_short();
                }
                self.short.extend_from_slice(&bytes);
            }
            item => {
                self.end_short();
                self.items.push_back(item);
            }
        }
    }

    fn pop(&mut self) -> Option<Item> {
        if self.items.is_empty() {
            self.end_short();
        }
        let item = self.items.pop_front()?;
        self.bytes -= item.size();
        Some(item)
    }

    /// Makes one item of the short messages.
    fn end_short(&mut self) {
        if !self.short.is_empty() {
            self.items.push_back(Item::Bytes(std::mem::take(&mut self.short).into()));
        }
    }
}

impl Parts {
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn queue(items: &[&str]) -> Queue {
        let mut queue = Queue::default();
        for item in items {
            let item = if item.is_empty() { Item::Close } else { Item::Bytes(Bytes::copy_from_slice(item.as_bytes())) };
            queue.push(item);
        }
        queue
    }

    /// What comes out, with how many bytes are left each time.
    fn all(mut queue: Queue) -> Vec<(String, usize)> {
        let mut all = Vec::new();
        while let Some(item) = queue.pop() {
            let text =
                if let Item::Bytes(bytes) = item { String::from_utf8(bytes.to_vec()).unwrap() } else { "".into() };
            all.push((text, queue.bytes));
        }
        assert!(queue.is_empty());
        all
    }

    fn parts(parts: &[(&str, usize)]) -> Vec<(String, usize)> {
        parts.iter().map(|(text, left)| ((*text).to_owned(), *left)).collect()
    }

    #[test]
    fn short_messages_that_wait_become_one() {
        let long = "x".repeat(SHORT + 1);
        assert_eq!(all(queue(&["a"])), parts(&[("a", 0)]));
        assert_eq!(all(queue(&["a", "b", "c"])), parts(&[("a", 2), ("bc", 0)]));
        assert_eq!(all(queue(&["a", &long, "b", "c", ""])), parts(&[("a", SHORT + 3), (&long, 2), ("bc", 0), ("", 0)]));
        assert_eq!(all(queue(&["a", "b", &long])), parts(&[("a", SHORT + 2), ("b", SHORT + 1), (&long, 0)]));
    }

    #[test]
    fn as_many_as_may_wait_take_little_room() {
        let mut queue = queue(&["first"]);
        (0..3 * JOINED).for_each(|_| queue.push(Item::Bytes(Bytes::from_static(b"x"))));
        assert_eq!((queue.items.len(), queue.short.len()), (3, JOINED));
        assert!(!queue.has_end());
        queue.push(Item::Close);
        assert!(queue.has_end());
    }
}
