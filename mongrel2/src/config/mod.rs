//! The configuration: from plain values to checked ones, and to SQLite and back.

pub mod blame;
mod canonical;
pub mod check;
pub mod ciphers;
pub mod difference;
pub mod effect;
pub mod history;
mod mimetypes;
pub mod paths;
pub mod secret;
pub mod settings;
mod spec;
pub mod store;
pub mod tree;

pub use check::{Checked, Place, Problem, Severity, check};
pub use mimetypes::default_mimetypes;
pub use settings::{AccessLogFormat, ClientCertificates, Settings};
pub use store::Database;
pub use tree::{
    Balance, Config, Dir, Handler, Host, Protocol, Proxy, Redirect, Route, SendType, Server, Target, Upstream,
};

/// The known word that is most like `word`, if one is close enough to be meant: "did you mean".
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance * 3 <= candidate.len().max(3))
        .min()
        .map(|(_, candidate)| candidate)
}
