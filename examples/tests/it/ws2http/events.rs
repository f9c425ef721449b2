//! Each event of a socket is a request to its backend, in order, however often that takes.

use std::sync::Mutex;

use testkit::http::ask;

use super::backend::{Answer, Backend, Gate, OK};
use super::{Running, TOKEN, status};
use crate::socket::Socket;

#[test]
fn an_event_is_a_form_with_the_headers_of_the_handshake() {
    let (backend, other) = (Backend::start(|_| OK), Backend::start(|_| OK));
    let running = Running::start(&backend, &other, &[]);
    let headers = "Cookie: a=1; b=2\r\nOrigin: http://localhost\r\nX-Forwarded-For: 6.6.6.6\r\n\
                   Authorization: Basic x\r\nX-Forwarded-Proto: gopher\r\n";
    let (mut socket, _) = Socket::ask(running.address(), "/php/socket?a=b&verb=close", headers);
    let all: Vec<u8> = (0..=255).collect();
    socket.send(0x81, "a=b&ü+%00\r\nX: y".as_bytes());
    socket.send(0x82, &all);
    socket.send(0x01, b"in ");
    socket.send(0x80, b"pieces");
    socket.send(0x88, &1000_u16.to_be_bytes());
    socket.is_closed_with(1000);

    backend.wait_for(5);
    let events = backend.events();
    let told = events.iter().map(|event| (event.field("verb"), event.field("type"))).collect::<Vec<_>>();
    let expected = [("open", ""), ("message", "text"), ("message", "binary"), ("message", "text"), ("close", "")];
    assert_eq!(told, expected.map(|(verb, kind)| (verb.to_owned(), kind.to_owned())));
    assert_eq!(events[1].field("data"), "a=b&ü+%00\r\nX: y");
    assert_eq!(events[2].fields["data"], all);
    assert_eq!(events[3].field("data"), "in pieces");
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event.field("number"), number.to_string());
        assert_eq!(event.field("uri"), "/php/socket?a=b&verb=close");
        assert_eq!(event.field("id"), events[0].field("id"));
        assert_eq!(event.field("id").len(), 32);
        let header = |name: &str| event.headers.get(name).map_or("", String::as_str);
        assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
        assert_eq!(header("cookie"), "a=1; b=2");
        assert_eq!(header("origin"), "http://localhost");
        assert_eq!(header("x-forwarded-for"), "127.0.0.1");
        assert_eq!(header("x-forwarded-proto"), "http");
        assert_eq!(header("x-forwarded-host"), "localhost");
        assert_eq!(header("host"), backend.address.to_string());
        assert_eq!(header("authorization"), format!("Bearer {TOKEN}"));
        assert!(!event.headers.contains_key("x"), "what a client says is no header");
    }
    assert_eq!(other.told().len(), 0);
}

#[test]
fn events_stay_in_order_whatever_fails() {
    let backend = failing("7", &[Answer::Status(500)]);
    let running = Running::of(&backend, &[]);
    let mut socket = running.open("/php/socket");
    for number in 0..50 {
        socket.send(0x81, number.to_string().as_bytes());
    }
    let mut expected: Vec<_> = (0..50).map(|number| format!("{} message {number}", number + 1)).collect();
    expected.insert(0, "0 open".into());
    expected.insert(8, "8 message 7".into());
    assert_eq!(backend.wait_for(52), expected);
}

#[test]
fn events_of_a_socket_come_one_at_a_time() {
    let gate = Gate::default();
    let passed = gate.clone();
    let backend = Backend::start(move |event| {
        if event.field("data") == "one" {
            passed.wait();
        }
        OK
    });
    let running = Running::of(&backend, &["--timeout", "3600"]);
    let (mut socket, mut other) = (running.open("/php/socket"), running.open("/php/socket"));
    socket.send(0x81, b"one");
    socket.send(0x81, b"two");
    // What is answered was behind both.
    is_alive(&mut socket);
    assert_eq!(backend.wait_for(3), ["0 open", "0 open", "1 message one"]);
    // What another socket says later is told meanwhile.
    for (number, data) in ["a", "b"].into_iter().enumerate() {
        other.send(0x81, data.as_bytes());
        assert_eq!(backend.wait_for(4 + number)[3 + number], format!("{} message {data}", number + 1));
    }
    gate.open();
    assert_eq!(backend.wait_for(6)[5], "2 message two");
}

#[test]
fn what_fails_is_tried_again_and_logged_and_the_socket_lives() {
    let failures = [Answer::Status(429), Answer::Garbage, Answer::HalfHead, Answer::Cut, Answer::Status(503)];
    let backend = failing("one", &failures);
    let running = Running::of(&backend, &["--tries", "6"]);
    let mut socket = running.open("/php/socket");
    socket.send(0x81, b"one");
    socket.send(0x81, b"two");
    let mut expected = vec!["0 open"];
    expected.extend(["1 message one"; 6]);
    expected.push("2 message two");
    assert_eq!(backend.wait_for(8), expected);
    let log = running.process.stderr();
    assert_eq!(log.matches("of message 1 of /php/socket").count(), failures.len(), "{log}");
    for expected in
        ["it answered 429; tried 1 of 6 times, again in 200ms", "the answer has broken off", "it answered 503"]
    {
        assert!(log.contains(expected), "{expected}: {log}");
    }
    is_alive(&mut socket);
}

