//! What RFC 6455 says of frames, as a table: what a client sends, what of it reaches the handler, and the code that the
//! connection is closed with.

use mongrel2::wire::request::Request;

use super::{close_frame, frame, open, start_with};
use crate::harness::{Peer, Running};

/// The longest message in these tests.
const LIMIT: usize = 1000;

/// What a handler gets: the first byte of a frame, and the payload.
type Message = (u8, Vec<u8>);

/// A rule's name, what is sent, what arrives, and the code of the end.
type Row = (&'static str, Vec<u8>, Vec<Message>, Option<u16>);

const NOTHING: Vec<Message> = Vec::new();

fn message(first: u8, payload: impl AsRef<[u8]>) -> Message {
    (first, payload.as_ref().to_vec())
}

fn text(payload: &str) -> Vec<Message> {
    vec![message(0x81, payload)]
}

/// A header with a mask of zeros, and payload behind it.
fn raw(header: &[u8], payload: &[u8]) -> Vec<u8> {
    [header, &[0; 4], payload].concat()
}

fn frames(frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect()
}

/// Sends each row whole, and byte by byte.
fn check(rows: &[Row]) {
    let limit = LIMIT.to_string();
    let (running, peer) = start_with(&[("limits.content_length", &limit)]);
    for (name, bytes, messages, code) in rows {
        for pieces in [vec![&bytes[..]], bytes.chunks(1).collect()] {
            check_row(&running, &peer, name, &pieces, messages);
            check_end(&running, &peer, name, &pieces, *code, messages.len());
        }
    }
}

fn check_row(running: &Running, peer: &Peer, name: &str, pieces: &[&[u8]], messages: &[Message]) {
    let (mut client, id) = open(running, peer, "/ws");
    for piece in pieces {
        client.try_send(piece);
    }
    for (first, payload) in messages {
        let got = peer.request();
        assert_eq!((got.id, got.header("METHOD")), (id, Some("WEBSOCKET")), "{name}");
        assert_eq!((got.header("FLAGS"), &got.body), (Some(&*format!("0x{first:02X}")), payload), "{name}");
    }
    drop(client);
    assert!(until_disconnect(peer, id).is_empty(), "{name}: more than expected");
}

/// Whether the connection ends with that code, or goes on.
fn check_end(running: &Running, peer: &Peer, name: &str, pieces: &[&[u8]], code: Option<u16>, messages: usize) {
    let (mut client, id) = open(running, peer, "/ws");
    for piece in pieces {
        client.try_send(piece);
    }
    match code {
        Some(code) => {
            assert_eq!(client.take(4), close_frame(code), "{name}");
            assert!(client.is_closed(), "{name}");
            assert_eq!(until_disconnect(peer, id).len(), messages, "{name}");
        }
        None => {
            peer.reply(&[id], b"\x81\x02ok");
            assert_eq!(client.take(4), b"\x81\x02ok", "{name}");
            drop(client);
            until_disconnect(peer, id);
        }
    }
}

/// What comes up to the notice of a connection's end.
fn until_disconnect(peer: &Peer, id: u64) -> Vec<Request> {
    let got: Vec<Request> = std::iter::from_fn(|| Some(peer.request()).filter(|got| !got.is_disconnect())).collect();
    assert!(got.iter().all(|got| got.id == id));
    got
}

/// Section 5.2: lengths in the shortest form, and below 2^63.
#[test]
fn lengths() {
    let x = |count| vec![b'x'; count];
    check(&[
        ("nothing", frame(0x81, b""), text(""), None),
        ("125", frame(0x82, &x(125)), vec![message(0x82, x(125))], None),
        ("126", frame(0x82, &x(126)), vec![message(0x82, x(126))], None),
        ("the limit", frame(0x82, &x(LIMIT)), vec![message(0x82, x(LIMIT))], None),
        ("125 in two bytes", raw(&[0x82, 0xfe, 0, 125], &x(125)), NOTHING, Some(1002)),
        ("125 in eight bytes", raw(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 125], &x(125)), NOTHING, Some(1002)),
        ("65535 in eight bytes", raw(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], b""), NOTHING, Some(1002)),
        ("2^63", raw(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], b""), NOTHING, Some(1002)),
        ("2^64 - 1", raw(&[0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255], b""), NOTHING, Some(1002)),
        ("2^63 - 1", raw(&[0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255], b""), NOTHING, Some(1009)),
        ("65536", raw(&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0], b""), NOTHING, Some(1009)),
    ]);
}

/// What is too long is refused before it comes: there is nothing behind these headers.
#[test]
fn sizes() {
    let x = |count| vec![b'x'; count];
    let rest = u16::try_from(LIMIT - 600 + 1).unwrap().to_be_bytes();
    let header = [&[0x80, 0xfe][..], &rest].concat();
    check(&[
        ("one too many", raw(&[0x82, 0xfe, 3, 0xe9], b""), NOTHING, Some(1009)),
        ("fragments that fit", frames(&[(0x02, &x(600)), (0x80, &x(400))]), vec![message(0x82, x(LIMIT))], None),
        ("fragments that don't", [frame(0x02, &x(600)), raw(&header, b"")].concat(), NOTHING, Some(1009)),
        (
            "control frames don't count",
            frames(&[(0x02, &x(600)), (0x89, &x(125)), (0x80, &x(400))]),
            vec![message(0x89, x(125)), message(0x82, x(LIMIT))],
            None,
        ),
    ]);
}

