//! What holds wherever an application runs.

use std::io::{Read as _, Write as _};
use std::thread;

use super::client::{Socket, answer, ask, send};
use super::host::Host;

/// A case by its name.
type Case = (&'static str, fn(&dyn Host));

pub(super) const ALL: &[Case] = &[
    ("heads and bodies", heads_and_bodies),
    ("versions of HTTP", versions),
    ("kept connections", kept),
    ("bodies of any length", bodies),
    ("an answer before the body", early),
    ("much at the client's pace", large),
    ("misuse", misuse),
    ("failures before the head", failures),
    ("failures behind the head", cut),
    ("failures much later", cut_later),
    ("many at once", many),
    ("clients that leave", leaving),
    ("outcomes", outcomes),
    ("websockets", websockets),
    ("ends of websockets", ends_of_websockets),
];

pub(super) fn hello(host: &dyn Host) {
    let answer = ask(host.address(), "GET /hello HTTP/1.1", "", b"");
    answer.expect(200, "Hello\n");
    assert_eq!((answer.header("content-type"), answer.header("content-length")), (Some("text/plain"), Some("6")));
    assert!(answer.header("date").is_some_and(|date| date.ends_with(" GMT")));
}

fn heads_and_bodies(host: &dyn Host) {
    let told = ask(host.address(), "PUT /about?x=y%20z HTTP/1.1", "X-A: 1\r\nCookie: a=1\r\nX-A: 2\r\n", b"body");
    told.expect(200, r#"PUT /about?x=y%20z HTTP/1.1 http 127.0.0.1 ["1+2", "a=1"] body"#);
    let pieces = ask(host.address(), "GET /pieces HTTP/1.1", "", b"");
    pieces.expect(200, "one two three");
    assert_eq!(pieces.header("transfer-encoding"), Some("chunked"));
    let head = ask(host.address(), "HEAD /hello HTTP/1.1", "", b"");
    head.expect(200, "");
    assert_eq!(head.header("content-length"), Some("6"));
    let none = ask(host.address(), "GET /none HTTP/1.1", "", b"");
    none.expect(204, "");
    assert_eq!((none.header("content-length"), none.header("transfer-encoding")), (None, None));
    ask(host.address(), "GET /nowhere HTTP/1.1", "", b"").expect(404, "");
}

fn versions(host: &dyn Host) {
    let told = ask(host.address(), "GET /about HTTP/1.0", "", b"");
    told.expect(200, r#"GET /about HTTP/1.0 http 127.0.0.1 ["", ""] "#);
    let pieces = ask(host.address(), "GET /pieces HTTP/1.0", "", b"");
    pieces.expect(200, "one two three");
    assert_eq!((pieces.header("transfer-encoding"), pieces.header("content-length")), (None, None));
}

fn kept(host: &dyn Host) {
    let one = "GET /pieces HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let last = "GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut stream = send(host.address(), [one, one, last].concat());
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{text}");
    assert!(text.ends_with("Hello\n"));
}

fn bodies(host: &dyn Host) {
    for size in [0, 1, 20_481, 3_000_000] {
        let body: Vec<u8> = (0..size).map(|n: usize| (n % 251) as u8).collect();
        ask(host.address(), "POST /count HTTP/1.1", "", &body).expect(200, &size.to_string());
        if size <= 20_481 {
            let echo = ask(host.address(), "POST /echo HTTP/1.1", "", &body);
            assert!(echo.is_whole && echo.body == body, "{size}");
        }
    }
    let chunks = "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut stream = send(host.address(), format!("{chunks}5\r\nfirst\r\n"));
    stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n").unwrap();
    answer(stream, false).expect(200, "firstsecond");
}

/// A client may send the rest or not: it gets its answer.
fn early(host: &dyn Host) {
    let head = "PUT /refuse HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5000000\r\n\r\nsome";
    let mut stream = send(host.address(), head);
    let mut start = [0; 24];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 403 Forbidden\r\n");
}

fn large(host: &dyn Host) {
    const SIZE: usize = 50 * 1024 * 1024;
    let size = SIZE.min(host.buffer() / 2);
    let line = format!("GET /large?{size} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let stream = send(host.address(), line);
    // Others are answered while this client doesn't read.
    hello(host);
    let answer = answer(stream, false);
    assert!(answer.is_whole && answer.body.len() == size, "{} of {size}", answer.body.len());
}

fn misuse(host: &dyn Host) {
    ask(host.address(), "GET /misuse HTTP/1.1", "", b"").expect(200, "fine");
    ask(host.address(), "GET /ws HTTP/1.1", "", b"").expect(426, "the client has not asked for a WebSocket");
}

fn failures(host: &dyn Host) {
    for path in ["/error", "/panic", "/forget", "/filter/error", "/filter/panic"] {
        let answer = ask(host.address(), &format!("GET {path} HTTP/1.1"), "", b"");
        answer.expect(500, "Internal Server Error\n");
        assert!(!answer.head.contains("secret"));
        ask(host.address(), &format!("HEAD {path} HTTP/1.1"), "", b"").expect(500, "");
    }
    // The connection is as good as before.
    let request = "GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let last = "GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut text = String::new();
    send(host.address(), [request, last].concat()).read_to_string(&mut text).unwrap();
    assert!(text.ends_with("Hello\n"), "{text}");
}

fn cut(host: &dyn Host) {
    for path in ["/late/error", "/late/panic", "/late/short"] {
        for version in ["1.0", "1.1"] {
            let answer = ask(host.address(), &format!("GET {path} HTTP/{version}"), "", b"");
            assert!(!answer.is_whole, "{path} {version}: {answer:?}");
            assert!(answer.body.is_empty() || answer.text() == "a part", "{path} {version}: {answer:?}");
        }
    }
}

/// The client has a part already, which must not look like the whole.
fn cut_later(host: &dyn Host) {
    for version in ["1.0", "1.1"] {
        let mut stream = send(host.address(), format!("GET /late/wait HTTP/{version}\r\nHost: localhost\r\n\r\n"));
        let mut heard = Vec::new();
        while !heard.ends_with(b"a part") && !heard.ends_with(b"a part\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            heard.push(byte[0]);
        }
        host.running().go.notify_one();
        let mut rest = Vec::new();
        let end = stream.read_to_end(&mut rest);
        // Only a reset tells it to a client of HTTP/1.0; one of HTTP/1.1 misses the last chunk.
        let is_reset = end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
        assert!(is_reset || (version == "1.1" && !rest.ends_with(b"0\r\n\r\n")), "{version}: {}", rest.escape_ascii());
    }
}

/// One that never ends and one that waits hold nobody up.
fn many(host: &dyn Host) {
    let never = send(host.address(), "GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let waiting = send(host.address(), "GET /wait HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    host.running().hears("waiting");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..10).for_each(|_| hello(host)));
        }
    });
    host.running().go.notify_one();
    answer(waiting, false).expect(200, "at last");
    drop(never);
}

