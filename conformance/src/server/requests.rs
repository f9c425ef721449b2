//! What a handler gets of a request, in both protocols.

use mongrel2::wire::request::Request;

use super::handler::Handler;
use super::subject::Subject;
use crate::case::Case;
use crate::check::{Verdict, equal, same};

/// One of the two protocols.
#[derive(Debug, Clone, Copy)]
struct Side {
    group: &'static str,
    /// The path of its route.
    route: &'static str,
    handler: fn(&Subject) -> &Handler,
}

const SIDES: [Side; 2] = [
    Side { group: "json", route: "/json", handler: |subject| &subject.json },
    Side { group: "tnetstring", route: "/tnet", handler: |subject| &subject.tnet },
];

/// A request, and what has to be in the message.
type Trial = fn(&Subject, Side) -> Verdict;

const CASES: &[(&str, &str, Trial)] =
    &[("get", "The server tells what it knows of a request under names in upper case.", get)];

pub(super) fn cases() -> Vec<Case<Subject>> {
    let all = SIDES.iter().flat_map(|side| CASES.iter().map(move |case| (*side, case)));
    let case = |(side, (name, promise, trial)): (Side, &'static (&str, &str, Trial))| {
        Case::new((side.group, name), *promise, "protocol.md, 3", move |subject| trial(subject, side))
    };
    all.map(case).collect()
}

fn get(subject: &Subject, side: Side) -> Verdict {
    let handler = (side.handler)(subject);
    let path = format!("{}/get", side.route);
    let (mut client, message) = subject.ask(handler, &format!("GET {path}?a=b%20c"), "X-A: 1\r\n")?;
    let request = &message.request;
    equal("the first word", request.sender.as_str(), side.route.trim_start_matches('/'))?;
    headers(
        request,
        &[
            ("PATH", Some(&path)),
            ("METHOD", Some("GET")),
            ("VERSION", Some("HTTP/1.1")),
            ("URI", Some(&format!("{path}?a=b%20c"))),
            ("QUERY", Some("a=b%20c")),
            ("PATTERN", Some(side.route)),
            ("host", Some("localhost")),
            ("x-a", Some("1")),
        ],
    )?;
    same("the body", &request.body, "")?;
    handler.answer(request, "hello")?;
    client.answer(false)?.expect(200, "hello")
}

fn headers(request: &Request, wanted: &[(&str, Option<&str>)]) -> Verdict {
    wanted.iter().try_for_each(|(name, value)| equal(format!("`{name}`"), request.header(name), *value))
}
