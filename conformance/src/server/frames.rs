//! Frames of WebSocket clients, good ones and bad ones, as a table (RFC 6455): what of them reaches the handler, and the
//! code that the connection is closed with.

use super::subject::Subject;
use super::{case, websocket};
use crate::case::Case;
use crate::check::Verdict;
use crate::client::frame;

/// What a handler gets: the first byte of a frame, and the payload.
type Message = (u8, &'static [u8]);

/// A case's name, what the client sends, what arrives, and the code of the end if there is one.
type Row = (&'static str, Vec<u8>, &'static [Message], Option<u16>);

const NOTHING: &[Message] = &[];

/// Several frames, masked.
fn frames(frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect()
}

/// A header with a mask, and nothing behind it.
fn header(header: &[u8]) -> Vec<u8> {
    [header, &[0; 4]].concat()
}

fn rows() -> Vec<Row> {
    let one = |first: u8, payload: &[u8]| frame(first, payload);
    vec![
        ("fragments", frames(&[(0x01, b"a"), (0x00, b"b"), (0x80, b"c")]), &[(0x81, b"abc")], None),
        ("fragments-empty", frames(&[(0x02, b""), (0x00, b"a"), (0x80, b"")]), &[(0x82, b"a")], None),
        (
            "control-between",
            frames(&[(0x01, b"a"), (0x89, b"1"), (0x00, b"b"), (0x8a, b"2"), (0x80, b"c")]),
            &[(0x89, b"1"), (0x8a, b"2"), (0x81, b"abc")],
            None,
        ),
        ("ping", one(0x89, b"hi"), &[(0x89, b"hi")], None),
        ("pong", one(0x8a, b""), &[(0x8a, b"")], None),
        ("close", one(0x88, b"\x03\xe8bye"), &[(0x88, b"\x03\xe8bye")], None),
        ("close-empty", one(0x88, b""), &[(0x88, b"")], None),
        ("close-private", one(0x88, b"\x0f\xa0"), &[(0x88, b"\x0f\xa0")], None),
        ("split-character", frames(&[(0x01, b"gr\xc3"), (0x80, b"\xbcn")]), &[(0x81, b"gr\xc3\xbcn")], None),
        ("unmasked", b"\x81\x02hi".to_vec(), NOTHING, Some(1002)),
        ("unmasked-behind", [one(0x81, b"hi"), b"\x89\x00".to_vec()].concat(), &[(0x81, b"hi")], Some(1002)),
        ("reserved-bit-1", one(0xc1, b"hi"), NOTHING, Some(1002)),
        ("reserved-bit-2", one(0xa1, b"hi"), NOTHING, Some(1002)),
        ("reserved-bit-3", one(0x91, b"hi"), NOTHING, Some(1002)),
        ("reserved-opcode-data", one(0x83, b""), NOTHING, Some(1002)),
        ("reserved-opcode-control", one(0x8b, b""), NOTHING, Some(1002)),
        ("continues-nothing", one(0x80, b"a"), NOTHING, Some(1002)),
        ("text-in-text", frames(&[(0x01, b"a"), (0x81, b"b")]), NOTHING, Some(1002)),
        ("ping-long", one(0x89, &[b'x'; 126]), NOTHING, Some(1002)),
        ("ping-fragmented", one(0x09, b""), NOTHING, Some(1002)),
        ("close-half-code", one(0x88, b"\x03"), NOTHING, Some(1002)),
        ("close-code-1005", one(0x88, b"\x03\xed"), NOTHING, Some(1002)),
        ("close-code-999", one(0x88, b"\x03\xe7"), NOTHING, Some(1002)),
        ("close-code-5000", one(0x88, b"\x13\x88"), NOTHING, Some(1002)),
        ("close-reason-bytes", one(0x88, b"\x03\xe8\xff"), NOTHING, Some(1007)),
        ("length-overlong", header(b"\x82\xfe\x00\x7d"), NOTHING, Some(1002)),
        ("length-negative", header(b"\x82\xff\x80\0\0\0\0\0\0\0"), NOTHING, Some(1002)),
        ("too-long", header(b"\x82\xff\0\0\0\0\0\x01\0\0"), NOTHING, Some(1009)),
        ("not-utf-8", one(0x81, b"a\xff"), NOTHING, Some(1007)),
        ("not-utf-8-end", one(0x81, b"a\xc3"), NOTHING, Some(1007)),
        ("not-utf-8-surrogate", one(0x81, b"\xed\xa0\x80"), NOTHING, Some(1007)),
        ("not-utf-8-split", frames(&[(0x01, b"a\xc3"), (0x80, b"a")]), NOTHING, Some(1007)),
        ("http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), NOTHING, Some(1002)),
    ]
}

pub(super) fn cases() -> Vec<Case<Subject>> {
    let case = |(name, bytes, messages, code): Row| {
        let promise = match code {
            None => "It is passed on, unmasked and joined.".to_owned(),
            Some(code) => format!("The connection is closed with {code}, and the handler gets nothing of it."),
        };
        case(("frames", name), promise, "RFC 6455, 5", move |subject| trial(subject, name, &bytes, messages, code))
    };
    rows().into_iter().map(case).collect()
}

fn trial(subject: &Subject, name: &str, bytes: &[u8], messages: &[Message], code: Option<u16>) -> Verdict {
    let (mut socket, handshake) = websocket::open(subject, &format!("/json/frames/{name}"))?;
    // It may be closed before all is sent.
    let _ = socket.send_raw(bytes);
    for (first, payload) in messages {
        websocket::gets(subject, handshake.id, *first, payload)?;
    }
    match code {
        Some(code) => socket.is_closed_with(code)?,
        None => {
            subject.json.reply(&handshake, &[handshake.id], b"\x81\x02ok")?;
            socket.client().expect(b"\x81\x02ok")?;
            drop(socket);
        }
    }
    subject.json.disconnect(handshake.id)?;
    subject.json.has_none("more than was sent", |request| request.id == handshake.id)
}
