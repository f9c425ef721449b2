//! What handlers have for connections: the registry of a worker, and the way to those of others.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::{Item, Mail, Worker};
use crate::connection::{Line, Vitals, encode};
use crate::site::Site;
use crate::target::handler::{Inlet, SentFile};

/// What a handler wants of connections.
#[derive(Debug, Clone)]
pub(crate) enum Delivery {
    /// These bytes for their clients.
    Bytes(Bytes),
    /// The end, behind what came before.
    Close,
    /// The file of this name, below the handler's folder, for their clients.
    File(Bytes),
    /// No bytes for anyone, but something about the connections.
    Control(Control),
}

/// What a handler says about connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Control {
    /// They are alive.
    pub(crate) keep_alive: bool,
    /// So many more bytes of an upload may come.
    pub(crate) credits: u64,
    /// They are to be dropped.
    pub(crate) cancel: bool,
}

impl Worker {
    /// Registers a connection, so that handlers can reach it.
    pub(crate) fn register(&self, vitals: Rc<Vitals>) -> Rc<Line> {
        let line = Rc::new(Line::new(vitals));
        self.lines.borrow_mut().insert(line.id(), Rc::clone(&line));
        line
    }

    /// Takes a connection out of the registry and tells the handlers that know it.
    pub(crate) fn unregister(&self, line: &Line) {
        self.lines.borrow_mut().remove(&line.id());
        line.tell_gone();
    }

    /// Hands something of a handler's to connections, of this worker and of others.
    pub(crate) async fn deliver(&self, ids: Vec<u64>, delivery: Delivery, inlet: &Arc<Inlet>) {
        if self.peers.len() == 1 {
            return self.deliver_here(&ids, &delivery, inlet);
        }
        let mut shares: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for id in ids {
            shares.entry(self.owner(id)).or_default().push(id);
        }
        for (index, ids) in shares {
            if index == self.index {
                self.deliver_here(&ids, &delivery, inlet);
            } else {
                self.post(index, Mail::Deliver(ids, delivery.clone(), Arc::clone(inlet))).await;
            }
        }
    }

    /// Tells a connection, of this worker or another, that no handler has taken its request.
    pub(crate) async fn unanswered(&self, id: u64) {
        match self.owner(id) {
            index if index == self.index => self.unanswered_here(id),
            index => self.post(index, Mail::Unanswered(id)).await,
        }
    }

    pub(super) fn unanswered_here(&self, id: u64) {
        if let Some(line) = self.lines.borrow().get(&id) {
            line.push(Item::Unanswered, usize::MAX);
        }
    }

    fn owner(&self, id: u64) -> usize {
        usize::try_from(id % self.peers.len() as u64).expect("less than the number of workers")
    }

    async fn post(&self, index: usize, mail: Mail) {
        // A worker that has ended has no connections either.
        if let Some(mailbox) = self.peers[index].upgrade() {
            let _ = mailbox.send(mail).await;
        }
    }

    pub(super) fn deliver_here(&self, ids: &[u64], delivery: &Delivery, inlet: &Arc<Inlet>) {
        let limit = self.site.borrow().settings.reply_queue;
        let share = Share { delivery, inlet, limit, encoded: OnceCell::new() };
        for id in ids {
            let line = self.lines.borrow().get(id).cloned();
            match line {
                Some(line) if line.knows(inlet) => share.give(&line),
                Some(_) => tracing::warn!("a handler replied to connection {id}, of which it has had no request"),
                // Whoever gives a connection up need not hear that it is gone.
                None if matches!(delivery, Delivery::Control(Control { cancel: true, .. })) => {}
                None => inlet.dead(*id),
            }
        }
    }

    /// Lets connections know what has become of their handlers.
    pub(super) fn reload_lines(&self, site: &Site) {
        let lines: Vec<Rc<Line>> = self.lines.borrow().values().cloned().collect();
        for line in lines {
            line.reload(|handler| site.successor(handler));
        }
    }
}

/// A delivery on its way to the connections of one worker.
struct Share<'a> {
    delivery: &'a Delivery,
    inlet: &'a Arc<Inlet>,
    /// How many bytes may wait for each.
    limit: usize,
    /// The bytes as those get them that speak JSON or XML messages.
    encoded: OnceCell<Bytes>,
}

impl Share<'_> {
    fn give(&self, line: &Line) {
        match self.delivery {
            Delivery::Bytes(bytes) if line.encodes(self.inlet) => {
                let encoded = self.encoded.get_or_init(|| encode(bytes).into());
                line.push(Item::Bytes(encoded.clone()), self.limit);
            }
            Delivery::Bytes(bytes) => line.push(Item::Bytes(bytes.clone()), self.limit),
            Delivery::Close => line.push(Item::Close, usize::MAX),
            Delivery::File(name) => self.give_file(line, name),
            Delivery::Control(control) => self.control(line, *control),
        }
    }

    fn give_file(&self, line: &Line, name: &Bytes) {
        match line.handler_of(self.inlet).filter(|handler| handler.sendfile_root.is_some()) {
            Some(handler) => line.push(Item::File(SentFile::new(handler, name.clone())), self.limit),
            None => tracing::warn!("cannot send a file to connection {}: its handler has no sendfile_root", line.id()),
        }
    }

    fn control(&self, line: &Line, control: Control) {
        if control.keep_alive {
            line.keep_alive();
        }
        if control.credits > 0 {
            line.credit(control.credits);
        }
        if control.cancel {
            line.cancel(self.inlet);
        }
    }
}
