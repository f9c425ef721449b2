//! The life of an application and its requests, for those who want to hear of it.

use ::http::StatusCode;

use crate::app::Request;

/// Who hears of what happens.  A panic in here is told to the log and harms nobody else.
pub trait Events: Send + Sync + 'static {
    /// The application is about to be served.
    fn application_starts(&self) {}

    /// A request starts.  What the application is to find goes into the request's extensions; what is given back is
    /// called once when the request has ended, however it ends.
    fn request_starts(&self, request: &mut Request) -> Option<OnEnd> {
        let _ = request;
        None
    }
}

/// What is to be done when a request has ended.
pub type OnEnd = Box<dyn FnOnce(&Outcome) + Send>;

/// How a request has ended: the application can do nothing for it any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What the client got.
    pub answer: Answer,
    /// What the application's call came to, if it wasn't good: its error, or that it panicked.
    pub failure: Option<String>,
}

/// What a client got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing of the application's; the host has sent a 500.
    Nothing,
    /// A head and a part of a body.
    Cut {
        /// The status.
        status: StatusCode,
        /// How much of the body.
        bytes: u64,
    },
    /// All of it.
    Whole {
        /// The status.
        status: StatusCode,
        /// How long the body was.
        bytes: u64,
    },
    /// A WebSocket, which has ended.
    WebSocket,
}
