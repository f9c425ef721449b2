//! What both of a handler's sockets need: to be connected, and to be waited for.

use std::time::{Duration, Instant};

use super::error::HandlerError;

/// Makes a socket, sets its options and connects it.
pub(super) fn connect(
    context: &zmq::Context,
    kind: zmq::SocketType,
    address: &str,
    options: impl FnOnce(&zmq::Socket) -> zmq::Result<()>,
) -> Result<zmq::Socket, HandlerError> {
    let connected = context.socket(kind).and_then(|socket| {
        options(&socket)?;
        socket.connect(address)?;
        Ok(socket)
    });
    connected.map_err(|reason| HandlerError::Connect { address: address.to_owned(), reason })
}

/// Whether a message is there within `timeout`; signals don't cut it short.
pub(crate) fn wait_readable(socket: &zmq::Socket, timeout: Duration) -> zmq::Result<bool> {
    let start = Instant::now();
    loop {
        let left = timeout.saturating_sub(start.elapsed());
        match socket.poll(zmq::POLLIN, milliseconds(left)) {
            Ok(events) => return Ok(events > 0),
            Err(zmq::Error::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Rounded up, so that a wait isn't cut into many of no length; at most some 24 days.
fn milliseconds(time: Duration) -> i64 {
    i32::try_from(time.as_micros().div_ceil(1000)).unwrap_or(i32::MAX).into()
}
