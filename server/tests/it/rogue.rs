//! Handlers that send what they shouldn't: those who depend on them suffer, nobody else does, and a right reply from the
//! same handler is still served.

mod floods;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use mongrel2::config::{Handler, Target};
use mongrel2::wire::extended::Extended;
use mongrel2::wire::reply;
use mongrel2::wire::request::Request;

use crate::harness::{Client, Peer, Running, Site, UUID, get, handler};
use crate::websocket;

const NONE: [u64; 0] = [];

/// A server with two handlers, one of which misbehaves; each has a request and a WebSocket open that must not suffer.
struct Scene {
    running: Running,
    peer: Peer,
    other: Peer,
    parked: (Client, u64),
    bystanders: [(Client, u64); 2],
}

impl Scene {
    fn start(settings: &[(&str, &str)]) -> Self {
        let mut site = Site::new().file("static/file", "file").setting("server.workers", "1");
        for name in ["one", "other"] {
            let handler = Handler { sendfile_root: "/static".into(), ..handler(name) };
            site = site.route(&format!("/{name}"), Target::Handler(handler));
        }
        let running = settings.iter().fold(site, |site, (name, value)| site.setting(name, value)).start();
        let [peer, other] = ["one", "other"].map(|name| Peer::connect(running.site.path(), name));
        let parked = asked(&running, &peer, "/one");
        let bystanders = [asked(&running, &other, "/other"), websocket::open(&running, &other, "/other")];
        Self { running, peer, other, parked, bystanders }
    }

    /// Sends a request through the handler and back, and looks at the others; gives the notices that came before.
    fn check(&mut self, name: &str) -> Vec<u64> {
        let mut client = self.running.connect();
        client.send(get("/one?check"));
        let mut notices = Vec::new();
        let id = loop {
            let request = self.peer.request();
            if request.header("QUERY") == Some("check") {
                break request.id;
            }
            assert!(request.is_disconnect(), "{name}: {request:?}");
            notices.push(request.id);
        };
        self.peer.answer(&[id], "still here");
        assert_eq!(client.answer().text(), "still here", "{name}");
        drop(client);
        let mut notice = self.peer.request();
        while notice.id != id {
            notices.push(notice.id);
            notice = self.peer.request();
        }
        for (other, _) in self.bystanders.iter().chain([&self.parked]) {
            assert!(!other.has_bytes_now() && !other.is_closed_now(), "{name}: another client suffers");
        }
        notices
    }

    /// Waits for the notice that a connection is gone; nothing else comes before it.
    fn is_gone(&self, id: u64) {
        let notice = self.peer.request();
        assert!(notice.is_disconnect() && notice.id == id, "not that {id} is gone: {notice:?}");
    }

    /// Sends messages, and checks that they have done nothing.
    fn harmless(&mut self, name: &str, messages: &[Vec<u8>]) {
        messages.iter().for_each(|message| self.peer.send(message));
        assert_eq!(self.check(name), NONE, "{name}: notices");
    }

    /// All that must not suffer still get their answers.
    fn end(mut self) {
        self.check("the end");
        self.peer.answer(&[self.parked.1], "late");
        assert_eq!(self.parked.0.answer().text(), "late");
        let [(request, request_id), (socket, socket_id)] = &mut self.bystanders;
        self.other.answer(&[*request_id], "late");
        assert_eq!(request.answer().text(), "late");
        socket.send(websocket::frame(0x81, b"hi"));
        assert_eq!(self.other.request().body, b"hi");
        self.other.reply(&[*socket_id], b"\x81\x02hi");
        assert_eq!(socket.take(4), b"\x81\x02hi");
    }

    /// A connection that has gone, and whose notice has come.
    fn dead(&self) -> u64 {
        let (client, id) = asked(&self.running, &self.peer, "/one");
        drop(client);
        assert!(self.peer.request().is_disconnect());
        id
    }
}

fn asked(running: &Running, peer: &Peer, path: &str) -> (Client, u64) {
    let mut client = running.connect();
    client.send(get(path));
    (client, peer.request().id)
}

fn reply(ids: &[u64], body: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    reply::render(&mut message, UUID.as_bytes(), ids, body);
    message
}

fn extended(ids: &[u64], extended: &Extended) -> Vec<u8> {
    let mut message = Vec::new();
    reply::render_extended(&mut message, UUID.as_bytes(), ids, extended);
    message
}

