//! WebSockets (RFC 6455) through the real server, with the bytes that were recorded from the original.

use mongrel2::config::{Handler, Target};

use crate::harness::{Peer, Running, Site, get, handler};
use crate::recorded::{canonical, recorded, without_id};

const SENDER: &str = "54c6755b-9628-40a4-9a2d-cc82a816345e";
const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

fn start() -> (Running, Peer) {
    let handler = Handler { send_ident: SENDER.into(), ..handler("ws") };
    let running = Site::new().route("/ws", Target::Handler(handler)).start();
    let peer = Peer::connect(running.site.path(), "ws");
    (running, peer)
}

#[test]
fn handlers_get_what_they_always_got() {
    let (running, peer) = start();
    let mut client = running.connect();
    client.send(recorded("websocket-handshake", "client"));
    let message = peer.recv();
    assert_eq!(canonical(&message), canonical(&recorded("websocket-handshake", "handler.0")));
    let id = mongrel2::wire::request::parse(&message).unwrap().id;
    peer.reply(&[id], ACCEPTED);
    assert_eq!(client.take(ACCEPTED.len()), ACCEPTED.as_bytes());
    for name in ["text", "binary", "fragmented", "ping", "close"] {
        let name = format!("websocket-{name}");
        client.send(recorded(&name, "client"));
        assert_eq!(canonical(&peer.recv()), canonical(&recorded(&name, "handler.0")), "{name}");
        peer.reply(&[id], b"\x81\x02ok");
        assert_eq!(client.take(4), b"\x81\x02ok");
    }
    drop(client);
    assert_eq!(without_id(&peer.recv()), without_id(&recorded("websocket-after-close", "handler.0")));
}

#[test]
fn a_handler_may_refuse() {
    let (running, peer) = start();
    let mut client = running.connect();
    client.send(recorded("websocket-handshake", "client"));
    peer.answer(&[peer.request().id], "no");
    assert_eq!(client.answer().text(), "no");
    client.send(get("/ws"));
    assert_eq!(peer.request().header("METHOD"), Some("GET"), "the connection goes on with HTTP");
}
