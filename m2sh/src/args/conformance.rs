//! The options of `m2sh conformance`: what is tried, which cases, and how what is tried is reached.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What `conformance` tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Tried {
    /// A server, with clients and handlers that are played
    Server,
    /// A host of applications, with clients that are played
    App,
    /// A library for handlers, with a server that is played
    Handler,
}

/// What stands before a host of applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Before {
    /// A server that streams long bodies, and tells what has been written
    Streams,
    /// A server that writes long bodies to files, and tells nothing
    Files,
    /// Nothing
    Nothing,
}

/// Arguments of `conformance`.
#[derive(Debug, clap::Args)]
pub struct Conformance {
    /// What to try
    #[arg(value_name = "WHAT", default_value = "server")]
    pub tried: Tried,
    /// Only cases that have this in their names
    #[arg(long, value_name = "TEXT", num_args = 1)]
    pub only: Vec<String>,
    /// List the cases, and run none
    #[arg(long, conflicts_with_all = ["junit", "folder", "send", "recv", "command"])]
    pub list: bool,
    /// How many seconds anything may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub patience: u32,
    /// Write the results to a file, as XML in the form of JUnit
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// The program of the server, run as `PROGRAM config.sqlite UUID`, or of the host of applications, run as
    /// `PROGRAM HOST:PORT` [default: this one]
    #[arg(long, value_name = "PROGRAM")]
    pub program: Option<PathBuf>,
    /// Start no server: make a folder with configurations, and wait until somebody else has started servers with them
    #[arg(long, value_name = "FOLDER", conflicts_with = "program")]
    pub folder: Option<PathBuf>,
    /// Try a host of applications that runs already, with the sample
    #[arg(long, value_name = "http://HOST:PORT", conflicts_with = "program")]
    pub url: Option<String>,
    /// What stands before the host of -url or -program [default: nothing]
    #[arg(long, value_name = "WHAT")]
    pub before: Option<Before>,
    /// Try nothing, but serve the sample until it is stopped: at HOST:PORT, or behind a server's SEND_SPEC and RECV_SPEC
    #[arg(long, value_name = "ADDRESS", num_args = 1..=2)]
    #[arg(conflicts_with_all = ["only", "list", "junit", "program", "url", "before", "patience", "folder"])]
    pub serve: Vec<String>,
    /// How many seconds the sample has for its answers when it is stopped [default: 30]
    #[arg(long, value_name = "SECONDS", requires = "serve")]
    pub grace: Option<u32>,
    /// Where a handler gets requests: the `send_spec` of the server that is played [default: a free port]
    #[arg(long, value_name = "ADDRESS")]
    pub send: Option<String>,
    /// Where it sends replies: its `recv_spec` [default: a free port]
    #[arg(long, value_name = "ADDRESS")]
    pub recv: Option<String>,
    /// A handler to start, which gets both addresses as its last arguments [default: ours, or where -send or -recv is given
    /// one that somebody else starts]
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

impl Conformance {
    /// How long anything may take.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience.into())
    }
}
