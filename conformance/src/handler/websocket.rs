//! WebSockets: the answer that makes one, and frames byte by byte (RFC 6455).

use super::message::Message;
use super::subject::Subject;
use super::{BYTES, Plain};
use crate::case::Case;
use crate::check::{Verdict, equal, same};
use crate::client::Answer;

/// What accepts a WebSocket, as RFC 6455 has it in section 1.3.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Where the form of a length changes (section 5.2): lengths of payloads, and what stands between first byte and payload.
const LENGTHS: [(usize, &[u8]); 6] = [
    (0, b"\0"),
    (5, b"\x05"),
    (125, b"\x7d"),
    (126, b"\x7e\0\x7e"),
    (65_535, b"\x7e\xff\xff"),
    (65_536, b"\x7f\0\0\0\0\0\x01\0\0"),
];

/// The longest payload of a control frame (section 5.5).
const LONGEST_CONTROL: usize = 125;

const CASES: &[Plain] = &[
    ("accept", "A handshake is answered as RFC 6455 has it in section 4.2.2.", accept),
    ("protocol", "The protocol that the handler has chosen is in the answer.", protocol),
    ("no-handshake", "A request that asks for no WebSocket can't become one.", no_handshake),
    ("text", "A text is a frame with its UTF-8.", text),
    ("binary", "Bytes are a frame of their own kind.", binary),
    ("lengths", "The length of a frame has its shortest form.", lengths),
    ("ping", "A ping has its bytes, up to 125.", |subject| control(subject, "/ping", 0x89)),
    ("pong", "A pong has its bytes, up to 125.", |subject| control(subject, "/pong", 0x8a)),
    ("end", "A close has its code and its reason.", end),
    ("long-control", "A ping or pong with more than 125 bytes is refused.", long_control),
];

pub(super) fn cases() -> Vec<Case<Subject>> {
    super::plain("websocket", "RFC 6455", CASES)
}

fn accepted(subject: &Subject, path: &str) -> Verdict<Answer> {
    let answer = subject.ask_http(&Message::of("WEBSOCKET_HANDSHAKE", path, ACCEPT).header("upgrade", "websocket"))?;
    answer.expect(101, "")?;
    let lower = |name| answer.header(name).map(str::to_ascii_lowercase);
    equal("Upgrade", lower("upgrade").as_deref(), Some("websocket"))?;
    equal("Connection", lower("connection").as_deref(), Some("upgrade"))?;
    equal("Sec-WebSocket-Accept", answer.header("sec-websocket-accept"), Some(ACCEPT))?;
    equal("Content-Length", answer.header("content-length"), None)?;
    Ok(answer)
}

fn accept(subject: &Subject) -> Verdict {
    equal("Sec-WebSocket-Protocol", accepted(subject, "/accept")?.header("sec-websocket-protocol"), None)
}

fn protocol(subject: &Subject) -> Verdict {
    let answer = accepted(subject, "/accept/chat")?;
    equal("Sec-WebSocket-Protocol", answer.header("sec-websocket-protocol"), Some("chat"))
}

fn no_handshake(subject: &Subject) -> Verdict {
    subject.refuses(&Message::post("/accept", ACCEPT))
}

fn frame(subject: &Subject, path: &str, payload: &[u8], wanted: &[u8]) -> Verdict {
    let found = subject.ask(&Message::of("WEBSOCKET", path, payload).server("FLAGS", "0x81"))?;
    same("the frame", found, [wanted, payload].concat())
}

fn text(subject: &Subject) -> Verdict {
    frame(subject, "/text", "grün, 緑, 🟢".as_bytes(), b"\x81\x10")
}

fn binary(subject: &Subject) -> Verdict {
    frame(subject, "/binary", &BYTES, b"\x82\x7e\x01\0")
}

fn lengths(subject: &Subject) -> Verdict {
    for (path, first) in [("/text", 0x81), ("/binary", 0x82)] {
        for (length, form) in LENGTHS {
            let found = frame(subject, path, &vec![b'x'; length], &[&[first], form].concat());
            found.map_err(|problem| problem.when(format!("`{path}` with {length} bytes")))?;
        }
    }
    Ok(())
}

fn control(subject: &Subject, path: &str, first: u8) -> Verdict {
    [0, 4, LONGEST_CONTROL].into_iter().try_for_each(|length| {
        let form = u8::try_from(length).expect("it is at most 125");
        frame(subject, path, &BYTES[..length], &[first, form])
    })
}

fn end(subject: &Subject) -> Verdict {
    let found = subject.ask(&Message::of("WEBSOCKET", "/end", "").server("FLAGS", "0x81"))?;
    same("the frame", found, b"\x88\x05\x03\xe8bye")
}

fn long_control(subject: &Subject) -> Verdict {
    ["/ping", "/pong"].into_iter().try_for_each(|path| {
        subject.refuses(&Message::of("WEBSOCKET", path, &BYTES[..=LONGEST_CONTROL]).server("FLAGS", "0x81"))
    })
}
