//! The examples as programs, with a played server.

use std::process::Command;

use mongrel2::config::Protocol;
use mongrel2::wire::request::{self, Envelope, Headers};
use testkit::{FakeServer, Process, program};

use crate::handler::{UUID, message, received};

fn start(example: &str, server: &FakeServer) -> Process {
    let mut command = Command::new(program(&format!("examples/{example}")));
    Process::start(command.args([server.requests_from(), server.replies_to()]))
}

fn json(body: &str) -> String {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length";
    format!("1:7, {head}: {}\r\n\r\n{body}", body.len())
}

fn websocket(flags: &[u8], body: &[u8]) -> Vec<u8> {
    let envelope = Envelope { sender: UUID, id: 7, path: b"/hello" };
    let headers = Headers { client: &[], server: &[("METHOD", b"WEBSOCKET"), ("FLAGS", flags)] };
    request::render(Protocol::Tnetstring, &envelope, headers, body)
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    [format!("{UUID} 1:7, ").as_bytes(), bytes].concat()
}

#[test]
fn blocking() {
    let server = FakeServer::start();
    let _handler = start("blocking", &server);
    server.send(message(7, "POST", b"abc"));
    assert_eq!(received(&server), json(r#"{"path":"/hello","bytes":3}"#));
    server.send(message(7, "JSON", b"{}"));
    assert_eq!(received(&server), r#"1:7, {"bytes":2}"#);

    server.send(message(7, "WEBSOCKET_HANDSHAKE", b"key"));
    assert!(received(&server).contains(" 101 "));
    server.send(websocket(b"0x81", b"hi"));
    assert_eq!(server.recv(), frame(b"\x81\x02hi"));
    server.send(websocket(b"0x89", b"?"));
    assert_eq!(server.recv(), frame(b"\x8a\x01?"));
    server.send(websocket(b"0x81", b"\xff"));
    server.send(b"garbage");
    server.send(websocket(b"0x88", b""));
    assert_eq!(server.recv(), frame(b"\x88\0"));
    assert_eq!(received(&server), "1:7, ");
}

#[test]
fn blocking_takes_uploads() {
    let server = FakeServer::start();
    let _handler = start("blocking", &server);
    let envelope = Envelope { sender: UUID, id: 7, path: b"/hello" };
    let post: (&str, &[u8]) = ("METHOD", b"POST");
    let first = Headers { client: &[], server: &[post, ("UPLOAD_STREAM", b"0")] };
    server.send(request::render(Protocol::Json, &envelope, first, b"abc"));
    assert!(received(&server).contains("6:262144#"));
    let piece = |headers: &[(&str, &[u8])]| request::render_piece(Protocol::Json, &envelope, headers, b"defg");
    server.send(piece(&[("UPLOAD_STREAM", b"3")]));
    assert!(received(&server).contains("1:4#"));
    server.send(piece(&[("UPLOAD_STREAM", b"7"), ("UPLOAD_STREAM_DONE", b"1")]));
    assert_eq!(received(&server), json(r#"{"path":"/hello","bytes":11}"#));

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "12345").unwrap();
    // It counts from the folder that the test runs in.
    let here = std::env::current_dir().unwrap();
    let up = "../".repeat(here.components().count() - 1);
    let path = format!("{up}{}", file.path().strip_prefix("/").unwrap().display());
    let start = (&b"x-mongrel2-upload-start"[..], path.as_bytes());
    let done = (&b"x-mongrel2-upload-done"[..], path.as_bytes());
    for client in [&[start][..], &[start, done]] {
        server.send(request::render(Protocol::Json, &envelope, Headers { client, server: &[post] }, b""));
    }
    assert_eq!(received(&server), json(r#"{"path":"/hello","bytes":5}"#));
    assert!(!file.path().exists());
}

#[test]
fn tokio() {
    let server = FakeServer::start();
    let _handler = start("tokio", &server);
    server.send(message(7, "GET", b""));
    assert_eq!(received(&server), json(r#"{"listeners":0}"#));
    server.send(message(7, "WEBSOCKET_HANDSHAKE", b"key"));
    assert!(received(&server).contains(" 101 "));
    assert_eq!(server.recv(), frame(b"\x81\x0f1 are listening"));
    server.send(request::render_disconnect(Protocol::Json, UUID, 7));
    server.send(message(7, "GET", b""));
    let next = std::iter::from_fn(|| Some(server.recv())).find(|message| !message.contains(&0x81)).unwrap();
    assert!(next.ends_with(json(r#"{"listeners":0}"#).as_bytes()));
}

#[test]
fn app_alone() {
    let mut app = Process::start(Command::new(program("examples/app")).arg("127.0.0.1:0"));
    app.wait_for_stderr("/\n");
    let said = app.stderr();
    let address = said.lines().find_map(|line| line.strip_prefix("app: listens on http://")).unwrap();
    let address = address.trim_end_matches('/').parse().unwrap();
    let page = testkit::http::ask(address, "GET /", "");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html")));
    let sum = testkit::http::ask(address, "POST /sum", "abc");
    assert_eq!(sum.text(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n");
    assert_eq!(testkit::http::ask(address, "GET /echo", "").status, 404);
    app.wait_for_stderr("POST /sum: Outcome { answer: Whole { status: 200, bytes: 65 }, failure: None }");
    stop(&mut app);
}

#[test]
fn app_behind_a_server() {
    let server = FakeServer::start();
    let mut app = start("app", &server);
    server.send(message(7, "HEAD", b""));
    assert!(received(&server).starts_with("1:7, HTTP/1.1 404 Not Found\r\n"));
    server.send(message(8, "WEBSOCKET_HANDSHAKE", b"key"));
    assert!(received(&server).starts_with("1:8, HTTP/1.1 404 Not Found\r\n"), "there is no WebSocket at `/hello`");
    stop(&mut app);
}

/// Ctrl-C.
fn stop(app: &mut Process) {
    let pid = rustix::process::Pid::from_raw(app.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(app.wait().success());
}

#[test]
fn the_manual_shows_an_example() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let [manual, echo] = ["docs/manual.md", "mongrel2/examples/echo.rs"]
        .map(|path| std::fs::read_to_string(format!("{root}/{path}")).unwrap());
    let shown = manual.split("```rust\n").skip(1).flat_map(|rest| rest.split("```").next()).collect::<Vec<_>>();
    assert_eq!(shown.len(), 1, "each has to be looked for");
    for line in shown[0].lines() {
        assert!(echo.lines().any(|of_echo| of_echo.trim() == line.trim()), "`{line}` is not in the example");
    }
}
