//! Requests that an upstream answers: the test is the client and the upstream.

mod answers;
mod bodies;
mod closing;
mod faults;
mod garbage;
mod leaving;
mod pinned;
mod programs;
mod secure;
mod several;
mod smuggling;
mod tunnel;

use std::net::{SocketAddr, TcpListener};

use mongrel2::config::{Proxy, Target};
use testkit::wait;

use crate::harness::{Client, Running, Site, get};

/// An upstream whose connections the test answers.
pub(crate) struct Upstream {
    listener: TcpListener,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// The next connection.
    pub(crate) fn accept(&self) -> Client {
        let stream = wait::until("a connection to the upstream", || self.accept_now());
        Client::new(stream)
    }

    fn accept_now(&self) -> Option<std::net::TcpStream> {
        let (stream, _) = self.listener.accept().ok()?;
        stream.set_nonblocking(false).unwrap();
        Some(stream)
    }

    /// Whether nobody has connected.
    pub(crate) fn is_idle(&self) -> bool {
        self.accept_now().is_none()
    }

    pub(crate) fn proxy(&self) -> Proxy {
        Proxy { addr: "127.0.0.1".into(), port: self.address().port().into(), ..Proxy::default() }
    }
}

/// A server that forwards everything to one upstream; one worker, so that connections are shared.
pub(crate) fn start(proxy: Proxy) -> Running {
    site(proxy).start()
}

pub(crate) fn site(proxy: Proxy) -> Site {
    Site::new().setting("server.workers", "1").route("/", Target::Proxy(proxy))
}

/// A server with its upstream, and a connection that a first request has opened.
pub(crate) fn opened() -> (Running, Upstream, Client, Client) {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut client = running.connect();
    client.send(get("/"));
    let mut link = upstream.accept();
    link.head();
    (running, upstream, client, link)
}

const OK: &str = "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn what_the_upstream_gets_and_the_client() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut client = running.connect();
    client.send("GET /a/b?c=d HTTP/1.1\r\nHost: example.com:81\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n");
    let mut link = upstream.accept();
    assert_eq!(
        link.head(),
        "GET /a/b?c=d HTTP/1.1\r\nHost: example.com:81\r\nX-End: 2\r\nX-Forwarded-For: 127.0.0.1\r\n\
         X-Forwarded-Proto: http\r\nX-Forwarded-Host: example.com:81\r\n\
         Forwarded: for=127.0.0.1;host=\"example.com:81\";proto=http\r\nVia: 1.1 mongrel2\r\n\r\n"
    );
    link.send(
        "HTTP/1.1 201 Made\r\nDate: d\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\nContent-Length: 2\r\n\r\nok",
    );
    assert_eq!(client.head(), "HTTP/1.1 201 Made\r\nDate: d\r\nX-End: 2\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(client.take(2), b"ok");
}

#[test]
fn connections_to_upstreams_are_used_again() {
    let (running, upstream, mut client, mut link) = opened();
    link.send(OK);
    assert_eq!(client.answer().text(), "ok");
    for mut client in [client, running.connect(), running.connect()] {
        client.send(get("/"));
        link.head();
        link.send(OK);
        assert_eq!(client.answer().text(), "ok");
    }
    assert!(upstream.is_idle());
}

#[test]
fn requests_at_the_same_time_have_connections_of_their_own() {
    let (running, upstream, mut first, mut link) = opened();
    let mut second = running.connect();
    second.send(get("/second"));
    let mut other = upstream.accept();
    assert!(other.head().starts_with("GET /second "));
    other.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond");
    assert_eq!(second.answer().text(), "second");
    link.send(OK);
    assert_eq!(first.answer().text(), "ok");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut client = running.connect();
    let post = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    client.send([get("/a").as_str(), post, &get("/c")].concat());
    let mut link = upstream.accept();
    for (line, body) in [("GET /a", ""), ("POST /b", "hello"), ("GET /c", "")] {
        assert!(link.head().starts_with(line));
        assert_eq!(link.take(body.len()), body.as_bytes());
        link.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{line:7}"));
        assert_eq!(client.answer().text(), format!("{line:7}"));
    }
}

#[test]
fn the_host_header_may_be_the_upstreams() {
    let upstream = Upstream::start();
    let running = start(Proxy { host: "inner.example".into(), ..upstream.proxy() });
    let mut client = running.connect();
    client.send(get("/"));
    let head = upstream.accept().head();
    assert!(
        head.contains("\r\nHost: inner.example\r\n") && head.contains("\r\nX-Forwarded-Host: localhost\r\n"),
        "{head}"
    );
}

#[test]
fn reloads_keep_connections_and_requests() {
    let (mut running, upstream, mut client, mut link) = opened();
    running.reload();
    link.send(OK);
    assert_eq!(client.answer().text(), "ok");
    client.send(get("/"));
    link.head();
    running.change(|config| config.servers[0].hosts[0].routes.clear());
    link.send(OK);
    assert_eq!(client.answer().text(), "ok", "it was asked before the route was gone");
    client.send(get("/"));
    assert_eq!(client.answer().status, 404);
    assert!(link.is_closed() || upstream.is_idle());
}
