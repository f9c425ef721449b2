//! Handlers that send nonsense, too much, or to nobody: the server says so and serves on.
//!
//! After each case a request through the same handler is answered, and one that was parked before is unharmed.

use mongrel2::config::Target;
use mongrel2::wire::reply;
use mongrel2::wire::request::Request;
use testkit::wait;

use crate::harness::{Client, Peer, Running, Site, UUID, get, handler};

const MEGABYTE: usize = 1024 * 1024;

/// How much more memory the server may keep than before.
const KEPT: usize = 24 * MEGABYTE;

/// A server, the handler that is unruly, and two connections that shall not notice: one of this handler's, one of
/// another's.
struct Scene {
    running: Running,
    peer: Peer,
    other: Peer,
    parked: (Client, u64),
    foreign: (Client, u64),
}

impl Scene {
    fn start() -> Self {
        // With a single worker all that a handler sends is done in the order in which it was sent.
        Self::with("1")
    }

    fn with(workers: &str) -> Self {
        let site = Site::new().route("/one", Target::Handler(handler("one")));
        let site = site.route("/two", Target::Handler(handler("two"))).setting("server.workers", workers);
        let running = site.start();
        let [peer, other] = ["one", "two"].map(|name| Peer::connect(running.site.path(), name));
        let parked = ask(&running, &peer, "/one?parked");
        let foreign = ask(&running, &other, "/two?parked");
        Self { running, peer, other, parked, foreign }
    }

    /// Has a request answered through the unruly handler, and then those that were parked.
    fn is_unharmed(&mut self, case: &str) {
        let (mut client, id) = ask(&self.running, &self.peer, "/one?check");
        self.peer.answer(&[id], case);
        assert_eq!(client.answer().text(), case);
        let others = [(&self.peer, &mut self.parked, "/one?parked"), (&self.other, &mut self.foreign, "/two?parked")];
        for (peer, (client, id), path) in others {
            assert!(!client.has_bytes_now() && !client.is_closed_now(), "{case}");
            peer.answer(&[*id], case);
            assert_eq!(client.answer().text(), case);
            client.send(get(path));
            *id = asked(peer, "parked").id;
        }
    }

    fn complaints(&self) -> usize {
        self.running.process.stderr().matches("cannot use a").count()
    }

    /// Waits until the server needs hardly more memory than before.
    fn shrinks_to(&self, before: usize) {
        wait::until("the memory to be free again", || {
            // Freed memory goes back when more is allocated or freed.
            assert_eq!(self.running.get("/nowhere").status, 404);
            (self.running.memory() <= before + KEPT).then_some(())
        });
    }
}

/// Sends a request on a connection of its own, and gives its id, too.
fn ask(running: &Running, peer: &Peer, path: &str) -> (Client, u64) {
    let mut client = running.connect();
    client.send(get(path));
    let (_, query) = path.split_once('?').unwrap();
    (client, asked(peer, query).id)
}

/// The next request with that query; notices are skipped.
fn asked(peer: &Peer, query: &str) -> Request {
    loop {
        let request = peer.request();
        if request.header("QUERY") == Some(query) {
            return request;
        }
        assert!(request.is_disconnect(), "{request:?}");
    }
}

/// A random number generator (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    /// Bytes of an alphabet.
    fn bytes(&mut self, alphabet: &[u8], longest: usize) -> Vec<u8> {
        (0..self.below(longest)).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }
}

fn random_messages() -> Vec<Vec<u8>> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let all: Vec<u8> = (0..=255).collect();
    let mut messages: Vec<Vec<u8>> = (0..2000).map(|_| random.bytes(&all, 200)).collect();
    // These look more like replies.
    messages.extend((0..2000).map(|_| [b"uuid ".to_vec(), random.bytes(b"0123456789:,X #]}~! ", 40)].concat()));
    messages
}

