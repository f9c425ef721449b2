//! What the events around an application are told of the end of a request.

use super::run::Run;
use super::{MANUAL, case};
use crate::app::host::Host;
use crate::case::Case;
use crate::check::{Verdict, equal, holds};

/// Names of cases, paths, and how requests for them end.
const ENDS: [(&str, &str, &str); 7] = [
    ("whole", "/pieces", "whole 200 13"),
    ("error", "/error", "nothing: secret"),
    ("panic", "/panic", "nothing: it has panicked"),
    ("cut", "/late/error", "cut 200 6: secret"),
    ("short", "/late/short", "cut 200 6: the response ends 94 bytes early"),
    ("filter", "/filter/panic", "nothing: it has panicked"),
    ("filtered", "/filter/length", "whole 200 13"),
];

pub(super) fn cases() -> Vec<Case<Host>> {
    let mut cases: Vec<_> = ENDS
        .into_iter()
        .map(|(name, path, end)| {
            let promise = format!("The end of a request for `{path}` is told as `{end}`.");
            case(("events", name), promise, MANUAL, move |run| {
                run.ask_or_end(&format!("GET {} HTTP/1.1", run.path(path)), "", "")?;
                equal("the end", run.end()?, format!("{path} {end}"))
            })
        })
        .collect();
    cases.extend([
        case(("events", "left"), "The end is told of a request whose client has left.", MANUAL, left),
        case(("events", "websocket"), "The end of a WebSocket is that of its request.", MANUAL, |run| {
            let mut socket = run.socket()?;
            socket.send(0x81, "close")?;
            socket.is_closed_with(4000)?;
            equal("the end", run.end()?, "/ws websocket")
        }),
    ]);
    cases
}

fn left(run: &Run<'_>) -> Verdict {
    drop(run.begin(&format!("GET {} HTTP/1.1", run.path("/events")))?);
    let end = run.end()?;
    holds(end.starts_with("/events cut 200 "), || format!("the end is {end:?}"))
}
