//! Everything at once for a while: clients of all kinds, handlers that come and go, reloads.  Afterwards the server is
//! as it was before: no connection, no descriptor, no file of a client that vanished, hardly more memory.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use mongrel2::config::{Proxy, Target};
use mongrel2::control;
use mongrel2::wire::control::{Command, Status};
use mongrel2::wire::extended::Extended;
use mongrel2::wire::request::Request;
use testkit::wait;

use crate::harness::{Peer, Running, Site, get, handler};
use crate::websocket::{ACCEPTED, frame, handshake};

const SEED: u64 = 0x2545_f491_4f6c_dd1d;
const CLIENTS: u64 = 8;
const MEGABYTE: usize = 1024 * 1024;

/// How many connections to the upstream may rest: one of each worker.
const RESTING: usize = 2;

/// How long a client waits for an answer, which is lost when its handler goes.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many clients come between two reloads, or a handler's going and the other's.
const BETWEEN: usize = 150;

#[test]
fn five_seconds_leave_nothing_behind() {
    soak_for(Duration::from_secs(5));
}

#[test]
#[ignore = "takes two minutes"]
fn soak_for_two_minutes() {
    soak_for(Duration::from_secs(120));
}

fn soak_for(duration: Duration) {
    println!("seed {SEED:#x}");
    let upstream = Origin::listen();
    let proxy = || upstream.proxy();
    let pinned = Proxy { session_cookie: "sid".into(), session_idle: 1, ..proxy() };
    let site = Site::new()
        .files("/")
        .file("static/index.html", "the end")
        .route("/one", Target::Handler(handler("one")))
        .route("/two", Target::Handler(handler("two")))
        .route("/proxy/", Target::Proxy(proxy()))
        .route("/pinned/", Target::Proxy(pinned))
        .route("@one", Target::Handler(handler("one")))
        .route("@two", Target::Handler(handler("two")))
        .setting("upload.temp_store", "tmp/upload.XXXXXX")
        .setting("limits.content_length", "1000")
        // An upload whose handler has left with its message waits for credits, and hides the client's end behind a
        // full window: only its silence tells.
        .setting("limits.min_ping", "10")
        .setting("limits.tick_timer", "1")
        .setting("limits.proxy_idle", "1")
        .setting("server.workers", "2");
    fs::create_dir(site.path().join("tmp")).unwrap();
    let mut running = site.start();
    let folder = running.site.path().to_owned();
    let handlers = ["one", "two"].map(|name| Program::new(&folder, name));
    thread::scope(|scope| {
        // They end even if something here panics.
        let _ending = handlers.each_ref().map(|handler| handler.start(scope));
        let _ending_too = upstream.start(scope);
        let warm_up = Totals::default();
        round(&mut running, &handlers, &warm_up, duration / 4, SEED);
        let before = Footprint::of(&running);
        let totals = Totals::default();
        round(&mut running, &handlers, &totals, duration - duration / 4, SEED ^ 0xffff);
        println!("{}", totals.text());
        settles(&running, &before);
    });
    assert!(running.get("/index.html").text() == "the end");
    only_whole_files(&folder);
}

/// What a server has of things that could be lost.
#[derive(Debug)]
struct Footprint {
    descriptors: usize,
    memory: usize,
}

impl Footprint {
    fn of(running: &Running) -> Self {
        Self { descriptors: running.descriptors(), memory: running.memory() }
    }
}

/// Waits until the server has hardly more than before.
fn settles(running: &Running, before: &Footprint) {
    let most = before.memory * 13 / 10 + 8 * MEGABYTE;
    wait::until("the server to be as it was", || {
        let now = Footprint::of(running);
        let settled = now.descriptors <= before.descriptors + RESTING && now.memory <= most;
        if settled {
            println!("before {before:?}, after {now:?}");
        }
        settled.then_some(())
    });
}

