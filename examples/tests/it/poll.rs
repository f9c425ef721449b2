//! The poll in JavaScript and PHP, as people who vote and who watch see it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use testkit::http::{Answer, ask};
use testkit::{Deployment, Process, wait};

use super::example;

/// A server with its handler.
struct Running {
    deployment: Deployment,
    handler: Process,
    _server: Process,
}

impl Running {
    fn javascript() -> Option<Self> {
        let handler = testkit::node()?.module(&example("javascript/poll.js"));
        Some(Self::start("javascript", &["6767", "9973", "9972"], handler))
    }

    fn php() -> Option<Self> {
        let mut handler = testkit::php()?;
        handler.arg(example("php/poll.php"));
        Some(Self::start("php", &["6767", "9971", "9970"], handler))
    }

    fn start(folder: &str, ports: &[&str], mut handler: Command) -> Self {
        let deployment = Deployment::of(example(&format!("{folder}/config.rhai")), ports);
        let _server = deployment.start();
        let handler = Process::start(handler.args([deployment.endpoint(1), deployment.endpoint(2)]));
        Self { deployment, handler, _server }
    }

    fn ask(&self, line: &str, body: &str) -> Answer {
        ask(self.deployment.address(0), line, body)
    }

    fn vote(&self, vote: &str) -> (u16, String) {
        let answer = self.ask("POST /poll", vote);
        (answer.status, answer.text())
    }
}

/// Somebody who sees each vote.
struct Watcher(BufReader<TcpStream>);

impl Watcher {
    fn start(address: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(wait::DEADLINE)).unwrap();
        write!(stream, "GET {path}/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        Self(BufReader::new(stream))
    }

    fn event(&mut self) -> String {
        let mut line = String::new();
        while !line.starts_with("data: ") {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream has ended");
        }
        line
    }
}

#[test]
fn javascript_counts_and_tells() {
    let Some(running) = Running::javascript() else { return };
    counts_and_tells(running.deployment.address(0), "/poll");
}

#[test]
fn php_counts_and_tells() {
    let Some(running) = Running::php() else { return };
    counts_and_tells(running.deployment.address(0), "/poll");
}

/// The same wherever it runs, as long as nobody has voted.
pub(crate) fn counts_and_tells(address: SocketAddr, path: &str) {
    let vote = |vote: &str| {
        let answer = ask(address, &format!("POST {path}"), vote);
        (answer.status, answer.text())
    };
    let answer = ask(address, &format!("GET {path}"), "");
    assert_eq!((answer.status, answer.text().as_str()), (200, "{\"yes\":0,\"no\":0}\n"));
    assert_eq!(answer.header("Content-Type"), Some("application/json"));

    let mut watchers: Vec<_> = (0..3).map(|_| Watcher::start(address, path)).collect();
    for watcher in &mut watchers {
        assert_eq!(watcher.event(), "data: {\"yes\":0,\"no\":0}\n");
    }
    drop(watchers.pop());
    assert_eq!(vote(r#"{"vote": "yes"}"#), (200, "{\"yes\":1,\"no\":0}\n".into()));
    assert_eq!(vote(r#"{"vote": "no"}"#), (200, "{\"yes\":1,\"no\":1}\n".into()));
    for watcher in &mut watchers {
        assert_eq!(watcher.event(), "data: {\"yes\":1,\"no\":0}\n");
        assert_eq!(watcher.event(), "data: {\"yes\":1,\"no\":1}\n");
    }
    let answer = ask(address, &format!("DELETE {path}"), "");
    assert_eq!((answer.status, answer.header("Allow")), (405, Some("GET, HEAD, POST")));
}

#[test]
fn javascript_counts_nothing_else() {
    counts_nothing_else(Running::javascript());
}

#[test]
fn php_counts_nothing_else() {
    counts_nothing_else(Running::php());
}

fn counts_nothing_else(running: Option<Running>) {
    let Some(running) = running else { return };
    let deep = "[".repeat(20_000);
    let bad = [
        "",
        "{",
        "null",
        "7",
        "\"yes\"",
        "[]",
        "{}",
        "{\"vote\": null}",
        "{\"vote\": \"maybe\"}",
        "{\"vote\": 0}",
        "{\"vote\": {\"toString\": 1}}",
        "{\"vote\": \"__proto__\"}",
        "{\"vote\": \"toString\"}",
        "\u{0}",
        &deep,
    ];
    for vote in bad {
        assert_eq!(running.vote(vote).0, 400, "{vote}");
    }
    assert_eq!(running.ask("GET /poll", "").text(), "{\"yes\":0,\"no\":0}\n");

    // Who leaves in the middle of anything is nobody else's business.
    for _ in 0..20 {
        let mut client = TcpStream::connect(running.deployment.address(0)).unwrap();
        write!(client, "GET /poll/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        client.read_exact(&mut [0; 12]).unwrap();
    }
    assert_eq!(running.vote(r#"{"vote": "yes"}"#).0, 200);
    assert_eq!(running.handler.stderr(), "");
}
