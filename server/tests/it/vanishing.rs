//! Clients that vanish, in every state that a connection can be in, with a FIN and with an RST: each handler that knew
//! of the connection is told once, and nothing of it is left.

use std::fs;

use mongrel2::config::Target;
use mongrel2::wire::control::Status;
use testkit::wait;

use crate::harness::{Client, Operator, Peer, Running, Site, get, handler};
use crate::websocket::{self, frame};

/// How a client vanishes.
#[derive(Debug, Clone, Copy)]
enum Way {
    Fin,
    Reset,
}

struct Scene {
    running: Running,
    peer: Peer,
    operator: Operator,
}

/// Brings a connection into a state; gives it, and its id if the handler has had a message of it.
type State = fn(&Scene) -> (Client, Option<u64>);

impl Scene {
    fn start(settings: &[(&str, &str)]) -> Self {
        let mut site = Site::new()
            .files("/files/")
            .file("static/large", vec![b'x'; 20_000_000])
            .route("/one", Target::Handler(handler("one")))
            .route("@one", Target::Handler(handler("one")))
            .route("/absent", Target::Handler(handler("absent")))
            .setting("handler.wait", "3600")
            .setting("limits.content_length", "1000");
        for (name, value) in settings {
            site = site.setting(name, value);
        }
        fs::create_dir(site.path().join("tmp")).unwrap();
        let running = site.start();
        let peer = Peer::connect(running.site.path(), "one");
        let operator = Operator::connect(running.site.path());
        Self { running, peer, operator }
    }

    /// A connection that has sent this.
    fn sent(&self, bytes: impl AsRef<[u8]>) -> Client {
        let mut client = self.running.connect();
        client.send(bytes);
        client
    }

    /// A connection that has sent this, which the handler has got.
    fn asked(&self, bytes: impl AsRef<[u8]>) -> (Client, u64) {
        let client = self.sent(bytes);
        (client, self.peer.request().id)
    }

    /// Checks that a request is served, and that the handler gets nothing before it.
    fn serves(&self, name: &str) {
        let (mut client, id) = {
            let client = self.sent(get("/one"));
            let request = self.peer.request();
            assert_eq!(request.header("METHOD"), Some("GET"), "{name}: {request:?}");
            (client, request.id)
        };
        self.peer.answer(&[id], "ok");
        assert_eq!(client.answer().text(), "ok", "{name}");
        drop(client);
        let notice = self.peer.request();
        assert!(notice.is_disconnect() && notice.id == id, "{name}: {notice:?}");
    }

    /// How many there are without any connection.
    fn descriptors(&self) -> usize {
        wait::until("no connection to be left", || self.operator.status(Status::Net).is_empty().then_some(()));
        self.running.descriptors()
    }

    fn check(&self, states: &[(&str, State)]) {
        self.serves("the beginning");
        let before = self.descriptors();
        for (name, state) in states {
            for way in [Way::Fin, Way::Reset, Way::Fin, Way::Reset] {
                let (client, id) = state(self);
                match way {
                    Way::Fin => drop(client),
                    Way::Reset => client.reset(),
                }
                if let Some(id) = id {
                    let notice = self.peer.request();
                    assert!(notice.is_disconnect() && notice.id == id, "{name} {way:?}: {notice:?}");
                }
                // The server may not have seen it come yet.
                let back = || (self.descriptors() == before).then_some(());
                wait::until(&format!("the descriptors of `{name}` {way:?}"), back);
                self.serves(name);
            }
        }
        assert_eq!(fs::read_dir(self.running.site.path().join("tmp")).unwrap().count(), 0, "uploads are left");
    }
}

fn post(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
}