/// Clients come and go for so long; then there is none.
fn round(running: &mut Running, handlers: &[Program; 2], totals: &Totals, duration: Duration, seed: u64) {
    let (address, end) = (running.address(), Instant::now() + duration);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            scope.spawn(move || visit(address, totals, end, Random(seed.wrapping_add(number))));
        }
        let mut streams = false;
        for turn in 0.. {
            let so_far = totals.sum();
            wait::until("clients to come", || {
                (totals.sum() >= so_far + BETWEEN || Instant::now() >= end).then_some(())
            });
            if Instant::now() >= end {
                break;
            }
            match turn % 3 {
                0 => {
                    streams = !streams;
                    let value = if streams { "1" } else { "0" };
                    running.change(|config| drop(config.settings.insert("upload.stream".into(), value.into())));
                }
                turn => handlers[turn - 1].leaves.store(true, Ordering::Relaxed),
            }
        }
    });
    for handler in handlers {
        wait::until("the handler to be back", || (!handler.leaves.load(Ordering::Relaxed)).then_some(()));
        // Only then are both of its connections counted; a message may still go to the one that has left.
        let path = format!("/{}", handler.name);
        wait::until("the handler to answer", || Visitor::come(address)?.ask(&path));
    }
    let spec = format!("ipc://{}/run/control", running.site.path().display());
    let mut left = 0;
    wait::until("no connection to be left", || {
        let client = control::Client::connect(&spec).unwrap();
        let table = client.ask(&Command::Status(Status::Net), wait::DEADLINE).unwrap().unwrap();
        if table.rows.len() != left {
            left = table.rows.len();
            println!("{left} connections are left: {:?}", table.rows);
        }
        (table.note.is_none() && table.rows.is_empty()).then_some(())
    });
    wait::until("no session to be left", || {
        let client = control::Client::connect(&spec).unwrap();
        let table = client.ask(&Command::Status(Status::Sessions), wait::DEADLINE).unwrap().unwrap();
        table.rows.is_empty().then_some(())
    });
}

