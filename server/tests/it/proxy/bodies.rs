//! Bodies of requests on their way to the upstream.

use mongrel2::config::Proxy;

use super::{OK, Upstream, start};
use crate::harness::Client;

#[test]
fn both_framings_go_on_as_they_come() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut client = running.connect();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello");
    let mut link = upstream.accept();
    assert!(link.head().contains("\r\nContent-Length: 10\r\n"));
    assert_eq!(link.take(5), b"hello", "it is not held until it is whole");
    client.send("world");
    assert_eq!(link.take(5), b"world");
    link.send(OK);
    assert_eq!(client.answer().text(), "ok");
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n");
    assert!(link.head().contains("\r\nTransfer-Encoding: chunked\r\n"));
    assert_eq!(link.take(10), b"5\r\nhello\r\n");
    client.send("1\r\n!\r\n0\r\nTrailer: x\r\n\r\n");
    assert_eq!(link.take(11), b"1\r\n!\r\n0\r\n\r\n");
    link.send(OK);
    assert_eq!(client.answer().text(), "ok");
    assert!(upstream.is_idle());
}

#[test]
fn a_large_body_arrives_as_it_was() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let body: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    let (mut client, before) = (running.connect(), running.memory());
    client.send(format!("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()));
    std::thread::scope(|scope| {
        scope.spawn(|| client.send(&body));
        let mut link = upstream.accept();
        link.head();
        assert!(link.take(body.len()) == body);
        link.send(OK);
    });
    assert_eq!(client.answer().text(), "ok");
    assert!(running.memory() < before + 8_000_000, "it is never held whole");
}

/// The head of the answer; before an upstream that is slow to speak, the server has told the client to go on.
fn final_head(client: &mut Client) -> String {
    loop {
        let head = client.head();
        if !head.starts_with("HTTP/1.1 100 ") {
            return head;
        }
    }
}

#[test]
fn what_the_client_expects_is_the_upstreams_to_say() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let mut client = running.connect();
    client.send(post);
    let mut link = upstream.accept();
    assert!(link.head().contains("\r\nExpect: 100-continue\r\n"));
    assert!(!client.has_bytes_now());
    link.send("HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    assert_eq!(link.take(5), b"hello");
    link.send(OK);
    assert_eq!(client.answer().text(), "ok");
    client.send(post);
    link.head();
    link.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    assert!(link.is_closed(), "nobody knows what comes next there");
}

#[test]
fn an_upstream_that_knows_no_expectations_gets_the_body_all_the_same() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut client = running.connect();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let mut link = upstream.accept();
    link.head();
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    assert_eq!(link.take(5), b"hello");
    link.send(OK);
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn an_early_answer_ends_the_exchange() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut client = running.connect();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nhello");
    let mut link = upstream.accept();
    link.head();
    link.send("HTTP/1.1 401 Who\r\nContent-Length: 2\r\n\r\nno");
    let answer = client.answer();
    assert_eq!((answer.status, answer.text().as_str(), answer.header("connection")), (401, "no", Some("close")));
    assert!(client.is_closed());
    link.rest();
}

#[test]
fn a_client_that_still_sends_gets_its_early_answer() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    for expects in ["", "Expect: 100-continue\r\n"] {
        let mut client = running.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n{expects}\r\n"));
        let mut link = upstream.accept();
        link.head();
        link.send("HTTP/1.1 401 Who\r\nContent-Length: 2\r\n\r\nno");
        assert_eq!(final_head(&mut client).split(' ').nth(1), Some("401"));
        // It has not looked yet.
        (0..10).for_each(|_| client.send(vec![b'x'; 100_000]));
        assert_eq!(client.rest(), b"no", "{expects}");
    }
}

#[test]
fn nothing_is_said_of_the_body_within_an_answer() {
    let upstream = Upstream::start();
    let running = start(Proxy { idle_timeout: 2, ..upstream.proxy() });
    let mut client = running.connect();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let mut link = upstream.accept();
    link.head();
    link.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    final_head(&mut client);
    // It stops there, for longer than an upstream may take to say that it wants the body.
    assert_eq!(client.rest(), b"hello");
}

#[test]
fn an_answer_may_come_while_the_body_still_does() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut client = running.connect();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    let mut link = upstream.accept();
    link.head();
    assert_eq!(link.take(6), b"1\r\na\r\n");
    link.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n");
    client.head();
    assert_eq!(client.take(6), b"1\r\nA\r\n");
    client.send("1\r\nb\r\n0\r\n\r\n");
    assert_eq!(link.take(11), b"1\r\nb\r\n0\r\n\r\n");
    link.send("1\r\nB\r\n0\r\n\r\n");
    assert_eq!(client.take(11), b"1\r\nB\r\n0\r\n\r\n");
}

#[test]
fn a_malformed_body_is_refused_and_the_upstream_let_go() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut client = running.connect();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    let mut link = upstream.accept();
    link.head();
    client.send("nonsense");
    assert_eq!(client.answer().status, 400);
    assert!(!link.rest().ends_with(b"0\r\n\r\n"), "the upstream can tell that the body is not whole");
}
