//! Answers as bytes for a client behind a server, which adds nothing to them.  Pure.

use std::time::SystemTime;

use ::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderValue, TRANSFER_ENCODING};
use ::http::{HeaderMap, StatusCode, Version};

use crate::app::Head;

/// How the client is told where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// By its length, or there is none.
    Length,
    /// By the last of its chunks.
    Chunked,
    /// By the end of the connection.
    Close,
}

/// How a body behind a head is framed, in an answer to a request of that version.
pub(super) fn framing(head: &Head, is_head: bool, version: Version) -> Framing {
    if is_head || head.is_bodiless() || head.length().is_some() {
        Framing::Length
    } else if version == Version::HTTP_10 {
        Framing::Close
    } else {
        Framing::Chunked
    }
}

/// Renders a head; `now` is for its `Date`, unless it has one.  `says_kept`: whether the client has to be told that the
/// connection goes on, if it does.
pub(super) fn head(mut head: Head, framing: Framing, says_kept: bool, now: SystemTime) -> Vec<u8> {
    match framing {
        Framing::Length if says_kept && !head.headers.contains_key(CONNECTION) => {
            head.headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
        }
        Framing::Length => {}
        Framing::Chunked => {
            head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        Framing::Close => {
            head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
    if !head.headers.contains_key(DATE) {
        let date = httpdate::fmt_http_date(now);
        head.headers.insert(DATE, HeaderValue::try_from(date).expect("a date is visible ASCII"));
    }
    lines(head.status, &head.headers)
}

/// Renders the head that makes a WebSocket of a connection.
pub(super) fn switch(accept: HeaderValue, headers: HeaderMap) -> Vec<u8> {
    let mut all = HeaderMap::new();
    all.insert("upgrade", HeaderValue::from_static("websocket"));
    all.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    all.insert("sec-websocket-accept", accept);
    let own = all.clone();
    all.extend(headers);
    all.extend(own);
    lines(StatusCode::SWITCHING_PROTOCOLS, &all)
}

fn lines(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or("")).into_bytes();
    for (name, value) in headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Bytes of a body.
pub(super) fn body(bytes: &[u8], framing: Framing) -> Vec<u8> {
    match framing {
        Framing::Length | Framing::Close => bytes.to_vec(),
        Framing::Chunked => [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat(),
    }
}

/// What stands behind the last chunk.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A whole answer of the host's own.
pub(super) fn own(status: StatusCode, is_head: bool, closes: bool, now: SystemTime) -> Vec<u8> {
    let text = format!("{}\n", status.canonical_reason().unwrap_or("Error"));
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(CONTENT_LENGTH, text.len().into());
    if closes {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let mut out = head(Head { status, headers }, Framing::Length, false, now);
    if !is_head {
        out.extend_from_slice(text.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";

    fn rendered(status: u16, headers: &[(&'static str, &str)], is_head: bool, version: Version) -> (Framing, String) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let parts = Head { status: StatusCode::from_u16(status).unwrap(), headers: map };
        let framing = framing(&parts, is_head, version);
        let text = String::from_utf8(head(parts, framing, false, SystemTime::UNIX_EPOCH)).unwrap();
        (framing, text.replace(DATE, "").trim_end().replace("\r\n", "|"))
    }

    #[test]
    fn framings() {
        let (old, new) = (Version::HTTP_10, Version::HTTP_11);
        for (status, headers, is_head, version, expected, text) in [
            (200, &[][..], false, new, Framing::Chunked, "HTTP/1.1 200 OK|transfer-encoding: chunked"),
            (200, &[], false, old, Framing::Close, "HTTP/1.1 200 OK|connection: close"),
            (200, &[], true, new, Framing::Length, "HTTP/1.1 200 OK"),
            (200, &[("content-length", "3")], false, old, Framing::Length, "HTTP/1.1 200 OK|content-length: 3"),
            (204, &[], false, old, Framing::Length, "HTTP/1.1 204 No Content"),
            (304, &[("a", "1"), ("a", "2")], false, new, Framing::Length, "HTTP/1.1 304 Not Modified|a: 1|a: 2"),
            (299, &[("content-length", "0")], false, new, Framing::Length, "HTTP/1.1 299 |content-length: 0"),
        ] {
            let (framing, head) = rendered(status, headers, is_head, version);
            assert_eq!((framing, head.as_str()), (expected, text));
        }
        assert!(rendered(200, &[("date", "x")], true, new).1.ends_with("date: x"));
    }

    #[test]
    fn a_kept_connection_is_told_of() {
        let check = |headers: &[(&'static str, &'static str)], framing, expected: &str| {
            let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            let text = head(Head { status: StatusCode::OK, headers }, framing, true, SystemTime::UNIX_EPOCH);
            let text = String::from_utf8(text).unwrap();
            let told: Vec<_> = text.lines().filter(|line| line.starts_with("connection: ")).collect();
            assert_eq!(told, [expected]);
        };
        check(&[], Framing::Length, "connection: keep-alive");
        check(&[("connection", "close")], Framing::Length, "connection: close");
        check(&[], Framing::Close, "connection: close");
    }

    #[test]
    fn bodies() {
        assert_eq!(body(b"0123456789abcdefg", Framing::Chunked), b"11\r\n0123456789abcdefg\r\n");
        assert_eq!(body(b"abc", Framing::Length), b"abc");
    }

    #[test]
    fn answers_of_its_own() {
        let text = own(StatusCode::INTERNAL_SERVER_ERROR, false, false, SystemTime::UNIX_EPOCH);
        let head =
            format!("HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain\r\ncontent-length: 22\r\n{DATE}");
        assert_eq!(String::from_utf8(text).unwrap(), format!("{head}\r\nInternal Server Error\n"));
        let text = own(StatusCode::SERVICE_UNAVAILABLE, true, true, SystemTime::UNIX_EPOCH);
        assert!(String::from_utf8(text).unwrap().contains("connection: close\r\n"));
    }

    #[test]
    fn an_application_cannot_forge_the_handshake() {
        let mut headers = HeaderMap::new();
        headers.insert("sec-websocket-accept", HeaderValue::from_static("forged"));
        headers.insert("sec-websocket-protocol", HeaderValue::from_static("chat"));
        let text = String::from_utf8(switch(HeaderValue::from_static("right"), headers)).unwrap();
        assert!(text.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{text}");
        assert!(text.contains("sec-websocket-accept: right\r\n") && !text.contains("forged"), "{text}");
        assert!(text.contains("sec-websocket-protocol: chat\r\n"), "{text}");
    }
}
