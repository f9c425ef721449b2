//! Clients that want no good, or know no better.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection};
use testkit::wait;

use super::{Secure, ask};
use crate::harness::get;

/// The first bytes of a client that shakes hands.
fn hello(config: &Arc<ClientConfig>) -> Vec<u8> {
    let mut tls = ClientConnection::new(Arc::clone(config), "localhost".try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut bytes).unwrap();
    }
    bytes
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

/// Sends bytes, and gives all that the server says until it closes.
fn exchange(secure: &Secure, bytes: &[u8], shuts: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(secure.running.address()).unwrap();
    stream.set_read_timeout(Some(wait::DEADLINE)).unwrap();
    // The server may close before it has all.
    let _ = stream.write_all(bytes);
    if shuts {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the server closes"),
    }
    said
}

#[test]
fn what_is_no_handshake_gets_an_alert_and_the_end() {
    let secure = Secure::start();
    let hello = hello(&secure.authority.client().config());
    let mut mangled = hello.clone();
    mangled[5] = 99;
    let cases = [
        ("garbage", record(22, &[0xff; 200])),
        ("no record of TLS", [&[22][..], &[0xff; 400]].concat()),
        ("another kind of message", mangled),
        ("data before hands are shaken", record(22, &[]).repeat(3)),
        ("data behind the hello", [&hello[..], &record(23, &[1; 100])].concat()),
        ("empty records", record(22, &[]).repeat(10_000)),
        ("a message of 16 MB", [record(22, &[1, 0xff, 0xff, 0xff]), record(22, &[0; 16_384]).repeat(100)].concat()),
        ("a hello that goes on and on", record(22, &hello[5..9]).repeat(10_000)),
    ];
    for (name, bytes) in cases {
        let said = exchange(&secure, &bytes, true);
        let text = String::from_utf8_lossy(&said);
        assert!(!text.contains("HTTP/"), "{name}: {text}");
        ask(&mut secure.connect());
    }
    assert!(!secure.running.process.stderr().contains("panicked"));
}

#[test]
fn who_stops_in_the_middle_of_a_handshake() {
    let secure = Secure::with(|site| site.setting("limits.tick_timer", "1"));
    let hello = hello(&secure.authority.client().config());
    for length in [1, 3, 5, 60, hello.len() - 1] {
        assert_eq!(exchange(&secure, &hello[..length], true), b"", "half closed behind {length} bytes");
    }
    for length in [1, 60, hello.len()] {
        exchange(&secure, &hello[..length], false);
    }
    secure.running.process.wait_for_stderr("too slow while Reading");
    ask(&mut secure.connect());
}

#[test]
fn nothing_in_common() {
    let secure = Secure::start();
    let config = secure.authority.client().protocols(&["h2"]).config();
    let mut client = secure.connect_with(&config);
    client.try_send(get("/"));
    assert!(client.try_answer(false).is_none());
    let config = secure.authority.client().protocols(&["h2", "http/1.1"]).config();
    let mut client = secure.connect_with(&config);
    ask(&mut client);
    assert_eq!(client.tls().alpn_protocol(), Some(&b"http/1.1"[..]));
}

/// Sends pieces of a kind until the server closes, or 64 MB.
fn flood(secure: &Secure, piece: &[u8]) -> usize {
    let mut client = secure.connect();
    let mut sent = 0;
    while sent < 64 << 20 && client.try_send(piece) {
        sent += piece.len();
    }
    sent
}

#[test]
fn records_without_end_take_no_memory() {
    let secure = Secure::start();
    ask(&mut secure.connect());
    let before = secure.running.memory();
    let chunks = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n".repeat(1000);
    for piece in [vec![b'x'; 100_000], b"\r\n".repeat(50_000), chunks] {
        flood(&secure, &piece);
        let grown = secure.running.memory().saturating_sub(before);
        assert!(grown < 16 << 20, "{grown} more bytes");
    }
    ask(&mut secure.connect());
}

#[test]
fn records_that_say_nothing() {
    let secure = Secure::with(|site| site.setting("limits.tick_timer", "1"));
    let mut client = secure.connect();
    ask(&mut client);
    // New keys again and again.
    let mut rounds = 0;
    while rounds < 10_000 && client.tls().refresh_traffic_keys().is_ok() && client.try_send("") {
        rounds += 1;
    }
    assert!(client.try_answer(false).is_none(), "the server has enough of it");
    ask(&mut secure.connect());
}

#[test]
fn half_a_record_is_half_a_request() {
    let secure = Secure::with(|site| site.setting("limits.tick_timer", "1"));
    let mut client = secure.connect();
    ask(&mut client);
    client.send_raw(&[23, 3, 3, 1, 0, 7]);
    assert!(client.was_cut_short() || client.is_closed());
    secure.running.process.wait_for_stderr("too slow while Reading");
}

#[test]
fn a_record_that_was_tampered_with() {
    let secure = Secure::start();
    let mut client = secure.connect();
    ask(&mut client);
    client.send_raw(&record(23, &[7; 100]));
    assert!(client.try_answer(false).is_none());
    secure.running.process.wait_for_stderr("TLS with 127.0.0.1");
}
