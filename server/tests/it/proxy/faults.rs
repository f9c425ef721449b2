//! Upstreams that answer with something else, or not at all; clients that leave.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use mongrel2::config::{Dir, Proxy, Redirect, Target};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use testkit::free_address;

use super::{OK, Upstream, opened, site, start};
use crate::harness::get;

#[test]
fn what_cannot_be_passed_on_becomes_502() {
    let endless: String = (0..5000).map(|n| format!("X-{n}: {}\r\n", "y".repeat(40))).collect();
    let floods = "HTTP/1.1 102 Processing\r\n\r\n".repeat(100);
    for (answer, closes) in [
        ("nonsense\r\n\r\n", false),
        ("SSH-2.0-OpenSSH_9.2\r\n", false),
        ("HTTP/2.0 200 OK\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!", false),
        ("HTTP/1.1 204 No Content\r\n\r\nsmuggled", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false),
        ("HTTP/1.1 200 OK\r\n bad: fold\r\n\r\n", false),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", false),
        (&format!("HTTP/1.1 200 OK\r\n{endless}"), false),
        (&floods, false),
        ("HTTP/1.1 200 OK\r\nContent-", true),
        ("", true),
    ] {
        let upstream = Upstream::start();
        let running = start(upstream.proxy());
        let mut client = running.connect();
        // A POST is not tried again.
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        let mut link = upstream.accept();
        link.head();
        link.try_send(answer);
        if closes {
            link.finish();
        }
        let status = std::iter::repeat_with(|| client.answer().status).find(|status| *status >= 200);
        assert_eq!(status, Some(502), "{answer:.80?}");
        client.send(get("/"));
        assert!(link.is_closed(), "{answer:.80?}");
        let mut next = upstream.accept();
        next.head();
        next.send(OK);
        assert_eq!(client.answer().text(), "ok", "{answer:.80?}");
    }
}

#[test]
fn an_answer_that_ends_before_its_time_never_looks_whole() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    for (answer, end) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", ""),
        (chunked, ""),
        (chunked, "zz"),
        (chunked, "0\r\n!"),
    ] {
        let (running, _upstream, mut client, mut link) = opened();
        link.send(answer);
        let head = client.head();
        link.send(end);
        link.finish();
        let rest = client.rest();
        assert!(!rest.ends_with(b"0\r\n\r\n") && rest.len() < 20, "{head}{:?}", rest.escape_ascii().to_string());
        running.process.wait_for_stderr("was cut short");
    }
}