/// Sections 5.1 and 5.2: masks, reserved bits and opcodes.
#[test]
fn headers() {
    let mut rows: Vec<Row> = vec![
        ("text", frame(0x81, b"hi"), text("hi"), None),
        ("binary", frame(0x82, b"\xff\0"), vec![message(0x82, b"\xff\0")], None),
        ("unmasked", b"\x81\x02hi".to_vec(), NOTHING, Some(1002)),
        ("unmasked ping", b"\x89\x00".to_vec(), NOTHING, Some(1002)),
        ("a fault behind a message", frames(&[(0x81, b"hi"), (0xc1, b"")]), text("hi"), Some(1002)),
        ("no HTTP any more", b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), NOTHING, Some(1002)),
    ];
    for first in [0xc1, 0xa1, 0x91, 0xf1, 0xc2, 0xc9, 0xd8] {
        rows.push(("a reserved bit", frame(first, b"hi"), NOTHING, Some(1002)));
    }
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        rows.push(("a reserved opcode", frame(0x80 | opcode, b""), NOTHING, Some(1002)));
    }
    check(&rows);
}

/// Section 5.4.
#[test]
fn fragments() {
    check(&[
        ("three", frames(&[(0x01, b"a"), (0x00, b"b"), (0x80, b"c")]), text("abc"), None),
        ("empty ones", frames(&[(0x01, b""), (0x00, b""), (0x00, b"a"), (0x80, b"")]), text("a"), None),
        (
            "control frames between",
            frames(&[(0x01, b"a"), (0x89, b"1"), (0x00, b"b"), (0x8a, b"2"), (0x80, b"c")]),
            vec![message(0x89, b"1"), message(0x8a, b"2"), message(0x81, b"abc")],
            None,
        ),
        ("close between", frames(&[(0x01, b"a"), (0x88, b"\x03\xe8")]), vec![message(0x88, b"\x03\xe8")], None),
        ("nothing to continue", frame(0x80, b"a"), NOTHING, Some(1002)),
        ("nothing to continue, not last", frame(0x00, b"a"), NOTHING, Some(1002)),
        ("a text in a text", frames(&[(0x01, b"a"), (0x81, b"b")]), NOTHING, Some(1002)),
        ("a binary in a text", frames(&[(0x01, b"a"), (0x02, b"b")]), NOTHING, Some(1002)),
        ("continued behind its end", frames(&[(0x01, b"a"), (0x80, b"b"), (0x80, b"c")]), text("ab"), Some(1002)),
    ]);
}

/// Sections 5.5 and 7.4.
#[test]
fn control_frames() {
    let long = [b'x'; 126];
    let close = |payload: &[u8]| (frame(0x88, payload), vec![message(0x88, payload)]);
    let mut rows: Vec<Row> = vec![
        ("ping", frame(0x89, b"hi"), vec![message(0x89, b"hi")], None),
        ("pong that nobody asked for", frame(0x8a, b""), vec![message(0x8a, b"")], None),
        ("125 bytes", frame(0x89, &long[..125]), vec![message(0x89, &long[..125])], None),
        ("126 bytes", frame(0x89, &long), NOTHING, Some(1002)),
        ("a long close", frame(0x88, &long), NOTHING, Some(1002)),
        ("a fragmented ping", frame(0x09, b""), NOTHING, Some(1002)),
        ("a fragmented close", frame(0x08, b""), NOTHING, Some(1002)),
        ("half a code", frame(0x88, b"\x03"), NOTHING, Some(1002)),
        ("a reason that isn't UTF-8", frame(0x88, b"\x03\xe8\xff"), NOTHING, Some(1007)),
        ("data behind close", frames(&[(0x88, b""), (0x81, b"hi")]), vec![message(0x88, b"")], None),
    ];
    for payload in [&b""[..], b"\x03\xe8", b"\x03\xe8bye", b"\x0b\xb8", b"\x13\x87gr\xc3\xbcn"] {
        let (bytes, messages) = close(payload);
        rows.push(("close", bytes, messages, None));
    }
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        rows.push(("a code that nobody may send", frame(0x88, &code.to_be_bytes()), NOTHING, Some(1002)));
    }
    check(&rows);
}

/// Section 8.1.
#[test]
fn texts_are_utf_8() {
    check(&[
        ("umlauts", frame(0x81, "grün €".as_bytes()), text("grün €"), None),
        ("a character in two fragments", frames(&[(0x01, b"gr\xc3"), (0x80, b"\xbcn")]), text("grün"), None),
        (
            "a control frame in a character",
            frames(&[(0x01, b"\xe2"), (0x89, b"\xff"), (0x00, b"\x82"), (0x80, b"\xac")]),
            vec![message(0x89, b"\xff"), message(0x81, "€")],
            None,
        ),
        ("binary may be anything", frame(0x82, b"\xff\xc3"), vec![message(0x82, b"\xff\xc3")], None),
        ("a byte that is never there", frame(0x81, b"a\xff"), NOTHING, Some(1007)),
        ("half a character", frame(0x81, b"a\xc3"), NOTHING, Some(1007)),
        ("half a character at the end", frames(&[(0x01, b"a\xc3"), (0x80, b"")]), NOTHING, Some(1007)),
        ("a broken one across fragments", frames(&[(0x01, b"a\xc3"), (0x80, b"a")]), NOTHING, Some(1007)),
        ("before the message is whole", frame(0x01, b"\xc0"), NOTHING, Some(1007)),
        ("a surrogate", frame(0x81, b"\xed\xa0\x80"), NOTHING, Some(1007)),
        ("an overlong form", frame(0x81, b"\xc0\xaf"), NOTHING, Some(1007)),
        ("beyond 10FFFF", frame(0x81, b"\xf4\x90\x80\x80"), NOTHING, Some(1007)),
    ]);
}
