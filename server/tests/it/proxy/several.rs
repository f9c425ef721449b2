//! Several upstreams for one proxy.

use std::net::TcpListener;

use mongrel2::config::{Balance, Proxy, Upstream as More};
use testkit::free_address;

use super::{OK, Upstream, start};
use crate::harness::{Running, get};

/// A proxy of all these.
fn proxy(upstreams: &[Upstream]) -> Proxy {
    let more = |upstream: &Upstream| More { addr: "127.0.0.1".into(), port: upstream.address().port().into() };
    Proxy { upstreams: upstreams[1..].iter().map(more).collect(), ..upstreams[0].proxy() }
}

/// Answers a request at an upstream on a new connection, which closes.
fn answer(running: &Running, upstream: &Upstream) {
    let mut client = running.connect();
    client.send(get("/"));
    let mut link = upstream.accept();
    link.head();
    link.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn one_after_the_other() {
    let upstreams = [Upstream::start(), Upstream::start(), Upstream::start()];
    let running = start(proxy(&upstreams));
    for turn in 0..6 {
        answer(&running, &upstreams[turn % 3]);
    }
}

#[test]
fn the_one_with_the_fewest_requests() {
    let upstreams = [Upstream::start(), Upstream::start()];
    let running = start(Proxy { balance: Balance::LeastConnections, ..proxy(&upstreams) });
    let mut long = running.connect();
    long.send(get("/long"));
    let mut link = upstreams[0].accept();
    link.head();
    for _ in 0..3 {
        answer(&running, &upstreams[1]);
    }
    link.send(OK);
    assert_eq!(long.answer().text(), "ok");
}

#[test]
fn who_cannot_be_reached_is_passed_over_whatever_the_method() {
    let upstream = Upstream::start();
    let more = vec![More { addr: "127.0.0.1".into(), port: upstream.address().port().into() }];
    let nowhere = free_address().port().into();
    let running = start(Proxy { addr: "127.0.0.1".into(), port: nowhere, upstreams: more, ..Proxy::default() });
    let mut client = running.connect();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    let mut link = upstream.accept();
    link.head();
    assert_eq!(link.take(2), b"hi");
    link.send(OK);
    assert_eq!(client.answer().text(), "ok");
    running.process.wait_for_stderr("is put aside for 10 s");
    client.send(get("/"));
    link.head();
    link.send(OK);
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn who_fails_is_put_aside_and_comes_back() {
    let upstreams = [Upstream::start(), Upstream::start()];
    let running = start(Proxy { fail_timeout: 1, ..proxy(&upstreams) });
    let mut client = running.connect();
    client.send(get("/"));
    let mut link = upstreams[0].accept();
    link.head();
    drop(link);
    let mut second = upstreams[1].accept();
    second.head();
    second.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(client.answer().text(), "ok", "a GET is tried with the next");
    // Its time is over sooner or later.
    testkit::wait::until("the first upstream to be asked again", || {
        client.send(get("/"));
        let (index, stream) = testkit::wait::until("a connection", || {
            upstreams.iter().enumerate().find_map(|(index, upstream)| Some((index, upstream.accept_now()?)))
        });
        let mut link = crate::harness::Client::new(stream);
        link.head();
        link.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
        client.answer();
        (index == 0).then_some(())
    });
}

#[test]
fn that_an_upstream_is_down_is_told_once_and_that_it_is_back() {
    let address = free_address();
    let running = start(Proxy { addr: "127.0.0.1".into(), port: address.port().into(), ..Proxy::default() });
    let mut client = running.connect();
    for _ in 0..50 {
        client.send(get("/"));
        assert_eq!(client.answer().status, 502);
    }
    let listener = TcpListener::bind(address).unwrap();
    listener.set_nonblocking(true).unwrap();
    answer(&running, &Upstream { listener });
    running.process.wait_for_stderr("answers again, after ");
    let log = running.process.stderr();
    let told: Vec<&str> = log.lines().filter(|line| !line.contains("[DEBUG]")).collect();
    let about = told.iter().filter(|line| line.contains(&address.to_string()));
    // Each minute that this takes is another line.
    assert!(about.count() <= 5 && !told.iter().any(|line| line.contains("cannot forward")), "{told:?}");
}
