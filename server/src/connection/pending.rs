//! A request whose answer a handler owes: as little of it as the answer and the access log need.
//!
//! There may be many thousands of these at a time (long polls), so that neither the head nor the body is kept.

use std::sync::Arc;

use super::duplex::WebSocket;
use super::request::{Manner, Request};
use super::track::Tracker;
use crate::log::Asked;
use crate::site::Host;

/// An open request.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) host: Arc<Host>,
    pub(super) manner: Manner,
    /// What the connection becomes if the answer is 101.
    pub(super) websocket: Option<Box<WebSocket>>,
    /// Follows the answer.
    pub(super) tracker: Tracker,
    /// The method, the request target, and what else is logged.
    text: Box<[u8]>,
    method: u32,
    uri: u32,
    /// Where the path lies in `text`.
    path: (u32, u32),
    referer: Option<u32>,
    user_agent: Option<u32>,
}

impl Pending {
    /// Keeps of a request what will be needed; `logs_client` says that what the client tells of itself is.
    pub(super) fn new(request: &Request, host: &Arc<Host>, logs_client: bool) -> Box<Self> {
        let header = |name| request.header(name).filter(|_| logs_client);
        let (referer, user_agent) = (header("referer"), header("user-agent"));
        let parts = [request.method(), request.uri(), referer.unwrap_or_default(), user_agent.unwrap_or_default()];
        let path = request.path_in_uri();
        let method = size(parts[0]);
        Box::new(Self {
            host: Arc::clone(host),
            manner: request.manner(),
            websocket: None,
            tracker: Tracker::new(request.is_head()),
            text: parts.concat().into_boxed_slice(),
            method,
            uri: size(parts[1]),
            path: (method + path.0, method + path.1),
            referer: referer.map(size),
            user_agent: user_agent.map(size),
        })
    }

    /// What the access log says of it.
    pub(super) fn asked(&self) -> Asked<'_> {
        let (method, rest) = self.text.split_at(self.method as usize);
        let (uri, rest) = rest.split_at(self.uri as usize);
        let (referer, user_agent) = rest.split_at(self.referer.unwrap_or(0) as usize);
        Asked {
            method,
            uri,
            path: &self.text[self.path.0 as usize..self.path.1 as usize],
            version: self.manner.version(),
            referer: self.referer.map(|_| referer),
            user_agent: self.user_agent.map(|_| user_agent),
        }
    }
}

fn size(part: &[u8]) -> u32 {
    u32::try_from(part.len()).expect("a head is shorter than limits.buffer_size allows")
}