/// Whatever lies there has been told of as done, to a handler that has left since: uploads begin with their length.
fn only_whole_files(folder: &Path) {
    let is_whole = |path: &PathBuf| {
        let content = fs::read(path).unwrap();
        String::from_utf8_lossy(&content).split_once(' ').is_some_and(|(length, _)| length == content.len().to_string())
    };
    let files: Vec<PathBuf> = fs::read_dir(folder.join("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
    println!("{} files were done when their handler left", files.len());
    assert!(files.iter().all(is_whole), "{files:?}");
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
}

/// What clients do.
#[derive(Debug, Clone, Copy)]
enum Kind {
    File,
    Get,
    KeepAlive,
    LongPoll,
    Stream,
    Echo,
    AbruptWebSocket,
    JsonSocket,
    Upload,
    VanishingUpload,
    HalfRequest,
    Reset,
    Proxied,
    ProxiedUpload,
    Tunnel,
    Pinned,
    BrokenUpstream,
    VanishingProxied,
    VanishingPinned,
}

const KINDS: [Kind; 19] = [
    Kind::File,
    Kind::Get,
    Kind::KeepAlive,
    Kind::LongPoll,
    Kind::Stream,
    Kind::Echo,
    Kind::AbruptWebSocket,
    Kind::JsonSocket,
    Kind::Upload,
    Kind::VanishingUpload,
    Kind::HalfRequest,
    Kind::Reset,
    Kind::Proxied,
    Kind::ProxiedUpload,
    Kind::Tunnel,
    Kind::Pinned,
    Kind::BrokenUpstream,
    Kind::VanishingProxied,
    Kind::VanishingPinned,
];

/// How many clients of each kind got what they wanted, and how many left without.
#[derive(Default)]
struct Totals {
    done: [AtomicUsize; KINDS.len()],
    given_up: [AtomicUsize; KINDS.len()],
}

impl Totals {
    fn count(&self, kind: Kind, done: bool) {
        let counts = if done { &self.done } else { &self.given_up };
        counts[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn sum(&self) -> usize {
        self.done.iter().chain(&self.given_up).map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// A line for each kind; each must have been done.
    fn text(&self) -> String {
        let line = |kind: Kind| {
            let [done, given_up] =
                [&self.done, &self.given_up].map(|counts| counts[kind as usize].load(Ordering::Relaxed));
            assert!(done > 0, "{kind:?} never succeeds");
            format!("{kind:?}: {done} done, {given_up} given up\n")
        };
        KINDS.map(line).concat()
    }
}

/// One client after the other: each kind once, then by chance.
fn visit(address: SocketAddr, totals: &Totals, end: Instant, mut random: Random) {
    let mut next = KINDS.into_iter();
    loop {
        let kind = match next.next() {
            Some(kind) => kind,
            None if Instant::now() >= end => return,
            None => KINDS[random.below(KINDS.len())],
        };
        let done = Visitor::come(address).is_some_and(|visitor| visitor.act(kind, &mut random).is_some());
        totals.count(kind, done);
    }
}

/// A client that gives up easily.
struct Visitor {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Visitor {
    fn come(address: SocketAddr) -> Option<Self> {
        let visitor = Self::new(TcpStream::connect(address).ok()?);
        visitor.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        visitor.stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Some(visitor)
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, bytes: Vec::new() }
    }

    fn act(mut self, kind: Kind, random: &mut Random) -> Option<()> {
        let path = ["/one", "/two"][random.below(2)];
        match kind {
            Kind::File => self.ask("/index.html")?,
            Kind::Get => self.ask(path)?,
            Kind::KeepAlive => {
                for _ in 0..random.below(10) {
                    self.ask(path)?;
                }
            }
            Kind::LongPoll => self.ask(&format!("{path}?park"))?,
            Kind::Stream => self.ask(&format!("{path}?stream"))?,
            Kind::Echo => self.echo(path, random)?,
            Kind::AbruptWebSocket => {
                self.send(handshake(path))?;
                self.expect(ACCEPTED)?;
                self.send(&frame(0x81, b"the end")[..random.below(13)])?;
            }
            Kind::JsonSocket => {
                self.send(format!("@{} {{}}\0", &path[1..]))?;
                // What the handler says, in Base64.
                self.expect("dGhlIGVuZA==")?;
            }
            Kind::Upload => self.upload(path, random, 1)?,
            Kind::VanishingUpload => self.upload(path, random, 2)?,
            Kind::HalfRequest => {
                let request = get(path);
                self.send(&request[..random.below(request.len())])?;
            }
            Kind::Reset => {
                self.send(get(&format!("{path}?stream")))?;
                self.reset();
                return Some(());
            }
            _ => self.act_proxied(kind, random)?,
        }
        if random.below(2) == 0 {
            self.reset();
        }
        Some(())
    }

    /// What clients do whose requests are for an upstream.
    fn act_proxied(&mut self, kind: Kind, random: &mut Random) -> Option<()> {
        match kind {
            Kind::Proxied => {
                for _ in 0..random.below(10) {
                    self.ask("/proxy/")?;
                }
                self.ask("/proxy/stream")
            }
            Kind::ProxiedUpload => self.upload("/proxy/", random, 1),
            Kind::Tunnel => {
                self.send("GET /proxy/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")?;
                self.expect("\r\n\r\n")?;
                self.send("the end")?;
                self.expect("the end")
            }
            Kind::Pinned => self.pinned("", random),
            Kind::BrokenUpstream => {
                let path = ["/proxy/", "/pinned/"][random.below(2)];
                self.send(get(&format!("{path}break")))?;
                self.expect("502")?;
                self.ask("/proxy/")
            }
            Kind::VanishingProxied => match random.below(3) {
                0 => self.upload("/proxy/", random, 2),
                1 => self.send(get("/proxy/slow")),
                _ => self.send(get("/proxy/stream")),
            },
            _ => match random.below(3) {
                0 => self.upload("/pinned/", random, 2),
                1 => self.send(get("/pinned/slow")),
                _ => self.pinned("slow", random),
            },
        }
    }

    /// Makes requests of one session, all over one connection of the upstream, and at last one to `last`.
    fn pinned(&mut self, last: &str, random: &mut Random) -> Option<()> {
        self.send(get("/pinned/"))?;
        let (cookie, number) = (self.line("Set-Cookie: ")?, self.line("the end of ")?);
        let cookie = cookie.split(';').next()?.to_owned();
        let request = |path: &str| format!("GET /pinned/{path} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n");
        for _ in 0..random.below(10) {
            self.send(request(""))?;
            let said = self.until("the end of ")?;
            if said.windows(10).any(|window| window == b"Set-Cookie") {
                // It was too slow.
                return None;
            }
            let found = String::from_utf8(self.until("\r\n")?).unwrap();
            assert_eq!(found, number, "a session has the connection of another");
        }
        self.send(request(last))
    }

    /// What is on the line behind a text.
    fn line(&mut self, text: &str) -> Option<String> {
        self.expect(text)?;
        let line = self.until("\r\n")?;
        Some(String::from_utf8(line).unwrap())
    }

    fn reset(&self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    fn ask(&mut self, path: &str) -> Option<()> {
        self.send(get(path))?;
        self.expect("the end")
    }

    fn echo(&mut self, path: &str, random: &mut Random) -> Option<()> {
        self.send(handshake(path))?;
        self.expect(ACCEPTED)?;
        for _ in 0..random.below(10) {
            self.send(frame(0x81, b"the end"))?;
            self.expect("\u{7}the end")?;
        }
        self.send(frame(0x88, &[3, 0xe8]))?;
        self.expect("\u{2}\u{3}")
    }

    /// Sends a long body, or only a `part`th of it.
    fn upload(&mut self, path: &str, random: &mut Random, part: usize) -> Option<()> {
        let length = 2000 + random.below(300_000);
        let mut body = format!("{length} ").into_bytes();
        body.resize(length, b'x');
        self.send(format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"))?;
        self.send(&body[..length / part])?;
        if part == 1 { self.expect("the end") } else { Some(()) }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) -> Option<()> {
        self.stream.write_all(bytes.as_ref()).ok()
    }

    /// Reads until the other end has sent this.
    fn expect(&mut self, text: &str) -> Option<()> {
        self.until(text).map(drop)
    }

    /// Reads a head.
    fn head(&mut self) -> Option<String> {
        let bytes = self.until("\r\n\r\n")?;
        Some(String::from_utf8(bytes).unwrap())
    }

    /// Reads up to a text; gives what was read.
    fn until(&mut self, text: &str) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.bytes.windows(text.len()).position(|window| window == text.as_bytes()) {
                return Some(self.bytes.drain(..at + text.len()).collect());
            }
            self.more()?;
        }
    }

    /// Reads so many bytes.
    fn skip(&mut self, count: usize) -> Option<()> {
        while self.bytes.len() < count {
            self.more()?;
        }
        self.bytes.drain(..count);
        Some(())
    }

    fn more(&mut self) -> Option<()> {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece).ok()? {
            0 => None,
            size => {
                self.bytes.extend_from_slice(&piece[..size]);
                Some(())
            }
        }
    }
}

/// A handler program that leaves when it is told to, and comes back.
struct Program {
    folder: PathBuf,
    name: &'static str,
    leaves: AtomicBool,
    ends: AtomicBool,
}

/// Ends a handler's thread.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Program {
    fn new(folder: &Path, name: &'static str) -> Self {
        Self { folder: folder.into(), name, leaves: AtomicBool::new(false), ends: AtomicBool::new(false) }
    }

    fn start<'a>(&'a self, scope: &'a Scope<'a, '_>) -> Ending<'a> {
        scope.spawn(|| {
            while !self.ends.load(Ordering::Relaxed) {
                let peer = Peer::connect(&self.folder, self.name);
                self.leaves.store(false, Ordering::Relaxed);
                self.serve(&peer);
            }
        });
        Ending(&self.ends)
    }

    fn serve(&self, peer: &Peer) {
        let mut parked = Vec::new();
        while !self.leaves.load(Ordering::Relaxed) && !self.ends.load(Ordering::Relaxed) {
            let request = peer.request_soon();
            let is_quiet = request.is_none();
            if let Some(request) = request.filter(|request| !request.is_disconnect()) {
                if request.header("QUERY") == Some("park") {
                    parked.push(request.id);
                } else {
                    self.answer(peer, &request);
                }
            }
            if !parked.is_empty() && (is_quiet || parked.len() > 2) {
                peer.answer(&parked, "the end");
                parked.clear();
            }
        }
    }

    fn answer(&self, peer: &Peer, request: &Request) {
        let id = request.id;
        match request.header("METHOD") {
            Some("WEBSOCKET_HANDSHAKE") => peer.reply(&[id], ACCEPTED),
            Some("WEBSOCKET") => peer.reply(&[id], echo(request)),
            Some("JSON") => peer.reply(&[id], "the end"),
            _ if request.header("QUERY") == Some("stream") => {
                peer.reply(&[id], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                (0..20).for_each(|_| peer.reply(&[id], "4\r\nmore\r\n"));
                peer.reply(&[id], "7\r\nthe end\r\n0\r\n\r\n");
            }
            _ => self.answer_upload(peer, request),
        }
    }

    fn answer_upload(&self, peer: &Peer, request: &Request) {
        let id = request.id;
        let is_streamed = request.header("UPLOAD_STREAM").is_some();
        if is_streamed && request.header("UPLOAD_STREAM_DONE").is_none() {
            // As much as has come, and at first some.
            let credits = if request.body.is_empty() { 100_000 } else { request.body.len() as u64 };
            peer.extended(&[id], &Extended::Control { keep_alive: false, credits: Some(credits), cancel: false });
            return;
        }
        if let Some(name) = request.header("x-mongrel2-upload-done") {
            fs::remove_file(self.folder.join(name)).unwrap();
        } else if request.header("x-mongrel2-upload-start").is_some() {
            return;
        }
        peer.answer(&[id], "the end");
    }
}

/// The frame that answers one: the same, without its mask.
fn echo(request: &Request) -> Vec<u8> {
    let first = if request.header("FLAGS") == Some("0x88") { 0x88 } else { 0x81 };
    [&[first, u8::try_from(request.body.len()).unwrap()][..], &request.body].concat()
}

/// An upstream that answers as its clients' paths say, and breaks.
struct Origin {
    listener: TcpListener,
    ends: AtomicBool,
}

/// Ends the upstream's thread.
struct Closing<'a>(&'a Origin);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.ends.store(true, Ordering::Relaxed);
        // It waits for somebody to come.
        let _ = TcpStream::connect(self.0.listener.local_addr().unwrap());
    }
}

impl Origin {
    fn listen() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap(), ends: AtomicBool::new(false) }
    }

    fn proxy(&self) -> Proxy {
        let port = self.listener.local_addr().unwrap().port().into();
        Proxy { addr: "127.0.0.1".into(), port, max_fails: 0, ..Proxy::default() }
    }

    fn start<'a>(&'a self, scope: &'a Scope<'a, '_>) -> Closing<'a> {
        scope.spawn(|| {
            for (number, stream) in self.listener.incoming().enumerate() {
                if self.ends.load(Ordering::Relaxed) {
                    return;
                }
                // One that fails has left.
                thread::spawn(move || converse(Visitor::new(stream.unwrap()), number));
            }
        });
        Closing(self)
    }
}

/// Answers requests; each answer names the connection.
fn converse(mut client: Visitor, number: usize) -> Option<()> {
    let end = format!("the end of {number}\r\n");
    loop {
        let head = client.head()?;
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let length = field("Content-Length").map_or(0, |length| length.parse().unwrap());
        client.skip(length)?;
        let path = head.split(' ').nth(1)?;
        if field("Upgrade").is_some() {
            client.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n\r\n")?;
            client.expect("the end")?;
            client.send("the end")?;
        } else if path.ends_with("break") {
            return client.send("HTTP/1.1 200 OK\r\nContent-");
        } else if path.ends_with("stream") {
            client.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            (0..20).try_for_each(|_| client.send(format!("4000\r\n{:16384}\r\n", "")))?;
            client.send(format!("{:x}\r\n{end}\r\n0\r\n\r\n", end.len()))?;
        } else {
            if path.ends_with("slow") {
                // Some leave meanwhile.
                client.send("HTTP/1.1 103 Early Hints\r\n\r\n")?;
                thread::yield_now();
            }
            client.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{end}", end.len()))?;
        }
    }
}
