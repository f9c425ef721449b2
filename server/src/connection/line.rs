//! What handlers have for one connection, on its way to the client.
//!
//! The registry of the worker holds a `Line` from the connection's first request to a handler until its end.
//! The queue is bounded in bytes: a client that reads too slowly loses its connection, and slows nobody.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::target::handler::{Handler, Inlet};
use crate::worker::Item;

/// The queue of one connection.
#[derive(Debug)]
pub(crate) struct Line {
    id: u64,
    /// How many bytes may wait for the client (`limits.reply_queue`).
    limit: usize,
    queue: RefCell<VecDeque<Item>>,
    bytes: Cell<usize>,
    overflown: Cell<bool>,
    /// Told when the queue has got something, and when it has overflown.
    changed: Notify,
    overflow: Notify,
    /// The handlers that have had a message of this connection.
    handlers: RefCell<Vec<Arc<Handler>>>,
}

impl Line {
    pub(crate) fn new(id: u64, limit: usize) -> Self {
        Self {
            id,
            limit,
            queue: RefCell::default(),
            bytes: Cell::new(0),
            overflown: Cell::new(false),
            changed: Notify::new(),
            overflow: Notify::new(),
            handlers: RefCell::default(),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Remembers that a handler knows of the connection.
    pub(crate) fn introduce(&self, handler: &Arc<Handler>) {
        let mut handlers = self.handlers.borrow_mut();
        if !handlers.iter().any(|known| known.is_same(handler)) {
            handlers.push(Arc::clone(handler));
        }
    }

    /// Whether whoever replies there has had a message of this connection.
    pub(crate) fn knows(&self, inlet: &Arc<Inlet>) -> bool {
        self.handlers.borrow().iter().any(|handler| Arc::ptr_eq(&handler.inlet, inlet))
    }

    /// Tells the handlers that know of the connection that it is gone.
    pub(crate) fn tell_gone(&self) {
        for handler in self.handlers.take() {
            handler.dispatch.disconnect(self.id);
        }
    }

    /// Queues something for the client.
    pub(crate) fn push(&self, item: Item) {
        if let Item::Bytes(bytes) = &item {
            self.bytes.set(self.bytes.get() + bytes.len());
        }
        // A single message may be larger than the limit: it is there already.
        if self.bytes.get() > self.limit && !self.queue.borrow().is_empty() {
            self.overflown.set(true);
            self.overflow.notify_one();
        } else {
            self.queue.borrow_mut().push_back(item);
        }
        self.changed.notify_one();
    }

    /// Takes the next item.
    pub(crate) fn pop(&self) -> Option<Item> {
        let item = self.queue.borrow_mut().pop_front();
        if let Some(Item::Bytes(bytes)) = &item {
            self.bytes.set(self.bytes.get() - bytes.len());
        }
        item
    }

    /// Waits until there may be something in the queue.
    pub(crate) async fn changed(&self) {
        if self.queue.borrow().is_empty() && !self.overflown.get() {
            self.changed.notified().await;
        }
    }

    /// Waits until the client has read too slowly.
    pub(crate) async fn overflow(&self) {
        if !self.overflown.get() {
            self.overflow.notified().await;
        }
    }

    pub(crate) fn has_overflown(&self) -> bool {
        self.overflown.get()
    }
}
