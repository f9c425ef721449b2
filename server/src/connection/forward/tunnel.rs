//! What follows a 101: bytes in both directions, until both sides have closed (RFC 9110, section 7.8).

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use crate::connection::stream::Stream;
use crate::connection::vitals::Phase;
use crate::target::proxy::Link;

/// How much is read at once.
const PIECE: usize = 16 * 1024;

/// How many steps are made before other connections get their turn.
const TURN: usize = 32;

/// One direction.
#[derive(Debug, Default)]
struct Way {
    bytes: Vec<u8>,
    written: usize,
    has_ended: bool,
    /// Whether not all of it has been taken.
    waits: bool,
}

impl Way {
    fn is_empty(&self) -> bool {
        self.written == self.bytes.len()
    }

    /// Makes room for more.
    fn refill(&mut self) -> &mut Vec<u8> {
        self.bytes.clear();
        self.written = 0;
        self.bytes.reserve(PIECE);
        &mut self.bytes
    }

    /// Keeps no memory while nothing comes.
    fn rest(&mut self) {
        *self = Self { has_ended: self.has_ended, ..Self::default() };
    }
}

/// Passes on what comes, at first what client and upstream have `said` already.  Gives how many bytes the client has
/// got.
pub(super) async fn run(stream: &mut Stream, link: &Link, said: (Vec<u8>, Vec<u8>)) -> u64 {
    let mut up = Way { bytes: said.0, ..Way::default() };
    let mut down = Way { bytes: said.1, ..Way::default() };
    let mut count = 0;
    poll_fn(|context| {
        let mut budget = TURN;
        let ups = poll_up(context, stream, link, &mut up, &mut budget);
        let downs = poll_down(context, stream, link, &mut down, (&mut budget, &mut count));
        // Once the upstream has closed there is nobody to talk to; a client that has closed may still be told
        // something.
        if downs.is_ready() || ups.is_err() {
            return Poll::Ready(());
        }
        if budget == 0 {
            context.waker().wake_by_ref();
        } else {
            stream.vitals().enter(if down.waits { Phase::Writing } else { Phase::Idle });
        }
        Poll::Pending
    })
    .await;
    count
}

/// From the client to the upstream.
///
/// # Errors
/// The upstream takes no more.
fn poll_up(
    context: &mut Context<'_>,
    stream: &mut Stream,
    link: &Link,
    way: &mut Way,
    budget: &mut usize,
) -> Result<(), ()> {
    while *budget > 0 {
        *budget -= 1;
        if !way.is_empty() {
            match link.poll_write(context, &way.bytes[way.written..]) {
                Poll::Ready(Ok(written)) => way.written += written,
                Poll::Ready(Err(_)) => return Err(()),
                Poll::Pending => return Ok(()),
            }
        } else if way.has_ended {
            return Ok(());
        } else {
            match stream.poll_read(context, way.refill()) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => {
                    way.has_ended = true;
                    link.finish();
                }
                Poll::Pending => {
                    way.rest();
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// From the upstream to the client; ready when that is over.
fn poll_down(
    context: &mut Context<'_>,
    stream: &mut Stream,
    link: &Link,
    way: &mut Way,
    (budget, count): (&mut usize, &mut u64),
) -> Poll<()> {
    while *budget > 0 {
        *budget -= 1;
        if !way.is_empty() {
            way.waits = true;
            match stream.poll_write(context, &way.bytes[way.written..]) {
                Poll::Ready(Ok(written)) => {
                    way.written += written;
                    *count += written as u64;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        } else {
            if ready!(stream.poll_flush(context)).is_err() {
                return Poll::Ready(());
            }
            way.waits = false;
            match link.poll_read(context, way.refill()) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    way.rest();
                    return Poll::Pending;
                }
            }
        }
    }
    Poll::Pending
}
