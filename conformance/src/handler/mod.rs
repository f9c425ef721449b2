//! A handler, which is asked by a server that is played here: so libraries for handlers are tried, in any language.
//!
//! * [`Server`]: the server's two sockets.  [`Subject`]: such a server with its handler.  `message`: what they say.
//! * The cases: `requests` (what is understood), `plain`, `http`, `websocket`, `deliver`, `orders` (what is sent),
//!   `uploads`, `notices`, `bad` (what is no message), `sockets` (that nothing is lost).
//! * [`own`]: the conformance handler of our own library: what a handler has to do to be tried.

mod bad;
mod deliver;
mod http;
mod message;
mod notices;
mod orders;
pub mod own;
mod plain;
mod requests;
mod server;
mod sockets;
mod subject;
#[cfg(test)]
mod tests;
mod uploads;
mod websocket;

use mongrel2::config::Protocol;

pub use server::{Addresses, Server, ServerError};
pub use subject::{Pulse, Subject, within};

use crate::case::Case;
use crate::check::Verdict;

/// The protocols that a server may speak, and what cases about them are called.
const PROTOCOLS: [(&str, Protocol); 2] = [("json", Protocol::Json), ("tnetstring", Protocol::Tnetstring)];

/// Every byte there is.
const BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = at as u8;
        at += 1;
    }
    bytes
};

/// All cases for a handler.
pub fn cases() -> Vec<Case<Subject>> {
    // The first one is about what was before all others.
    let groups =
        [sockets::cases, requests::cases, plain::cases, http::cases, websocket::cases, deliver::cases, orders::cases];
    let more = [uploads::cases, notices::cases, bad::cases];
    groups.into_iter().chain(more).flat_map(|cases| cases()).collect()
}

/// A name, a promise, and how it is tried.
type Plain = (&'static str, &'static str, fn(&Subject) -> Verdict);

/// The same for one of the protocols.
type Spoken = (&'static str, &'static str, fn(&Subject, Protocol) -> Verdict);

/// Cases of a group.
fn plain(group: &'static str, source: &'static str, cases: &'static [Plain]) -> Vec<Case<Subject>> {
    let case = |(name, promise, trial): &'static Plain| Subject::case((group, name), *promise, source, trial);
    cases.iter().map(case).collect()
}

/// Cases of a group, each once for each protocol.
fn spoken(group: &'static str, source: &'static str, cases: &'static [Spoken]) -> Vec<Case<Subject>> {
    let case = |(name, promise, trial): &'static Spoken, (language, protocol): (&str, Protocol)| {
        let name = format!("{name}-{language}");
        Subject::case((group, &name), *promise, source, move |subject| trial(subject, protocol))
    };
    cases.iter().flat_map(|spoken| PROTOCOLS.map(|protocol| case(spoken, protocol))).collect()
}
