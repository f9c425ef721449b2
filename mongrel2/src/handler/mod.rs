//! Write a handler in Rust: the manual's section 5.3.7.
//!
//! A [`Connection`] asks a server for requests (PULL) and sends it replies (XPUB).  Which client a reply goes
//! to is in the reply, not in the socket: any handler may answer any connection, at any time, many at once.
//! [`AsyncConnection`] (feature `async`) is the same under tokio.
//!
//! | to send | to the one that asked | to many |
//! | --- | --- | --- |
//! | bytes | `reply` | `deliver` |
//! | an HTTP response | `reply_http` | `deliver_http` |
//! | an HTTP response with a body in JSON | `reply_http_json` | `deliver_http_json` |
//! | JSON over a JSON socket | `reply_json` | `deliver_json` |
//! | a frame of a WebSocket | `reply_websocket`, after `accept_websocket` | `deliver_websocket` |
//! | the end | `close`, `cancel` | `deliver_close` |
//!
//! The examples `blocking` and `tokio` of this crate answer all of that.
//!
//! ```no_run
//! use mongrel2::handler::{Connection, HandlerError};
//!
//! # fn main() -> Result<(), HandlerError> {
//! let mut connection = Connection::connect("my-handler", "tcp://127.0.0.1:9997", "tcp://127.0.0.1:9996")?;
//! loop {
//!     let request = match connection.recv() {
//!         Ok(request) if request.is_disconnect() => continue,
//!         Ok(request) => request,
//!         Err(error @ HandlerError::Message { .. }) => {
//!             eprintln!("skipped: {error}");
//!             continue;
//!         }
//!         Err(error) => return Err(error),
//!     };
//!     let page = format!("You asked for {}\n", request.path);
//!     connection.reply_http(&request, 200, &[("Content-Type", "text/plain")], page.as_bytes())?;
//! }
//! # }
//! ```

#[cfg(feature = "async")]
mod asynchronous;
mod connection;
mod error;
mod message;
#[cfg(feature = "async")]
mod pollable;
mod publisher;
mod replies;
mod response;
mod socket;
mod topics;

#[cfg(feature = "async")]
pub use asynchronous::AsyncConnection;
#[cfg(feature = "app")]
pub(crate) use asynchronous::{Replies, Requests};
pub use connection::Connection;
pub use error::{HandlerError, ResponseError};
pub(crate) use socket::wait_readable;

pub use crate::wire::request::{Request, Upload};
pub use crate::wire::websocket::{Close, Frame, FrameError};

/// How many connections one message can be for: the default of the server's `limits.handler_targets`.
pub const MAX_IDS: usize = 128;
