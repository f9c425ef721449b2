//! A request: its head, where it comes from, and its body.

use std::net::IpAddr;

use ::http::request::Parts;
use ::http::uri::Scheme;
use ::http::{Extensions, HeaderMap, Method, Uri, Version};

use super::body::Body;

/// A request whose head has been read.
#[derive(Debug)]
pub struct Request {
    head: Parts,
    remote: IpAddr,
    scheme: Scheme,
    is_websocket: bool,
    body: Body,
}

impl Request {
    /// A request, as hosts and tests make it.  `is_websocket`: whether the host can make a WebSocket of it.
    pub fn new(head: Parts, remote: IpAddr, scheme: Scheme, is_websocket: bool, body: Body) -> Self {
        Self { head, remote, scheme, is_websocket, body }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The target as it came: path and query.
    pub fn uri(&self) -> &Uri {
        &self.head.uri
    }

    /// The version of HTTP.
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// The client's headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The client's address.
    pub fn remote(&self) -> IpAddr {
        self.remote
    }

    /// `https` if the client came over TLS.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Whether the client asks for a WebSocket: to be [accepted](super::Response::accept), or answered like any other
    /// request.
    pub fn is_websocket(&self) -> bool {
        self.is_websocket
    }

    /// What filters and events have put there for the application.
    pub fn extensions(&self) -> &Extensions {
        &self.head.extensions
    }

    /// The same, to put something there.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.head.extensions
    }

    /// The body.
    pub fn body(&mut self) -> &mut Body {
        &mut self.body
    }

    /// Its parts, for those who need the body apart from the head.
    pub fn into_parts(self) -> (Parts, Body) {
        (self.head, self.body)
    }

    /// The same request with another body, made of the one that it has.
    #[must_use]
    pub fn map_body(self, body: impl FnOnce(Body) -> Body) -> Self {
        Self { body: body(self.body), ..self }
    }
}