/// A message about the parked connection whose body is this.
fn about(id: u64, ids: &str, body: &[u8]) -> Vec<u8> {
    let ids = ids.replace("ID", &id.to_string());
    [format!("{UUID} {}:{ids}, ", ids.len()).as_bytes(), body].concat()
}

/// Numbers that are the same at every run (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| u8::try_from(self.roll(256)).unwrap()).collect()
    }
}

#[test]
fn what_is_no_reply() {
    let mut scene = Scene::start(&[]);
    let id = scene.parked.1;
    let size = id.to_string().len();
    let text = |text: &str| {
        let sizes = text.replace("SIZE", &size.to_string()).replace("LESS", &(size - 1).to_string());
        sizes.replace("MORE", &(size + 1).to_string()).replace("ID", &id.to_string()).into_bytes()
    };
    for message in [
        "",
        " ",
        "  ",
        "\0",
        "uuid",
        "uuid ",
        "uuid :",
        "uuid 1",
        "uuid 1:",
        "uuid SIZE:ID",
        "uuid :ID, x",
        "uuid x:ID, x",
        "uuid -SIZE:ID, x",
        "uuid -1:ID, x",
        "uuid +SIZE:ID, x",
        "uuid 0xSIZE:ID, x",
        "uuid SIZE.0:ID, x",
        "uuid  SIZE:ID, x",
        "uuid 1:ID, x",
        "uuid LESS:ID, x",
        "uuid MORE:ID, x",
        "uuid 999999999:ID, x",
        "uuid 99999999999999999999:ID, x",
        "uuid 18446744073709551615:ID, x",
        "uuid 0:, x",
        "uuid 1: , x",
        "uuid 1:X, x",
        "uuid 2:X , x",
        "uuid 3:abc, x",
        "uuid 2:-1, x",
        "uuid MORE:-ID, x",
        "uuid MORE:+ID, x",
        "uuid SIZE:ID,1, x",
        "uuid 20:18446744073709551616, x",
        "uuid 30:999999999999999999999999999999, x",
        "ID 1:x, x",
        "uuid 11:0xff ID ID, x",
        "HTTP/1.1 200 OK\r\n\r\n",
    ] {
        scene.harmless(message, &[text(message)]);
    }
    for close in ["]", "}", ";", " ", ""] {
        scene.harmless("another end of the ids", &[text(&format!("uuid SIZE:ID{close} x"))]);
    }
    scene.harmless("no blank", &[text("uuid SIZE:ID,x")]);
    for byte in [b'x', b' ', b'1', b'\0'] {
        scene.harmless("a megabyte", &[vec![byte; 1 << 20]]);
    }
    scene.end();
}

#[test]
fn half_messages() {
    let mut scene = Scene::start(&[]);
    let dead = scene.dead();
    let whole = [
        reply(&[dead], b"HTTP/1.1 200 OK\r\n\r\n"),
        extended(&[dead], &Extended::Control { keep_alive: true, credits: Some(5), cancel: true }),
        extended(&[dead], &Extended::SendFile(b"file".to_vec())),
    ];
    for message in whole {
        let halves: Vec<Vec<u8>> = (0..message.len()).map(|length| message[..length].to_vec()).collect();
        scene.harmless("the beginning of a message", &halves);
        let halves: Vec<Vec<u8>> = (1..message.len()).map(|start| message[start..].to_vec()).collect();
        scene.harmless("the end of a message", &halves);
    }
    scene.end();
}

