//! The libraries in JavaScript and PHP: each kind of reply byte by byte, and messages that are none.

use std::process::Command;

use mongrel2::config::Protocol;
use mongrel2::wire::request::{self, Envelope, Headers};
use testkit::{FakeServer, Process};

use super::{example, random};

const UUID: &str = "d5f0a1de-8a0b-4c2b-a6a7-3b7c38f3e3b5";

/// A handler that sends one reply of each kind, and the server that it is connected with.
struct Bench {
    server: FakeServer,
    _handler: Process,
}

impl Bench {
    fn start(mut handler: Command, library: &str) -> Self {
        let server = FakeServer::start();
        handler.args([server.requests_from(), server.replies_to(), example(library).to_str().unwrap()]);
        Self { _handler: Process::start(&mut handler), server }
    }

    fn javascript() -> Option<Self> {
        let node = testkit::node()?;
        // The library where its package is, and the script beside it.
        node.module(&example("javascript/mongrel2.js"));
        let script = node.script(&example("tests/it/libraries/kinds.js"));
        Some(Self::start(script, "../target/test-node/javascript/mongrel2.js"))
    }

    fn php() -> Option<Self> {
        let mut php = testkit::php()?;
        php.arg(example("tests/it/libraries/kinds.php"));
        Some(Self::start(php, "php/Connection.php"))
    }

    fn send(&self, protocol: Protocol, path: &[u8], method: &str, client: &[(&[u8], &[u8])], body: &[u8]) {
        let envelope = Envelope { sender: UUID, id: 7, path };
        let headers = Headers { client, server: &[("METHOD", method.as_bytes())] };
        self.server.send(request::render(protocol, &envelope, headers, body));
    }

    /// Takes one reply of each kind.
    fn takes_all(&self, body: &[u8], json: &str) {
        let bytes: Vec<u8> = (0..=255).collect();
        let frame = [b"\x82\x7e\x01\x00", &bytes[..]].concat();
        let handshake = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: key\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
        let expected: [(&str, &[u8]); 16] = [
            ("7", &bytes),
            ("7", body),
            ("7", json.as_bytes()),
            ("7", "HTTP/1.1 404 Not Found\r\nX-A: 1\r\nContent-Length: 2\r\n\r\né".as_bytes()),
            ("7", b"\x81\x02\xc3\xa9"),
            ("7", &frame),
            ("7", b"\x89\x04ping"),
            ("7", handshake.as_bytes()),
            ("X 7", b"31:3:ctl,21:10:keep-alive,4:true!}]"),
            ("X 7", b"27:3:ctl,17:7:credits,4:4096#}]"),
            ("X 7", b"26:3:ctl,16:6:cancel,4:true!}]"),
            ("X 7", b"22:8:sendfile,8:film.mp4,]"),
            ("1 2", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
            ("3", b"\x81\x01x"),
            ("4", b""),
            ("7", b""),
        ];
        for (ids, data) in expected {
            let message = [format!("{UUID} {}:{ids}, ", ids.len()).as_bytes(), data].concat();
            assert_eq!(self.server.recv().escape_ascii().to_string(), message.escape_ascii().to_string());
        }
    }
}

#[test]
fn javascript_sends_each_kind() {
    sends_each_kind(Bench::javascript());
}

#[test]
fn php_sends_each_kind() {
    sends_each_kind(Bench::php());
}

fn sends_each_kind(bench: Option<Bench>) {
    let Some(bench) = bench else { return };
    let cookies: [(&[u8], &[u8]); 2] = [(b"cookie", b"a=1"), (b"cookie", b"b=2")];
    for protocol in [Protocol::Json, Protocol::Tnetstring] {
        bench.send(protocol, b"/a", "POST", &cookies, b"key");
        bench.takes_all(b"key", r#"["/a","a=1; b=2",null]"#);
    }
    // A client that says so itself isn't taken for the server.
    let body = br#"{"type":"disconnect"}"#;
    bench.send(Protocol::Json, b"@chat", "JSON", &[], body);
    let first: Vec<_> = (0..3).map(|_| bench.server.recv()).collect();
    assert!(first[2].ends_with(br#"["@chat",null,{"type":"disconnect"}]"#), "{}", first[2].escape_ascii());
    (3..15).for_each(|_| drop(bench.server.recv()));

    bench.server.send(request::render_disconnect(Protocol::Json, UUID, 7));
    let ids = |from: usize, to: usize| (from..to).map(|id| id.to_string()).collect::<Vec<_>>().join(" ");
    for ids in [ids(0, 128), ids(128, 256), ids(256, 300)] {
        let message = format!("{UUID} {}:{ids}, \"gone\"", ids.len());
        assert_eq!(String::from_utf8(bench.server.recv()).unwrap(), message);
    }
}

#[test]
fn javascript_skips_what_is_no_message() {
    skips_what_is_no_message(Bench::javascript());
}

#[test]
fn php_skips_what_is_no_message() {
    skips_what_is_no_message(Bench::php());
}

fn skips_what_is_no_message(bench: Option<Bench>) {
    let Some(bench) = bench else { return };
    let deep = format!("{UUID} 7 /a {}:{},0:,", 200_000, "[".repeat(200_000));
    let bad = [
        "",
        "nonsense",
        "uuid x / 2:{},0:,",
        "uuid -7 / 2:{},0:,",
        "uuid 7 / 2:{}",
        "uuid 7 / 2:[],0:,",
        "uuid 7 / 4:null,0:,",
        "uuid 7 / 7:{\"a\":1},0:,",
        "uuid 7 / 9:{\"a\":[1]},0:,",
        "uuid 7 / 7:1:a,1:1#}0:,",
        "uuid 7 / 4:1:a,}0:,",
        "uuid 7 / 2:{},5:abc,",
        "uuid 7 / 2:{},3:abc,x",
        "uuid 7 / 2:{},999999999:abc,",
        "uuid 7 / 99999999999:{},3:abc,",
        "uuid 7 / -2:{},3:abc,",
        "uuid 7 @x 17:{\"METHOD\":\"JSON\"},1:{,",
        &deep,
    ];
    bad.iter().for_each(|bad| bench.server.send(bad));
    bench.send(Protocol::Json, b"/a", "GET", &[], b"key");
    bench.takes_all(b"key", r#"["/a",null,null]"#);

    // Messages of which bytes were changed: some still are messages, and answered.
    let head = format!("{UUID} 7 /a ");
    let good = format!("{head}16:6:METHOD,4:JSON,}}12:{{\"a\":[1,2]}} ,");
    for seed in 0..1000 {
        let mut message = good.clone().into_bytes();
        for pair in random(8, seed).chunks(2) {
            let place = head.len() + usize::from(pair[0]) % (message.len() - head.len());
            message[place] = b"0123456789:,#^!~]}{[\"\\ \xff\0"[usize::from(pair[1]) % 25];
        }
        bench.server.send(message);
    }
    bench.server.send(format!("{UUID} 8 /a 2:{{}},3:end,"));
    while !bench.server.recv().starts_with(format!("{UUID} 1:8, ").as_bytes()) {}
}