/// Replies to one connection that are wrong in their frame.
fn bad_frames(id: u64) -> Vec<Vec<u8>> {
    let digits = id.to_string();
    let size = digits.len();
    let texts = [
        String::new(),
        " ".into(),
        format!("{UUID} -{size}:{digits}, x"),
        format!("{UUID} +{size}:{digits}, x"),
        format!("{UUID} 0x{size}:{digits}, x"),
        format!("{UUID} :{digits}, x"),
        format!("{UUID} {digits}, x"),
        format!("{UUID} {size}"),
        format!("{UUID} {size}:"),
        format!("{UUID} {size}:{digits}"),
        format!("{UUID} {size}:{digits}; x"),
        format!("{UUID} {size}:{digits},x"),
        format!("{UUID} {}:{digits}, x", size - 1),
        format!("{UUID} 999999999:{digits}, x"),
        format!("{UUID} 18446744073709551615:{digits}, x"),
        format!("{UUID} 99999999999999999999999:{digits}, x"),
        format!("{UUID} {}:-{digits}, x", size + 1),
        format!("{UUID} {}:{digits}.0, x", size + 2),
        format!("{UUID} 24:999999999999999999999999, x"),
        format!("{UUID} 0:, x"),
        format!("{UUID} 1:X, 9:3:ctl,0:}}]"),
    ];
    texts.map(String::into_bytes).into()
}

/// Extended replies to one connection whose tnetstrings stop in the middle, or aren't what is wanted there.
fn bad_extended(id: u64) -> Vec<Vec<u8>> {
    let whole = "32:3:ctl,22:7:credits,9:123456789#}]";
    let mut bodies: Vec<String> = (0..whole.len()).map(|end| whole[..end].to_owned()).collect();
    bodies.extend(
        [
            "999999999:3:ctl,0:}]",
            "-9:3:ctl,0:}]",
            ":3:ctl,0:}]",
            "9:3:ctl,0:}}",
            "10:3:ctl,-0:}]",
            "25:3:ctl,15:7:credits,2:-1#}]",
            "43:3:ctl,33:7:credits,19:9223372036854775808#}]",
            "14:8:sendfile,0:}]",
        ]
        .map(str::to_owned),
    );
    // Deeper than anyone may go.
    bodies.push((0..1000).fold("0:]".to_owned(), |inner, _| format!("{}:{inner}]", inner.len())));
    let list = format!("X {id}");
    bodies.into_iter().map(|body| format!("{UUID} {}:{list}, {body}", list.len()).into_bytes()).collect()
}

