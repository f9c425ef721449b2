//! A client's connection, as far as it lasts: whether it is there, and how many bytes may go to it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::app::WriteError;

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Clone, Copy)]
struct State {
    is_gone: bool,
    /// How many bytes the server takes now (`download.flow_control`); below zero it has been sent more.
    credits: Option<i64>,
}

impl Link {
    /// A connection; `credits` as the first request tells.
    pub(super) fn new(credits: Option<u64>) -> Self {
        let credits = credits.map(|credits| i64::try_from(credits).unwrap_or(i64::MAX));
        Self { state: Mutex::new(State { is_gone: false, credits }), changed: Notify::new() }
    }

    /// Whether the server tells how much has been written.
    pub(super) fn is_credited(&self) -> bool {
        self.state().credits.is_some()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.state().is_gone
    }

    /// More has been written.
    pub(super) fn credit(&self, bytes: u64) {
        if let Some(credits) = &mut self.state().credits {
            *credits = credits.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        self.changed.notify_waiters();
    }

    /// The client has left.
    pub(super) fn end(&self) {
        self.state().is_gone = true;
        self.changed.notify_waiters();
    }

    /// Counts bytes that go whether there is room for them or not.
    pub(super) fn spend(&self, bytes: usize) {
        if let Some(credits) = &mut self.state().credits {
            *credits -= i64::try_from(bytes).unwrap_or(i64::MAX);
        }
    }

    /// Waits until bytes may go, and gives how many of those that are wanted.
    pub(super) async fn take(&self, wanted: usize) -> Result<usize, WriteError> {
        loop {
            // Listening before looking, so that nothing is missed in between.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(size) = self.try_take(wanted)? {
                return Ok(size);
            }
            changed.await;
        }
    }

    fn try_take(&self, wanted: usize) -> Result<Option<usize>, WriteError> {
        let mut state = self.state();
        if state.is_gone {
            return Err(WriteError::Gone);
        }
        match &mut state.credits {
            None => Ok(Some(wanted)),
            Some(credits @ 1..) => {
                let size = usize::try_from(*credits).map_or(wanted, |credits| credits.min(wanted));
                *credits -= i64::try_from(size).unwrap_or(i64::MAX);
                Ok(Some(size))
            }
            Some(_) => Ok(None),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn credits() {
        let link = Link::new(Some(10));
        assert_eq!(link.take(7).await, Ok(7));
        assert_eq!(link.take(7).await, Ok(3));
        assert_eq!(link.try_take(1), Ok(None));
        link.spend(5);
        link.credit(5);
        assert_eq!(link.try_take(1), Ok(None));
        let (taken, ()) = tokio::join!(link.take(7), async { link.credit(2) });
        assert_eq!(taken, Ok(2));
        let (gone, ()) = tokio::join!(link.take(7), async { link.end() });
        assert_eq!(gone, Err(WriteError::Gone));
        assert_eq!(Link::new(None).take(usize::MAX).await, Ok(usize::MAX));
    }
}
