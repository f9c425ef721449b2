//! HTTP upstreams.  So far only what pinned sessions need.

mod cookie;
mod proxies;
mod session;
mod sessions;
mod token;

use std::sync::Arc;

use mongrel2::config;

pub(crate) use proxies::{Proxies, Routed};
pub(crate) use session::Seen;
pub(crate) use sessions::Sessions;

/// A proxy of a site.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) config: config::Proxy,
    /// None if it has no `session_cookie`.
    pub(crate) sessions: Option<Arc<Sessions>>,
}
