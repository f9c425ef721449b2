//! WebSockets (RFC 6455) through the real server: what was recorded from the original, and the frames that tests
//! send.

mod frames;
mod handshake;
mod life;

use mongrel2::config::{Handler, Target};

use crate::harness::{Client, Peer, Running, Site, get, handler};
use crate::recorded::{canonical, recorded, without_id};

const SENDER: &str = "54c6755b-9628-40a4-9a2d-cc82a816345e";

/// What a handler writes to agree.
pub(crate) const ACCEPTED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

/// What a client asks with.
pub(crate) fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A frame of a client's: masked, with its length in the shortest form.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    let mask = [0x12, 0x34, 0x56, 0x78];
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A close frame of the server's.
pub(crate) fn close_frame(code: u16) -> [u8; 4] {
    let [high, low] = code.to_be_bytes();
    [0x88, 2, high, low]
}

/// Opens a WebSocket at a handler; gives its id, too.
pub(crate) fn open(running: &Running, peer: &Peer, path: &str) -> (Client, u64) {
    let mut client = running.connect();
    client.send(handshake(path));
    let request = peer.request();
    assert_eq!(request.header("METHOD"), Some("WEBSOCKET_HANDSHAKE"), "{request:?}");
    peer.reply(&[request.id], ACCEPTED);
    assert_eq!(client.take(ACCEPTED.len()), ACCEPTED.as_bytes());
    (client, request.id)
}

fn site() -> Site {
    Site::new().route("/ws", Target::Handler(Handler { send_ident: SENDER.into(), ..handler("ws") }))
}

fn start_with(settings: &[(&str, &str)]) -> (Running, Peer) {
    let running = settings.iter().fold(site(), |site, (name, value)| site.setting(name, value)).start();
    let peer = Peer::connect(running.site.path(), "ws");
    (running, peer)
}

fn start() -> (Running, Peer) {
    start_with(&[])
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
