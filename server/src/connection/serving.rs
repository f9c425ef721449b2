//! The task of a connection.
//!
//! Most connections wait most of the time, and there may be very many: while one waits, its task is a pointer.
//! What it does then, a turn, is a future that is made for it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{After, Connection};

/// Serves a connection to its end.
pub(crate) enum Serving {
    /// Waits for something to do.
    Resting(Option<Box<Connection>>),
    /// Does it; gives the connection back unless that was the end.
    Turning(Pin<Box<dyn Future<Output = Option<Box<Connection>>>>>),
}

impl Serving {
    pub(crate) fn new(connection: Box<Connection>) -> Self {
        Self::Resting(connection.rest().then_some(connection))
    }
}

impl Future for Serving {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            *self = match &mut *self {
                Self::Resting(place) => {
                    let Some(connection) = place else { return Poll::Ready(()) };
                    let goes_on = ready!(connection.poll_work(context));
                    match place.take().filter(|_| goes_on) {
                        Some(connection) => Self::Turning(Box::pin(turn(connection))),
                        None => Self::Resting(None),
                    }
                }
                Self::Turning(turn) => {
                    let connection = ready!(turn.as_mut().poll(context));
                    Self::Resting(connection.filter(|connection| connection.rest()))
                }
            };
        }
    }
}

async fn turn(mut connection: Box<Connection>) -> Option<Box<Connection>> {
    match connection.work().await {
        After::Close | After::Linger | After::Abort => None,
        After::KeepAlive | After::Wait => Some(connection),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With up to 24 bytes the task takes 128, with more 256.
    #[test]
    fn a_waiting_task_is_a_pointer() {
        assert!(size_of::<Serving>() <= 16, "{}", size_of::<Serving>());
    }
}
