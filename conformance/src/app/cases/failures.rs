//! Applications that fail before they have answered.

use super::run::Run;
use super::{MANUAL, case};
use crate::app::host::Host;
use crate::case::Case;
use crate::check::{Verdict, holds, same};
use crate::client::Answer;

const PROMISE: &str = "is answered with a 500 that tells nothing.";

pub(super) fn cases() -> Vec<Case<Host>> {
    let ways = [("error", "fails"), ("panic", "crashes"), ("forget", "ends without an answer")];
    let cases = ways.map(|(name, does)| {
        let path = format!("/{name}");
        pair("failures", name, &path, &format!("An application that {does}"))
    });
    cases.into_iter().flatten().collect()
}

/// The case for GET, and that for HEAD.
pub(super) fn pair(group: &str, name: &str, path: &str, who: &str) -> [Case<Host>; 2] {
    let (get, head) = (format!("GET {path} HTTP/1.1"), format!("HEAD {path} HTTP/1.1"));
    [
        case((group, name), format!("{who} {PROMISE}"), MANUAL, move |run| fails(run, &get).map(|_| ())),
        case((group, &format!("{name}-head")), format!("{who} at HEAD {PROMISE}"), MANUAL, move |run| {
            same("the body", fails(run, &head)?.body, "")
        }),
    ]
}

fn fails(run: &Run<'_>, line: &str) -> Verdict<Answer> {
    let answer = run.ask(line, "", "")?;
    answer.expect(500, &answer.body)?;
    let told = format!("{} {:?} {}", answer.line, answer.headers, answer.text());
    holds(!told.contains("secret"), || format!("the client is told {told}"))?;
    Ok(answer)
}