#[test]
fn what_fails_too_often_is_given_up_and_the_socket_lives() {
    let backend = failing("bad", &[Answer::Status(500); 2]);
    let running = Running::of(&backend, &["--tries", "2"]);
    let mut socket = running.open("/php/socket");
    socket.send(0x81, b"bad");
    socket.send(0x81, b"good");
    assert_eq!(backend.wait_for(4), ["0 open", "1 message bad", "1 message bad", "2 message good"]);
    running.process.wait_for_stderr("it answered 500; given up after 2 tries");
    is_alive(&mut socket);
}

#[test]
fn what_a_backend_does_not_want_it_is_not_told_again() {
    let backend = failing("bad", &[Answer::Status(404)]);
    let running = Running::of(&backend, &[]);
    let mut socket = running.open("/php/socket");
    socket.send(0x81, b"bad");
    socket.send(0x81, b"good");
    assert_eq!(backend.wait_for(3), ["0 open", "1 message bad", "2 message good"]);
    running.process.wait_for_stderr("does not want message 1 of /php/socket");
    is_alive(&mut socket);
}

#[test]
fn a_socket_waits_for_a_backend_that_is_down() {
    let address = testkit::free_address();
    let url = format!("http://{address}/event?room=1");
    let running = Running::with(&[("/", &url)], &["--tries", "20"]);
    let socket = Socket::begin(running.address(), "/php/socket", "");
    running.process.wait_for_stderr("Connection refused");
    let backend = Backend::at(address, |_| OK);
    let (mut socket, head) = socket.answered();
    assert_eq!(status(&head), 101);
    socket.send(0x81, b"one");
    assert_eq!(backend.wait_for(2), ["0 open", "1 message one"]);
}

#[test]
fn a_backend_chooses_a_subprotocol_that_the_client_offers() {
    let backend = Backend::start(|_| Answer::Protocol("v1"));
    let running = Running::of(&backend, &[]);
    let chosen = |headers: &str| {
        let (_, head) = Socket::ask(running.address(), "/php/socket", headers);
        assert_eq!(status(&head), 101);
        head.to_lowercase().lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: ").map(str::to_owned))
    };
    assert_eq!(chosen("Sec-WebSocket-Protocol: v2, v1\r\n").as_deref(), Some("v1"));
    assert_eq!(backend.events()[0].headers["sec-websocket-protocol"], "v2, v1");
    assert_eq!(chosen("Sec-WebSocket-Protocol: v2\r\n"), None);
    assert_eq!(chosen(""), None);
}

#[test]
fn a_socket_that_the_backend_refuses_never_was() {
    let backend = Backend::start(|event| match event.field("uri").as_str() {
        "/php/socket?ok" => OK,
        _ => Answer::Status(401),
    });
    let running = Running::of(&backend, &[]);
    assert_eq!(running.refused("/php/socket", ""), 403);
    running.open("/php/socket?ok").send(0x81, b"x");
    assert_eq!(backend.wait_for(3)[..3], ["0 open", "0 open", "1 message x"], "there was no close");
}

#[test]
fn a_socket_that_the_backend_cannot_be_told_of_is_unavailable() {
    let backend = Backend::start(|event| if event.field("verb") == "open" { Answer::Cut } else { OK });
    let running = Running::of(&backend, &["--tries", "2"]);
    assert_eq!(running.refused("/php/socket", ""), 503);
    // It may have noticed that it was opened.
    assert_eq!(backend.wait_for(3), ["0 open", "0 open", "1 close"]);
}

#[test]
fn who_may_not_is_refused_without_a_word_to_the_backend() {
    let backend = Backend::start(|_| OK);
    let options = ["--origin", "https://friend.example"];
    let running = Running::with(&[("/php/socket($)", &backend.url())], &options);
    for (origin, expected) in [
        ("http://evil.example", 403),
        ("null", 403),
        ("http://localhost.evil.example", 403),
        ("http://localhost\r\nOrigin: http://evil.example", 403),
    ] {
        assert_eq!(running.refused("/php/socket", &format!("Origin: {origin}\r\n")), expected, "{origin}");
    }
    assert_eq!(running.refused("/php/socket/", ""), 404, "that is up to the server");
    assert_eq!(running.refused("/cgi/socket", ""), 404);
    assert_eq!(ask(running.address(), "GET /php/socket", "").status, 426);
    assert_eq!(ask(running.address(), "POST /php/socket", "verb=open").status, 426);
    assert_eq!(backend.told().len(), 0);
    assert_eq!(running.refused("/php/socket", "Origin: https://friend.example\r\n"), 101);
}

#[test]
fn a_client_that_leaves_without_a_word_is_an_error_and_a_close() {
    let backend = Backend::start(|_| OK);
    let running = Running::of(&backend, &[]);
    drop(running.open("/php/socket"));
    assert_eq!(backend.wait_for(3), ["0 open", "1 error gone", "2 close"]);
}

#[test]
fn a_client_that_leaves_before_it_is_answered_was_there_too() {
    let (backend, gate) = Backend::gated();
    let running = Running::of(&backend, &[]);
    let socket = Socket::begin(running.address(), "/php/socket", "");
    backend.wait_for(1);
    drop(socket);
    gate.open();
    assert_eq!(backend.wait_for(3), ["0 open", "1 error gone", "2 close"]);
}

/// One that fails with these answers for the message `data`, one after the other, and has no trouble otherwise.
fn failing(data: &'static str, answers: &[Answer]) -> Backend {
    let left = Mutex::new(answers.iter().rev().copied().collect::<Vec<_>>());
    Backend::start(move |event| match event.field("data") == data {
        true => left.lock().unwrap().pop().unwrap_or(OK),
        false => OK,
    })
}

fn is_alive(socket: &mut Socket) {
    socket.send(0x89, b"alive");
    assert_eq!(socket.recv(), Some((0x8a, b"alive".to_vec())));
}
