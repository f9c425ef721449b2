//! Whatever a client says, in whatever pieces: its upstream gets requests that are framed without a doubt, those that the
//! client has made, and no body as a request.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use mongrel2::config::Proxy;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use testkit::wait;

use super::start;

/// What bodies are made of: what somebody would like to be taken for a request.
const BAIT: &str = "GET /bait HTTP/1.1\r\nHost: x\r\n\r\n";

/// A request with a body, well-formed or not.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let length = BAIT.len();
    let chunk = format!("{length:x}\r\n{BAIT}\r\n");
    let methods = prop::sample::select(vec!["GET", "POST", "DELETE"]);
    let fields = vec![
        format!("Content-Length: {length}\r\n"),
        format!("Content-Length: {length}\r\n"),
        format!("Content-Length: {}\r\n", length - 5),
        "Content-Length: 0\r\n".into(),
        format!("Content_Length: {length}\r\n"),
        "Transfer-Encoding: chunked\r\n".into(),
        "Transfer-Encoding: chunked\r\n".into(),
        "Transfer_Encoding: chunked\r\n".into(),
        "Transfer-Encoding: identity\r\n".into(),
        "Connection: content-length, transfer-encoding\r\n".into(),
        "Expect: 100-continue\r\n".into(),
    ];
    let bodies = vec![
        BAIT.to_owned(),
        format!("{chunk}0\r\n\r\n"),
        format!("{chunk}0\r\nA: b\r\n\r\n"),
        format!("0\r\n\r\n{BAIT}"),
        String::new(),
    ];
    let fields = prop::collection::vec(prop::sample::select(fields), 0..3);
    (methods, fields, prop::sample::select(bodies)).prop_map(|(method, fields, body)| {
        format!("{method} / HTTP/1.1\r\nHost: x\r\n{}\r\n{body}", fields.concat()).into_bytes()
    })
}

/// What bytes begin with, read as strictly as can be.
#[derive(Debug)]
enum Begin {
    /// A request for this path, of so many bytes.
    Request(String, usize),
    Incomplete,
    Bad,
}

fn begin(bytes: &[u8]) -> Begin {
    // Empty lines may come before a request (RFC 9112, section 2.2).
    if let Some(rest) = bytes.strip_prefix(b"\r\n") {
        return match begin(rest) {
            Begin::Request(path, length) => Begin::Request(path, length + 2),
            other => other,
        };
    }
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Begin::Incomplete };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let fields = |name| -> Vec<&str> { head.lines().filter_map(|line| line.strip_prefix(name)).collect() };
    let body = &bytes[end + 4..];
    let length = match (&fields("Content-Length: ")[..], &fields("Transfer-Encoding: ")[..]) {
        ([], []) => Some(0),
        ([length], []) => Some(length.parse().unwrap()),
        ([], ["chunked"]) => chunked(body),
        _ => return Begin::Bad,
    };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    match length {
        Some(length) if length <= body.len() => Begin::Request(path, end + 4 + length),
        _ => Begin::Incomplete,
    }
}

/// The length of a body in chunks, or what looks like one.
fn chunked(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = body[at..].windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&body[at..at + line]).unwrap(), 16).ok()?;
        at += line + 2;
        if size == 0 {
            let end = body[at - 2..].windows(4).position(|window| window == b"\r\n\r\n")?;
            return Some(at + 2 + end);
        }
        at += size + 2;
        body.get(at..)?;
    }
}

/// The paths of the requests that bytes are, as far as they are any.
fn paths(mut bytes: &[u8]) -> Vec<String> {
    let mut paths = Vec::new();
    while let Begin::Request(path, length) = begin(bytes) {
        paths.push(path);
        bytes = &bytes[length..];
    }
    paths
}

/// Answers what comes over a connection, and tells of the paths.
fn serve(mut stream: TcpStream, told: &Mutex<Vec<String>>) {
    let (mut all, mut start, mut piece) = (Vec::new(), 0, [0; 4096]);
    while let Ok(size @ 1..) = stream.read(&mut piece) {
        all.extend_from_slice(&piece[..size]);
        while let Begin::Request(path, length) = begin(&all[start..]) {
            start += length;
            told.lock().unwrap().push(path);
            // It may be gone.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    }
    if let Begin::Bad = begin(&all[start..]) {
        told.lock().unwrap().push(all.escape_ascii().to_string());
    }
}

#[test]
fn a_body_is_never_a_request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().into();
    let running = start(Proxy { addr: "127.0.0.1".into(), port, ..Proxy::default() });
    let told = Arc::<Mutex<Vec<String>>>::default();
    thread::spawn({
        let told = Arc::clone(&told);
        move || {
            for stream in listener.incoming() {
                let told = Arc::clone(&told);
                thread::spawn(move || serve(stream.unwrap(), &told));
            }
        }
    });
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(150) });
    let strategy = (prop::collection::vec(request(), 1..4), prop::collection::vec(1_usize..60, 0..4));
    let result = runner.run(&strategy, |(requests, cuts)| {
        let bytes = [&requests.concat()[..], b"GET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"].concat();
        let mut client = TcpStream::connect(running.address()).unwrap();
        client.set_read_timeout(Some(wait::DEADLINE)).unwrap();
        let mut rest = &bytes[..];
        for cut in cuts {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            let _ = client.write_all(now);
            rest = later;
        }
        let _ = client.write_all(rest).and_then(|()| client.shutdown(Shutdown::Write));
        let _ = client.read_to_end(&mut Vec::new());
        let (told, expected) = (std::mem::take(&mut *told.lock().unwrap()), paths(&bytes));
        prop_assert!(expected.starts_with(&told), "{told:?} instead of {expected:?}");
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
