//! JSON and XML sockets and Flash's policy request, with the bytes that were recorded from the original.

use mongrel2::config::{Handler, Protocol, Target};
use mongrel2::wire::request;

use crate::harness::{Peer, Running, Site, get, handler};
use crate::recorded::{canonical, recorded, without_id};

const JSON: &str = "54c6755b-9628-40a4-9a2d-cc82a816345e";
const TNET: &str = "34f9ceee-cd52-4b7f-b197-88bf2f0ec378";

fn start() -> (Running, Peer, Peer) {
    let json = Handler { send_ident: JSON.into(), ..handler("json") };
    let tnet = Handler { send_ident: TNET.into(), protocol: Protocol::Tnetstring, ..handler("tnet") };
    let running = Site::new()
        .route("@chat", Target::Handler(json.clone()))
        .route("<test", Target::Handler(json.clone()))
        .route("/json", Target::Handler(json))
        .route("@tchat", Target::Handler(tnet))
        .route("@raw", Target::Handler(Handler { raw_payload: true, ..handler("raw") }))
        .start();
    let peers = ["json", "tnet"].map(|name| Peer::connect(running.site.path(), name));
    let [json, tnet] = peers;
    (running, json, tnet)
}

/// Base64 comes with a NUL behind it, which the recording lacks: without it the Flash client of the manual waits.
fn with_nul(answer: &[u8]) -> Vec<u8> {
    [answer, b"\0"].concat()
}

#[test]
fn handlers_get_what_they_always_got() {
    let (running, json, tnet) = start();
    for (name, peer, answer) in [
        ("jssocket", &json, r#"{"type":"joined"}"#),
        ("xmlsocket", &json, "<ok/>"),
        ("jssocket-tnet", &tnet, r#"{"type":"joined"}"#),
    ] {
        let mut client = running.connect();
        client.send(recorded(name, "client"));
        let message = peer.recv();
        assert_eq!(canonical(&message), canonical(&recorded(name, "handler.0")), "{name}");
        peer.reply(&[request::parse(&message).unwrap().id], answer);
        let expected = with_nul(&recorded(name, "answer"));
        assert_eq!(client.take(expected.len()), expected, "{name}");
        drop(client);
        assert_eq!(without_id(&peer.recv()), without_id(&recorded(name, "after-close.0")), "{name}");
    }
}

#[test]
fn flash_gets_its_policy() {
    let (running, _json, _tnet) = start();
    let mut client = running.connect();
    client.send(recorded("flash-policy", "client"));
    assert_eq!(client.rest(), recorded("flash-policy", "answer"));
}

#[test]
fn messages_may_come_in_pieces_or_together_and_go_both_ways() {
    let (running, json, _tnet) = start();
    let mut client = running.connect();
    client.send("@ch");
    client.send("at {\"n\":1}\0@chat {\"n\":2}\0@cha");
    let first = json.request();
    assert_eq!((first.body, json.request().body), (b"{\"n\":1}".to_vec(), b"{\"n\":2}".to_vec()));
    client.send("t {\"n\":3}\0");
    assert_eq!(json.request().body, b"{\"n\":3}");
    json.reply(&[first.id], "one");
    json.reply(&[first.id], "two");
    assert_eq!(client.take(10), b"b25l\0dHdv\0");
    json.reply(&[first.id], "");
    assert!(client.is_closed());
    assert!(json.request().is_disconnect());
}

#[test]
fn raw_payload_goes_out_as_it_is() {
    let (running, _json, _tnet) = start();
    let raw = Peer::connect(running.site.path(), "raw");
    let mut client = running.connect();
    client.send("@raw x\0");
    raw.reply(&[raw.request().id], "{}\0{}");
    assert_eq!(client.take(5), b"{}\0{}");
}

#[test]
fn nobody_but_the_server_uses_its_own_path() {
    let (running, json, _tnet) = start();
    for message in ["@* {\"type\":\"disconnect\"}\0", "@nobody x\0", "<nobody/>\0", "@\0", "@chat\0", "<>\0"] {
        let mut client = running.connect();
        client.send(message);
        assert!(client.is_closed(), "{message}");
    }
    let mut client = running.connect();
    client.send("@* {\"type\":\"ping\"}\0@chat x\0");
    assert_eq!(json.request().body, b"x", "a ping is not passed on");
}

#[test]
fn a_message_may_be_as_long_as_a_body() {
    let (running, json, _tnet) = start();
    let mut client = running.connect();
    let long = "x".repeat(20 * 1024 - "@chat \0".len());
    client.send(format!("@chat {long}\0"));
    assert_eq!(json.request().body.len(), long.len());
    client.try_send(format!("@chat x{long}\0"));
    assert!(client.is_closed());
}

#[test]
fn a_connection_that_spoke_http_may_go_on_with_messages() {
    let (running, json, _tnet) = start();
    let mut client = running.connect();
    client.send(get("/json"));
    json.answer(&[json.request().id], "http");
    assert_eq!(client.answer().text(), "http");
    client.send("@chat now\0");
    let message = json.request();
    assert_eq!((message.header("METHOD"), &message.body[..]), (Some("JSON"), &b"now"[..]));
}
