//! The hello handlers as real processes, one per language, against a played server.

#![cfg(test)]

mod deployment;

use std::path::Path;
use std::process::Command;

use mongrel2::config::Protocol;
use mongrel2::wire::request::{self, Envelope, Headers};
use testkit::{FakeServer, Process};

const UUID: &str = "54c6755b-9628-40a4-9a2d-cc82a816345e";

fn rust() -> Option<Command> {
    Some(Command::new(env!("CARGO_BIN_EXE_hello")))
}

fn python() -> Option<Command> {
    let mut command = Command::new(testkit::python()?);
    command.arg(example("hello.py"));
    Some(command)
}

fn javascript() -> Option<Command> {
    Some(testkit::node()?.script(example("hello.js").as_ref()))
}

fn example(name: &str) -> String {
    format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn rust_answers() {
    answers("Rust", rust());
}

#[test]
fn python_answers() {
    answers("Python", python());
}

#[test]
fn javascript_answers() {
    answers("JavaScript", javascript());
}

#[test]
fn rust_outlives_the_server() {
    outlives_the_server("Rust", rust());
}

#[test]
fn python_outlives_the_server() {
    outlives_the_server("Python", python());
}

#[test]
fn javascript_outlives_the_server() {
    outlives_the_server("JavaScript", javascript());
}

#[test]
fn scripts_are_short() {
    for name in ["hello.py", "hello.js", "rust/src/main.rs", "../hello/config.rhai"] {
        let lines = std::fs::read_to_string(Path::new(&example(name))).unwrap().lines().count();
        assert!(lines < 60, "`{name}` has {lines} lines");
    }
}

/// Everything that the handlers promise, in the order in which it is sent.
fn answers(language: &str, command: Option<Command>) {
    let Some(mut command) = command else { return };
    let server = FakeServer::start();
    let handler = start(&mut command, &server);

    check(&server, &Ask { query: "to=you", ..Ask::new(language, 1) });
    let binary: Vec<u8> = (0..=255).collect();
    check(&server, &Ask { method: "POST", body: &binary, ..Ask::new(language, 23) });
    check(&server, &Ask { method: "HEAD", ..Ask::new(language, 24) });

    server.send(message(&Ask::new(language, 25), &[(b"X-Killme", b"please")]));
    assert_eq!(server.recv(), format!("{UUID} 2:25, ").as_bytes());

    for garbage in [&b""[..], b"\xff\0", b"uuid 1 / 9:{},0:,", b"uuid 1 / 4:null,0:,", b"uuid 1 / 2:{},x:,"] {
        server.send(garbage);
    }
    server.send(request::render_disconnect(Protocol::Json, UUID, 25));
    // Whatever it had said to the messages above would come before this.
    check(&server, &Ask::new(language, 26));
    handler.wait_for_stderr("skipped a message: ");
}

fn outlives_the_server(language: &str, command: Option<Command>) {
    let Some(mut command) = command else { return };
    let mut server = FakeServer::start();
    let _handler = start(&mut command, &server);
    for id in 1..=3 {
        check(&server, &Ask::new(language, id));
        server.restart();
    }
}

fn start(command: &mut Command, server: &FakeServer) -> Process {
    Process::start(command.args([server.requests_from(), server.replies_to()]))
}

/// A request, and what is expected to be told about it.
struct Ask<'a> {
    language: &'a str,
    id: u64,
    method: &'a str,
    query: &'a str,
    body: &'a [u8],
}

impl<'a> Ask<'a> {
    fn new(language: &'a str, id: u64) -> Self {
        Self { language, id, method: "GET", query: "", body: b"" }
    }
}

fn message(ask: &Ask<'_>, client: &[(&[u8], &[u8])]) -> Vec<u8> {
    let envelope = Envelope { sender: UUID, id: ask.id, path: b"/hello" };
    let mut server = vec![("METHOD", ask.method.as_bytes())];
    if !ask.query.is_empty() {
        server.push(("QUERY", ask.query.as_bytes()));
    }
    request::render(Protocol::Json, &envelope, Headers { client, server: &server }, ask.body)
}

fn check(server: &FakeServer, ask: &Ask<'_>) {
    server.send(message(ask, &[(b"Host", b"localhost")]));
    let reply = server.recv();
    let Ask { language, method, query, body, .. } = ask;
    let size = body.len();
    let text = format!("Hello from {language}\nmethod: {method}\npath: /hello\nquery: {query}\nbody: {size} bytes\n\n");
    let page = [text.as_bytes(), body].concat();
    let id = ask.id.to_string();
    let head = format!(
        "{UUID} {}:{id}, HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        id.len(),
        page.len()
    );
    let expected = [head.as_bytes(), if *method == "HEAD" { b"" } else { &page }].concat();
    assert_eq!(reply.escape_ascii().to_string(), expected.escape_ascii().to_string());
}
