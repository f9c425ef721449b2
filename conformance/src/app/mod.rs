//! A host of applications, asked by clients over HTTP alone: whatever runs an application, in any language.
//!
//! * [`sample()`]: the application that it has to serve; its module says what that does, path by path.
//! * [`Host`]: such a host that runs.  [`Site`]: the server before ours, if there is one.
//! * [`cases()`]: what is promised.  Each gives its run a name of its own, so that a host may have been running for long.

mod cases;
mod host;
pub mod sample;
mod site;

pub use cases::cases;
pub use host::{Host, Life, Place, hello};
pub use sample::sample;
pub use site::{Site, SiteError, UUID};
