//! HTTP upstreams.  So far only what pinned sessions need.

mod cookie;
mod session;
mod sessions;
mod token;