#[test]
fn extended_replies_that_are_none() {
    let mut scene = Scene::start(&[]);
    let id = scene.parked.1;
    let list = |inner: &str| format!("{}:{inner}]", inner.len()).into_bytes();
    let control = |inner: &str| list(&format!("3:ctl,{}:{inner}}}", inner.len()));
    let mut bodies = vec![
        b"".to_vec(),
        b"x".to_vec(),
        b"]".to_vec(),
        b"5:hello,".to_vec(),
        b"0:~".to_vec(),
        b"0:}".to_vec(),
        b"-1:]".to_vec(),
        b"99999999999:]".to_vec(),
        list(""),
        list("3:ctl,"),
        list("3:ctl,0:~"),
        list("3:ctl,0:]"),
        list("3:ctl,0:}0:~"),
        list("0:,0:}"),
        list("4:frob,0:}"),
        list("1:1#0:}"),
        list("8:sendfile,1:1#"),
        list("8:sendfile,0:~"),
        list("8:sendfile,4:file,4:file,"),
        control("7:credits,2:-1#"),
        control("7:credits,1:x,"),
        control("7:credits,3:1.5^"),
        control("7:credits,20:18446744073709551616#"),
        control("7:credits,1:1#junk"),
        control("6:cancel,"),
        control("1:1#0:~"),
        [control("6:cancel,0:~"), b"x".to_vec()].concat(),
    ];
    // What nests too deep would need as much stack.
    let mut deep = Vec::new();
    for _ in 0..10_000 {
        deep = [format!("{}:", deep.len()).as_bytes(), &deep, b"]"].concat();
    }
    bodies.push(deep);
    for body in bodies {
        scene.harmless(&body[..body.len().min(60)].escape_ascii().to_string(), &[about(id, "X ID", &body)]);
    }
    scene.harmless(
        "an X in the middle",
        &[about(id, "ID X", b"0:]"), about(id, "XX ID", b"0:]"), about(id, "x ID", b"0:]")],
    );
    scene.harmless("nothing that is known", &[about(id, "X ID", &control("5:hello,0:~"))]);
    scene.end();
}

