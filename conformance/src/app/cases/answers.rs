//! What a client sees of an answer that goes well.

use super::run::Run;
use super::{MANUAL, case};
use crate::app::host::{Host, header, hello};
use crate::case::Case;
use crate::check::{Verdict, equal};

const BODILESS: &str = "RFC 9110, 6.4.1";

/// Mistakes that an application may make, and the promise that is about them.
const MISUSE: [(&str, &str); 5] = [
    ("early", "Bytes, and the end, before the head are errors, and nothing of it reaches the client."),
    ("heads", "A second head is an error, and nothing of it reaches the client."),
    ("long", "More bytes than `Content-Length` are an error, and nothing of it reaches the client."),
    ("short", "An end before `Content-Length` bytes is an error, and the answer goes on."),
    ("header", "A header that would break HTTP is an error, and nothing of it reaches the client."),
];

pub(super) fn cases() -> Vec<Case<Host>> {
    let mut cases = vec![
        case(("answers", "hello"), "Status, headers and body reach the client, with a date.", MANUAL, |run| {
            hello(run.host.address, run.host.patience)
        }),
        case(("answers", "pieces"), "A body without a length is chunked.", MANUAL, pieces),
        case(("answers", "pieces-http-1.0"), "To HTTP/1.0 the connection's end is the body's.", MANUAL, pieces_of_old),
        case(("answers", "head"), "HEAD has the headers of GET, and no body.", "RFC 9110, 9.3.2", |run| {
            let head = run.ask("HEAD /hello HTTP/1.1", "", "")?;
            head.expect(200, "")?;
            equal("`content-length`", header(&head, "content-length")?, Some("6"))
        }),
        case(("answers", "head-of-pieces"), "HEAD of a body without a length has no body.", "RFC 9110, 9.3.2", |run| {
            run.ask("HEAD /pieces HTTP/1.1", "", "")?.expect(200, "")
        }),
        case(("answers", "none"), "204 has neither a body nor a framing.", BODILESS, |run| unframed(run, "/none", 204)),
        case(("answers", "unchanged"), "304 has no body, and is not chunked.", BODILESS, |run| {
            let answer = run.get("/unchanged")?;
            answer.expect(304, "")?;
            equal("`etag`", header(&answer, "etag")?, Some("\"1\""))?;
            equal("`transfer-encoding`", header(&answer, "transfer-encoding")?, None)
        }),
        case(("answers", "nowhere"), "A whole answer may be empty.", MANUAL, |run| {
            let mut client = run.client()?;
            client.send("GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            client.answer(false)?.expect(404, "")?;
            client.is_closed()
        }),
        case(("answers", "twice"), "A header that is there twice reaches the client twice, in order.", MANUAL, |run| {
            let answer = run.get("/cookies")?;
            answer.expect(200, "")?;
            let cookies = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
            equal("Set-Cookie", cookies.map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["a=1", "b=2"])
        }),
        case(
            ("answers", "large"),
            "A slow client gets all of a large answer, and holds up nobody else.",
            MANUAL,
            large,
        ),
        case(
            ("misuse", "late"),
            "Bytes, and the end, behind the end are errors, and nothing reaches the client.",
            MANUAL,
            |run| {
                run.get(&run.path("/misuse/late"))?.expect(200, "fine")?;
                run.hears("refused")
            },
        ),
        case(
            ("misuse", "body"),
            "Bytes behind a head that has no body are errors, and nothing reaches the client.",
            MANUAL,
            |run| unframed(run, "/misuse/body", 204),
        ),
    ];
    cases.extend(MISUSE.map(|(how, promise)| {
        case(("misuse", how), promise, MANUAL, move |run| run.get(&format!("/misuse/{how}"))?.expect(200, "fine"))
    }));
    cases
}

fn pieces(run: &Run<'_>) -> Verdict {
    let answer = run.get("/pieces")?;
    answer.expect(200, "one two three")?;
    equal("`transfer-encoding`", header(&answer, "transfer-encoding")?, Some("chunked"))
}

fn pieces_of_old(run: &Run<'_>) -> Verdict {
    let answer = run.ask("GET /pieces HTTP/1.0", "", "")?;
    answer.expect(200, "one two three")?;
    equal("`transfer-encoding`", header(&answer, "transfer-encoding")?, None)?;
    equal("`content-length`", header(&answer, "content-length")?, None)
}

fn unframed(run: &Run<'_>, path: &str, status: u16) -> Verdict {
    let answer = run.get(path)?;
    answer.expect(status, "")?;
    equal("`content-length`", header(&answer, "content-length")?, None)?;
    equal("`transfer-encoding`", header(&answer, "transfer-encoding")?, None)
}

/// The answer's size, where there is room for that much.
const LARGE: usize = 50 * 1024 * 1024;

fn large(run: &Run<'_>) -> Verdict {
    run.get("/large?1")?.expect(200, "x")?;
    let size = LARGE.min(run.host.place.room() / 2);
    let mut client = run.client()?;
    client.send(format!("GET /large?{size} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))?;
    hello(run.host.address, run.host.patience).map_err(|problem| problem.when("another client, meanwhile"))?;
    let answer = client.answer(false)?;
    equal("the status", answer.status, 200)?;
    equal("the size of the body", (answer.body.len(), answer.is_whole), (size, true))
}
