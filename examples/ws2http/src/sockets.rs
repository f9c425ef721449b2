//! All sockets, by their names and by their URIs.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::id::Id;
use crate::mailbox::Mailbox;
use crate::order::{Order, To};

/// The table of sockets.
#[derive(Debug, Default)]
pub(crate) struct Sockets(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<Id, Entry>,
    by_uri: HashMap<Arc<str>, HashSet<Id>>,
}

#[derive(Debug)]
struct Entry {
    uri: Arc<str>,
    mailbox: Arc<Mailbox>,
}

/// The place of a socket in the table, which it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) id: Id,
    pub(crate) uri: Arc<str>,
    pub(crate) mailbox: Arc<Mailbox>,
    sockets: Arc<Sockets>,
}

impl Sockets {
    /// Gives a new socket a name and a mailbox.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(crate) fn enter(self: &Arc<Self>, uri: &str) -> Result<Place, getrandom::Error> {
        let (id, uri, mailbox) = (Id::random()?, Arc::<str>::from(uri), Arc::new(Mailbox::new()));
        self.table().enter(id, Entry { uri: Arc::clone(&uri), mailbox: Arc::clone(&mailbox) });
        Ok(Place { id, uri, mailbox, sockets: Arc::clone(self) })
    }

    /// Puts a letter into the mailboxes of all that are meant; gives how many took it.
    pub(crate) fn deliver(&self, order: &Order) -> usize {
        let mut table = self.table();
        let meant = table.meant(&order.to);
        let taken = meant.into_iter().filter(|id| {
            let took = table.by_id.get(id).is_some_and(|entry| entry.mailbox.put(order.letter.clone()));
            if !took {
                table.leave(*id);
            }
            took
        });
        taken.count()
    }

    /// Those that have a URI.
    pub(crate) fn at(&self, uri: &str) -> Vec<Id> {
        self.table().by_uri.get(uri).into_iter().flatten().copied().collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn enter(&mut self, id: Id, entry: Entry) {
        self.by_uri.entry(Arc::clone(&entry.uri)).or_default().insert(id);
        self.by_id.insert(id, entry);
    }

    fn leave(&mut self, id: Id) {
        let Some(entry) = self.by_id.remove(&id) else { return };
        if let Some(ids) = self.by_uri.get_mut(&entry.uri) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_uri.remove(&entry.uri);
            }
        }
    }

    fn meant(&self, to: &To) -> Vec<Id> {
        match to {
            To::One(id) => vec![*id],
            To::All { uri, except } => {
                let all = self.by_uri.get(uri.as_str()).into_iter().flatten();
                all.filter(|id| !except.contains(id)).copied().collect()
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sockets.table().leave(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::ROOM;
    use crate::order::{LONGEST, Letter};

    fn all(uri: &str, except: &[Id]) -> Order {
        let to = To::All { uri: uri.to_owned(), except: except.iter().copied().collect() };
        Order { to, letter: Letter::Text("hi".into()) }
    }

    #[tokio::test]
    async fn one_or_all_but_some() {
        let sockets = Arc::<Sockets>::default();
        let (a, b, c) = (sockets.enter("/x").unwrap(), sockets.enter("/x").unwrap(), sockets.enter("/y").unwrap());
        assert_eq!(sockets.deliver(&all("/x", &[])), 2);
        assert_eq!(sockets.deliver(&all("/x", &[a.id, c.id])), 1);
        assert_eq!(sockets.deliver(&all("/", &[])), 0);
        let one = Order { to: To::One(c.id), letter: Letter::Text("you".into()) };
        assert_eq!(sockets.deliver(&one), 1);
        assert_eq!(c.mailbox.next().await, Letter::Text("you".into()));
        assert_eq!(
            (a.mailbox.next().await, b.mailbox.next().await),
            (Letter::Text("hi".into()), Letter::Text("hi".into()))
        );

        let at_x = sockets.at("/x").into_iter().collect::<HashSet<_>>();
        assert_eq!(at_x, HashSet::from([a.id, b.id]));
        drop(c);
        assert_eq!(sockets.deliver(&one), 0);
        assert_eq!(sockets.at("/y"), []);
        drop((a, b));
        let table = sockets.table();
        assert!(table.by_id.is_empty() && table.by_uri.is_empty(), "{table:?}");
    }

    #[test]
    fn who_reads_too_slowly_is_left_out() {
        let sockets = Arc::<Sockets>::default();
        let (slow, other) = (sockets.enter("/").unwrap(), sockets.enter("/").unwrap());
        for _ in 0..ROOM / LONGEST {
            let letter = Letter::Binary(vec![0; LONGEST].into());
            assert_eq!(sockets.deliver(&Order { to: To::One(slow.id), letter }), 1);
        }
        let letter = Letter::Binary(vec![0; 2048].into());
        let order = Order { to: To::All { uri: "/".into(), except: HashSet::new() }, letter };
        assert_eq!(sockets.deliver(&order), 1);
        assert_eq!(sockets.at("/"), [other.id]);
    }
}
