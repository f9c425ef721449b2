//! What a route leads to.

pub(crate) mod directory;
pub(crate) mod handler;
mod proxy;
pub(crate) mod redirect;

use std::sync::Arc;

/// Who answers a request.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// Files below a directory.
    Directory(Arc<directory::Directory>),
    /// Programs that speak the handler protocol.
    Handler(Arc<handler::Handler>),
    /// Another address.
    Redirect(Arc<redirect::Redirect>),
    /// An HTTP upstream.  Not served yet: the answer is 501.
    Proxy,
}
