//! HTTP/1.0 and 1.1 as clients speak them.

use std::io::Write;

use mongrel2::config::{Host, Proxy, Target};

use crate::harness::{Client, Running, Site, files, get};

fn site() -> Site {
    Site::new()
        .files("/")
        .file("static/index.html", "index")
        .route("/old", Target::Proxy(Proxy { addr: "127.0.0.1".into(), port: 1, ..Proxy::default() }))
}

fn start() -> Running {
    site().start()
}

#[test]
fn connections_stay_open_or_close_as_the_client_wants() {
    let running = start();
    for (version, connection, said, open) in [
        ("1.1", "", None, true),
        ("1.1", "Connection: close\r\n", Some("close"), false),
        ("1.0", "", Some("close"), false),
        ("1.0", "Connection: keep-alive\r\n", Some("keep-alive"), true),
    ] {
        let mut client = running.connect();
        client.send(format!("GET / HTTP/{version}\r\nHost: x\r\n{connection}\r\n"));
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("connection")), (200, said), "{version} {connection}");
        if open {
            client.send(get("/"));
            assert_eq!(client.answer().status, 200);
        } else {
            assert!(client.is_closed());
        }
    }
}

#[test]
fn what_is_ambiguous_is_refused_and_the_connection_closed() {
    let running = start();
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: a\n\n", 400),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n", 417),
    ] {
        let mut client = running.connect();
        client.send(request);
        client.send(get("/"));
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{request:?}");
        assert!(client.is_closed(), "{request:?}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(300));
    assert_eq!(running.ask(long).status, 414);
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    assert_eq!(running.ask(large).status, 431);
}

#[test]
fn a_chunked_body_is_read_and_the_connection_goes_on() {
    let running = start();
    let mut client = running.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    assert_eq!(client.answer().status, 405);
    client.send(get("/"));
    assert_eq!(client.answer().status, 200);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let running = start();
    let mut client = running.connect();
    client.send([get("/"), get("/missing"), get("/old"), get("/")].concat());
    let statuses: Vec<u16> = (0..4).map(|_| client.answer().status).collect();
    assert_eq!(statuses, [200, 404, 502, 200]);
}

#[test]
fn a_client_that_closes_its_sending_half_gets_its_answer() {
    let running = start();
    let mut client = running.connect();
    client.send(get("/"));
    client.finish();
    assert_eq!(client.answer().text(), "index");
    assert!(client.is_closed());
}

#[test]
fn a_request_in_pieces_is_a_request() {
    let running = start();
    let mut client = running.connect();
    for byte in get("/").bytes() {
        client.send([byte]);
    }
    assert_eq!(client.answer().text(), "index");
}

#[test]
fn expect_is_answered_before_the_body_comes() {
    let running = start();
    let mut client = running.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.answer().status, 100);
    client.send("hello");
    assert_eq!(client.answer().status, 405);
}

#[test]
fn no_body_is_asked_for_that_will_be_refused() {
    let running = start();
    let post = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n";
    assert_eq!(running.ask(format!("{post}Content-Length: 30000\r\n\r\n")).status, 413);
    assert_eq!(running.ask(format!("{post}Content-Length: 0\r\n\r\n")).status, 405);
    let old = "POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello";
    assert_eq!(running.ask(old).status, 405);
    let mut client = running.connect();
    client.send(format!("{post}Transfer-Encoding: chunked\r\n\r\n"));
    assert_eq!(client.answer().status, 100);
    client.send("7530\r\n");
    assert_eq!(client.answer().status, 413);
    assert!(client.is_closed());
}

#[test]
fn options_say_what_may_be_asked() {
    let running = start();
    let mut client = running.connect();
    for (method, target, status) in [
        ("OPTIONS", "*", 204),
        ("OPTIONS", "/", 204),
        ("OPTIONS", "http://x/y", 204),
        ("DELETE", "/", 405),
        ("TRACE", "/", 405),
    ] {
        client.send(format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("allow")), (status, Some("GET, HEAD, OPTIONS")), "{method} {target}");
        assert_eq!(answer.header("content-length").is_some(), status == 405);
    }
}

