//! Why the program can't go on, and how it is told: once, on stderr, with a hint.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use mongrel2::handler::HandlerError;
use mongrel2::pattern::PatternError;
use thiserror::Error;

use crate::backends::UrlError;
use crate::token::TokenError;

/// The exit code of a command line that makes no sense.
pub(crate) const USAGE: u8 = 2;

/// The exit code of everything else.
const FAILURE: u8 = 1;

/// Why there is no bridge.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// The pattern isn't one.
    #[error("cannot use the pattern `{0}`: {1}")]
    Pattern(String, PatternError),
    /// No path begins like that.
    #[error("cannot use the pattern `{0}`: it does not begin with a slash")]
    NoPath(String),
    /// No backend can be there.
    #[error("cannot use the backend `{0}`: {1}")]
    Url(String, UrlError),
    /// No page has such an origin.
    #[error("cannot use the origin `{0}`: it is not like `https://example.org`")]
    Origin(String),
    /// The file with the token can't be read.
    #[error("cannot read the token in `{0}`: {1}")]
    TokenFile(String, io::Error),
    /// What is in the file, or in the variable, is no token.
    #[error("cannot use the token: {0}")]
    Token(#[from] TokenError),
    /// Everyone could send to all sockets.
    #[error("cannot listen on {0}: other machines reach it, and there is no token")]
    Open(SocketAddr),
    /// The port isn't to be had.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The addresses of the server aren't any, or its socket has failed.
    #[error("cannot serve: {0}")]
    Handler(#[from] HandlerError),
    /// The system has no room for an event loop.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// There would be no stopping it in good order.
    #[error("cannot watch for signals: {0}")]
    Signals(io::Error),
}

impl Error {
    /// Says it on stderr, and gives the exit code.
    pub(crate) fn tell(&self) -> ExitCode {
        let hint = self.hint().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
        // That stderr is gone is no reason to end otherwise.
        let _ = io::stderr().write_all(format!("ws2http: {self}\n{hint}").as_bytes());
        ExitCode::from(self.code())
    }

    fn code(&self) -> u8 {
        match self {
            Self::Pattern(..) | Self::NoPath(_) | Self::Url(..) | Self::Origin(_) | Self::Open(_) => USAGE,
            Self::Handler(HandlerError::Connect { .. }) => USAGE,
            _ => FAILURE,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Pattern(..) | Self::NoPath(_) => {
                Some("a pattern is the path of a route, as in --route '/chat/socket' URL")
            }
            Self::Url(_, UrlError::Scheme(scheme)) if scheme == "https" => {
                Some("ask a backend without TLS on this machine, or put a proxy before it that speaks TLS with it")
            }
            Self::Url(..) => Some("as in --route PATTERN http://127.0.0.1:8000/event.php"),
            Self::Origin(_) => Some("name scheme, host and port without a path, or `any` for all pages"),
            Self::TokenFile(..) | Self::Token(_) => Some("`openssl rand -hex 32 > token` makes one"),
            Self::Open(_) => {
                Some("`--token-file FILE` has backends show a token, `--listen 127.0.0.1:PORT` keeps others out")
            }
            Self::Listen(_, error) if error.kind() == io::ErrorKind::AddrInUse => {
                Some("`--listen 127.0.0.1:PORT` takes another one")
            }
            Self::Handler(HandlerError::Connect { .. }) => {
                Some("the addresses are the `send_spec` and the `recv_spec` of the Handler, as in tcp://127.0.0.1:9997")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_done_about_it_is_said() {
        let address = "127.0.0.1:1".parse().unwrap();
        let in_use = Error::Listen(address, io::ErrorKind::AddrInUse.into());
        assert!(in_use.hint().unwrap().contains("--listen"));
        assert_eq!(in_use.code(), FAILURE);
        let https = Error::Url("https://x/".into(), UrlError::Scheme("https".into()));
        assert!(https.hint().unwrap().contains("proxy"));
        assert_eq!(https.code(), USAGE);
    }
}
