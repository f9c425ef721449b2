//! Write a web application in Rust that knows of no server: behind mongrel2, or on its own while it is developed.
//!
//! An [`Application`] is called with a [`Request`] and a [`Response`] as soon as the head of the request has been read.
//! The [`Body`] of the request is a stream that isn't rewound.  The response takes a head, then bytes, then its end; what
//! would break HTTP is an error and never reaches the client.  That is all of the interface: what happens around
//! requests ([`layers`]) is made of applications again.
//!
//! ```
//! use mongrel2::app::{AppError, Request, Response};
//!
//! async fn hello(request: Request, mut response: Response) -> Result<(), AppError> {
//!     response.write_head(200, [("content-type", "text/plain")]).await?;
//!     response.write(format!("You asked for {}\n", request.uri().path())).await?;
//!     response.finish().await?;
//!     Ok(())
//! }
//!
//! # fn main() {
//! // The same, behind a server: its `send_spec` and its `recv_spec`.
//! # let _ = async || -> Result<(), AppError> {
//! mongrel2::app::handler::serve(hello, "hello", "tcp://127.0.0.1:9997", "tcp://127.0.0.1:9996").await?;
//! # Ok(())
//! # };
//! # }
//! ```
//!
//! **Hosts.**  [`handler`] is for behind a server, over ZeroMQ.  `http` (feature `app-http`) stands alone on a port.
//!
//! **Failure.**  An application that returns an error or panics before it has written a head is answered for with a 500
//! that tells nothing; behind the head the connection is ended such that the client can tell that the answer is cut.
//! So is a response that is dropped without having been finished.  The reason is told to [`tracing`], and no other
//! request notices.
//!
//! **Clients that leave** end the body with [`BodyError::Gone`] and make writing fail with [`WriteError::Gone`].

use std::pin::Pin;
use std::sync::Arc;

mod body;
pub mod handler;
mod head;
#[cfg(feature = "app-http")]
pub mod http;
pub mod layers;
mod request;
mod response;
mod tasks;
mod websocket;

pub use body::{Body, BodyError, Source};
pub use head::{Head, Headers};
pub use request::Request;
pub use response::{Response, Sink, WriteError};
pub use websocket::{Duplex, Message, SocketError, WebSocket};

/// Why an application could not answer: any error.  It is for the log; the client sees nothing of it.
pub type AppError = Box<dyn std::error::Error + Send + Sync>;

/// A future behind a pointer, as traits have it that are used as `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What answers requests, many at once.
///
/// Every function `async fn(Request, Response) -> Result<(), AppError>` is one, and every closure like that.
pub trait Application: Send + Sync + 'static {
    /// Answers a request, as soon as its head has been read.
    ///
    /// The response may outlive the call; it has to be [finished](Response::finish), or the answer counts as cut.
    fn call(&self, request: Request, response: Response) -> impl Future<Output = Result<(), AppError>> + Send;
}

impl<F, Answer> Application for F
where
    F: Fn(Request, Response) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Result<(), AppError>> + Send,
{
    fn call(&self, request: Request, response: Response) -> impl Future<Output = Result<(), AppError>> + Send {
        self(request, response)
    }
}

impl<A: Application> Application for Arc<A> {
    fn call(&self, request: Request, response: Response) -> impl Future<Output = Result<(), AppError>> + Send {
        A::call(self, request, response)
    }
}
