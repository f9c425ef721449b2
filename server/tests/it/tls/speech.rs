//! What is spoken in the clear is spoken over TLS, and how it ends there.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use mongrel2::config::{Handler, Host, Target};
use mongrel2::wire::control::Status;
use mongrel2::wire::extended::Extended;
use testkit::curl;

use super::Secure;
use crate::harness::{Client, Operator, Peer, get, handler};
use crate::websocket::{ACCEPTED, frame, handshake};

/// More than one record, and than rustls keeps.
fn long() -> Vec<u8> {
    (0..3_000_017_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn handlers_are_told_the_scheme() {
    let secure = Secure::start();
    let peer = Peer::connect(secure.running.site.path(), "one");
    let mut client = secure.connect();
    client.send(get("/handler"));
    let request = peer.request();
    assert_eq!(request.header("URL_SCHEME"), Some("https"));
    assert_eq!(request.header("PEER_CERT_SHA1"), None);
    peer.answer(&[request.id], "hello");
    assert_eq!(client.answer().text(), "hello");
    // Long answers, in pieces of any length.
    client.send(get("/handler"));
    let long = long();
    peer.reply(&[request.id], format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", long.len()));
    long.chunks(700_001).for_each(|piece| peer.reply(&[request.id], piece));
    assert!(client.answer().body == long);
}

#[test]
fn one_request_after_the_other_and_all_at_once() {
    let secure = Secure::start();
    let mut client = secure.connect();
    client.send([get("/"), get("/missing"), get("/")].concat());
    let statuses = [client.answer(), client.answer(), client.answer()].map(|answer| answer.status);
    assert_eq!(statuses, [200, 404, 200]);
    for byte in get("/").bytes() {
        client.send([byte]);
    }
    assert_eq!(client.answer().text(), "index", "a record for each byte");
    assert_eq!(client.tls().handshake_kind(), Some(rustls::HandshakeKind::Full));
}

#[test]
fn long_files() {
    let long = long();
    let secure = Secure::with(|site| site.file("static/long", &long));
    let mut client = secure.connect();
    client.send(get("/long"));
    assert!(client.answer().body == long);
    client.send("GET /long HTTP/1.1\r\nHost: x\r\nRange: bytes=100000-299999\r\n\r\n");
    assert!(client.answer().body == long[100_000..300_000]);
    client.send("HEAD /long HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.answer_to_head().header("content-length"), Some(&*long.len().to_string()));
    let Some(mut curl) = curl() else { return };
    let url = format!("https://localhost:{}/long", secure.running.address().port());
    let output = curl.args(["--cacert", &secure.path("authority.pem"), &url]).output().unwrap();
    assert!(output.stdout == long, "{:?}", output.status);
}

#[test]
fn long_bodies() {
    let secure = Secure::with(|site| site.setting("upload.temp_store", "run/upload.XXXXXX"));
    let peer = Peer::connect(secure.running.site.path(), "one");
    let (mut client, long) = (secure.connect(), long());
    client.send("POST /handler HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n");
    client.send(format!("Content-Length: {}\r\n\r\n", long.len()));
    assert_eq!(client.answer().status, 100);
    client.send(&long);
    let begun = peer.request();
    let file = secure.path(begun.header("x-mongrel2-upload-start").unwrap());
    let done = peer.request();
    assert!(done.header("x-mongrel2-upload-done").is_some());
    assert!(fs::read(file).unwrap() == long);
    peer.answer(&[done.id], "thanks");
    assert_eq!(client.answer().text(), "thanks");
    client.send("POST /handler HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    let begun = peer.request();
    assert!(begun.header("x-mongrel2-upload-start").is_some());
    peer.answer(&[peer.request().id], "thanks");
    assert_eq!(client.answer().text(), "thanks");
}

#[test]
fn websockets() {
    let secure = Secure::start();
    let peer = Peer::connect(secure.running.site.path(), "one");
    let mut client = secure.connect();
    client.send(handshake("/handler"));
    let id = peer.request().id;
    peer.reply(&[id], ACCEPTED);
    assert_eq!(client.take(ACCEPTED.len()), ACCEPTED.as_bytes());
    let text = "x".repeat(15_000);
    for _ in 0..3 {
        client.send(frame(0x81, text.as_bytes()));
        let message = peer.request();
        assert_eq!((message.header("URL_SCHEME"), message.body.len()), (Some("https"), text.len()));
        peer.reply(&[id], b"\x81\x02ok");
        assert_eq!(client.take(4), b"\x81\x02ok");
    }
    secure.running.signal("-TERM");
    assert_eq!(client.rest(), [0x88, 2, 0x03, 0xe9], "the server goes away");
}

#[test]
fn json_sockets() {
    let secure =
        Secure::with(|site| site.route("@chat", Target::Handler(Handler { raw_payload: true, ..handler("chat") })));
    let peer = Peer::connect(secure.running.site.path(), "chat");
    let mut client = secure.connect();
    client.send("@chat {\"type\":\"join\"}\0");
    let message = peer.request();
    assert_eq!(message.header("URL_SCHEME"), Some("https"));
    peer.reply(&[message.id], "welcome\0");
    assert_eq!(client.take(8), b"welcome\0");
}

#[test]
fn the_operator_sees_which_version() {
    let secure = Secure::start();
    let operator = Operator::connect(secure.running.site.path());
    let mut client = secure.connect();
    client.send(get("/"));
    client.answer();
    let rows = operator.status(Status::Net);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["tls"], "TLSv1.3".into());
    let mongrel2::wire::tnetstring::Value::Integer(bytes) = rows[0]["bytes_read"] else { panic!("{rows:?}") };
    assert!(bytes > 200, "those of the handshake count: {bytes}");
}

#[test]
fn nothing_is_served_in_the_clear() {
    let secure = Secure::with(|mut site| {
        site.server().hosts[0].hsts = 60;
        site
    });
    let port = secure.running.address().port();
    for (request, status, location) in [
        (get("/a?b=c"), 301, Some(format!("https://localhost:{port}/a?b=c"))),
        ("HEAD / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n".into(), 301, Some(format!("https://[::1]:{port}/"))),
        (
            "GET http://b.example.com/x HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            301,
            Some(format!("https://b.example.com:{port}/x")),
        ),
        ("GET / HTTP/1.0\r\n\r\n".into(), 400, None),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi".into(), 400, None),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400, None),
        ("nonsense\r\n\r\n".into(), 400, None),
        ("@chat {}\0".into(), 400, None),
        ("\u{15}\u{3}\u{3}\0\u{2}\u{2}(\r\n\r\n".into(), 400, None),
        ("<policy-file-request/>\0".into(), 400, None),
    ] {
        // Behind it is what must not be answered.
        let mut client = secure.running.connect();
        client.send(request.clone() + &get("/"));
        let answer = client.try_answer(request.starts_with("HEAD")).unwrap();
        assert_eq!((answer.status, answer.header("location")), (status, location.as_deref()), "{request}");
        assert_eq!(answer.header("connection"), Some("close"), "{request}");
        assert_eq!(answer.header("strict-transport-security"), None, "{request}: RFC 6797, section 7.2");
        assert!(client.is_closed(), "{request}");
    }
    let log = || Some(secure.running.log("access.log")).filter(|log| log.contains("3:301"));
    testkit::wait::until("the access log", log);
}

#[test]
fn browsers_are_told_to_come_back_over_tls() {
    let secure = Secure::with(|mut site| {
        site.server().hosts[0].hsts = 31_536_000;
        site.server().hosts.push(Host { name: "other".into(), ..Host::default() });
        site
    });
    let peer = Peer::connect(secure.running.site.path(), "one");
    let mut client = secure.connect();
    let said = Some("max-age=31536000");
    for (request, status) in [
        (get("/"), 200),
        (get("/missing"), 404),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".into(), 405),
    ] {
        client.send(request);
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("strict-transport-security")), (status, said));
    }
    client.send("GET / HTTP/1.1\r\nHost: other\r\n\r\n");
    assert_eq!(client.answer().header("strict-transport-security"), None);
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", said),
        ("HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 2\r\n\r\nok", Some("max-age=1")),
        ("HTTP/1.1 204 No Content\r\n\r\n", said),
    ] {
        client.send(get("/handler"));
        peer.reply(&[peer.request().id], answer);
        let answer = client.answer();
        let all = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("strict-transport-security"));
        assert_eq!(all.map(|(_, value)| &**value).next(), expected);
    }
    client.send("nonsense\r\n\r\n");
    assert_eq!(client.answer().header("strict-transport-security"), said, "of the default host");
}

