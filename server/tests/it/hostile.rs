//! Hostile and odd requests: what each is answered, and what becomes of its connection.
//!
//! Each request has a connection of its own and a plain GET right behind it.  A connection that stays open
//! answers that GET too; one that closes has exactly one answer, so that nothing that was smuggled in a
//! request is ever taken for one.

mod framing;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use self::Then::{Closed, Open, Silent};
use crate::harness::{Running, Site, get};

/// What is expected of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// An answer with that status, and one to the GET behind it.
    Open(u16),
    /// An answer with that status that says so, and the end.
    Closed(u16),
    /// No answer: what is there is no whole request when the client stops sending.
    Silent,
}

fn start() -> Site {
    Site::new().files("/").file("static/index.html", "index").file("static/a b", "blank")
}

/// What became of a request.
fn outcome(running: &Running, request: &[u8], expected: Then) -> Then {
    let next = if expected == Silent { String::new() } else { get("/") };
    // In one piece: a server that was asked to close answers and is gone.
    outcome_in_pieces(running, request, &[&[request, next.as_bytes()].concat()])
}

fn outcome_in_pieces(running: &Running, request: &[u8], pieces: &[&[u8]]) -> Then {
    let mut client = running.connect();
    // A server that was asked to close may have done so before all has come.
    let _ = pieces.iter().all(|piece| client.try_send(piece));
    client.finish();
    let Some(answer) = client.try_answer(request.starts_with(b"HEAD ")) else {
        return Silent;
    };
    assert!(answer.header("date").is_some(), "{}", request.escape_ascii());
    let says_close = answer.header("connection") == Some("close");
    match client.try_answer(false) {
        Some(next) if next.text() == "index" && client.is_closed() => Open(answer.status),
        None if says_close => Closed(answer.status),
        other => panic!("{}: {answer:?}, then {other:?}", request.escape_ascii()),
    }
}

