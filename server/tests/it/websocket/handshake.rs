//! The opening handshake (RFC 6455, section 4): who gets a WebSocket, who is refused, and who is an ordinary request.

use super::start;
use crate::harness::{Peer, Running, get};

/// What is expected of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The handler is asked for a WebSocket.
    Asked,
    /// The handler gets an ordinary request of that method.
    Plain(&'static str),
    /// The server answers.
    Refused(u16),
}

use Then::{Asked, Plain, Refused};

const HEADERS: [&str; 5] = [
    "Host: x",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// A request with these headers in place of those of the same names; one without a value is left out.
fn request(line: &str, changed: &[&str]) -> String {
    let name = |line: &str| line.split(':').next().unwrap().to_ascii_lowercase();
    let kept = HEADERS.iter().filter(|line| changed.iter().all(|other| name(other) != name(line)));
    let lines: Vec<&str> = kept.chain(changed.iter().filter(|line| line.contains(": "))).copied().collect();
    format!("{line}\r\n{}\r\n\r\n", lines.join("\r\n"))
}

/// What becomes of a request, and that its connection is as it should be.
fn outcome(running: &Running, peer: &Peer, request: &str, expected: Then) -> Then {
    let mut client = running.connect();
    client.send(request);
    if let Refused(_) = expected {
        let answer = client.answer();
        let version = (answer.header("Sec-WebSocket-Version"), answer.header("Upgrade"), answer.header("Connection"));
        let told =
            if answer.status == 426 { (Some("13"), Some("websocket"), Some("Upgrade")) } else { (None, None, None) };
        if request.contains("HTTP/1.1") {
            assert_eq!(version, told, "{request}");
            client.send(get("/ws"));
            assert_eq!(peer.request().header("METHOD"), Some("GET"), "the connection goes on with HTTP");
            drop(client);
            assert!(peer.request().is_disconnect());
        }
        return Refused(answer.status);
    }
    let got = peer.request();
    drop(client);
    assert!(peer.request().is_disconnect());
    match got.header("METHOD") {
        Some("WEBSOCKET_HANDSHAKE") => {
            assert_eq!(got.body.len(), 28, "{request}");
            Asked
        }
        Some("GET") => Plain("GET"),
        Some("POST") => Plain("POST"),
        other => panic!("{request}: {other:?}"),
    }
}

#[test]
fn who_gets_one() {
    let (running, peer) = start();
    let get = "GET /ws HTTP/1.1";
    for (line, changed, expected) in [
        (get, &[][..], Asked),
        (get, &["Upgrade: WebSocket"], Asked),
        (get, &["UPGRADE: WEBSOCKET", "CONNECTION: UPGRADE"], Asked),
        (get, &["upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13"], Asked),
        (get, &["Connection: keep-alive, Upgrade"], Asked),
        (get, &["Connection: keep-alive,\tupgrade ,"], Asked),
        (get, &["Connection: keep-alive", "Connection: Upgrade"], Asked),
        (get, &["Upgrade: h2c, websocket"], Asked),
        (get, &["Sec-WebSocket-Extensions: permessage-deflate"], Asked),
        ("GET http://x/ws HTTP/1.1", &[], Asked),
        (get, &["Upgrade"], Plain("GET")),
        (get, &["Upgrade: websockets"], Plain("GET")),
        (get, &["Upgrade: h2c"], Plain("GET")),
        (get, &["Sec-WebSocket-Key"], Plain("GET")),
        (get, &["Sec-WebSocket-Key", "Sec-WebSocket-Version: 8"], Plain("GET")),
        ("POST /ws HTTP/1.1", &["Sec-WebSocket-Key"], Plain("POST")),
        (get, &["Connection"], Refused(400)),
        (get, &["Connection: keep-alive"], Refused(400)),
        (get, &["Sec-WebSocket-Key: short"], Refused(400)),
        (
            get,
            &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
            Refused(400),
        ),
        ("POST /ws HTTP/1.1", &[], Refused(400)),
        ("GET /ws HTTP/1.0", &[], Refused(400)),
        ("GET /ws HTTP/1.0", &["Connection: keep-alive, Upgrade"], Refused(400)),
        (get, &["Sec-WebSocket-Version: 8"], Refused(426)),
        (get, &["Sec-WebSocket-Version: 14"], Refused(426)),
        (get, &["Sec-WebSocket-Version: 13, 8"], Refused(426)),
        (get, &["Sec-WebSocket-Version"], Refused(426)),
    ] {
        let request = request(line, changed);
        assert_eq!(outcome(&running, &peer, &request, expected), expected, "{request}");
    }
}

#[test]
fn the_handler_sees_what_the_client_wants() {
    let (running, peer) = start();
    let mut client = running.connect();
    client.send(request(
        "GET /ws?room=1 HTTP/1.1",
        &["Origin: http://example.com", "Sec-WebSocket-Protocol: chat, superchat", "Cookie: a=1", "Flags: 0x00"],
    ));
    let asked = peer.request();
    assert_eq!(asked.body, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "the value of the RFC's example");
    peer.reply(&[asked.id], super::ACCEPTED);
    client.send(super::frame(0x81, b"hi"));
    let message = peer.request();
    for got in [&asked, &message] {
        assert_eq!(got.header("origin"), Some("http://example.com"));
        assert_eq!(got.header("sec-websocket-protocol"), Some("chat, superchat"));
        assert_eq!((got.header("cookie"), got.header("QUERY")), (Some("a=1"), Some("room=1")));
        assert_eq!((got.header("URI"), got.path.as_str()), (Some("/ws?room=1"), "/ws"));
        assert_eq!(got.header("flags"), Some("0x00"), "a client's header of that name is another");
    }
    assert_eq!((asked.header("FLAGS"), message.header("FLAGS")), (None, Some("0x81")));
}

/// A request with a body could hide frames or a request in it.
#[test]
fn a_body_is_no_frame() {
    let (running, peer) = start();
    let mut client = running.connect();
    client.send(request("GET /ws HTTP/1.1", &["Content-Length: 4"]) + "\u{1}\u{2}\u{3}\u{4}");
    let asked = peer.request();
    assert_eq!((asked.header("METHOD"), asked.body.len()), (Some("WEBSOCKET_HANDSHAKE"), 28));
    peer.reply(&[asked.id], super::ACCEPTED);
    client.send(super::frame(0x81, b"hi"));
    assert_eq!(peer.request().body, b"hi");
}
