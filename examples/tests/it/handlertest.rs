//! The handler that tells what it was asked.

use std::net::SocketAddr;

use testkit::http::{Client, ask};
use testkit::{Deployment, Process};

use super::{example, python};

#[test]
fn it_tells_what_it_was_asked_and_kills_who_wants_it() {
    let Some(mut handler) = python("handlertest/handlertest.py") else { return };
    let deployment = Deployment::of(example("handlertest/config.rhai"), &["6767", "9981", "9980"]);
    let server = deployment.start();
    let handler = Process::start(handler.args([deployment.endpoint(1), deployment.endpoint(2)]));
    let address = deployment.address(0);
    tells_what_it_was_asked(address);
    handler.wait_for_stderr(" has gone");
    handler.wait_for_stderr("wants to be killed");

    // A server that comes back is answered as if nothing had been.
    drop(server);
    let _server = deployment.start();
    assert_eq!(ask(address, "GET /handlertest", "").status, 200);
}

/// The same wherever it runs.
pub(crate) fn tells_what_it_was_asked(address: SocketAddr) {
    let answer = ask(address, "POST /handlertest?a=<b>", "it's \u{0}");
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("text/plain; charset=utf-8")));
    let text = answer.text();
    for told in ["\nPATH: /handlertest\n", "\"QUERY\": \"a=<b>\"", "\"METHOD\": \"POST\"", "BODY: b\"it's \\x00\"\n"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let mut client = Client::connect(address);
    client.send("GET /handlertest HTTP/1.1\r\nHost: x\r\nKillme: yes\r\n\r\n");
    assert!(client.is_closed());
    assert_eq!(ask(address, "GET /handlertest", "").status, 200);
}
