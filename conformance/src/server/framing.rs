//! What is no request, or could be two: it is refused, its connection is closed, and no handler gets anything.
//!
//! Behind each such head comes another request; whoever takes a wrong length, or guesses, gives it to the handler.

use super::case;
use super::subject::Subject;
use crate::case::Case;
use crate::check::{Verdict, holds};

/// A case's name, the head behind `Host` or instead of it, and the statuses that refuse it.
type Row = (&'static str, &'static str, &'static [u16]);

/// Lines of a POST with `Host`; RFC 9112, sections 5 to 7.
const LINES: &[Row] = &[
    ("length-negative", "Content-Length: -1\r\n", &[400]),
    ("length-signed", "Content-Length: +3\r\n", &[400]),
    ("length-hexadecimal", "Content-Length: 0x3\r\n", &[400]),
    ("length-empty", "Content-Length: \r\n", &[400]),
    ("length-word", "Content-Length: three\r\n", &[400]),
    ("length-huge", "Content-Length: 99999999999999999999999\r\n", &[400, 413]),
    ("length-twice", "Content-Length: 3\r\nContent-Length: 4\r\n", &[400]),
    ("length-list", "Content-Length: 3, 4\r\n", &[400]),
    ("length-and-coding", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", &[400]),
    ("coding-unknown", "Transfer-Encoding: frob\r\n", &[400, 501]),
    ("coding-not-last", "Transfer-Encoding: chunked, gzip\r\n", &[400, 501]),
    ("coding-twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", &[400, 501]),
    ("name-blank", "Content-Length : 3\r\n", &[400]),
    ("name-empty", ": 3\r\n", &[400]),
    ("name-odd", "Content(Length): 3\r\n", &[400]),
    ("value-nul", "X-A: a\0b\r\n", &[400]),
    ("value-return", "X-A: a\rContent-Length: 3\r\n", &[400]),
    ("line-folded", "X-A: a\r\n Content-Length: 3\r\n", &[400]),
    ("line-bare", "nonsense\r\n", &[400]),
    ("host-twice", "Host: other.example\r\n", &[400]),
    ("chunk-word", "Transfer-Encoding: chunked\r\n\r\nfrob\r\n", &[400]),
    ("chunk-negative", "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n", &[400]),
    ("chunk-prefix", "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n", &[400]),
    ("chunk-huge", "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", &[400, 413]),
    ("chunk-longer", "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n", &[400]),
];

/// Whole heads; RFC 9112, section 3, and RFC 9110, section 7.2.
const HEADS: &[Row] = &[
    ("host-missing", "GET /json/framing HTTP/1.1\r\n", &[400]),
    ("host-odd", "GET /json/framing HTTP/1.1\r\nHost: a b\r\n", &[400]),
    ("start-no-version", "GET /json/framing\r\nHost: localhost\r\n", &[400]),
    ("start-version", "GET /json/framing HTTP/3.0\r\nHost: localhost\r\n", &[400, 505]),
    ("start-two-blanks", "GET  /json/framing HTTP/1.1\r\nHost: localhost\r\n", &[400]),
    ("start-method", "G(T /json/framing HTTP/1.1\r\nHost: localhost\r\n", &[400]),
    ("start-path", "GET json/framing HTTP/1.1\r\nHost: localhost\r\n", &[400]),
    ("start-bytes", "G\u{c4}T /json/framing HTTP/1.1\r\nHost: localhost\r\n", &[400]),
];

pub(super) fn cases() -> Vec<Case<Subject>> {
    let heads = LINES.iter().map(|(name, lines, statuses)| {
        (*name, format!("POST /json/framing HTTP/1.1\r\nHost: localhost\r\n{lines}"), *statuses)
    });
    let heads = heads.chain(HEADS.iter().map(|(name, head, statuses)| (*name, (*head).to_owned(), *statuses)));
    let case = |(name, head, statuses): (&'static str, String, &'static [u16])| {
        let promise = format!("It gets {}, and its connection ends.", words(statuses));
        case(("framing", name), promise, "RFC 9112", move |subject| trial(subject, &head, statuses))
    };
    let mut cases: Vec<_> = heads.map(case).collect();
    cases.push(super::case(("framing", "head-long"), "A head of 1 MiB is refused.", "manual.md, 7", head_long));
    cases
}

fn words(statuses: &[u16]) -> String {
    statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
}

fn trial(subject: &Subject, head: &str, statuses: &[u16]) -> Verdict {
    let mut client = subject.client()?;
    client.send(format!("{head}\r\nGET /json/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"))?;
    let answer = client.answer(false)?;
    let is_refused = statuses.contains(&answer.status);
    holds(is_refused, || format!("the status is {}, wanted {}", answer.status, words(statuses)))?;
    let (rest, _) = client.rest()?;
    holds(rest.is_empty(), || format!("`{}` comes behind the answer", rest.escape_ascii()))?;
    // Whoever gets this one has all that was sent before.
    let (mut client, message) = subject.ask(&subject.json, "GET /json/framing/last", "")?;
    subject.json.answer(&message.request, "")?;
    client.answer(false)?.expect(200, "")?;
    let taken = |path: &str| path == "/json/framing" || path.contains("smuggled");
    subject.json.has_none("about what was refused", |request| taken(&request.path))
}

fn head_long(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    // The answer may come before all is sent.
    let _ = client.send(format!("GET /json/long HTTP/1.1\r\nHost: localhost\r\nX-A: {}\r\n\r\n", "x".repeat(1 << 20)));
    match client.answer(false) {
        Ok(answer) => holds([400, 414, 431].contains(&answer.status), || format!("the status is {}", answer.status)),
        // What was still being sent may have reset the connection.
        Err(_) => Ok(()),
    }
}
