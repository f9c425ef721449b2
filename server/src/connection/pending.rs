//! A request whose answer a handler owes: as little of it as the answer and the access log need.
//!
//! There may be many thousands of these at a time (long polls), so that neither the head nor the body is kept.

use std::sync::Arc;

use super::ask::Route;
use super::duplex::WebSocket;
use super::request::{Manner, Request};
use super::tempfile::TempFile;
use super::track::Tracker;
use crate::log::Asked;
use crate::site::Host;
use crate::statistics::Begun;

/// An open request.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) host: Arc<Host>,
    pub(super) begun: Begun,
    pub(super) manner: Manner,
    pub(super) aside: Option<Box<Aside>>,
    /// Follows the answer.
    pub(super) tracker: Tracker,
    /// If there is an access log.
    line: Option<Box<LogLine>>,
}

impl Pending {
    /// Keeps of a request what will be needed; without `logged` that is nothing of what was asked.
    pub(super) fn new(request: &Request, route: &Route<'_>, logged: Option<Asked<'_>>) -> Box<Self> {
        Box::new(Self {
            host: Arc::clone(route.host),
            begun: route.begun,
            manner: request.manner(),
            aside: None,
            tracker: Tracker::new(request.is_head()),
            line: logged.map(|asked| Box::new(LogLine::new(&asked, request.path_in_uri()))),
        })
    }

    /// What the access log says of it.
    pub(super) fn asked(&self) -> Option<Asked<'_>> {
        self.line.as_ref().map(|line| line.asked(self.manner.version()))
    }
}

/// What few requests have.
#[derive(Debug)]
pub(super) enum Aside {
    /// What the connection becomes if the answer is 101.
    WebSocket(WebSocket),
    /// The file with the body, which the handler has been told of.
    Upload(TempFile),
}

/// What the access log will say of a request.
#[derive(Debug)]
struct LogLine {
    /// The method, the request target, and what else is logged.
    text: Box<[u8]>,
    method: u32,
    uri: u32,
    /// Where the path lies in `text`.
    path: (u32, u32),
    referer: Option<u32>,
    user_agent: Option<u32>,
}

impl LogLine {
    fn new(asked: &Asked<'_>, path: (u32, u32)) -> Self {
        let parts = [asked.method, asked.uri, asked.referer.unwrap_or_default(), asked.user_agent.unwrap_or_default()];
        let method = size(asked.method);
        Self {
            text: parts.concat().into_boxed_slice(),
            method,
            uri: size(asked.uri),
            path: (method + path.0, method + path.1),
            referer: asked.referer.map(size),
            user_agent: asked.user_agent.map(size),
        }
    }

    fn asked(&self, version: &'static str) -> Asked<'_> {
        let (method, rest) = self.text.split_at(self.method as usize);
        let (uri, rest) = rest.split_at(self.uri as usize);
        let (referer, user_agent) = rest.split_at(self.referer.unwrap_or(0) as usize);
        Asked {
            method,
            uri,
            path: &self.text[self.path.0 as usize..self.path.1 as usize],
            version,
            referer: self.referer.map(|_| referer),
            user_agent: self.user_agent.map(|_| user_agent),
        }
    }
}

fn size(part: &[u8]) -> u32 {
    u32::try_from(part.len()).expect("a head is shorter than limits.buffer_size allows")
}