#[test]
fn bytes_behind_a_long_answer_close_the_upstreams_connection() {
    let (_running, upstream, mut client, mut link) = opened();
    let body = "x".repeat(200_000);
    link.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n{body}HTTP/1.1 200 OK\r\nX: smuggled\r\n\r\n"));
    assert_eq!(client.answer().text(), body);
    client.send(get("/"));
    let mut next = upstream.accept();
    next.head();
    next.send(OK);
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn a_connection_that_was_closed_while_it_rested_costs_nothing() {
    let (_running, upstream, mut client, mut link) = opened();
    link.send(OK);
    client.answer();
    drop(link);
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    let mut next = upstream.accept();
    next.head();
    next.send(OK);
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn what_is_safe_to_repeat_is_repeated_and_nothing_else() {
    for (method, repeats) in [("GET", true), ("DELETE", true), ("POST", false), ("PATCH", false)] {
        let (_running, upstream, mut client, mut link) = opened();
        link.send(OK);
        client.answer();
        client.send(format!("{method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
        link.head();
        drop(link);
        if repeats {
            let mut next = upstream.accept();
            assert!(next.head().starts_with(method));
            next.send(OK);
        }
        assert_eq!(client.answer().status, if repeats { 200 } else { 502 }, "{method}");
        assert!(upstream.is_idle());
    }
}

#[test]
fn an_upstream_that_is_not_there_is_502_and_stops_nothing() {
    let free = free_address();
    let nowhere = Proxy { addr: "127.0.0.1".into(), port: free.port().into(), ..Proxy::default() };
    let unknown = Proxy { addr: "nowhere.invalid".into(), port: 80, ..Proxy::default() };
    let mut running = site(nowhere).route("/unknown", Target::Proxy(unknown)).start();
    assert_eq!(running.get("/").status, 502);
    assert_eq!(running.get("/unknown").status, 502);
    running.reload();
    assert_eq!(running.get("/").status, 502);
}

#[test]
fn a_fallback_answers_in_its_place() {
    let port = free_address().port().into();
    let dir = Dir { base: "static".into(), index_file: "index.html".into(), ..Dir::default() };
    let with =
        |fallback| Proxy { addr: "127.0.0.1".into(), port, fallback: Some(Box::new(fallback)), ..Proxy::default() };
    let to = Redirect { to: "https://status.example$path".into(), status: 302 };
    let site = site(with(Target::Dir(dir))).file("static/index.html", "sorry").file("static/page.html", "page");
    let running = site.route("/r/", Target::Proxy(with(Target::Redirect(to)))).start();
    assert_eq!((running.get("/").text().as_str(), running.get("/page.html").text().as_str()), ("sorry", "page"));
    assert_eq!(running.get("/r/x").header("location"), Some("https://status.example/r/x"));
    assert_eq!(running.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi").status, 502);
}

#[test]
fn the_page_of_the_host_is_the_page_of_502() {
    let proxy = Proxy { addr: "127.0.0.1".into(), port: free_address().port().into(), ..Proxy::default() };
    let mut site = site(proxy).file("errors/502.html", "we are sorry");
    site.server().hosts[0].error_pages.insert(502, "/errors/502.html".into());
    let running = site.start();
    let answer = running.get("/");
    assert_eq!((answer.status, answer.text().as_str()), (502, "we are sorry"));
}

#[test]
fn an_upstream_that_says_nothing_is_504() {
    let upstream = Upstream::start();
    let running = start(Proxy { first_byte_timeout: 5, ..upstream.proxy() });
    let mut client = running.connect();
    client.send(get("/"));
    let mut link = upstream.accept();
    link.head();
    link.send("HTTP/1.1 102 Processing\r\n\r\n");
    client.head();
    assert_eq!(client.answer().status, 504);
    assert!(link.is_closed());
}

#[test]
fn an_upstream_is_not_to_blame_for_how_long_its_client_takes() {
    let upstream = Upstream::start();
    let running = start(Proxy { first_byte_timeout: 5, idle_timeout: 5, ..upstream.proxy() });
    let ask = |request: &str| {
        let mut client = running.connect();
        client.send(request);
        let mut link = upstream.accept();
        link.head();
        (client, link)
    };
    let (mut slow, mut link) = ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    let (mut early, mut other) = ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    other.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
    early.head();
    // As long as this takes.
    let (mut clock, _silent) = ask(&get("/"));
    assert_eq!(clock.answer().status, 504);
    slow.send("lo");
    assert_eq!(link.take(5), b"hello");
    link.send(OK);
    assert_eq!(slow.answer().text(), "ok");
    early.send("lo");
    assert_eq!(other.take(5), b"hello");
    other.send("k");
    assert_eq!(early.take(2), b"ok");
}

#[test]
fn an_answer_that_nobody_has_asked_for_reaches_nobody() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut client = running.connect();
    client.send(get("/"));
    let mut link = upstream.accept();
    // Before it has looked what it is asked, and again behind it.
    link.send(OK);
    assert_eq!(client.answer().text(), "ok");
    link.head();
    link.try_send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nothers");
    client.send(get("/"));
    let mut next = upstream.accept();
    next.head();
    next.send(OK);
    assert_eq!(client.answer().text(), "ok");
    assert!(link.is_closed());
}

#[test]
fn out_of_descriptors_is_nobodys_failure() {
    let (running, upstream, mut first, mut link) = opened();
    let mut second = running.connect();
    second.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
    second.answer();
    let limit = |current| {
        let process = Pid::from_raw(running.process.id().try_into().unwrap());
        let maximum = getrlimit(Resource::Nofile).maximum;
        prlimit(process, Resource::Nofile, Rlimit { current, maximum }).unwrap().current
    };
    // What it has, it keeps.
    let before = limit(Some(3));
    second.send(get("/"));
    assert_eq!(second.answer().status, 502);
    link.send(OK);
    assert_eq!(first.answer().text(), "ok");
    limit(before);
    for client in [&mut first, &mut second] {
        client.send(get("/"));
        link.head();
        link.send(OK);
        assert_eq!(client.answer().text(), "ok");
    }
    assert!(upstream.is_idle() && !running.process.stderr().contains("has failed"));
}

#[test]
fn an_upstream_that_stops_in_the_middle_is_let_go() {
    let upstream = Upstream::start();
    let running = start(Proxy { idle_timeout: 1, ..upstream.proxy() });
    let mut client = running.connect();
    client.send(get("/"));
    let mut link = upstream.accept();
    link.head();
    link.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    client.head();
    assert_eq!(client.take(5), b"hello");
    assert!(client.is_closed());
    assert!(link.is_closed());
}

#[test]
fn a_client_that_leaves_takes_its_request_along() {
    let streams = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";
    for answer in ["", streams] {
        let (_running, _upstream, mut client, mut link) = opened();
        link.send(answer);
        if !answer.is_empty() {
            client.head();
        }
        drop(client);
        assert!(link.is_closed(), "{answer}");
    }
    let (_running, _upstream, client, mut link) = opened();
    link.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    client.reset();
    while link.try_send([b'x'; 10_000]) {}
}

#[test]
fn a_client_that_is_taken_for_one_that_has_left_gets_nothing_that_looks_whole() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut stream = TcpStream::connect(running.address()).unwrap();
    stream.set_read_timeout(Some(testkit::wait::DEADLINE)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut link = upstream.accept();
    link.head();
    link.send("HTTP/1.1 200 OK\r\n\r\nhello");
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"hello") {
        bytes.push(0);
        let last = bytes.len() - 1;
        stream.read_exact(&mut bytes[last..]).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    link.rest();
    let error = stream.read_to_end(&mut bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "only the end of the connection is the end of the answer");
}

#[test]
fn a_client_that_takes_nothing_is_not_spared_for_what_it_sends() {
    let upstream = Upstream::start();
    let running = site(upstream.proxy()).setting("limits.tick_timer", "1").start();
    let conversations = [
        ("POST / HTTP/1.1\r\nContent-Length: 1000000", "HTTP/1.1 200 OK\r\n\r\n"),
        ("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: x", "HTTP/1.1 101 Now\r\nUpgrade: x\r\n\r\n"),
    ];
    let mut clients = conversations.map(|(request, answer)| {
        let mut client = running.connect();
        client.send(format!("{request}\r\nHost: x\r\n\r\n"));
        let mut link = upstream.accept();
        link.head();
        link.send(answer);
        std::thread::spawn(move || while link.try_send([b'x'; 10_000]) {});
        client
    });
    for client in &mut clients {
        testkit::wait::until("the client to be dropped", || (!client.try_send("x")).then_some(()));
    }
    running.process.wait_for_stderr("dropped a connection that was too slow while Writing");
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_body_leaves_no_whole_request() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut client = running.connect();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    let mut link = upstream.accept();
    link.head();
    drop(client);
    assert_eq!(link.rest(), b"1\r\na\r\n");
}

#[test]
fn a_client_that_only_closes_its_sending_half_gets_its_answer() {
    let (_running, _upstream, mut client, mut link) = opened();
    client.finish();
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n", "it is asked for a sign of life");
    link.send(OK);
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn a_proxy_that_leads_to_itself_comes_to_an_end() {
    let mut site = crate::harness::Site::new();
    let port = site.address().port().into();
    site = site.route("/", Target::Proxy(Proxy { addr: "127.0.0.1".into(), port, ..Proxy::default() }));
    let running = site.start();
    assert_eq!(running.get("/").status, 508);
    let posted = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(running.ask(posted).status, 508);
}

#[test]
fn a_host_that_only_the_target_names_is_the_upstreams_too() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut client = running.connect();
    client.send("GET http://example.com/a HTTP/1.0\r\n\r\n");
    let head = upstream.accept().head();
    assert!(head.starts_with("GET /a HTTP/1.1\r\nHost: example.com\r\n"), "{head}");
}
