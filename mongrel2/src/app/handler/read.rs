//! A server's message as the head of a request.  Pure.

use std::net::{IpAddr, Ipv4Addr};

use ::http::header::CONNECTION;
use ::http::request::Parts;
use ::http::uri::Scheme;
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

use crate::wire::request::Request;

/// What is told of an upload to handlers, and nothing to applications.
const UPLOAD: &str = "x-mongrel2-upload-";

/// A request's head, and where it comes from.
pub(super) struct Origin {
    pub(super) head: Parts,
    pub(super) remote: IpAddr,
    pub(super) scheme: Scheme,
}

/// Reads a message; `None` if HTTP has no such method or target.
pub(super) fn head(message: &Request) -> Option<Origin> {
    let (mut head, ()) = ::http::Request::new(()).into_parts();
    let method = message.header("METHOD").filter(|_| !message.is_handshake()).unwrap_or("GET");
    head.method = Method::from_bytes(method.as_bytes()).ok()?;
    head.uri = Uri::try_from(message.header("URI").unwrap_or(&message.path)).ok()?;
    head.version = if message.header("VERSION") == Some("HTTP/1.0") { Version::HTTP_10 } else { Version::HTTP_11 };
    head.headers = headers(message);
    let remote = message.header("REMOTE_ADDR").and_then(|address| address.parse().ok());
    let scheme = if message.header("URL_SCHEME") == Some("https") { Scheme::HTTPS } else { Scheme::HTTP };
    Some(Origin { head, remote: remote.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), scheme })
}

/// Whether a client of HTTP/1.0 asks for its connection to be kept, and so has to be told if it is (RFC 9112, section 9.3).
pub(super) fn asks_to_keep(head: &Parts) -> bool {
    let values = head.headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let words: Vec<_> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    let says = |option: &str| words.iter().any(|word| word.eq_ignore_ascii_case(option));
    head.version == Version::HTTP_10 && says("keep-alive") && !says("close")
}

/// The client's headers: names in upper case are the server's own.
fn headers(message: &Request) -> HeaderMap {
    let client = message
        .headers
        .iter()
        .filter(|(name, _)| !name.bytes().any(|byte| byte.is_ascii_uppercase()) && !name.starts_with(UPLOAD));
    let valid = client.filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    valid.fold(HeaderMap::new(), |mut map, (name, value)| {
        map.append(name, value);
        map
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request { sender: "x".into(), id: 7, path: "/a".into(), headers, body: Vec::new() }
    }

    #[test]
    fn heads() {
        let origin = head(&message(&[
            ("PATH", "/a"),
            ("host", "x"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("x-bad", "\0"),
            ("x-mongrel2-upload-start", "tmp/x"),
            ("METHOD", "PUT"),
            ("VERSION", "HTTP/1.0"),
            ("URI", "/a?b=c"),
            ("URL_SCHEME", "https"),
            ("REMOTE_ADDR", "::1"),
        ]))
        .unwrap();
        assert_eq!((origin.head.method, origin.head.version), (Method::PUT, Version::HTTP_10));
        assert_eq!(origin.head.uri, "/a?b=c");
        assert_eq!((origin.remote.to_string(), origin.scheme), ("::1".into(), Scheme::HTTPS));
        let headers: Vec<_> = origin.head.headers.iter().map(|(n, v)| format!("{n}={}", v.to_str().unwrap())).collect();
        assert_eq!(headers, ["host=x", "cookie=a=1", "cookie=b=2"]);
    }

    #[test]
    fn only_old_clients_ask_for_their_connection() {
        for (version, connection, expected) in [
            ("HTTP/1.0", "x, Keep-Alive", true),
            ("HTTP/1.0", "close", false),
            ("HTTP/1.0", "keep-alive, Close", false),
            ("HTTP/1.1", "keep-alive", false),
        ] {
            let headers = [("METHOD", "GET"), ("VERSION", version), ("connection", connection)];
            assert_eq!(asks_to_keep(&head(&message(&headers)).unwrap().head), expected, "{version} {connection}");
        }
    }

    #[test]
    fn a_handshake_is_a_get_and_garbage_is_nothing() {
        assert_eq!(head(&message(&[("METHOD", "WEBSOCKET_HANDSHAKE")])).unwrap().head.method, Method::GET);
        for headers in [&[("METHOD", "a b")][..], &[("METHOD", "")], &[("METHOD", "GET"), ("URI", "a b")]] {
            assert!(head(&message(headers)).is_none(), "{headers:?}");
        }
    }
}
