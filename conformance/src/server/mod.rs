//! A server that speaks the handler protocol, asked by clients and handlers that are played here.
//!
//! * [`site`]: the configuration that it has to have: a folder with its database.
//! * [`subject`]: such a server that runs, with its handlers.  [`handler`]: one of them.
//! * The cases: [`requests`] (what handlers get), …

mod handler;
mod requests;
mod site;
mod subject;

pub use handler::Handler;
pub use site::{Setup, Site, UUID};
pub use subject::Subject;

use crate::case::Case;

/// All cases for a server with this setup.
pub fn cases(setup: Setup) -> Vec<Case<Subject>> {
    match setup {
        Setup::Plain => requests::cases(),
        Setup::Files | Setup::Streams => Vec::new(),
    }
}