/// Sends requests, and says of all what was not expected.
fn check_in(running: &Running, rows: &[(&[u8], Then)]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(request, expected)| {
            let got = outcome(running, request, *expected);
            (got != *expected).then(|| format!("{}: {got:?}, not {expected:?}", request.escape_ascii()))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(rows: &[(&[u8], Then)]) {
    check_in(&start().start(), rows);
}

/// Sends requests that are a start, what varies, and an end.
fn check_between(start: &[u8], rows: &[(&[u8], Then)], end: &[u8]) {
    let requests: Vec<Vec<u8>> = rows.iter().map(|(varies, _)| [start, varies, end].concat()).collect();
    let rows: Vec<(&[u8], Then)> =
        requests.iter().zip(rows).map(|(request, row)| (request.as_slice(), row.1)).collect();
    check(&rows);
}

#[test]
fn request_lines() {
    check_between(
        b"",
        &[
            (b"GET / HTTP/1.1", Open(200)),
            (b"HEAD / HTTP/1.1", Open(200)),
            (b"get / HTTP/1.1", Open(405)),
            (b"UNHEARD-OF / HTTP/1.1", Open(405)),
            (b"!#$%&'*+-.^_`|~ / HTTP/1.1", Open(405)),
            (b"MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM / HTTP/1.1", Open(405)),
            (b"MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM / HTTP/1.1", Closed(501)),
            (b"TRACE / HTTP/1.1", Open(405)),
            (b"G(T / HTTP/1.1", Closed(400)),
            (b"G\0T / HTTP/1.1", Closed(400)),
            (b"G\xc3\x84T / HTTP/1.1", Closed(400)),
            (b"\xef\xbb\xbfGET / HTTP/1.1", Closed(400)),
            (b" GET / HTTP/1.1", Closed(400)),
            (b"\tGET / HTTP/1.1", Closed(400)),
            (b"GET  / HTTP/1.1", Closed(400)),
            (b"GET\t/ HTTP/1.1", Closed(400)),
            (b"GET\x0b/ HTTP/1.1", Closed(400)),
            (b"GET\xa0/ HTTP/1.1", Closed(400)),
            (b"GET /  HTTP/1.1", Closed(400)),
            (b"GET /\tHTTP/1.1", Closed(400)),
            (b"GET / HTTP/1.1 ", Closed(400)),
            (b"GET / HTTP/1.1\r", Closed(400)),
            (b"GET / HTTP/1.1 X: y", Closed(400)),
            (b"GET /", Closed(400)),
            (b"GET", Closed(400)),
            (b"GET / HTTP/1.2", Open(200)),
            (b"GET / HTTP/1.9", Open(200)),
            (b"GET / HTTP/1.10", Closed(400)),
            (b"GET / HTTP/01.1", Closed(400)),
            (b"GET / HTTP/1", Closed(400)),
            (b"GET / HTTP/1.", Closed(400)),
            (b"GET / HTTP/1,1", Closed(400)),
            (b"GET / http/1.1", Closed(400)),
            (b"GET / HTTPS/1.1", Closed(400)),
            (b"GET / HTTP /1.1", Closed(400)),
            (b"GET / HTTP/1.1\0", Closed(400)),
            (b"GET / HTTP/0.9", Closed(505)),
            (b"GET / HTTP/2.0", Closed(505)),
            (b"PRI * HTTP/2.0", Closed(505)),
        ],
        b"\r\nHost: x\r\n\r\n",
    );
}

#[test]
fn targets() {
    check_between(
        b"",
        &[
            (b"GET /a%20b", Open(200)),
            (b"GET /?a=\\&b=%&c=[]{}|^`\"<>", Open(200)),
            (b"GET /?", Open(200)),
            (b"GET //", Open(200)),
            (b"GET /../../etc/passwd", Open(404)),
            (b"GET /%2e%2e/%2e%2e/etc/passwd", Open(404)),
            (b"GET /a\\b", Closed(400)),
            (b"GET /#x", Closed(400)),
            (b"GET /%", Closed(400)),
            (b"GET /%2", Closed(400)),
            (b"GET /%zz", Closed(400)),
            (b"GET /%00", Open(400)),
            (b"GET /index.html%00.txt", Open(400)),
            (b"GET /\0", Closed(400)),
            (b"GET /\x7f", Closed(400)),
            (b"GET /\x0b", Closed(400)),
            (b"GET /\xc3\xa4", Closed(400)),
            (b"GET /?\xff", Closed(400)),
            (b"GET /a b", Closed(400)),
            (b"GET index.html", Closed(400)),
            (b"GET ?x", Closed(400)),
            (b"GET ", Closed(400)),
            (b"GET *", Closed(400)),
            (b"GET x:80", Closed(400)),
            (b"GET http://y/", Open(200)),
            (b"GET http://y", Open(200)),
            (b"GET hTTps://y:443?q", Open(200)),
            (b"GET http://[::1]:80/", Open(200)),
            (b"GET http://[fe80::1%25eth0]/", Closed(400)),
            (b"GET http://[::1/", Closed(400)),
            (b"GET http://u:p@y/", Closed(400)),
            (b"GET http://y:port/", Closed(400)),
            (b"GET http:///", Closed(400)),
            (b"GET http:/y/", Closed(400)),
            (b"GET ftp://y/", Closed(400)),
            (b"GET http://y\\/", Closed(400)),
            (b"OPTIONS *", Open(204)),
            (b"OPTIONS /", Open(204)),
            (b"OPTIONS http://y", Open(204)),
            (b"OPTIONS x", Closed(400)),
            (b"CONNECT x:443", Closed(501)),
            (b"CONNECT x", Closed(400)),
            (b"CONNECT /", Closed(400)),
            (b"CONNECT http://x/", Closed(400)),
        ],
        b" HTTP/1.1\r\nHost: x\r\n\r\n",
    );
}

#[test]
fn hosts() {
    check_between(
        b"GET / HTTP/1.1\r\n",
        &[
            (b"", Closed(400)),
            (b"Host: x\r\n", Open(200)),
            (b"hOST:x\r\n", Open(200)),
            (b"Host: \t x \t \r\n", Open(200)),
            (b"Host: x:80\r\n", Open(200)),
            (b"Host: x:\r\n", Open(200)),
            (b"Host: [::1]:80\r\n", Open(200)),
            (b"Host:\r\n", Closed(400)),
            (b"Host: :80\r\n", Closed(400)),
            (b"Host: x\r\nHost: x\r\n", Closed(400)),
            (b"Host: x\r\nhost: y\r\n", Closed(400)),
            (b"Host: x y\r\n", Closed(400)),
            (b"Host: x/y\r\n", Closed(400)),
            (b"Host: x?y\r\n", Closed(400)),
            (b"Host: u@x\r\n", Closed(400)),
            (b"Host: x:65536\r\n", Closed(400)),
            (b"Host: x:8o\r\n", Closed(400)),
            (b"Host: x:80:80\r\n", Closed(400)),
            (b"Host: ::1\r\n", Closed(400)),
            (b"Host: [::1\r\n", Closed(400)),
            (b"Host: [::1]x\r\n", Closed(400)),
            (b"Host: [fe80::1%eth0]\r\n", Closed(400)),
            (b"Host: x\xa0\r\n", Closed(400)),
            (b"Host: x\0\r\n", Closed(400)),
        ],
        b"\r\n",
    );
    check(&[
        (b"GET / HTTP/1.0\r\n\r\n", Closed(200)),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Open(200)),
        (b"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", Closed(400)),
        (b"OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", Open(204)),
        (b"OPTIONS * HTTP/1.1\r\n\r\n", Closed(400)),
        (b"GET http://y/ HTTP/1.1\r\n\r\n", Closed(400)),
        (b"GET http://y/ HTTP/1.1\r\nHost:\r\n\r\n", Open(200)),
        (b"GET http://y/ HTTP/1.1\r\nHost: a b\r\n\r\n", Closed(400)),
    ]);
}

#[test]
fn header_lines() {
    check_between(
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        &[
            (b"A:\r\n", Open(200)),
            (b"A: \xff\x80\r\n", Open(200)),
            (b"A: a\tb\r\n", Open(200)),
            (b"!#$%&'*+-.^_`|~: x\r\n", Open(200)),
            (b"Content_Length: 5\r\n", Open(200)),
            (b"A : b\r\n", Closed(400)),
            (b"A\t: b\r\n", Closed(400)),
            (b"A\x0b: b\r\n", Closed(400)),
            (b"A\xa0: b\r\n", Closed(400)),
            (b"A\0: b\r\n", Closed(400)),
            (b"A\x7f: b\r\n", Closed(400)),
            (b"A b: c\r\n", Closed(400)),
            (b"A(b): c\r\n", Closed(400)),
            (b": b\r\n", Closed(400)),
            (b":\r\n", Closed(400)),
            (b"A\r\n", Closed(400)),
            (b" A: b\r\n", Closed(400)),
            (b"A: b\r\n c\r\n", Closed(400)),
            (b"A: b\r\n\tc\r\n", Closed(400)),
            (b"A: b\r\n \r\n", Closed(400)),
            (b"A: b\0\r\n", Closed(400)),
            (b"A: b\x01\r\n", Closed(400)),
            (b"A: b\x0b\r\n", Closed(400)),
            (b"A: b\x0c\r\n", Closed(400)),
            (b"A: b\x7f\r\n", Closed(400)),
            (b"A: \x1b[31m\r\n", Closed(400)),
            (b"A: b\rc: d\r\n", Closed(400)),
            (b"A: b\r\r\n", Closed(400)),
            (b"A: b\nC: d\r\n", Closed(400)),
            (b"A: b\n\r\n", Closed(400)),
            (b"A: b\r\n\n", Closed(400)),
            (b"\r\r\n", Closed(400)),
            (b"Expect: miracles\r\n", Closed(417)),
            (b"Expect: 100-continue\r\n", Open(200)),
            (b"Connection: close\r\n", Closed(200)),
            (b"Connection: x,CLOSE ,y\r\n", Closed(200)),
            (b"Connection: keep-alive\r\nConnection: close\r\n", Closed(200)),
            (b"Connection: closed\r\n", Open(200)),
        ],
        b"\r\n",
    );
}

#[test]
fn line_ends() {
    let rows: &[(&[u8], Then)] = &[
        (b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", Open(200)),
        (b"\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", Open(200)),
        (b"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", Closed(400)),
        (b"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", Closed(400)),
        (b"\rGET / HTTP/1.1\r\nHost: x\r\n\r\n", Closed(400)),
        (b" \r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", Closed(400)),
        (b"GET / HTTP/1.1\nHost: x\n\n", Closed(400)),
        (b"GET / HTTP/1.1\nHost: x\r\n\r\n", Closed(400)),
        (b"GET / HTTP/1.1\rHost: x\r\r", Closed(400)),
        (b"GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", Closed(400)),
        (b"GET / HTTP/1.1\n\rHost: x\r\n\r\n", Closed(400)),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\n", Closed(400)),
        (b"GET / HTTP/1.1\r\nHost: x\n\r\n", Closed(400)),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r", Closed(400)),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\x0b\r\n", Closed(400)),
        (b"GET / HTTP/1.1\r\nHost: x\x85\r\n\r\n", Closed(400)),
        (b"\0GET / HTTP/1.1\r\nHost: x\r\n\r\n", Closed(400)),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Closed(400)),
    ];
    check(rows);
    let whole = get("/");
    let cut: Vec<(&[u8], Then)> = (0..whole.len()).map(|at| (&whole.as_bytes()[..at], Silent)).collect();
    check(&cut);
    check(&[(b"\r\n", Silent), (b"\r", Silent), (b"\r\n\r", Silent)]);
}

