//! The bytes that the original server exchanged with clients and handlers, replayed.
//!
//! `tests/recorded/NAME.client` is what a client sent, `.handler.0` what the handler got, `.answer` what the
//! client got after the handler answered, `.after-close.0` what the handler got when the client had gone.
//! Connection ids are counters and the order of headers means nothing.

use std::path::PathBuf;

use mongrel2::config::{Protocol, Target};
use mongrel2::wire::request::{self, Request};

use crate::harness::{Peer, Running, Site, handler};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

pub(crate) fn recorded(name: &str, part: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(format!("{name}.{part}"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The recorded configuration, but for its addresses.
fn start() -> Running {
    let mut json = handler("json");
    json.send_ident = "54c6755b-9628-40a4-9a2d-cc82a816345e".into();
    let mut tnet = handler("tnet");
    tnet.send_ident = "34f9ceee-cd52-4b7f-b197-88bf2f0ec378".into();
    tnet.protocol = Protocol::Tnetstring;
    let (json, tnet) = (Target::Handler(json), Target::Handler(tnet));
    Site::new()
        .files("/static/")
        .route("/json", json.clone())
        .route("/tnet", tnet)
        .route("/pattern/([0-9]+)", json)
        .setting("limits.content_length", "1024")
        .file("static/index.html", "<h1>hi</h1>\n")
        .start()
}

/// A message without what differs by accident.
pub(crate) fn canonical(message: &[u8]) -> Request {
    let mut request = request::parse(message).unwrap();
    request.id = 0;
    request.headers.sort();
    request
}

/// Replaces the connection id, which is the second word.
pub(crate) fn without_id(message: &[u8]) -> Vec<u8> {
    let mut words: Vec<&[u8]> = message.splitn(3, |byte| *byte == b' ').collect();
    words[1] = b"ID";
    words.join(&b' ')
}

fn replay(running: &Running, peer: &Peer, name: &str) {
    let mut client = running.connect();
    client.send(recorded(name, "client"));
    let message = peer.recv();
    assert_eq!(canonical(&message), canonical(&recorded(name, "handler.0")), "{name}");
    peer.reply(&[request::parse(&message).unwrap().id], ANSWER);
    let answer = recorded(name, "answer");
    assert_eq!(client.take(answer.len()).escape_ascii().to_string(), answer.escape_ascii().to_string(), "{name}");
    drop(client);
    let notice = recorded(name, "after-close.0");
    assert_eq!(without_id(&peer.recv()), without_id(&notice), "{name}");
}

#[test]
fn json_handlers_get_what_they_always_got() {
    let running = start();
    let peer = Peer::connect(running.site.path(), "json");
    for name in [
        "get",
        "get-http10",
        "get-duplicate-headers",
        "get-uppercase-injection",
        "get-quote-in-header",
        "get-pattern",
        "post",
        "post-binary",
        "expect",
    ] {
        replay(&running, &peer, name);
    }
}

#[test]
fn tnetstring_handlers_get_what_they_always_got() {
    let running = start();
    let peer = Peer::connect(running.site.path(), "tnet");
    for name in ["tnet-get", "tnet-post", "tnet-duplicate-headers"] {
        replay(&running, &peer, name);
    }
}

#[test]
fn a_request_that_asks_to_close_gets_its_answer_first() {
    // The original closed at once; the message to the handler is the same.
    let running = start();
    let peer = Peer::connect(running.site.path(), "json");
    let mut client = running.connect();
    client.send(recorded("keepalive-close", "client"));
    let message = peer.recv();
    assert_eq!(canonical(&message), canonical(&recorded("keepalive-close", "handler.0")));
    peer.reply(&[request::parse(&message).unwrap().id], ANSWER);
    assert_eq!(client.rest(), ANSWER.as_bytes());
}

#[test]
fn a_reply_to_a_dead_id_is_answered_once() {
    let running = start();
    let peer = Peer::connect(running.site.path(), "json");
    for _ in 0..3 {
        peer.reply(&[99_999], "anybody there?");
    }
    assert_eq!(peer.recv(), recorded("reply-to-dead-id", "handler.0"));
    peer.reply(&[99_998], "anybody else?");
    assert_eq!(peer.request().id, 99_998, "the dead id is told once");
}

#[test]
fn files_and_errors() {
    let running = start();
    for (name, to_head) in [("dir", false), ("dir-head", true)] {
        let mut client = running.connect();
        client.send(recorded(name, "client"));
        let answer = client.try_answer(to_head).unwrap();
        let old = String::from_utf8(recorded(name, "answer")).unwrap();
        for header in ["Content-Type", "Content-Length"] {
            let line = format!("{header}: {}\r\n", answer.header(header).unwrap());
            assert!(old.contains(&line), "{name}: {line}");
        }
        assert_eq!((answer.status, old.ends_with(&answer.text())), (200, true));
    }
    for (name, status) in [("not-found", 404), ("bad-request", 400)] {
        assert!(recorded(name, "answer").starts_with(format!("HTTP/1.1 {status} ").as_bytes()));
        assert_eq!(running.ask(recorded(name, "client")).status, status);
    }
}
