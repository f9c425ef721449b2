//! Which handler gets a request: by host, by prefix, by pattern.

use super::Row;
use super::handler::Handler;
use super::subject::Subject;
use crate::check::{Verdict, equal};

pub(super) const ROWS: &[Row] = &[
    ("prefix", "A route gets all paths that begin with its own.", prefix),
    ("longest", "The longest route wins.", longest),
    ("pattern", "A pattern decides among routes that share a prefix, and `PATTERN` is the one that matches.", pattern),
    ("no-pattern", "If none of those patterns matches, no shorter route is tried: 404.", no_pattern),
    ("shorter", "A path that is shorter than a route does not get it.", shorter),
    ("none", "A path without a route gets 404.", none),
    ("host", "A host has routes of its own.", host),
    ("host-port", "The port in `Host` means nothing.", host_port),
    ("default", "A host that isn't configured is the default host.", default),
];

/// That a handler gets a request by that route.
fn goes_to(subject: &Subject, handler: &Handler, host: &str, path: &str, pattern: &str) -> Verdict {
    let mut client = subject.client()?;
    client.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))?;
    let request = handler.request(path)?.request;
    equal("`PATTERN`", request.header("PATTERN"), Some(pattern))?;
    handler.answer(&request, "")?;
    client.answer(false)?.expect(200, "")
}

fn is_missing(subject: &Subject, path: &str) -> Verdict {
    equal(format!("the status of `{path}`"), subject.answer(&format!("GET {path} HTTP/1.1"), "", "")?.status, 404)
}

fn prefix(subject: &Subject) -> Verdict {
    ["/json", "/json/", "/json/deep/er?x", "/jsonish"]
        .iter()
        .map(|path| path.split('?').next().unwrap_or(path))
        .try_for_each(|path| goes_to(subject, &subject.json, "localhost", path, "/json"))
}

fn longest(subject: &Subject) -> Verdict {
    goes_to(subject, &subject.tnet, "localhost", "/json/longer/x", "/json/longer")?;
    goes_to(subject, &subject.json, "localhost", "/json/longe", "/json")
}

fn pattern(subject: &Subject) -> Verdict {
    goes_to(subject, &subject.json, "localhost", "/json/number/42", "/json/number/([0-9]+)$")?;
    goes_to(subject, &subject.tnet, "localhost", "/json/number/forty", "/json/number/(\\a+)$")
}

fn no_pattern(subject: &Subject) -> Verdict {
    is_missing(subject, "/json/number/42x")
}

fn shorter(subject: &Subject) -> Verdict {
    is_missing(subject, "/jso")
}

fn none(subject: &Subject) -> Verdict {
    ["/", "/nothing", "/JSON"].iter().try_for_each(|path| is_missing(subject, path))
}

fn host(subject: &Subject) -> Verdict {
    goes_to(subject, &subject.tnet, "other.example", "/json/host", "/json")
}

fn host_port(subject: &Subject) -> Verdict {
    goes_to(subject, &subject.tnet, "other.example:8080", "/json/host-port", "/json")
}

fn default(subject: &Subject) -> Verdict {
    goes_to(subject, &subject.json, "nobody.example", "/json/default", "/json")
}