#[test]
fn a_relaxed_server_takes_lone_line_feeds_in_heads_only() {
    let running = start().setting("request.relaxed", "1").start();
    let rows: &[(&[u8], Then)] = &[
        (b"GET / HTTP/1.1\nHost: x\n\n", Open(200)),
        (b"\nGET / HTTP/1.1\r\nHost: x\n\r\n", Open(200)),
        (b"POST / HTTP/1.1\nHost: x\nContent-Length: 5\n\nhello", Open(405)),
        (b"POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n0\r\n\r\n", Open(405)),
        (b"POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n", Closed(400)),
        (b"POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n0\r\nA: b\n\r\n", Closed(400)),
        (b"GET / HTTP/1.1\rHost: x\r\r", Closed(400)),
        (b"GET / HTTP/1.1\nHost: x\rA: b\n\n", Closed(400)),
        (b"GET / HTTP/1.1\nHost: x\r\r\n\n", Closed(400)),
        (b"GET / HTTP/1.1\nHost: x\nA: b\n c\n\n", Closed(400)),
    ];
    check_in(&running, rows);
}

#[test]
fn sizes() {
    let get = |path: &str, headers: &str| format!("GET /{path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").into_bytes();
    let headers = |count| (0..count).map(|n| format!("X-{n}: y\r\n")).collect::<String>();
    let post =
        |body: String| format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{body}").into_bytes();
    let x = |count| "x".repeat(count);
    let rows = [
        (get(&x(255), ""), Open(404)),
        (get(&x(256), ""), Closed(414)),
        (get(&format!("?{}", x(8000)), ""), Open(200)),
        (get(&x(20_000), ""), Closed(414)),
        (x(20_000).into_bytes(), Closed(414)),
        (get("", &headers(127)), Open(200)),
        (get("", &headers(128)), Closed(431)),
        (get("", &format!("A: {}\r\n", x(16_000))), Open(200)),
        (get("", &format!("A: {}\r\n", x(17_000))), Closed(431)),
        (get("", &format!("{}: a\r\n", x(17_000))), Closed(431)),
        (post(format!("5000\r\n{}\r\n0\r\n\r\n", x(20_480))), Open(405)),
        (post(format!("5001\r\n{}\r\n0\r\n\r\n", x(20_481))), Closed(413)),
        (post(format!("1\r\nx\r\n5000\r\n{}\r\n0\r\n\r\n", x(20_480))), Closed(413)),
        (post(format!("1;{}\r\nx\r\n0\r\n\r\n", x(300))), Closed(400)),
        (post(format!("0\r\nA: {}\r\n\r\n", x(8000))), Open(405)),
        (post(format!("0\r\nA: {}\r\n\r\n", x(9000))), Closed(400)),
        (post(format!("0\r\n{}\r\n", "A:\r\n".repeat(3000))), Closed(400)),
        (b"\r\n".repeat(10_000), Closed(400)),
    ];
    let rows: Vec<(&[u8], Then)> = rows.iter().map(|(request, then)| (request.as_slice(), *then)).collect();
    check(&rows);
}

