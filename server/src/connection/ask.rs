//! A request as a message to a handler.

use std::io::Write;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use mongrel2::wire::request::Headers;
use smallvec::SmallVec;

use super::duplex::WebSocket;
use super::line::Line;
use super::pending::{Aside, Pending};
use super::request::Request;
use super::websocket::{self, Decoder, Handshake};
use super::{Connection, Open, Outcome, asked, is_noise};
use crate::site::{Host, Site};
use crate::statistics::Begun;
use crate::target::handler::Handler;

/// Where a request for a handler goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route<'a> {
    pub(super) site: &'a Site,
    pub(super) host: &'a Arc<Host>,
    pub(super) handler: &'a Arc<Handler>,
    /// The route as configured.
    pub(super) pattern: &'a str,
    pub(super) begun: Begun,
}

/// What a message says beside what the client said.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extra<'a> {
    /// Further headers like the client's, which it can't have sent itself.
    pub(super) client: &'a [(&'a [u8], &'a [u8])],
    /// The method, if it isn't the request's.
    pub(super) method: Option<&'a str>,
    /// Further headers of the server's own.
    pub(super) server: &'a [(&'a str, &'a [u8])],
    /// The bytes behind the headers.
    pub(super) body: &'a [u8],
}

/// Headers that tell a handler of an upload (the manual, section 5.5); a client's are left out.
pub(super) const UPLOAD_START: &[u8] = b"x-mongrel2-upload-start";
pub(super) const UPLOAD_DONE: &[u8] = b"x-mongrel2-upload-done";

const FORWARDED: &[u8] = b"x-forwarded-for";

/// A client's headers, mostly few.
type ClientHeaders<'a> = SmallVec<[(&'a [u8], &'a [u8]); 24]>;

impl Connection {
    /// Sends a request that is there whole; gives what is to be answered at once, if anything.
    pub(super) async fn ask(&mut self, request: &Request, route: &Route<'_>) -> Option<Outcome> {
        let Some(line) = self.line_to_ask() else { return Some(Outcome::new(499, 0, false)) };
        let accept = match websocket::asked(request.method(), request.head.minor, request.headers()) {
            Handshake::Not => None,
            Handshake::Accept(accept) => Some(accept),
            Handshake::Bad(status) => return Some(self.error(request, status).await),
        };
        let extra = match &accept {
            None => Extra { body: &request.body, ..Extra::default() },
            Some(accept) => Extra { body: accept.as_bytes(), method: Some("WEBSOCKET_HANDSHAKE"), ..Extra::default() },
        };
        if !self.tell(&line, request, route, &extra) {
            return Some(self.error(request, 503).await);
        }
        let mut pending = self.pending(request, route);
        pending.aside = accept.map(|_| Box::new(Aside::WebSocket(self.websocket(&line, request, route))));
        self.open = Open::Request(pending);
        None
    }

    /// What the connection will be if the handler agrees.
    fn websocket(&self, line: &Line, request: &Request, route: &Route<'_>) -> WebSocket {
        let extra = Extra { method: Some("WEBSOCKET"), ..Extra::default() };
        let dispatch = &route.handler.dispatch;
        let limit = usize::try_from(route.site.settings.content_length).unwrap_or(usize::MAX);
        WebSocket {
            path: request.path().into(),
            headers: self
                .with_headers(line, request, route, &extra, |headers| dispatch.prepare(request.path(), headers)),
            decoder: Decoder::new(limit),
        }
    }

    /// The connection's line, which it has from its first message on.
    pub(super) fn line(&mut self) -> Rc<Line> {
        let (worker, vitals) = (&self.worker, self.stream.vitals());
        Rc::clone(self.line.get_or_insert_with(|| worker.register(Rc::clone(vitals))))
    }

    /// The connection's line; none if a handler wants the connection closed since the last answer.
    pub(super) fn line_to_ask(&mut self) -> Option<Rc<Line>> {
        let line = self.line();
        while line.has_work() {
            if !is_noise(&line) {
                return None;
            }
        }
        Some(line)
    }

    pub(super) fn pending(&self, request: &Request, route: &Route<'_>) -> Box<Pending> {
        Pending::new(request, route, self.worker.keeps_log().then(|| asked(request, route.site)))
    }

