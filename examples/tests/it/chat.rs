//! The chat: browsers and socket clients in the same room, and clients that mean no good.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use testkit::http::{Client, ask};
use testkit::{Deployment, Process, wait};

use super::browser::Browser;
use super::{example, python};

/// A server with its page and its handler.
struct Running {
    deployment: Deployment,
    handler: Process,
    _server: Process,
}

impl Running {
    /// `None` without a Python.
    fn start() -> Option<Self> {
        let mut handler = python("chat/chat.py")?;
        let deployment = Deployment::of(example("chat/config.rhai"), &["6767", "9977", "9976"]);
        let folder = deployment.path().join("static");
        fs::create_dir(&folder).unwrap();
        for file in ["index.html", "chat.js", "chat.css"] {
            fs::copy(example("chat/static").join(file), folder.join(file)).unwrap();
        }
        let _server = deployment.start();
        let handler = Process::start(handler.args([deployment.endpoint(1), deployment.endpoint(2)]));
        Some(Self { deployment, handler, _server })
    }

    fn socket(&self) -> Socket {
        let stream = TcpStream::connect(self.deployment.address(0)).unwrap();
        stream.set_read_timeout(Some(wait::DEADLINE)).unwrap();
        Socket(BufReader::new(stream))
    }
}

/// A client of the JSON socket.
struct Socket(BufReader<TcpStream>);

impl Socket {
    fn say(&mut self, word: &str) {
        write!(self.0.get_mut(), "@chat {word}\0").unwrap();
    }

    /// What comes next, still in base64; `None` if the connection is closed.
    fn hear(&mut self) -> Option<String> {
        let mut data = Vec::new();
        self.0.read_until(0, &mut data).ok().filter(|size| *size > 0)?;
        data.pop();
        Some(String::from_utf8(data).unwrap())
    }

    /// Waits for something; `base64` is how it is sent.
    fn wait_for(&mut self, base64: &str) {
        while self.hear().expect("the connection is open") != base64 {}
    }

    fn join(&mut self, name: &str) {
        self.say(&format!(r#"{{"type": "join", "user": "{name}"}}"#));
        self.hear().unwrap();
    }
}

/// `{"type": "msg", "user": "Ann", "msg": "hi"}`.
const HI_FROM_ANN: &str = "eyJ0eXBlIjogIm1zZyIsICJ1c2VyIjogIkFubiIsICJtc2ciOiAiaGkifQ==";
/// `{"type": "leave", "user": "Bob"}`.
const BOB_LEAVES: &str = "eyJ0eXBlIjogImxlYXZlIiwgInVzZXIiOiAiQm9iIn0=";

#[test]
fn the_rules_of_the_room() {
    let Some(mut tests) = python("chat/test_room.py") else { return };
    assert!(Process::start(&mut tests).wait().success());
}

#[test]
fn two_pages_and_a_terminal_are_in_the_same_room() {
    let Some(running) = Running::start() else { return };
    let Some(browser) = Browser::start() else { return };
    meet(running.deployment.address(0), &browser, &example("chat/client.py"));
    assert_eq!(running.handler.stderr(), "");
}

/// Two pages and a terminal meet, wherever the room is.
pub(crate) fn meet(address: SocketAddr, browser: &Browser, client: &Path) {
    let url = format!("http://{address}/chatdemo/");
    let words = [&url, &address.ip().to_string(), &address.port().to_string()];
    let mut driver = browser.driver("tests/it/chat/room.py");
    assert!(Process::start(driver.args(words).arg(client)).wait().success());
}

#[test]
fn what_one_client_sends_is_nobody_elses_problem() {
    let Some(running) = Running::start() else { return };
    let (mut ann, mut bob) = (running.socket(), running.socket());
    ann.join("Ann");
    bob.join("Bob");

    let deep = "[".repeat(15_000);
    let bad = [
        "null",
        "7",
        "[]",
        "{}",
        "{",
        "{\"type\": [1]}",
        "{\"type\": \"disconnect\"}",
        "{\"type\": \"leave\", \"user\": \"Ann\"}",
        "{\"type\": \"join\", \"user\": \"Ann\"}",
        "{\"type\": \"join\", \"user\": {}}",
        "{\"type\": \"msg\", \"msg\": \"\\ud800\"}",
        &deep,
    ];
    for word in bad {
        // Some of these are answered, for others the connection is closed.
        running.socket().say(word);
        let _ = write!(bob.0.get_mut(), "@chat {word}\0");
    }
    let mut flood = running.socket();
    flood.join("Flood");
    for _ in 0..1000 {
        let _ = write!(flood.0.get_mut(), "@chat {{\"type\": \"msg\", \"msg\": \"flood\"}}\0");
    }
    // Frames of a WebSocket that are no words: text that is none, bytes, and half of one.
    for frame in [&b"\x81\x81\0\0\0\0{"[..], b"\x82\x81\0\0\0\0x", b"\x81\xff"] {
        let mut client = Client::connect(running.deployment.address(0));
        client.send(handshake(""));
        assert_eq!(client.answer().status, 101);
        client.send(frame);
    }
    drop(bob);
    ann.wait_for(BOB_LEAVES);
    ann.say(r#"{"type": "msg", "msg": "hi"}"#);
    ann.wait_for(HI_FROM_ANN);
}

#[test]
fn a_socket_for_pages_of_other_sites_is_refused() {
    let Some(running) = Running::start() else { return };
    let address = running.deployment.address(0);
    for (origin, status) in [("http://evil.example", 403), ("null", 403), ("http://x", 101), ("https://x", 101)] {
        let mut client = Client::connect(address);
        client.send(handshake(&format!("Origin: {origin}\r\n")));
        assert_eq!(client.answer().status, status, "{origin}");
    }
    assert_eq!(ask(address, "GET /chatdemo/socket", "").status, 426);
    assert_eq!(ask(address, "GET /chatdemo/", "").status, 200);
}

#[test]
fn a_websocket_is_closed_in_good_order() {
    let Some(running) = Running::start() else { return };
    let mut stream = TcpStream::connect(running.deployment.address(0)).unwrap();
    stream.set_read_timeout(Some(wait::DEADLINE)).unwrap();
    stream.write_all(handshake("").as_bytes()).unwrap();
    stream.write_all(b"\x89\x84\0\0\0\0ping\x88\x82\0\0\0\0\x03\xe8").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(b"\r\n\r\n\x8a\x04ping\x88\x02\x03\xe8"), "{}", answer.escape_ascii());
}

fn handshake(headers: &str) -> String {
    format!(
        "GET /chatdemo/socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

#[test]
fn the_client_says_when_nobody_is_there() {
    let Some(mut client) = python("chat/client.py") else { return };
    let address = testkit::free_address();
    let mut client = Process::start(client.args(["Ann", "127.0.0.1", &address.port().to_string()]));
    assert_eq!(client.wait().code(), Some(1));
    client.wait_for_stderr("cannot connect");
}