/// Whatever the pieces are in which bytes come, they are the same request.
#[test]
fn splitting_changes_nothing() {
    const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let running = start().start();
    let bodies: [&[u8]; 4] = [
        b"5;a=\"b\"\r\nhello\r\n0\r\nA: b\r\n\r\n",
        b"5\r\nhello\r\n0\r\nA b\r\n\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5001\r\nhello",
    ];
    let mut requests: Vec<Vec<u8>> = bodies.iter().map(|body| [CHUNKED, body].concat()).collect();
    requests.push(b"\r\nPOST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello".to_vec());
    requests.push(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n".to_vec());
    let expected: Vec<Then> = requests.iter().map(|request| outcome(&running, request, Open(0))).collect();
    assert_eq!(expected, [Open(405), Closed(400), Closed(400), Closed(413), Open(405), Closed(400)]);
    let cases = (0..requests.len(), prop::collection::vec(any::<Index>(), 1..8));
    let run = TestRunner::new(Config { cases: 64, ..Config::default() }).run(&cases, |(which, cuts)| {
        let bytes = [&requests[which], get("/").as_bytes()].concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        prop_assert_eq!(outcome_in_pieces(&running, &requests[which], &pieces), expected[which]);
        Ok(())
    });
    run.unwrap();
}
