//! Clients that leave in each state: the upstream's connection is closed, or kept if it is a session's, and no
//! descriptor is left.

use super::pinned::{open, pinned, with_cookie};
use super::{OK, Upstream, site};
use crate::harness::{Client, Running};

/// How far a request comes before its client leaves.
#[derive(Debug, Clone, Copy)]
struct State {
    request: &'static str,
    /// What the upstream says, of which the client gets the head.
    answer: &'static str,
    /// Whether the upstream has all of the request.
    is_sent: bool,
}

const STATES: [State; 9] = [
    State { request: "GET / HTTP/1.1", answer: "", is_sent: true },
    State { request: "GET / HTTP/1.1", answer: "HTTP/1.1 103 Early Hints\r\n\r\n", is_sent: true },
    State { request: "POST / HTTP/1.1\r\nContent-Length: 9", answer: "", is_sent: false },
    State { request: "POST / HTTP/1.1\r\nTransfer-Encoding: chunked", answer: "", is_sent: false },
    State { request: "POST / HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue", answer: "", is_sent: false },
    State {
        request: "POST / HTTP/1.1\r\nContent-Length: 9",
        answer: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel",
        is_sent: false,
    },
    State {
        request: "GET / HTTP/1.1",
        answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        is_sent: true,
    },
    State { request: "GET / HTTP/1.1", answer: "HTTP/1.1 200 OK\r\n\r\nhel", is_sent: true },
    State {
        request: "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: x",
        answer: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nhel",
        is_sent: true,
    },
];

/// Comes so far; `cookie` is a line or nothing.
fn come(running: &Running, state: State, cookie: &str, accept: impl FnOnce() -> Client) -> (Client, Client) {
    let mut client = running.connect();
    client.send(format!("{}\r\nHost: x\r\n{cookie}\r\n", state.request));
    let mut link = accept();
    link.head();
    link.send(state.answer);
    if !state.answer.is_empty() {
        client.head();
    }
    (client, link)
}

fn ends() -> [fn(Client); 2] {
    [Client::close, Client::reset]
}

#[test]
fn of_any_request() {
    let upstream = Upstream::start();
    let running = site(upstream.proxy()).start();
    let (first, link) = come(&running, STATES[0], "", || upstream.accept());
    drop((first, link));
    let before = settled(&running);
    for state in STATES {
        for end in ends() {
            let (client, mut link) = come(&running, state, "", || upstream.accept());
            end(client);
            link.rest();
            drop(link);
        }
    }
    testkit::wait::until("no descriptor to be left", || (running.descriptors() <= before).then_some(()));
    assert!(upstream.is_idle());
}

/// How many descriptors the server has when it has nothing to do.
fn settled(running: &Running) -> usize {
    let mut client = running.connect();
    client.send("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    client.rest();
    let operator = crate::harness::Operator::connect(running.site.path());
    testkit::wait::until("no connection to be left", || {
        operator.status(mongrel2::wire::control::Status::Net).is_empty().then_some(())
    });
    running.descriptors()
}

#[test]
fn of_a_session() {
    let upstream = Upstream::start();
    let running = site(pinned(&upstream)).start();
    // Upgrades are not for sessions.
    for state in STATES.into_iter().filter(|state| !state.request.contains("Upgrade")) {
        for end in ends() {
            let (cookie, link) = open(&running, &upstream);
            let line = format!("Cookie: {cookie}\r\n");
            let (client, mut link) = come(&running, state, &line, || link);
            end(client);
            let is_kept = state.is_sent && !state.answer.ends_with("\r\n\r\nhel");
            let mut link = if is_kept {
                link.send(if state.answer.ends_with("hel") { "lo\r\n0\r\n\r\n" } else { OK });
                let mut client = running.connect();
                client.send(with_cookie("/next", &cookie));
                assert!(link.head().starts_with("GET /next "), "{state:?}");
                link.send(OK);
                assert_eq!(client.answer().text(), "ok", "{state:?}");
                link
            } else if state.is_sent {
                // Only its end is the end of the answer.
                drop(link);
                next(&running, &upstream, &cookie)
            } else {
                link.rest();
                next(&running, &upstream, &cookie)
            };
            assert!(!link.has_bytes_now());
            let mut client = running.connect();
            client.send(with_cookie("/last", &cookie));
            assert!(link.head().starts_with("GET /last "), "{state:?}");
        }
    }
}

/// Asks over a new connection.
fn next(running: &Running, upstream: &Upstream, cookie: &str) -> Client {
    let mut client = running.connect();
    client.send(with_cookie("/next", cookie));
    let mut link = upstream.accept();
    assert!(link.head().starts_with("GET /next "));
    link.send(OK);
    assert_eq!(client.answer().text(), "ok");
    link
}
