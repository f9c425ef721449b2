//! Why the head of a request is refused, and with which status.
//!
//! The reason is for the error log; a client only ever sees the status.

use thiserror::Error;

/// Why bytes are refused, with the status that says so to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum BadHead {
    #[error("the head is longer than limits.buffer_size")]
    TooLong,
    #[error("the request line is longer than limits.buffer_size")]
    LineTooLong,
    #[error("there are more headers than limits.header_count")]
    TooManyHeaders,
    #[error("the path is longer than limits.url_path")]
    PathTooLong,
    #[error("too many empty lines come before the request")]
    EmptyLines,
    #[error("a line ends without carriage return and line feed")]
    LineEnd,
    #[error("the request line is not a method, a target and a version with one blank between them")]
    RequestLine,
    #[error("the method is not a token")]
    Method,
    #[error("the method is longer than any that is known")]
    MethodTooLong,
    #[error("CONNECT is not served")]
    Connect,
    #[error("the version is malformed")]
    VersionForm,
    #[error("the HTTP version is not 1.0 or 1.1")]
    Version,
    #[error("the request target has none of the forms that it may have with this method")]
    Target,
    #[error("the request target has a byte that it must not have, or an incomplete escape")]
    TargetByte,
    #[error("the host in the request target is malformed")]
    TargetHost,
    #[error("a header is malformed")]
    Header,
    #[error("there is not exactly one Host header")]
    HostCount,
    #[error("the Host header is malformed")]
    Host,
    #[error("Content-Length is not a single number")]
    ContentLength,
    #[error("there are both Content-Length and Transfer-Encoding")]
    BothFramings,
    #[error("Transfer-Encoding does not say where the body ends")]
    Framing,
    #[error("Transfer-Encoding comes with HTTP/1.0")]
    OldFraming,
    #[error("a transfer coding is not known")]
    TransferCoding,
    #[error("the expectation is not 100-continue")]
    Expectation,
}

impl BadHead {
    /// The status for the client (RFC 9110, section 15; RFC 6585, section 5, for 431).
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::TooLong | Self::TooManyHeaders => 431,
            Self::LineTooLong | Self::PathTooLong => 414,
            Self::Version => 505,
            Self::MethodTooLong | Self::Connect | Self::TransferCoding => 501,
            Self::Expectation => 417,
            _ => 400,
        }
    }
}
