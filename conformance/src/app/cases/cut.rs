//! Answers that break off behind their head: none may look whole.

use super::run::Run;
use super::{MANUAL, case};
use crate::app::host::Host;
use crate::case::Case;
use crate::check::{Verdict, equal, escaped, holds};
use crate::client::End;

const VERSIONS: [&str; 2] = ["1.0", "1.1"];

pub(super) fn cases() -> Vec<Case<Host>> {
    let ways = [
        ("error", "whose application fails behind the head"),
        ("panic", "whose application crashes behind the head"),
        ("short", "that ends before its `Content-Length`"),
    ];
    let all = ways.into_iter().flat_map(|way| VERSIONS.map(|version| (way, version)));
    let mut cases: Vec<_> = all
        .map(|((name, what), version)| {
            let promise = format!("An answer {what} doesn't look whole to HTTP/{version}.");
            let (name, line) = (format!("{name}-http-{version}"), format!("GET /late/{name} HTTP/{version}"));
            case(("cut", &name), promise, MANUAL, move |run| at_once(run, &line))
        })
        .collect();
    cases.extend(VERSIONS.map(|version| {
        let promise = format!("An answer that breaks off much later doesn't look whole to HTTP/{version}.");
        case(("cut", &format!("later-http-{version}")), promise, MANUAL, move |run| later(run, version))
    }));
    cases
}

fn at_once(run: &Run<'_>, line: &str) -> Verdict {
    let Some(answer) = run.ask_or_end(line, "", "")? else { return Ok(()) };
    holds(!answer.is_whole, || format!("the answer looks whole: `{}`", escaped(&answer.body)))?;
    holds(answer.body.is_empty() || answer.text() == "a part", || format!("what came is `{}`", escaped(&answer.body)))
}

/// The client has a part already.
fn later(run: &Run<'_>, version: &str) -> Verdict {
    let (mut client, _) = run.begin(&format!("GET {} HTTP/{version}", run.path("/late/wait")))?;
    let mut came = Vec::new();
    while !came.ends_with(b"a part") {
        came.extend(client.take(1).map_err(|problem| problem.when("waiting for the first part"))?);
    }
    run.go()?;
    if version == "1.0" {
        let (_, end) = client.rest()?;
        return equal("the connection's end, which alone can tell,", end, End::Reset);
    }
    // By the next byte that doesn't come the connection has ended, or nothing will.
    while let Ok(byte) = client.take(1) {
        came.extend(byte);
        holds(!came.ends_with(b"0\r\n\r\n"), || "the answer looks whole: its last chunk is there".to_owned())?;
    }
    client.is_closed()
}
