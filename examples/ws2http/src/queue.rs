//! What waits for one task, in order and bounded in bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What waiting takes beside the bytes of what waits.
pub(crate) const OVERHEAD: usize = 64;

/// A queue; one task takes, and one may wait for room.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    limit: usize,
    state: Mutex<State<T>>,
    filled: Notify,
    emptied: Notify,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    is_ended: bool,
}

impl<T> Queue<T> {
    /// A queue, empty, that has room for so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let state = State { items: VecDeque::new(), bytes: 0, is_ended: false };
        Self { limit, state: Mutex::new(state), filled: Notify::new(), emptied: Notify::new() }
    }

    /// Puts something of that size behind the others, whether there is room for it or not.
    pub(crate) fn push(&self, item: T, size: usize) {
        self.state().put(item, size + OVERHEAD);
        self.filled.notify_one();
    }

    /// The same if there is room for it; gives whether there was.
    pub(crate) fn offer(&self, item: T, size: usize) -> bool {
        let mut state = self.state();
        if state.bytes + size + OVERHEAD > self.limit {
            return false;
        }
        state.put(item, size + OVERHEAD);
        drop(state);
        self.filled.notify_one();
        true
    }

    /// Waits until something more may come.
    pub(crate) async fn room(&self) {
        while self.state().bytes >= self.limit {
            self.emptied.notified().await;
        }
    }

    /// Says that nothing more comes.
    pub(crate) fn end(&self) {
        self.state().is_ended = true;
        self.filled.notify_one();
    }

    /// Whether nothing more comes.
    pub(crate) fn is_ended(&self) -> bool {
        self.state().is_ended
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.state().items.len()
    }

    /// The next; `None` behind the last.  May be given up while it waits.
    pub(crate) async fn next(&self) -> Option<T> {
        loop {
            let next = self.state().take();
            match next {
                Some(Next::Item(item)) => {
                    self.emptied.notify_one();
                    return Some(item);
                }
                Some(Next::End) => return None,
                None => self.filled.notified().await,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Next<T> {
    Item(T),
    End,
}

impl<T> State<T> {
    fn put(&mut self, item: T, size: usize) {
        self.items.push_back((item, size));
        self.bytes += size;
    }

    fn take(&mut self) -> Option<Next<T>> {
        match self.items.pop_front() {
            Some((item, size)) => {
                self.bytes -= size;
                Some(Next::Item(item))
            }
            None => Some(Next::End).filter(|_| self.is_ended),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn in_order_to_the_end() {
        let queue = Queue::new(1000);
        assert!(queue.offer('a', 1));
        queue.push('b', 1);
        queue.end();
        assert_eq!((queue.next().await, queue.next().await, queue.next().await), (Some('a'), Some('b'), None));
    }

    #[tokio::test]
    async fn no_more_than_there_is_room_for() {
        let queue = Queue::new(100);
        assert!(!queue.offer('a', 100), "waiting itself takes room");
        assert!(queue.offer('b', 36));
        assert!(!queue.offer('c', 0));
        tokio::select! { biased; () = queue.room() => panic!("there is none"), () = async {} => {} }
        let (taken, ()) = tokio::join!(queue.next(), queue.room());
        assert_eq!(taken, Some('b'));
        assert!(queue.offer('d', 36));
    }

    #[tokio::test]
    async fn who_waits_is_told() {
        let queue = Queue::new(100);
        let (next, ()) = tokio::join!(queue.next(), async { queue.push('a', 0) });
        assert_eq!(next, Some('a'));
        let (next, ()) = tokio::join!(queue.next(), async { queue.end() });
        assert_eq!(next, None);
    }
}
