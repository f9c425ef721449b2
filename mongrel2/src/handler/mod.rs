//! Write a handler in Rust: the manual's section 5.3.7.
//!
//! A [`Connection`] asks a server for requests (PULL) and sends it replies (XPUB).  Which client a reply goes
//! to is in the reply, not in the socket: any handler may answer any connection, at any time, many at once.
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

mod connection;
mod error;
mod publisher;
mod response;
mod socket;

pub use connection::{Connection, MAX_IDS};
pub use error::{HandlerError, ResponseError};
pub(crate) use socket::wait_readable;

pub use crate::wire::request::Request;