#[test]
fn while_a_request_comes() {
    Scene::start(&[]).check(&[
        ("connected", |scene| (scene.running.connect(), None)),
        ("half a head", |scene| (scene.sent("GET /one HTTP/1.1\r\nHo"), None)),
        ("no body", |scene| (scene.sent(post("/one", 500)), None)),
        ("half a body", |scene| (scene.sent(post("/one", 500) + "half"), None)),
        ("half a chunk", |scene| {
            (scene.sent("POST /one HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal"), None)
        }),
        ("invited to go on", |scene| {
            let mut client =
                scene.sent("POST /one HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
            assert_eq!(client.answer().status, 100);
            (client, None)
        }),
        ("half a message", |scene| (scene.sent("@one {"), None)),
    ]);
}

#[test]
fn while_a_handler_has_the_request() {
    Scene::start(&[]).check(&[
        ("parked", |scene| {
            let (client, id) = scene.asked(get("/one"));
            (client, Some(id))
        }),
        ("another request behind it", |scene| {
            let (client, id) = scene.asked([get("/one"), get("/one")].concat());
            (client, Some(id))
        }),
        ("half an answer", |scene| {
            let (mut client, id) = scene.asked(get("/one"));
            scene.peer.reply(&[id], "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            client.take(20);
            (client, Some(id))
        }),
        ("an answer half written", |scene| {
            let (mut client, id) = scene.asked(get("/one"));
            scene.peer.reply(&[id], [b"HTTP/1.1 200 OK\r\n\r\n", &vec![b'x'; 20_000_000][..]].concat());
            client.take(1);
            (client, Some(id))
        }),
        ("between two requests", |scene| {
            let (mut client, id) = scene.asked(get("/one"));
            scene.peer.answer(&[id], "ok");
            client.answer();
            (client, Some(id))
        }),
        ("a file half written, behind it", |scene| {
            let (mut client, id) = scene.asked(get("/one"));
            scene.peer.answer(&[id], "ok");
            client.answer();
            client.send(get("/files/large"));
            client.take(1);
            (client, Some(id))
        }),
    ]);
}

/// A client that has closed its half may still want the answer; when it goes for good, only an RST can tell.
#[test]
fn with_its_half_closed_before() {
    let scene = Scene::start(&[]);
    for _ in 0..4 {
        let (mut client, id) = scene.asked(get("/one"));
        client.finish();
        // The server asks for a sign of life.
        assert_eq!(client.answer().status, 100);
        client.reset();
        let notice = scene.peer.request();
        assert!(notice.is_disconnect() && notice.id == id);
        scene.serves("half closed");
    }
}

#[test]
fn while_nobody_takes_the_request() {
    let scene = Scene::start(&[]);
    // Those in the queue have no ids that anyone could have seen.
    scene.check(&[("waiting in the queue", |scene| (scene.sent(get("/absent")), None))]);
    let absent = Peer::connect(scene.running.site.path(), "absent");
    for _ in 0..4 {
        let (request, notice) = (absent.request(), absent.request());
        assert_eq!((request.header("METHOD"), request.id), (Some("GET"), notice.id));
        assert!(notice.is_disconnect());
    }
    assert!(absent.request_soon().is_none(), "nobody else was there");
}

#[test]
fn while_an_upload_comes() {
    let states: &[(&str, State)] = &[
        ("nothing of it", |scene| {
            let (client, id) = scene.asked(post("/one", 5000));
            (client, Some(id))
        }),
        ("half of it", |scene| {
            let (mut client, id) = scene.asked(post("/one", 50_000));
            // As much as the kernel takes, even if the server takes nothing.
            client.send(vec![b'x'; 25_000]);
            (client, Some(id))
        }),
        ("an answer to it half written", |scene| {
            let (mut client, id) = scene.asked(post("/one", 5000));
            scene.peer.reply(&[id], [b"HTTP/1.1 200 OK\r\n\r\n", &vec![b'x'; 20_000_000][..]].concat());
            client.take(1);
            (client, Some(id))
        }),
        ("a chunk of it", |scene| {
            let (mut client, id) = scene.asked("PUT /one HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
            client.send("5\r\nhello\r\n5\r\nwo");
            (client, Some(id))
        }),
    ];
    Scene::start(&[("upload.temp_store", "tmp/x.XXXXXX")]).check(states);
    Scene::start(&[("upload.stream", "1")]).check(states);
}

#[test]
fn while_a_socket_is_open() {
    fn open(scene: &Scene, bytes: &[u8]) -> (Client, Option<u64>) {
        let (mut client, id) = websocket::open(&scene.running, &scene.peer, "/one");
        client.send(bytes);
        (client, Some(id))
    }
    Scene::start(&[]).check(&[
        ("handshake", |scene| {
            let (client, id) = scene.asked(websocket::handshake("/one"));
            (client, Some(id))
        }),
        ("handshake and a frame", |scene| {
            let (client, id) = scene.asked([websocket::handshake("/one").into_bytes(), frame(0x81, b"hi")].concat());
            (client, Some(id))
        }),
        ("open", |scene| open(scene, b"")),
        ("half a header", |scene| open(scene, &frame(0x82, &[b'x'; 200])[..3])),
        ("half a frame", |scene| open(scene, &frame(0x82, &[b'x'; 200])[..100])),
        ("half a message", |scene| open(scene, &frame(0x01, b"half"))),
        ("told that it is over", |scene| {
            let (mut client, id) = open(scene, b"\xff");
            assert_eq!(client.take(4), websocket::close_frame(1002));
            (client, id)
        }),
        ("a frame half written", |scene| {
            let (mut client, id) = open(scene, b"");
            scene.peer.reply(&[id.unwrap()], vec![b'x'; 20_000_000]);
            client.take(1);
            (client, id)
        }),
        ("a message, and half of one", |scene| {
            let (mut client, id) = scene.asked("@one {}\0");
            client.send("@one {");
            (client, Some(id))
        }),
    ]);
}

#[test]
fn while_the_server_waits_for_it_to_go() {
    Scene::start(&[]).check(&[
        ("refused", |scene| {
            let mut client = scene.sent(post("/one", 100_000) + "half");
            assert_eq!(client.answer().status, 413);
            assert!(client.is_closed());
            (client, None)
        }),
        ("closed by the handler, and still sending", |scene| {
            let (mut client, id) = scene.asked([get("/one").into_bytes(), vec![b'x'; 100_000]].concat());
            scene.peer.reply(&[id], "");
            assert!(client.is_closed());
            (client, Some(id))
        }),
    ]);
}