fn leaving(host: &dyn Host) {
    let mut stream = send(host.address(), "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut heard = String::new();
    while !heard.contains("data: 3\n") {
        let mut some = [0; 100];
        let size = stream.read(&mut some).unwrap();
        heard.push_str(std::str::from_utf8(&some[..size]).unwrap());
    }
    assert!(heard.contains("text/event-stream"), "{heard}");
    drop(stream);
    host.running().hears("events: the client has left");

    let head = "PUT /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\nsome";
    let stream = send(host.address(), head);
    host.running().hears("reading");
    drop(stream);
    host.running().hears("body: the client has left");
}

fn outcomes(host: &dyn Host) {
    for (path, outcome) in [
        ("/pieces", "answer: Whole { status: 200, bytes: 13 }, failure: None"),
        ("/error", r#"answer: Nothing, failure: Some("secret")"#),
        ("/panic", r#"answer: Nothing, failure: Some("it has panicked")"#),
        ("/late/error", r#"answer: Cut { status: 200, bytes: 6 }, failure: Some("secret")"#),
        ("/late/short", r#"answer: Cut { status: 200, bytes: 6 }, failure: Some("the response ends 94 bytes early")"#),
        ("/filter/panic", r#"answer: Nothing, failure: Some("it has panicked")"#),
    ] {
        ask(host.address(), &format!("GET {path}?tell HTTP/1.1"), "", b"");
        host.running().hears(&format!("{path}: Outcome {{ {outcome} }}"));
    }
}

fn websockets(host: &dyn Host) {
    let mut socket = Socket::connect(host.address());
    socket.send(0x81, "gr\u{fc}n".as_bytes());
    assert_eq!(socket.recv(), Some((0x81, "gr\u{fc}n".into())));
    socket.send(0x89, b"?");
    assert_eq!(socket.recv(), Some((0x8a, b"?".to_vec())));
    let long = vec![7; 20_000];
    socket.send(0x82, &long);
    assert_eq!(socket.recv(), Some((0x82, long)));
    // A message in two fragments.
    socket.send(0x01, b"one ");
    socket.send(0x80, b"two");
    assert_eq!(socket.recv(), Some((0x81, b"one two".to_vec())));
    socket.send(0x88, &1000u16.to_be_bytes());
    socket.is_closed_with(1000);
    host.running().hears("socket: closed");
}

fn ends_of_websockets(host: &dyn Host) {
    let mut socket = Socket::connect(host.address());
    socket.send(0x81, b"close");
    socket.is_closed_with(4000);
    host.running().hears("/ws: Outcome { answer: WebSocket, failure: None }");
    for last in ["drop", "panic"] {
        let mut socket = Socket::connect(host.address());
        socket.send(0x81, last.as_bytes());
        socket.is_closed_with(1011);
    }
    drop(Socket::connect(host.address()));
    host.running().hears("socket: the client has left");
    // What breaks the protocol.
    let mut socket = Socket::connect(host.address());
    socket.send(0x81, b"\xff");
    socket.is_closed_with(1007);
}