/// A reply to 10,000 connections, among them one that exists.
fn too_many_ids(id: u64) -> Vec<u8> {
    let ids: Vec<u64> = (1..10_000).chain([id]).collect();
    let mut message = Vec::new();
    reply::render(&mut message, UUID.as_bytes(), &ids, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    message
}

#[test]
fn nonsense_is_complained_of_and_harms_nobody() {
    let mut scene = Scene::with("2");
    type Case = fn(u64) -> Vec<Vec<u8>>;
    let cases: [(&str, Case); 4] = [
        ("random bytes", |_| random_messages()),
        ("bad frames", bad_frames),
        ("bad extended replies", bad_extended),
        ("10,000 ids", |id| vec![too_many_ids(id)]),
    ];
    for (case, messages) in cases {
        let messages = messages(scene.parked.1);
        let bad = messages.iter().filter(|message| is_bad(message)).count();
        assert!(bad * 10 > messages.len() * 9, "{case}: hardly any is bad");
        // The log throws away what comes faster than it can be written.
        for messages in messages.chunks(100) {
            let wanted = scene.complaints() + messages.iter().filter(|message| is_bad(message)).count();
            messages.iter().for_each(|message| scene.peer.send(message));
            wait::until(case, || (scene.complaints() == wanted).then_some(()));
        }
        scene.is_unharmed(case);
    }
}

/// Whether the server has to complain of a reply.
fn is_bad(message: &[u8]) -> bool {
    match reply::parse(message, 128) {
        Ok(reply) => reply.extended && mongrel2::wire::extended::parse(reply.body).is_err(),
        Err(_) => true,
    }
}

#[test]
fn a_strangers_connection_is_out_of_reach() {
    let mut scene = Scene::with("2");
    let foreign = scene.foreign.1;
    for _ in 0..100 {
        scene.peer.answer(&[foreign], "evil");
        scene.peer.reply(&[foreign], "");
        scene.peer.send(format!("{UUID} {}:X {foreign}, 22:3:ctl,12:6:cancel,0:,}}]", foreign.to_string().len() + 2));
    }
    scene.is_unharmed("strangers");
}

#[test]
fn the_dead_are_told_of_once_each() {
    let mut scene = Scene::start();
    let (client, gone) = ask(&scene.running, &scene.peer, "/one?gone");
    drop(client);
    let notice = scene.peer.request();
    assert!(notice.is_disconnect() && notice.id == gone, "{notice:?}");
    // Ids count up from a large random number: these have never been.
    let ids: Vec<u64> = (1..=300).chain([gone]).collect();
    for _ in 0..30 {
        for ids in ids.chunks(100) {
            scene.peer.answer(ids, "is anybody there?");
        }
    }
    let mut told: Vec<u64> = (0..300).map(|_| scene.peer.request()).map(|notice| notice.id).collect();
    told.sort_unstable();
    assert!(told == ids[..300], "{told:?}");
    // Behind this answer there can be no notice to what came before it.
    let parked = scene.parked.1;
    scene.peer.answer(&[parked], "over");
    assert_eq!(scene.parked.0.answer().text(), "over");
    scene.parked.0.send(get("/one?parked"));
    let next = scene.peer.request();
    assert!(!next.is_disconnect(), "told of again: {}", next.id);
    scene.is_unharmed("the dead");
}

#[test]
fn a_huge_reply_arrives_whole_however_slow_its_reader() {
    const SIZE: usize = 100 * MEGABYTE;
    let mut scene = Scene::start();
    let before = scene.running.memory();
    let (mut slow, id) = ask(&scene.running, &scene.peer, "/one?slow");
    // No megabyte is like another.
    let pattern: Vec<u8> = (0..999_983).map(|n| (n % 251) as u8).collect();
    let mut body = pattern.repeat(SIZE / pattern.len() + 1);
    body.truncate(SIZE);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
    scene.peer.reply(&[id], [head.as_bytes(), &body].concat());
    assert_eq!(slow.take(head.len()), head.as_bytes());
    for (index, piece) in body.chunks(MEGABYTE).enumerate() {
        assert!(slow.take(piece.len()) == piece, "megabyte {index}");
        if index % 10 == 0 {
            scene.is_unharmed("while it is read");
        }
    }
    slow.send(get("/one?again"));
    assert_eq!(asked(&scene.peer, "again").id, id, "the connection goes on");
    scene.shrinks_to(before);
}

#[test]
fn a_flood_ends_only_the_connection_that_does_not_read() {
    let mut scene = Scene::start();
    let before = scene.running.memory();
    let (deaf, id) = ask(&scene.running, &scene.peer, "/one?deaf");
    scene.peer.reply(&[id], "HTTP/1.1 200 OK\r\n\r\n");
    let piece = [b'x'; 1024];
    let mut is_told = false;
    for count in 0..50_000 {
        scene.peer.reply(&[id], piece);
        if count % 5000 == 0 {
            let mut client = scene.running.connect();
            client.send(get("/one?neighbour"));
            let neighbour = loop {
                let request = scene.peer.request();
                if !request.is_disconnect() {
                    break request.id;
                }
                is_told |= request.id == id;
            };
            scene.peer.answer(&[neighbour], "in between");
            assert_eq!(client.answer().text(), "in between");
        }
    }
    while !is_told {
        let notice = scene.peer.request();
        is_told = notice.is_disconnect() && notice.id == id;
    }
    assert!(scene.running.log("error.log").contains("reads too slowly"));
    scene.is_unharmed("the flood");
    scene.shrinks_to(before);
    deaf.reset();
}
