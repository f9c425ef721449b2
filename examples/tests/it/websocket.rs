//! The WebSocket echoes in Python and JavaScript, as other people's clients see them: a Python package, Node.js and a
//! browser with the example's page.  A played server shows what no client does.

use std::fs;
use std::process::Command;

use mongrel2::config::Protocol;
use mongrel2::wire::request::{self, Envelope, Headers};
use testkit::http::ask;
use testkit::{Deployment, FakeServer, Process};

use super::{example, python};

/// What messages of a played server have in common.
const UUID: &str = "6a3c1f0e-0c5b-4a53-9a77-5d5f3f0b2d61";

/// Has the browser say what the page shows: `--dump-dom` doesn't wait for WebSockets, however much virtual time it has.
const OBSERVER: &str = "<script>
    const list = document.getElementById('log');
    new MutationObserver(() => console.log(list.outerHTML)).observe(list, { childList: true });
</script>";

/// A server with its page and its handler.
struct Running {
    deployment: Deployment,
    handler: Process,
    _server: Process,
}

impl Running {
    fn start(mut handler: Command) -> Self {
        let deployment = Deployment::of(example("websocket/config.rhai"), &["6767", "9983", "9982"]);
        let page = fs::read_to_string(example("websocket/static/index.html")).unwrap();
        fs::create_dir(deployment.path().join("static")).unwrap();
        fs::write(deployment.path().join("static/index.html"), page + OBSERVER).unwrap();
        let server = deployment.start();
        let handler = Process::start(handler.args([deployment.endpoint(1), deployment.endpoint(2)]));
        Self { deployment, handler, _server: server }
    }

    fn url(&self) -> String {
        format!("ws://{}/ws", self.deployment.address(0))
    }

    /// Runs a client to its end.
    fn run(&self, client: &mut Command) {
        assert!(Process::start(client).wait().success());
        assert_eq!(self.handler.stderr(), "");
    }
}

fn javascript() -> Option<Command> {
    Some(testkit::node()?.script(&example("websocket/echo.js")))
}

#[test]
fn python_answers_a_python_client() {
    answers_a_python_client(python("websocket/echo.py"));
}

#[test]
fn javascript_answers_a_python_client() {
    answers_a_python_client(javascript());
}

fn answers_a_python_client(handler: Option<Command>) {
    let Some(handler) = handler else { return };
    let running = Running::start(handler);
    python_client(&running.url());
    assert_eq!(running.handler.stderr(), "");
}

/// A client in Python is answered, wherever the handler is.
pub(crate) fn python_client(url: &str) {
    let Some(mut client) = python("tests/it/websocket/client.py") else { return };
    assert!(Process::start(client.arg(url)).wait().success());
}

#[test]
fn python_answers_node() {
    answers_node(python("websocket/echo.py"));
}

#[test]
fn javascript_answers_node() {
    answers_node(javascript());
}

fn answers_node(handler: Option<Command>) {
    let (Some(handler), Some(node)) = (handler, testkit::node()) else { return };
    let running = Running::start(handler);
    running.run(node.script(&example("tests/it/websocket/client.js")).arg(running.url()));
}

#[test]
fn python_answers_a_browser() {
    answers_a_browser(python("websocket/echo.py"));
}

#[test]
fn javascript_answers_a_browser() {
    answers_a_browser(javascript());
}

fn answers_a_browser(handler: Option<Command>) {
    let Some(handler) = handler else { return };
    let running = Running::start(handler);
    let folder = tempfile::tempdir().unwrap();
    let Some(mut chromium) = testkit::chromium(folder.path()) else { return };
    let browser = Process::start(chromium.arg(format!("http://{}/", running.deployment.address(0))));
    let told = ["open: echo", "text: Grüße", "binary: 0 1 254 255", "close: 1000 done clean"];
    let list: String = told.iter().map(|line| format!("<li>{line}</li>")).collect();
    browser.wait_for_stderr(&format!("<ol id=\"log\">{list}</ol>"));
}

#[test]
fn python_answers_what_no_client_does() {
    answers_what_no_client_does(python("websocket/echo.py"));
}

#[test]
fn javascript_answers_what_no_client_does() {
    answers_what_no_client_does(javascript());
}

fn answers_what_no_client_does(handler: Option<Command>) {
    let Some(mut handler) = handler else { return };
    let server = FakeServer::start();
    let _handler = Process::start(handler.args([server.requests_from(), server.replies_to()]));
    let send = |method: &str, flags: &str, client: &[(&[u8], &[u8])], body: &[u8]| {
        let envelope = Envelope { sender: UUID, id: 7, path: b"/ws" };
        let headers = [("METHOD", method.as_bytes()), ("FLAGS", flags.as_bytes())];
        let headers = Headers { client, server: &headers };
        server.send(request::render(Protocol::Json, &envelope, headers, body));
    };
    let reply = |bytes: &[u8]| [format!("{UUID} 1:7, ").as_bytes(), bytes].concat();

    // None of these is answered: what comes next is the answer to the ping.
    server.send(request::render_disconnect(Protocol::Json, UUID, 7));
    send("WEBSOCKET", "0x8A", &[], b"nobody asked");
    send("WEBSOCKET", "0x89", &[], b"ping");
    assert_eq!(server.recv(), reply(b"\x8a\x04ping"));
    // The shortest form of each length.
    let heads: [(usize, &[u8]); 4] = [
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (65535, b"\x82\x7e\xff\xff"),
        (65536, b"\x82\x7f\0\0\0\0\0\x01\0\0"),
    ];
    for (size, head) in heads {
        let body = vec![b'x'; size];
        send("WEBSOCKET", "0x82", &[], &body);
        assert!(server.recv() == reply(&[head, &body].concat()), "{size}");
    }
    send("WEBSOCKET", "0x88", &[], b"\x03\xe8bye");
    assert_eq!(server.recv(), reply(b"\x88\x05\x03\xe8bye"));
    assert_eq!(server.recv(), reply(b""), "the connection is closed");
    send("WEBSOCKET", "0x88", &[], b"");
    assert_eq!(server.recv(), reply(b"\x88\x00"), "a close may have no code");
    assert_eq!(server.recv(), reply(b""));

    // Two fields with subprotocols.
    let offered: [(&[u8], &[u8]); 2] = [(b"sec-websocket-protocol", b"chat"), (b"sec-websocket-protocol", b"v2,echo")];
    send("WEBSOCKET_HANDSHAKE", "", &offered, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: echo\r\n\r\n";
    assert_eq!(server.recv(), reply(answer.as_bytes()));
}

#[test]
fn a_request_that_is_no_handshake_is_told_so() {
    for handler in [python("websocket/echo.py"), javascript()].into_iter().flatten() {
        let running = Running::start(handler);
        let answer = ask(running.deployment.address(0), "GET /ws", "");
        assert_eq!((answer.status, answer.text().as_str()), (426, ""));
    }
}
