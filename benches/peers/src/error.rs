//! What can go wrong, and what to do about it.

use std::io;

use mongrel2::config::store::StoreError;
use thiserror::Error;

/// Why something can't be measured.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("`wrk` is not installed, and nothing can be measured without it")]
    NoWrk,
    #[error("`nginx` is not installed, and would be the upstream")]
    NoUpstream,
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("only {0} of {1} sessions have a connection")]
    Sessions(usize, usize),
    #[error("there is no `{0}` to measure")]
    NoServer(String),
    #[error("cannot {what}: {error}")]
    System { what: String, error: io::Error },
    #[error("cannot write the configuration: {0}")]
    Store(#[from] StoreError),
    #[error("m2sh fails: {0}")]
    M2sh(String),
    #[error("wrk fails: {0}")]
    Wrk(String),
    #[error("the handler's sockets fail: {0}")]
    Handler(#[from] zmq::Error),
    #[error("it doesn't answer within {0} s")]
    Silent(u64),
}

impl Error {
    /// Makes an error of what the system says when one is doing `what`.
    pub(crate) fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { what: what.into(), error }
    }

    /// What to type next.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoWrk => Some("apt-get install wrk"),
            Self::NoUpstream => Some("apt-get install nginx"),
            Self::NoServer(_) => Some("cargo build --release -p mongrel2-server -p m2sh"),
            _ => None,
        }
    }
}
