//! A server that speaks the handler protocol, asked by clients and handlers that are played here.
//!
//! * [`Site`]: the configuration that it has to have: a folder with its database.  [`Subject`]: such a server that runs, with
//!   its handlers.  [`Handler`]: one of them.
//! * The cases: `requests` and `connections` (what handlers get), `routes` (which), `replies` and `extended` (what they send),
//!   `notices`, `websocket` with `frames`, `messages` (JSON and XML sockets), `framing` (what is no request), `uploads`,
//!   `streams`, `flow` (downloads), `control` (the port) and `access` (the log).

mod access;
mod connections;
mod control;
mod extended;
mod flow;
mod frames;
mod framing;
mod handler;
mod messages;
mod notices;
mod replies;
mod requests;
mod routes;
mod site;
mod streams;
mod subject;
mod uploads;
mod websocket;

pub use handler::{Handler, Message};
pub use site::{Place, Setup, Site, SiteError, UUID};
pub use subject::Subject;

use crate::case::Case;
use crate::check::Verdict;

/// A case's name, what is promised, and how it is tried.
type Row = (&'static str, &'static str, fn(&Subject) -> Verdict);

/// All cases for a server with this setup.
pub fn cases(setup: Setup) -> Vec<Case<Subject>> {
    let groups = match setup {
        Setup::Plain => vec![
            requests::cases(),
            group("connections", "protocol.md, 3", connections::ROWS),
            group("routes", "manual.md, 5", routes::ROWS),
            group("replies", "protocol.md, 5", replies::ROWS),
            group("extended", "protocol.md, 5", extended::ROWS),
            group("notices", "protocol.md, 4", notices::ROWS),
            group("websocket", "manual.md, 8; RFC 6455", websocket::ROWS),
            frames::cases(),
            group("messages", "manual.md, 8", messages::ROWS),
            framing::cases(),
            group("control", "protocol.md, 9", control::ROWS),
            group("access", "protocol.md, 8", access::ROWS),
        ],
        Setup::Files => vec![group("uploads", "manual.md, 8", uploads::ROWS)],
        Setup::Streams => {
            vec![group("streams", "manual.md, 8", streams::ROWS), group("flow", "protocol.md, 4", flow::ROWS)]
        }
    };
    groups.into_iter().flatten().collect()
}

fn group(group: &'static str, source: &'static str, rows: &[Row]) -> Vec<Case<Subject>> {
    rows.iter().map(|(name, promise, trial)| case((group, name), *promise, source, *trial)).collect()
}

/// A case that finds nothing of those before it.
fn case(
    name: (&str, &str),
    promise: impl Into<String>,
    source: &'static str,
    trial: impl Fn(&Subject) -> Verdict + Send + Sync + 'static,
) -> Case<Subject> {
    Case::new(name, promise, source, move |subject: &Subject| {
        subject.forget();
        trial(subject)
    })
}
