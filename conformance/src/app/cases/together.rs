//! Clients that wait, leave, and are many.

use std::thread;

use super::run::Run;
use super::{MANUAL, case};
use crate::app::host::{Host, hello};
use crate::case::Case;
use crate::check::{Problem, Verdict, holds};

/// How many clients there are at a time, and how often each asks.
const CLIENTS: usize = 8;
const TIMES: usize = 10;

pub(super) fn cases() -> Vec<Case<Host>> {
    vec![
        case(("clients", "many"), "One that waits and one that is never answered hold up nobody.", MANUAL, many),
        case(("clients", "events"), "An answer may be written for as long as the client is there.", MANUAL, |run| {
            let (client, lines) = run.begin(&format!("GET {} HTTP/1.1", run.path("/events")))?;
            let is_stream = lines.iter().any(|line| line.eq_ignore_ascii_case("content-type: text/event-stream"));
            holds(is_stream, || format!("the head is {lines:?}"))?;
            let mut client = client;
            while !client.until(b'\n')?.ends_with(b"data: 3") {}
            Ok(())
        }),
        case(("clients", "leaving"), "That the client has left is an error for who writes.", MANUAL, |run| {
            drop(run.begin(&format!("GET {} HTTP/1.1", run.path("/events")))?);
            run.hears("left")
        }),
    ]
}

fn many(run: &Run<'_>) -> Verdict {
    let mut never = run.client()?;
    never.get("GET /never")?;
    let mut waiting = run.client()?;
    let path = run.path("/wait");
    waiting.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))?;
    run.hears("waiting")?;
    let (address, patience) = (run.host.address, run.host.patience);
    let client = || (0..TIMES).try_for_each(|_| hello(address, patience));
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().unwrap_or_else(|_| Err(Problem::wrong("a client has panicked"))))
    })?;
    run.go()?;
    waiting.answer(false)?.expect(200, "at last")
}
