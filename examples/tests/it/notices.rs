//! With download.flow_control the server tells handlers what it has written: none of the examples takes that for a request.
//! An answer to it would be written in turn, and told, for ever.

use std::process::Command;

use mongrel2::config::Protocol;
use mongrel2::wire::request::{self, Envelope, Headers};
use testkit::{FakeServer, Process};

use super::{example, python};

const UUID: &str = "5f1c5b7e-30d5-4b8c-9f0e-0d9f5e0c7c11";

fn takes_it_for_no_request(handler: Option<Command>, words: &[&str]) {
    let Some(mut handler) = handler else { return };
    let server = FakeServer::start();
    let _handler = Process::start(handler.args(words).args([server.requests_from(), server.replies_to()]));
    server.send(request::render_credits(Protocol::Json, UUID, 8, 4096));
    let headers: [(&str, &[u8]); 2] = [("METHOD", b"GET"), ("PATH", b"/x")];
    let envelope = Envelope { sender: UUID, id: 7, path: b"/x" };
    server.send(request::render(Protocol::Json, &envelope, Headers { client: &[], server: &headers }, b""));
    let reply = String::from_utf8(server.recv()).unwrap();
    assert!(reply.starts_with(&format!("{UUID} 1:7, ")), "{reply}");
}

#[test]
fn handlers_in_python() {
    for script in ["hello/hello.py", "handlertest/handlertest.py", "websocket/echo.py", "upload/stream.py"] {
        takes_it_for_no_request(python(script), &[]);
    }
    takes_it_for_no_request(python("upload/upload.py"), &["."]);
    takes_it_for_no_request(python("mp3stream/mp3stream.py"), &["no-music"]);
    takes_it_for_no_request(python("chat/chat.py"), &[]);
}

#[test]
fn handlers_in_javascript() {
    let Some(node) = testkit::node() else { return };
    takes_it_for_no_request(Some(node.script(&example("hello/hello.js"))), &[]);
    takes_it_for_no_request(Some(node.script(&example("websocket/echo.js"))), &[]);
    takes_it_for_no_request(Some(node.script(&example("upload/upload.js"))), &["."]);
    takes_it_for_no_request(Some(node.module(&example("javascript/poll.js"))), &[]);
}

#[test]
fn handlers_in_php() {
    let Some(mut handler) = testkit::php() else { return };
    handler.arg(example("php/poll.php"));
    takes_it_for_no_request(Some(handler), &[]);
}