    /// Sends a message with a request's headers; gives whether there was room for it.
    pub(super) fn tell(&self, line: &Line, request: &Request, route: &Route<'_>, extra: &Extra<'_>) -> bool {
        let dispatch = &route.handler.dispatch;
        let send = |headers: Headers<'_>| dispatch.request(line.id(), request.path(), headers, extra.body).is_ok();
        let sent = self.with_headers(line, request, route, extra, send);
        if sent {
            line.introduce(route.handler);
        }
        sent
    }

    /// Collects the headers of a message about a request.
    fn with_headers<T>(
        &self,
        line: &Line,
        request: &Request,
        route: &Route<'_>,
        extra: &Extra<'_>,
        use_them: impl FnOnce(Headers<'_>) -> T,
    ) -> T {
        let peer = Address::new(self.peer().ip());
        let credits =
            (route.site.settings.flow_control && line.is_new()).then(|| route.site.settings.reply_queue.to_string());
        let client = client_headers(request, route, peer.as_bytes(), extra.client);
        let mut server: SmallVec<[(&str, &[u8]); 12]> = SmallVec::new();
        server.push(("METHOD", extra.method.map_or(request.method(), str::as_bytes)));
        server.push(("VERSION", request.version().as_bytes()));
        server.push(("URI", request.uri()));
        server.extend(request.query().map(|query| ("QUERY", query)));
        server.push(("PATTERN", route.pattern.as_bytes()));
        server.push(("URL_SCHEME", self.scheme().as_bytes()));
        server.push(("REMOTE_ADDR", peer.as_bytes()));
        server.extend(self.stream.peer_certificate().map(|sha1| ("PEER_CERT_SHA1", &sha1[..])));
        server.extend(credits.as_ref().map(|credits| ("DOWNLOAD_CREDITS", credits.as_bytes())));
        server.extend_from_slice(extra.server);
        use_them(Headers { client: &client, server: &server })
    }
}

/// What a handler is told of the client's headers.
fn client_headers<'a>(
    request: &'a Request,
    route: &Route<'_>,
    peer: &'a [u8],
    extra: &[(&'a [u8], &'a [u8])],
) -> ClientHeaders<'a> {
    let mut headers = ClientHeaders::new();
    let trusts_client = route.site.settings.no_clobber_xff && request.header("x-forwarded-for").is_some();
    if !trusts_client {
        headers.push((FORWARDED, peer));
    }
    let is = |name: &[u8], other: &[u8]| name.eq_ignore_ascii_case(other);
    headers.extend(request.headers().filter(|(name, _)| match name.len() {
        15 => trusts_client || !is(name, FORWARDED),
        22 | 23 => !is(name, UPLOAD_START) && !is(name, UPLOAD_DONE),
        _ => true,
    }));
    headers.extend(extra.iter().copied());
    headers
}

/// An IP address as text.
pub(crate) struct Address {
    text: [u8; 45],
    length: usize,
}

impl Address {
    pub(crate) fn new(address: IpAddr) -> Self {
        let mut text = [0; 45];
        let mut rest = &mut text[..];
        match address {
            IpAddr::V4(address) => address.octets().into_iter().enumerate().for_each(|(index, octet)| {
                if index > 0 {
                    put(&mut rest, b'.');
                }
                decimal(&mut rest, octet);
            }),
            IpAddr::V6(address) => write!(rest, "{address}").expect("an address has at most 45 bytes"),
        }
        let length = 45 - rest.len();
        Self { text, length }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }
}

/// Writes a number without the machinery of formatting, of which each request would need some.
fn decimal(rest: &mut &mut [u8], number: u8) {
    if number >= 100 {
        put(rest, b'0' + number / 100);
    }
    if number >= 10 {
        put(rest, b'0' + number / 10 % 10);
    }
    put(rest, b'0' + number % 10);
}

fn put(rest: &mut &mut [u8], byte: u8) {
    rest.write_all(&[byte]).expect("an address has at most 45 bytes");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_address_fits() {
        for text in
            ["1.20.103.0", "255.255.255.255", "::", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", "::ffff:255.255.255.255"]
        {
            assert_eq!(Address::new(text.parse().unwrap()).as_bytes(), text.as_bytes());
        }
    }

    #[test]
    fn the_names_of_upload_headers_have_the_lengths_that_are_looked_at() {
        assert_eq!((FORWARDED.len(), UPLOAD_START.len(), UPLOAD_DONE.len()), (15, 23, 22));
    }
}
