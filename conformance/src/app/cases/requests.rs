//! What an application is told of a request.

use std::net::TcpStream;

use super::run::Run;
use super::{MANUAL, case};
use crate::app::host::Host;
use crate::case::Case;
use crate::check::{Verdict, equal};

/// Methods that a client may have, beside GET, HEAD and POST.
const METHODS: [&str; 4] = ["DELETE", "OPTIONS", "PATCH", "PURGE"];

pub(super) fn cases() -> Vec<Case<Host>> {
    let mut cases = vec![
        case(
            ("requests", "head"),
            "The application gets method, target, version, scheme, address, and headers, of which some come twice.",
            MANUAL,
            |run| {
                let headers = "X-A: 1\r\nCookie: a=1\r\nX-A: 2\r\n";
                about(run, "PUT /about?x=y%20z HTTP/1.1", headers, "body", r#"["1+2", "a=1"] body"#)
            },
        ),
        case(("requests", "http-1.0"), "A request of HTTP/1.0 is told as one.", MANUAL, |run| {
            about(run, "GET /about HTTP/1.0", "", "", r#"["", ""] "#)
        }),
        case(("requests", "target"), "The target isn't decoded or changed.", MANUAL, |run| {
            about(run, "GET /about?%2F%41&=+;a[]=%00%ff HTTP/1.1", "", "", r#"["", ""] "#)
        }),
        case(("requests", "long-header"), "A header of 4,000 bytes reaches the application.", MANUAL, |run| {
            let long = "x".repeat(4000);
            about(run, "GET /about HTTP/1.1", &format!("X-A: {long}\r\n"), "", &format!("[\"{long}\", \"\"] "))
        }),
    ];
    cases.extend(METHODS.map(|method| {
        let name = format!("method-{}", method.to_ascii_lowercase());
        case(("requests", &name), format!("The application gets requests with {method}."), MANUAL, move |run| {
            about(run, &format!("{method} /about HTTP/1.1"), "", "", r#"["", ""] "#)
        })
    }));
    cases
}

/// That `/about` tells of the request: its line, where it comes from, and the rest.
fn about(run: &Run<'_>, line: &str, headers: &str, body: &str, rest: &str) -> Verdict {
    let from = TcpStream::connect(run.host.address)?.local_addr()?.ip();
    let told = run.ask(line, headers, body)?;
    told.expect(200, format!("{line} http {from} {rest}"))?;
    equal("`content-length`", told.header("content-length"), Some(told.body.len().to_string().as_str()))
}