#[test]
fn what_was_cut_short_does_not_look_complete() {
    let secure = Secure::start();
    let peer = Peer::connect(secure.running.site.path(), "one");
    let cancel = Extended::Control { keep_alive: false, credits: None, cancel: true };
    let head = "HTTP/1.1 200 OK\r\n";
    let close: &dyn Fn(u64) = &|id| peer.reply(&[id], "");
    let cancel: &dyn Fn(u64) = &|id| peer.extended(&[id], &cancel);
    let kill: &dyn Fn(u64) = &|id| {
        let answer = Operator::connect(secure.running.site.path()).say(&format!("kill {id}"));
        assert_eq!(answer["status"], "OK");
    };
    for (answer, end, cut_short) in [
        (format!("{head}Connection: close\r\nContent-Length: 2\r\n\r\nok"), close, false),
        (format!("{head}\r\nuntil the end"), close, false),
        (format!("{head}Content-Length: 20\r\n\r\nok"), close, true),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"), close, true),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), close, false),
        (format!("{head}Content-"), close, true),
        (format!("{head}\r\nuntil the end"), cancel, true),
        (format!("{head}\r\nuntil the end"), kill, true),
    ] {
        let mut client = secure.connect();
        client.send(get("/handler"));
        let id = loop {
            let request = peer.request();
            if !request.is_disconnect() {
                break request.id;
            }
        };
        peer.reply(&[id], &answer);
        client.take(answer.len());
        end(id);
        assert_eq!(client.was_cut_short(), cut_short, "{answer:?}");
    }
}

