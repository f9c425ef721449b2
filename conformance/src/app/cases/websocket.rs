//! WebSockets of applications.

use super::run::Run;
use super::{MANUAL, case};
use crate::app::host::Host;
use crate::case::Case;
use crate::check::{Verdict, equal, holds};
use crate::client::{HANDSHAKE, Socket, frame};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;

/// The longest message, in bytes.
const LONGEST: usize = 1024 * 1024;

pub(super) fn cases() -> Vec<Case<Host>> {
    let group = "websocket";
    let mut cases = vec![
        case((group, "text"), "A message of text goes both ways.", MANUAL, |run| echo(run, TEXT, "gr\u{fc}n")),
        case((group, "binary"), "A message of bytes goes both ways.", MANUAL, |run| {
            echo(run, BINARY, (0..20_000).map(|at: usize| (at % 251) as u8).collect::<Vec<_>>())
        }),
        case((group, "empty"), "An empty message goes both ways.", MANUAL, |run| echo(run, TEXT, "")),
        case((group, "ping"), "A ping is answered by the host.", MANUAL, |run| {
            let mut socket = run.socket()?;
            socket.send(0x89, "?")?;
            equal("the answer", socket.recv()?, (0x8a, b"?".to_vec()))
        }),
        case((group, "fragments"), "Fragments are put together, with a ping between them.", "RFC 6455, 5.4", |run| {
            let mut socket = run.socket()?;
            socket.send(0x01, "one ")?;
            socket.send(0x89, "")?;
            socket.send(0x80, "two")?;
            equal("the pong", socket.recv()?, (0x8a, Vec::new()))?;
            equal("the message", socket.recv()?, (TEXT, b"one two".to_vec()))
        }),
        case((group, "close"), "A close of the client is answered, and ends it for the application.", MANUAL, |run| {
            let mut socket = run.socket()?;
            socket.send(CLOSE, 1000_u16.to_be_bytes())?;
            socket.is_closed_with(1000)?;
            run.hears("closed")
        }),
        case((group, "left"), "A client that leaves without a word has left, for the application.", MANUAL, |run| {
            drop(run.socket()?);
            run.hears("left")
        }),
        case((group, "asked-not"), "Nobody gets a WebSocket who hasn't asked for one.", MANUAL, |run| {
            run.get("/ws")?.expect(426, "the client has not asked for a WebSocket")
        }),
        case(
            (group, "not-accepted"),
            "Who asks for a WebSocket may get any answer, and goes on with HTTP.",
            MANUAL,
            refused,
        ),
    ];
    for (name, message, code, promise) in [
        ("closed", "close", 4000, "The application closes with the code that it likes."),
        ("dropped", "drop", 1011, "A WebSocket that is dropped is closed with 1011."),
        ("panic", "panic", 1011, "A WebSocket whose application crashes is closed with 1011."),
    ] {
        cases.push(case((group, name), promise, MANUAL, move |run| {
            ends(run, code, |socket| socket.send(TEXT, message))
        }));
    }
    cases.extend([
        case((group, "bad-text"), "Text that isn't UTF-8 is closed with 1007.", "RFC 6455, 8.1", |run| {
            ends(run, 1007, |socket| socket.send(TEXT, b"\xff"))
        }),
        case((group, "unmasked"), "A frame without a mask is closed with 1002.", "RFC 6455, 5.1", |run| {
            ends(run, 1002, |socket| socket.send_raw(b"\x81\x02hi"))
        }),
        case((group, "reserved"), "A frame of a reserved kind is closed with 1002.", "RFC 6455, 5.2", |run| {
            ends(run, 1002, |socket| socket.send(0x83, "hi"))
        }),
        case((group, "too-long"), "A message of more than 1 MiB is closed with 1009.", "manual.md, WebSocket", |run| {
            // Its announcement is enough: with bytes on their way the close might get lost.
            let announced = frame(BINARY, &vec![0; LONGEST + 1]);
            ends(run, 1009, |socket| socket.send_raw(&announced[..14]))
        }),
    ]);
    cases
}

fn echo(run: &Run<'_>, first: u8, message: impl AsRef<[u8]>) -> Verdict {
    let mut socket = run.socket()?;
    socket.send(first, &message)?;
    let (kind, echo) = socket.recv()?;
    equal("the kind of the answer", kind, first)?;
    crate::check::same("the answer", echo, message)
}

/// That what is sent makes the host close with this code.
fn ends(run: &Run<'_>, code: u16, send: impl FnOnce(&mut Socket) -> Verdict) -> Verdict {
    let mut socket = run.socket()?;
    send(&mut socket)?;
    socket.is_closed_with(code)
}

fn refused(run: &Run<'_>) -> Verdict {
    // Where there are no WebSockets, nobody may ask for one.
    run.get("/ws")?;
    let mut client = run.client()?;
    client.send(format!("GET /hello HTTP/1.1\r\nHost: localhost\r\n{HANDSHAKE}\r\n"))?;
    let answer = client.answer(false)?;
    answer.expect(200, "Hello\n")?;
    let is_kept = answer.header("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close"));
    holds(is_kept, || "the connection is closed".to_owned())?;
    client.get("GET /hello")?;
    client.answer(false)?.expect(200, "Hello\n")
}
