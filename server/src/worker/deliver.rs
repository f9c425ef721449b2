//! What handlers have for connections: the registry of a worker, and the way to those of others.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::{Item, Mail, Worker};
use crate::connection::Line;
use crate::target::handler::Inlet;

impl Worker {
    /// Registers a connection, so that handlers can reach it.
    pub(crate) fn register(&self, id: u64) -> Rc<Line> {
        let line = Rc::new(Line::new(id, self.site.borrow().settings.reply_queue));
        self.lines.borrow_mut().insert(id, Rc::clone(&line));
        line
    }

    /// Takes a connection out of the registry and tells the handlers that know it.
    pub(crate) fn unregister(&self, line: &Line) {
        self.lines.borrow_mut().remove(&line.id());
        line.tell_gone();
    }

    /// Hands something of a handler's to connections, of this worker and of others.
    pub(crate) async fn deliver(&self, ids: Vec<u64>, item: &Item, inlet: &Arc<Inlet>) {
        let mut elsewhere: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        let mut here = Vec::new();
        for id in ids {
            match self.owner(id) {
                index if index == self.index => here.push(id),
                index => elsewhere.entry(index).or_default().push(id),
            }
        }
        self.deliver_here(here, item, inlet);
        for (index, ids) in elsewhere {
            self.post(index, Mail::Deliver(ids, item.clone(), Arc::clone(inlet))).await;
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
            line.push(Item::Unanswered);
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

    pub(super) fn deliver_here(&self, ids: Vec<u64>, item: &Item, inlet: &Arc<Inlet>) {
        for id in ids {
            let line = self.lines.borrow().get(&id).cloned();
            match line {
                Some(line) if line.knows(inlet) => line.push(item.clone()),
                Some(_) => tracing::warn!("a handler replied to connection {id}, of which it has had no request"),
                None => inlet.dead(id),
            }
        }
    }
}
