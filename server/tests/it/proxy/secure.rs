//! Clients that come over TLS to an upstream that doesn't know it.

use mongrel2::config::{Proxy, Target};

use super::{OK, Upstream};
use crate::harness::get;
use crate::tls::Secure;

fn start(proxy: Proxy) -> Secure {
    Secure::with(|mut site| {
        site.server().hosts[0].hsts = 300;
        site.setting("server.workers", "1").route("/up/", Target::Proxy(proxy))
    })
}

#[test]
fn the_upstream_is_told_and_so_is_the_client() {
    let upstream = Upstream::start();
    let secure = start(Proxy { session_cookie: "sid".into(), ..upstream.proxy() });
    let mut client = secure.connect();
    client.send(get("/up/"));
    let mut link = upstream.accept();
    let head = link.head();
    assert!(head.contains("\r\nX-Forwarded-Proto: https\r\n") && head.contains(";proto=https\r\n"), "{head}");
    link.send(OK);
    let answer = client.answer();
    assert_eq!((answer.text().as_str(), answer.header("strict-transport-security")), ("ok", Some("max-age=300")));
    assert!(answer.header("set-cookie").unwrap().ends_with("; HttpOnly; SameSite=Lax; Secure"));
}

#[test]
fn long_bodies_go_both_ways() {
    let upstream = Upstream::start();
    let secure = start(upstream.proxy());
    let body: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut client = secure.connect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut link = upstream.accept();
            link.head();
            assert!(link.take(body.len()) == body);
            link.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()));
            link.send(&body);
        });
        client.send(format!("PUT /up/ HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()));
        client.send(&body);
        assert!(client.answer().body == body);
    });
    client.send(get("/"));
    assert_eq!(client.answer().text(), "index", "the connection goes on");
}

#[test]
fn a_tunnel_goes_both_ways() {
    let upstream = Upstream::start();
    let secure = start(upstream.proxy());
    let mut client = secure.connect();
    client.send("GET /up/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    let mut link = upstream.accept();
    link.head();
    link.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nfirst");
    client.head();
    assert_eq!(client.take(5), b"first");
    client.send("ping");
    assert_eq!(link.take(4), b"ping");
    let long = vec![b'x'; 1_000_000];
    std::thread::scope(|scope| {
        scope.spawn(|| link.send(&long));
        assert!(client.take(long.len()) == long);
    });
    drop(link);
    assert!(client.is_closed());
    assert!(!client.was_cut_short());
}

#[test]
fn an_answer_that_ends_before_its_time_never_looks_whole() {
    let upstream = Upstream::start();
    let secure = start(upstream.proxy());
    for version in ["1.0", "1.1"] {
        let mut client = secure.connect();
        client.send(format!("GET /up/ HTTP/{version}\r\nHost: x\r\n\r\n"));
        let mut link = upstream.accept();
        link.head();
        link.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        client.head();
        drop(link);
        client.rest();
        assert!(client.was_cut_short(), "{version}");
    }
}