#[test]
fn who_has_nothing_open_is_bidden_farewell() {
    let secure = Secure::start();
    let mut client = secure.connect();
    client.send(get("/"));
    client.answer();
    secure.running.signal("-TERM");
    assert!(!client.was_cut_short());
    assert_eq!(client.rest(), b"");
}

#[test]
fn who_has_said_everything_still_gets_the_answer() {
    let secure = Secure::start();
    let peer = Peer::connect(secure.running.site.path(), "one");
    for shuts in [false, true] {
        let mut client: Client = secure.connect();
        client.send(get("/handler"));
        let id = peer.request().id;
        client.tls().send_close_notify();
        client.send("");
        if shuts {
            client.finish();
        }
        peer.answer(&[id], "late");
        // One that looks as if it had left is asked for a sign of life.
        let mut answer = client.answer();
        if answer.status == 100 {
            answer = client.answer();
        }
        assert_eq!(answer.text(), "late");
        assert!(!client.was_cut_short(), "shuts: {shuts}");
        assert!(peer.request().is_disconnect());
    }
}

#[test]
fn a_client_that_says_goodbye_first_is_not_served() {
    let secure = Secure::start();
    let mut client = secure.connect();
    client.send(get("/"));
    client.answer();
    client.tls().send_close_notify();
    client.send("");
    assert!(!client.was_cut_short());
}

#[test]
fn a_stranger_in_the_clear_is_answered_byte_by_byte() {
    let secure = Secure::start();
    let mut stream = TcpStream::connect(secure.running.address()).unwrap();
    for byte in get("/").bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 301 "), "{said}");
}
