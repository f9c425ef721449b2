//! What a backend is told of a socket: fields of a form, and headers of the client.  Pure.
//!
//! All bytes of a value but letters and digits are percent-encoded, so that any bytes arrive as they came, and nothing in
//! them can be taken for another field.

use std::net::IpAddr;

use http::header::{COOKIE, ORIGIN, SEC_WEBSOCKET_PROTOCOL, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue};
use mongrel2::app::{Message, Request};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use crate::id::Id;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What has happened to a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A client asks for it; it is ready when the backend has agreed.
    Open,
    /// The client has sent a message.
    Message(Message),
    /// It can't go on; a close follows.
    Error(Trouble),
    /// It is no more.
    Close,
}

/// Why a socket can't go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The client has left without a word.
    Gone,
    /// What the client has sent isn't the protocol.
    Protocol,
    /// The client reads more slowly than backends send.
    Slow,
}

impl Event {
    /// The word for it.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Message(_) => "message",
            Self::Error(_) => "error",
            Self::Close => "close",
        }
    }

    /// What it takes while it waits, in bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Message(message) => bytes(message).len(),
            Self::Open | Self::Error(_) | Self::Close => 0,
        }
    }

    /// The form that tells of it: the `number`th event of the socket with that id and URI.
    pub(crate) fn form(&self, id: Id, uri: &str, number: u64) -> String {
        let uri = encoded(uri.as_bytes());
        let fields = format!("id={id}&uri={uri}&verb={}&number={number}", self.verb());
        match self {
            Self::Open | Self::Close => fields,
            Self::Message(message @ Message::Text(_)) => format!("{fields}&type=text&data={}", encoded(bytes(message))),
            Self::Message(message @ Message::Binary(_)) => {
                format!("{fields}&type=binary&data={}", encoded(bytes(message)))
            }
            Self::Error(trouble) => format!("{fields}&data={}", trouble.word()),
        }
    }
}

impl Trouble {
    fn word(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Protocol => "protocol",
            Self::Slow => "slow",
        }
    }
}

fn bytes(message: &Message) -> &[u8] {
    match message {
        Message::Text(text) => text.as_bytes(),
        Message::Binary(bytes) => bytes,
    }
}

fn encoded(bytes: &[u8]) -> impl std::fmt::Display {
    percent_encode(bytes, NON_ALPHANUMERIC)
}

/// The headers that a backend gets of a client's handshake.
pub(crate) fn passed(request: &Request) -> HeaderMap {
    let (client, mut passed) = (request.headers(), HeaderMap::new());
    for name in [ORIGIN, USER_AGENT] {
        passed.extend(client.get(&name).map(|value| (name, value.clone())));
    }
    passed.extend(joined(client, COOKIE, b"; ").map(|cookies| (COOKIE, cookies)));
    passed.extend(joined(client, SEC_WEBSOCKET_PROTOCOL, b", ").map(|offered| (SEC_WEBSOCKET_PROTOCOL, offered)));
    passed.extend(client.get(http::header::HOST).map(|host| (FORWARDED_HOST, host.clone())));
    passed.insert(FORWARDED_FOR, forwarded_for(client, request.remote()));
    let is_tls = *request.scheme() == Scheme::HTTPS;
    passed.insert(FORWARDED_PROTO, HeaderValue::from_static(if is_tls { "https" } else { "http" }));
    passed
}

/// All headers of that name in one, as programs expect them.
fn joined(client: &HeaderMap, name: HeaderName, between: &[u8]) -> Option<HeaderValue> {
    let all: Vec<_> = client.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    let all = Some(all.join(between)).filter(|all| !all.is_empty())?;
    HeaderValue::from_bytes(&all).ok()
}

/// Whether a client offers the subprotocol (RFC 6455, section 4.2.2): it would not take another one.
pub(crate) fn offers(client: &HeaderMap, protocol: &HeaderValue) -> bool {
    let offered = client.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let mut words = offered.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    words.any(|word| word.trim_ascii() == protocol.as_bytes())
}

/// The server says where a client comes from, unless it was told to leave that to proxies before it.
fn forwarded_for(client: &HeaderMap, remote: IpAddr) -> HeaderValue {
    let said = client.get(&FORWARDED_FOR).cloned();
    said.unwrap_or_else(|| HeaderValue::try_from(remote.to_string()).expect("an address is visible ASCII"))
}

#[cfg(test)]
mod tests {
    use mongrel2::app::Body;

    use super::*;

    fn check(event: Event, expected: &str) {
        let id = Id::parse("0123456789abcdef0123456789abcdef").unwrap();
        let expected = format!("id={id}&uri=%2Fchat%3Fa%3Db&{expected}");
        assert_eq!(event.form(id, "/chat?a=b", 7), expected);
    }

    #[test]
    fn forms() {
        check(Event::Open, "verb=open&number=7");
        check(Event::Close, "verb=close&number=7");
        check(Event::Error(Trouble::Gone), "verb=error&number=7&data=gone");
        check(Event::Message("a b&c=ü\r\n".into()), "verb=message&number=7&type=text&data=a%20b%26c%3D%C3%BC%0D%0A");
        let bytes = Message::Binary(vec![0, 0xff, b'+', b'%'].into());
        check(Event::Message(bytes), "verb=message&number=7&type=binary&data=%00%FF%2B%25");
        check(Event::Message("".into()), "verb=message&number=7&type=text&data=");
    }

    #[test]
    fn headers() {
        let head = http::Request::builder()
            .header("host", "example.org")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("origin", "http://example.org")
            .header("x-forwarded-for", "1.2.3.4")
            .header("x-forwarded-proto", "gopher")
            .header("x-forwarded-host", "evil.example")
            .header("sec-websocket-protocol", "v2, v1")
            .header("sec-websocket-protocol", "v0")
            .header("authorization", "Bearer of-the-client")
            .header("content-length", "7");
        let (head, ()) = head.body(()).unwrap().into_parts();
        let request = Request::new(head, [127, 0, 0, 1].into(), Scheme::HTTPS, true, Body::empty());
        let mut found: Vec<_> =
            passed(&request).iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
        found.sort();
        let expected = [
            "cookie=a=1; b=2",
            "origin=http://example.org",
            "sec-websocket-protocol=v2, v1, v0",
            "x-forwarded-for=1.2.3.4",
            "x-forwarded-host=example.org",
            "x-forwarded-proto=https",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn subprotocols() {
        let mut client = HeaderMap::new();
        client.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("v2, v1"));
        client.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("v0"));
        for (protocol, expected) in
            [("v0", true), ("v1", true), ("v2", true), ("V1", false), ("v2, v1", false), ("", false)]
        {
            assert_eq!(offers(&client, &HeaderValue::from_static(protocol)), expected, "{protocol}");
        }
    }

    #[test]
    fn who_is_not_said_to_be_elsewhere_is_where_it_is() {
        assert_eq!(forwarded_for(&HeaderMap::new(), [10, 0, 0, 1].into()), "10.0.0.1");
    }
}