#[test]
fn random_bytes() {
    let mut scene = Scene::start(&[]);
    let mut dice = Dice(20_101_120);
    for _ in 0..20 {
        let messages: Vec<Vec<u8>> = (0..200)
            .map(|_| {
                let size = dice.roll(300);
                dice.bytes(size)
            })
            .collect();
        scene.harmless("random bytes", &messages);
    }
    // Right messages with some wrong bytes: what they mean is up to the bytes, but they reach only their own connection.
    for _ in 0..200 {
        let (client, id) = asked(&scene.running, &scene.peer, "/one");
        let mut message = match dice.roll(3) {
            0 => reply(&[id], b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
            1 => extended(&[id], &Extended::Control { keep_alive: true, credits: Some(77), cancel: false }),
            _ => extended(&[id], &Extended::SendFile(b"file".to_vec())),
        };
        for _ in 0..=dice.roll(3) {
            let place = dice.roll(message.len());
            // Digits would make other ids, of which some are those of the others.
            if !message[place].is_ascii_digit() {
                message[place] = 128 | dice.bytes(1)[0];
            }
        }
        scene.peer.send(message);
        drop(client);
        scene.is_gone(id);
        scene.harmless("a wrong byte", &[]);
    }
    scene.end();
}

#[test]
fn ids_of_others() {
    let mut scene = Scene::start(&[]);
    let ids = [scene.bystanders[0].1, scene.bystanders[1].1];
    for ids in [&ids[..1], &ids[1..], &ids] {
        let control = |cancel| Extended::Control { keep_alive: true, credits: Some(1000), cancel };
        scene.harmless(
            "connections of another handler",
            &[
                reply(ids, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
                reply(ids, b""),
                extended(ids, &control(false)),
                extended(ids, &control(true)),
                extended(ids, &Extended::SendFile(b"file".to_vec())),
            ],
        );
    }
    scene.running.process.wait_for_stderr("of which it has had no request");
    // Those among them that are its own are served.
    let (mut client, id) = asked(&scene.running, &scene.peer, "/one");
    scene.peer.answer(&[ids[0], id, ids[1]], "mine");
    assert_eq!(client.answer().text(), "mine");
    drop(client);
    assert!(scene.peer.request().is_disconnect());
    scene.end();
}

#[test]
fn ten_thousand_ids() {
    let mut scene = Scene::start(&[]);
    let id = scene.parked.1;
    let ids: Vec<u64> = std::iter::repeat_n(id, 10_000).collect();
    scene.harmless("10,000 ids", &[reply(&ids, b"evil"), reply(&ids[..129], b"evil"), reply(&ids, b"")]);
    let others: Vec<u64> = (1..=10_000).collect();
    scene.harmless("10,000 ids of nobody", &[reply(&others, b"evil")]);
    let (mut client, id) = asked(&scene.running, &scene.peer, "/one");
    scene.peer.reply(&[&others[..127], &[id]].concat(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(client.answer().text(), "ok");
    drop(client);
    others[..127].iter().chain([&id]).for_each(|id| scene.is_gone(*id));
    // The same one as often as there may be ids.
    let (mut client, id) = websocket::open(&scene.running, &scene.peer, "/one");
    scene.peer.reply(&[id; 128], "x");
    assert_eq!(client.take(128), [b'x'; 128]);
    drop(client);
    scene.is_gone(id);
    scene.end();
}

#[test]
fn dead_ids_are_told_of_once() {
    let mut scene = Scene::start(&[]);
    let dead: Vec<u64> = (0..100).map(|_| scene.dead()).collect();
    let unheard: Vec<u64> = (1..=100).collect();
    for _ in 0..1000 {
        scene.peer.reply(&dead, "too late");
        scene.peer.reply(&unheard, "to nobody");
        scene.peer.reply(&dead[..1], "");
    }
    assert_eq!(scene.check("dead ids"), unheard);
    assert_eq!(scene.check("dead ids"), NONE, "nothing comes later");
    scene.end();
}

/// Ids are given in their order: a handler may guess those of connections that are to come.
#[test]
fn ids_that_are_not_there_yet() {
    let mut scene = Scene::start(&[]);
    let last = scene.dead();
    let future: Vec<u64> = (last + 1..=last + 10).collect();
    scene.peer.reply(&future, "evil");
    let told: Vec<Request> = future.iter().map(|_| scene.peer.request()).collect();
    assert!(told.iter().all(Request::is_disconnect));
    for id in &future {
        let (client, got) = asked(&scene.running, &scene.peer, "/one");
        assert_eq!(got, *id, "the test knows how ids are given");
        drop(client);
        let notice = scene.peer.request();
        assert!(notice.is_disconnect() && notice.id == got, "the end of {got} is told");
    }
    scene.check("afterwards");
    scene.end();
}

/// ZeroMQ's messages may have several frames; the protocol has one.
#[test]
fn messages_of_several_frames() {
    let mut scene = Scene::start(&[]);
    let id = scene.parked.1;
    for parts in [vec![b"uuid".to_vec(), vec![]], vec![about(id, "abc", b""), vec![0; 100], vec![]]] {
        scene.peer.send_parts(&parts);
        assert_eq!(scene.check("several frames"), NONE);
    }
    scene.end();
}

/// Whoever connects to a handler's address need not speak ZeroMQ.
#[test]
fn bytes_that_are_no_zeromq() {
    let mut scene = Scene::start(&[]);
    let before = scene.running.descriptors();
    let mut dice = Dice(7);
    let mut connections =
        vec![b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![], vec![0; 10_000], greeting(), greeting()[..20].to_vec()];
    connections.extend((0..50).map(|_| dice.bytes(300)));
    connections.extend((0..50).map(|_| [greeting(), dice.bytes(300)].concat()));
    for size in [u64::MAX, 1 << 63, 1 << 62, 1 << 40, 1 << 33] {
        connections.push([greeting(), ready(), [&[2][..], &size.to_be_bytes(), b"some of it"].concat()].concat());
    }
    for address in ["one.requests", "one.replies"] {
        for bytes in &connections {
            let mut stream = UnixStream::connect(scene.running.site.path().join("run").join(address)).unwrap();
            // The other end may have had enough before.
            let _ = stream.write_all(bytes);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read(&mut [0; 100]);
        }
    }
    scene.check("no ZeroMQ");
    let back = || (scene.running.descriptors() <= before).then_some(());
    testkit::wait::until("the descriptors", back);
    scene.end();
}

/// It is refused when it is announced.
#[test]
fn a_message_that_is_too_long_for_everyone() {
    let scene = Scene::start(&[]);
    for size in [(1_u64 << 30) + 1, 1 << 40, 1 << 62] {
        let mut stream = UnixStream::connect(scene.running.site.path().join("run/one.replies")).unwrap();
        stream.set_read_timeout(Some(testkit::wait::DEADLINE)).unwrap();
        stream.write_all(&[greeting(), ready(), [&[2][..], &size.to_be_bytes()].concat()].concat()).unwrap();
        // What the other end says of itself, and its end.
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).expect("it is closed");
    }
    scene.end();
}

/// How a connection of ZeroMQ begins (ZMTP 3.0, section 3.2).
fn greeting() -> Vec<u8> {
    let mut bytes = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0];
    bytes.extend(b"NULL");
    bytes.resize(64, 0);
    bytes
}

/// What a PUB socket says of itself.
fn ready() -> Vec<u8> {
    let property = b"\x0bSocket-Type\0\0\0\x03PUB";
    let body = [b"\x05READY", &property[..]].concat();
    [&[4, u8::try_from(body.len()).unwrap()][..], &body].concat()
}
