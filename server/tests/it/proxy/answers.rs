//! Answers in each framing, to clients of each version.

use super::{OK, Upstream, opened, start};
use crate::harness::get;

/// What a client gets of an answer, up to the end of the connection if it closes, and whether it is closed.
fn check(request: &str, answer: &str, closes: bool, expected: &str) {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut client = running.connect();
    client.send(request);
    let mut link = upstream.accept();
    link.head();
    link.send(answer);
    if closes {
        drop(link);
    }
    let got = client.take(expected.len());
    assert_eq!(String::from_utf8_lossy(&got), expected, "{answer:?}");
    if expected.contains("Connection: close") {
        assert!(client.is_closed(), "{answer:?}");
    } else {
        client.send(get("/again"));
        let mut link = if closes { upstream.accept() } else { return };
        assert!(link.head().starts_with("GET /again"));
        link.send(OK);
        assert_eq!(client.answer().text(), "ok");
    }
}

#[test]
fn framings() {
    let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let old = "GET / HTTP/1.0\r\nHost: x\r\n\r\n";
    let kept = "GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n";
    let head = "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n";
    let start = "HTTP/1.1 200 OK\r\nDate: d\r\n";
    for (request, answer, closes, expected) in [
        (get, "Content-Length: 2\r\n\r\nok", false, "Content-Length: 2\r\n\r\nok"),
        (get, "Content-Length: 0\r\n\r\n", false, "Content-Length: 0\r\n\r\n"),
        (
            get,
            "Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x\r\nk\r\n0\r\nA: b\r\n\r\n",
            false,
            "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        (get, "\r\nok", true, "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        (head, "Content-Length: 2\r\n\r\n", false, "Content-Length: 2\r\n\r\n"),
        (head, "Transfer-Encoding: chunked\r\n\r\n", false, "\r\n"),
        (old, "Content-Length: 2\r\n\r\nok", false, "Content-Length: 2\r\nConnection: close\r\n\r\nok"),
        (kept, "Content-Length: 2\r\n\r\nok", false, "Content-Length: 2\r\nConnection: keep-alive\r\n\r\nok"),
        (kept, "Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", false, "Connection: close\r\n\r\nok"),
        (old, "\r\nok", true, "Connection: close\r\n\r\nok"),
    ] {
        check(request, &format!("{start}{answer}"), closes, &format!("{start}{expected}"));
    }
    for status in ["204 No Content", "304 Not Modified"] {
        let answer = format!("HTTP/1.1 {status}\r\nDate: d\r\n\r\n");
        check(get, &answer, false, &answer);
    }
    check(
        get,
        "HTTP/1.0 200 OK\r\nDate: d\r\nContent-Length: 2\r\n\r\nok",
        true,
        &format!("{start}Content-Length: 2\r\n\r\nok"),
    );
}

#[test]
fn an_answer_that_comes_byte_by_byte() {
    let (_running, _upstream, mut client, mut link) = opened();
    let answer = "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    answer.bytes().for_each(|byte| link.send([byte]));
    client.head();
    let mut body = Vec::new();
    while !body.ends_with(b"0\r\n\r\n") {
        body.extend(client.take(1));
    }
    let data: Vec<u8> = body.into_iter().filter(|byte| b"helo".contains(byte)).collect();
    assert_eq!(data, b"hello");
}

#[test]
fn a_large_answer_arrives_as_it_was() {
    let (running, _upstream, mut client, mut link) = opened();
    let body: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    let before = running.memory();
    link.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()));
    std::thread::scope(|scope| {
        scope.spawn(|| link.send(&body));
        assert!(client.answer().body == body);
    });
    assert!(running.memory() < before + 8_000_000, "it is never held whole");
}

#[test]
fn interim_answers_are_passed_on() {
    let (_running, _upstream, mut client, mut link) = opened();
    link.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
    link.send(OK);
    assert_eq!(client.answer().text(), "ok", "nobody has asked for the 100");
}

#[test]
fn interim_answers_have_no_length() {
    let (_running, _upstream, mut client, mut link) = opened();
    link.send("HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert!(link.is_closed(), "it has two");
    assert_eq!(client.answer().status, 502);
    let (_running, _upstream, mut client, mut link) = opened();
    link.send("HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nLink: a\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n");
    link.send(OK);
    assert_eq!(client.answer().text(), "ok");
}
