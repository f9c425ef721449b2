//! Connections that speak another protocol after 101.

use super::{OK, Upstream, opened, start};
use crate::harness::{Client, Running};

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn tunnel(behind: &str) -> (Running, Client, Client) {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut client = running.connect();
    client.send(UPGRADE);
    let mut link = upstream.accept();
    let head = link.head();
    assert!(head.contains("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"), "{head}");
    assert!(head.contains("\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), "{head}");
    link.send(format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n{behind}"));
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("\r\nConnection: Upgrade\r\n"), "{head}");
    (running, client, link)
}

#[test]
fn bytes_go_both_ways() {
    let (running, mut client, mut link) = tunnel("first");
    assert_eq!(client.take(5), b"first");
    client.send("\x01ping");
    assert_eq!(link.take(5), b"\x01ping");
    let long = vec![b'x'; 3_000_000];
    std::thread::scope(|scope| {
        scope.spawn(|| link.send(&long));
        assert!(client.take(long.len()) == long);
    });
    std::thread::scope(|scope| {
        scope.spawn(|| client.send(&long));
        assert!(link.take(long.len()) == long);
    });
    client.finish();
    assert!(link.is_closed());
    link.send("bye");
    drop(link);
    assert_eq!(client.rest(), b"bye");
    testkit::wait::until("its line of the log", || running.log("access.log").contains("101").then_some(()));
}

#[test]
fn what_the_client_says_before_it_is_agreed_to_is_not_lost() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut client = running.connect();
    client.send(format!("{UPGRADE}early "));
    let mut link = upstream.accept();
    link.head();
    link.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    client.head();
    client.send("late");
    assert_eq!(link.take(10), b"early late");
    client.finish();
    assert!(link.is_closed());
}

#[test]
fn either_side_may_end_it() {
    let (_running, client, mut link) = tunnel("");
    drop(client);
    assert!(link.is_closed());
    let (_running, mut client, link) = tunnel("");
    drop(link);
    assert!(client.is_closed());
}

#[test]
fn a_reload_leaves_it_alone() {
    let (mut running, mut client, mut link) = tunnel("");
    running.change(|config| config.servers[0].hosts[0].routes.clear());
    client.send("a");
    assert_eq!(link.take(1), b"a");
    link.send("b");
    assert_eq!(client.take(1), b"b");
}

#[test]
fn an_upstream_need_not_agree() {
    let (_running, _upstream, mut client, mut link) = opened();
    link.send(OK);
    client.answer();
    client.send(UPGRADE);
    link.head();
    link.send("HTTP/1.1 426 No\r\nUpgrade: other\r\nContent-Length: 2\r\n\r\nno");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("upgrade"), answer.text().as_str()), (426, Some("other"), "no"));
    client.send(UPGRADE);
    link.head();
    link.send(OK);
    assert_eq!(client.answer().text(), "ok");
}