#[test]
fn a_refusal_has_its_reason_in_the_log_only() {
    let running = start();
    let answer = running.ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    assert!(!answer.text().contains("Host") && answer.header("date").is_some(), "{answer:?}");
    let said = "refused a request from 127.0.0.1:";
    let log = testkit::wait::until("the log", || Some(running.log("error.log")).filter(|log| log.contains(said)));
    let line = log.lines().find(|line| line.contains(said)).unwrap();
    assert!(line.contains("INFO") && line.ends_with(": there is not exactly one Host header"), "{line}");
}

#[test]
fn every_answer_has_a_date() {
    let running = start();
    for path in ["/", "/missing", "/old", "/%zz", "/%00", "x"] {
        assert!(running.get(path).header("date").is_some_and(|date| date.ends_with(" GMT")), "{path}");
    }
}

#[test]
fn hosts_are_found_by_their_names() {
    let mut site = Site::new().file("static/index.html", "default").file("other/index.html", "other");
    site.server().hosts[0].routes.clear();
    let mut site = site.files("/");
    let Target::Dir(mut dir) = files() else { unreachable!() };
    dir.base = "other/".into();
    let mut other = site.server().hosts[0].clone();
    other.name = "other".into();
    other.matching = "example.com".into();
    other.routes[0].target = Target::Dir(dir);
    let closed = Host { name: "closed".into(), matching: "closed.org".into(), maintenance: true, ..Host::default() };
    site.server().hosts.extend([other, closed]);
    let running = site.start();
    for (host, expected) in [
        ("localhost", "default"),
        ("nobody.net", "default"),
        ("example.com", "other"),
        ("EXAMPLE.com:8080", "other"),
        ("www.example.com", "other"),
        ("badexample.com", "default"),
    ] {
        assert_eq!(running.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).text(), expected, "{host}");
    }
    let absolute = "GET http://example.com:80 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(running.ask(absolute).text(), "other");
    let answer = running.ask("GET / HTTP/1.1\r\nHost: closed.org\r\n\r\n");
    assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true));
}

#[test]
fn many_connections_at_once() {
    let running = start();
    let mut clients: Vec<Client> = (0..500).map(|_| running.connect()).collect();
    for client in &mut clients {
        client.send(get("/"));
    }
    for client in &mut clients {
        assert_eq!(client.answer().text(), "index");
    }
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let running = site().setting("server.workers", "1").start();
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", running.process.id())).unwrap().count();
    // One that stays: by its answer everything is open that is open all the time.
    let mut client = running.connect();
    client.send(get("/"));
    client.answer();
    let before = descriptors();
    for request in
        ["", "GET", "GET / HTTP/1.1\r\nHost: x\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"]
    {
        let mut stream = std::net::TcpStream::connect(running.address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
    }
    assert_eq!(running.get("/").text(), "index");
    testkit::wait::until("the last connection to go", || (descriptors() <= before).then_some(()));
}

#[test]
fn each_answer_is_in_the_access_log() {
    let running = start();
    running.get("/");
    running.get("/missing?q=1");
    let log = testkit::wait::until("the log", || {
        let log = running.log("access.log");
        (log.lines().count() == 2).then_some(log)
    });
    assert!(log.contains("3:GET,1:/,8:HTTP/1.1,3:200#1:5#]\n"), "{log}");
    assert!(log.contains("3:GET,8:/missing,8:HTTP/1.1,3:404#"), "{log}");
}

#[test]
fn the_access_log_can_be_turned_off() {
    let running = Site::new().files("/").file("static/index.html", "x").setting("disable.access_logging", "1").start();
    running.get("/");
    running.signal("-TERM");
    let mut running = running;
    assert!(running.process.wait().success());
    assert_eq!(running.log("access.log"), "");
}
