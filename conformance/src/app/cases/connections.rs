//! Several requests on a connection.

use super::run::Run;
use super::{MANUAL, case};
use crate::app::host::Host;
use crate::case::Case;
use crate::check::{Problem, Verdict, equal};
use crate::client::Client;

const LAST: &str = "GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

pub(super) fn cases() -> Vec<Case<Host>> {
    vec![
        case(
            ("connections", "pipelined"),
            "Requests that come before their answers are answered in their order.",
            "RFC 9112, 9.3.2",
            pipelined,
        ),
        case(("connections", "kept"), "A connection is kept for the next request.", "RFC 9112, 9.3", |run| {
            run.get("/pieces")?;
            let mut client = run.client()?;
            for _ in 0..3 {
                client.get("GET /pieces")?;
                client.answer(false)?.expect(200, "one two three")?;
            }
            last(&mut client)
        }),
        case(("connections", "http-1.0"), "A connection of HTTP/1.0 ends with its answer.", "RFC 9112, 9.3", |run| {
            let mut client = run.client()?;
            client.send("GET /hello HTTP/1.0\r\n\r\n")?;
            client.answer(false)?.expect(200, "Hello\n")?;
            client.is_closed()
        }),
        case(
            ("connections", "http-1.0-kept"),
            "One that asks to be kept goes on if the answer says so, and else ends.",
            "RFC 9112, 9.3",
            kept_of_old,
        ),
        case(("connections", "after-failure"), "A connection is kept behind a 500.", MANUAL, |run| {
            run.get("/panic")?;
            let mut client = run.client()?;
            client.send(["GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\n", LAST].concat())?;
            equal("the first status", client.answer(false)?.status, 500)?;
            client.answer(false)?.expect(200, "Hello\n")?;
            client.is_closed()
        }),
        case(
            ("connections", "body-unread"),
            "A body that the application doesn't read is never taken for a request.",
            "RFC 9112, 9.3",
            unread,
        ),
        case(
            ("connections", "continue"),
            "A client that waits for 100 before it sends the body gets it.",
            "RFC 9110, 10.1.1",
            |run| {
                let mut client = expecting(run, "/echo")?;
                equal("the first status", client.answer(false)?.status, 100)?;
                client.send("body")?;
                client.answer(false)?.expect(200, "body")
            },
        ),
        case(
            ("connections", "continue-refused"),
            "A client that waits for 100 gets it, or the answer.",
            "RFC 9110, 10.1.1",
            |run| {
                let mut client = expecting(run, "/refuse")?;
                let mut answer = client.answer(false)?;
                if answer.status == 100 {
                    client.send("body")?;
                    answer = client.answer(false)?;
                }
                answer.expect(403, "no\n")
            },
        ),
    ]
}

fn pipelined(run: &Run<'_>) -> Verdict {
    run.get("/pieces")?;
    let one = "GET /pieces HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut client = run.client()?;
    client.send([one, one, LAST].concat())?;
    client.answer(false)?.expect(200, "one two three")?;
    client.answer(false)?.expect(200, "one two three")?;
    client.answer(false)?.expect(200, "Hello\n")?;
    client.is_closed()
}

fn last(client: &mut Client) -> Verdict {
    client.send(LAST)?;
    client.answer(false)?.expect(200, "Hello\n")?;
    client.is_closed()
}

fn kept_of_old(run: &Run<'_>) -> Verdict {
    let mut client = run.client()?;
    client.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")?;
    let answer = client.answer(false)?;
    answer.expect(200, "Hello\n")?;
    let is_kept = answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("keep-alive"));
    if is_kept { last(&mut client) } else { client.is_closed() }
}

/// The body looks like a request itself.
fn unread(run: &Run<'_>) -> Verdict {
    let body = "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(30);
    let mut client = run.client()?;
    client.send(format!("POST /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len()))?;
    client.answer(false)?.expect(200, "Hello\n")?;
    // It may have been closed.
    let _ = client.send(LAST);
    match client.answer_or_end(false)? {
        Some(answer) => answer.expect(200, "Hello\n").map_err(|problem: Problem| problem.when("behind the body"))?,
        None => return Ok(()),
    }
    client.is_closed()
}

/// A client that has sent a head, and waits before it sends `body`.
fn expecting(run: &Run<'_>, path: &str) -> Verdict<Client> {
    run.get(path)?;
    let mut client = run.client()?;
    let headers = "Host: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    client.send(format!("PUT {path} HTTP/1.1\r\n{headers}"))?;
    Ok(client)
}
