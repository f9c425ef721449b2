//! The command line.  Nothing else knows clap.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// What the command line asks for.
pub(crate) enum Parsed {
    /// To serve.
    Serve(Line),
    /// Nothing more: help was printed, or what is wrong.
    Told(ExitCode),
}

/// Makes an HTTP request of each event of a WebSocket, and a message to a WebSocket of each HTTP request.
///
/// A handler of mongrel2: each open, message, error and close of a client's WebSocket is POSTed as a form to the
/// backend whose pattern the path of the socket matches.  Backends POST forms to the bridge, which sends what is in
/// them to one socket or to all that have the same URI.
#[derive(Debug, Parser)]
#[command(name = "ws2http", version)]
#[command(after_help = "A token for the bridge may also come from the variable WS2HTTP_TOKEN.")]
pub(crate) struct Line {
    /// Where the server sends requests: the `send_spec` of its Handler.
    pub(crate) requests_from: String,
    /// Where the server takes replies: its `recv_spec`.
    pub(crate) replies_to: String,
    /// Sockets whose path matches the pattern, which is written as in routes, belong to the backend with that URL; for
    /// several backends say it again.
    #[arg(long = "route", required = true, num_args = 2, value_names = ["PATTERN", "URL"])]
    pub(crate) routes: Vec<String>,
    /// Where the bridge takes requests of backends.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6780")]
    pub(crate) listen: SocketAddr,
    /// A file with the token that backends have to send, and get, as `Authorization: Bearer TOKEN`.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Pages from there may open sockets too, as in `https://example.org`; `any`: all pages.  Those from the host that
    /// they ask always may.
    #[arg(long = "origin", value_name = "ORIGIN")]
    pub(crate) origins: Vec<String>,
    /// How often an event is tried before it is given up.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) tries: u32,
    /// How long a backend may take to answer an event.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,
    /// How many events each backend gets at the same time.
    #[arg(long, value_name = "COUNT", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) at_a_time: u32,
    /// How many sockets there may be; further clients get 503.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) sockets: u32,
    /// After how much silence a client is pinged, 0: never; the server drops those that are silent for longer than
    /// `limits.min_ping`.  One that doesn't answer within as long again is gone.
    #[arg(long, value_name = "SECONDS", default_value_t = 50, value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub(crate) ping: u64,
    /// How long, when it stops, it goes on telling backends what has happened.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub(crate) patience: u64,
    /// What is said on stderr.
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = Level::Info)]
    pub(crate) log: Level,
}

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Events that were given up.
    Error,
    /// And those that are tried again or that a backend refuses.
    Warn,
    /// And where it listens, and when it stops.
    Info,
    /// And each socket that comes and goes.
    Debug,
}

/// The arguments, with the program's name in front.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Parsed {
    match Line::try_parse_from(arguments) {
        Ok(line) => Parsed::Serve(line),
        Err(error) => {
            // If nobody reads it, nobody has to.
            let _ = error.print();
            Parsed::Told(ExitCode::from(if error.use_stderr() { crate::error::USAGE } else { 0 }))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn line(words: &str) -> Option<Line> {
        match parse(words.split(' ').map(OsString::from)) {
            Parsed::Serve(line) => Some(line),
            Parsed::Told(_) => None,
        }
    }

    #[test]
    fn routes_are_pairs() {
        let line = line("ws2http --route /a http://a/ tcp://x --route /b http://b/ tcp://y").unwrap();
        assert_eq!(line.routes, ["/a", "http://a/", "/b", "http://b/"]);
        assert_eq!((line.requests_from.as_str(), line.replies_to.as_str()), ("tcp://x", "tcp://y"));
        assert!(line.listen.ip().is_loopback(), "nobody else is asked in unless it is said");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [
            "ws2http",
            "ws2http tcp://x tcp://y",
            "ws2http tcp://x tcp://y --route /a",
            "ws2http tcp://x tcp://y --route /a http://a/ --tries 0",
            "ws2http tcp://x tcp://y --route /a http://a/ --timeout 0",
            "ws2http tcp://x tcp://y --route /a http://a/ --listen here",
            "ws2http tcp://x tcp://y --route /a http://a/ --log loud",
        ] {
            assert!(line(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Line::command().debug_assert();
    }
}
