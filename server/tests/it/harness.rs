//! A server in a temporary folder, a client that speaks raw HTTP, and a handler that speaks raw ZeroMQ.

use std::collections::HashMap;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use mongrel2::config::history::Entry;
use mongrel2::config::store::StoreError;
use mongrel2::config::{Config, Database, Dir, Handler, Host, Route, Server, Target, default_mimetypes};
use mongrel2::wire::control;
use mongrel2::wire::extended::Extended;
use mongrel2::wire::tnetstring::Value;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;
use testkit::{Process, wait};

pub(crate) use testkit::free_address;

pub(crate) const UUID: &str = "f400bf85-4538-4f7a-8908-67e313d515c2";

/// A deployment that can be changed until it is started, and afterwards with [`Running::change`].
#[must_use]
pub(crate) struct Site {
    folder: TempDir,
    config: Config,
}

impl Site {
    /// One server with one host without routes, on a free port.
    pub(crate) fn new() -> Self {
        raise_limit();
        let folder = tempfile::tempdir().unwrap();
        for name in ["run", "logs", "static"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let server = Server {
            uuid: UUID.into(),
            access_log: "/logs/access.log".into(),
            error_log: "/logs/error.log".into(),
            error_log_level: 3,
            chroot: folder.path().to_str().unwrap().into(),
            pid_file: "/run/mongrel2.pid".into(),
            default_host: "localhost".into(),
            name: "test".into(),
            bind_addr: "127.0.0.1".into(),
            port: free_address().port().into(),
            hosts: vec![Host { name: "localhost".into(), ..Host::default() }],
            ..Server::default()
        };
        let config = Config { servers: vec![server], mimetypes: default_mimetypes(), ..Config::default() };
        // Root tests like anyone else, in the foreground.
        Self { folder, config }.setting("server.daemonize", "0")
    }

    pub(crate) fn route(mut self, path: &str, target: Target) -> Self {
        self.server().hosts[0].routes.push(Route { path: path.into(), reversed: false, target });
        self
    }

    /// A route to the folder `static`.
    pub(crate) fn files(self, path: &str) -> Self {
        self.route(path, files())
    }

    pub(crate) fn setting(mut self, name: &str, value: &str) -> Self {
        self.config.settings.insert(name.into(), value.into());
        self
    }

    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub(crate) fn server(&mut self) -> &mut Server {
        &mut self.config.servers[0]
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        let server = &self.config.servers[0];
        SocketAddr::new(server.bind_addr.parse().unwrap(), u16::try_from(server.port).unwrap())
    }

    /// Writes the database.
    pub(crate) fn save(&self) {
        let mut database = Database::open_or_create(&self.path().join("config.sqlite")).unwrap();
        // The server may be at it, on a disk that is busy with other tests.
        wait::until("the lock", || match database.change(&Entry::default(), |change| change.save(&self.config)) {
            Err(StoreError::Locked) => None,
            Err(error) => panic!("{error}"),
            Ok(()) => Some(()),
        });
    }

    /// The command that starts the server.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mongrel2"));
        command.arg(self.path().join("config.sqlite")).arg(UUID);
        command
    }

    /// Starts the server and waits until it listens.
    pub(crate) fn start(self) -> Running {
        self.save();
        self.start_again()
    }

    /// The same, with the database as it is.
    pub(crate) fn start_again(self) -> Running {
        let process = Process::start(self.command().stdout(std::process::Stdio::null()));
        process.wait_for_stderr("listens on");
        Running::of(self, process)
    }
}

/// Lets this process have as many descriptors as it may: some tests are thousands of clients.
fn raise_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    // Most tests need few.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

pub(crate) fn files() -> Target {
    Target::Dir(Dir {
        base: "static/".into(),
        index_file: "index.html".into(),
        default_ctype: "text/plain".into(),
        ..Dir::default()
    })
}

/// A started server.
pub(crate) struct Running {
    pub(crate) site: Site,
    pub(crate) process: Process,
    reloads: usize,
}

impl Running {
    /// A server that was started in another way.
    pub(crate) fn of(site: Site, process: Process) -> Self {
        Self { site, process, reloads: 0 }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.site.address()
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect();
        client.send(request);
        client.answer()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(get(path))
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Sends SIGHUP and waits for what the server says to it.
    pub(crate) fn reload(&mut self) {
        self.reloads += 1;
        let wanted = self.reloads;
        self.signal("-HUP");
        let said = || {
            self.process
                .stderr()
                .lines()
                .filter(|line| line.contains("] reloaded in") || line.contains("cannot reload"))
                .count()
        };
        wait::until("the reload", || (said() >= wanted).then_some(()));
    }

    /// Changes the configuration and reloads.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.site.config);
        self.site.save();
        self.reload();
    }

    pub(crate) fn log(&self, name: &str) -> String {
        fs::read_to_string(self.site.path().join("logs").join(name)).unwrap()
    }

    /// How many descriptors the server has open, but for those of the database, to which it writes now and then.
    pub(crate) fn descriptors(&self) -> usize {
        let folder = self.site.path();
        let of_database = |link: &Path| link == folder || link.to_string_lossy().contains("config.sqlite");
        let all = fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap();
        // One may be closed before it is looked at.
        let links = all.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        links.filter(|link| !of_database(link)).count()
    }

    /// How many bytes of memory the server has.
    pub(crate) fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    }
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// A connection to the server.
pub(crate) struct Client {
    stream: TcpStream,
    /// If it speaks TLS.
    tls: Option<Box<rustls::ClientConnection>>,
    bytes: Vec<u8>,
    /// Whether TLS ended without a word.
    cut_short: bool,
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0.eq_ignore_ascii_case(name)).map(|header| header.1.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).unwrap())
    }

    /// Connects from another address of this machine.
    pub(crate) fn connect_from(from: [u8; 4], to: SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
        socket.connect(&to.into()).unwrap();
        Self::new(socket.into())
    }

    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(wait::DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, tls: None, bytes: Vec::new(), cut_short: false }
    }

    /// Connects, and speaks TLS from the first byte on with the server as `name`.
    pub(crate) fn secure(address: SocketAddr, config: &Arc<rustls::ClientConfig>, name: &str) -> Self {
        let name = name.to_owned().try_into().unwrap();
        let tls = rustls::ClientConnection::new(Arc::clone(config), name).unwrap();
        Self { tls: Some(Box::new(tls)), ..Self::connect(address) }
    }

    /// Its TLS.
    pub(crate) fn tls(&mut self) -> &mut rustls::ClientConnection {
        self.tls.as_mut().expect("it speaks TLS")
    }

    /// Whether the server has closed without saying that nothing more would come; waits for it.
    pub(crate) fn was_cut_short(&mut self) -> bool {
        while self.more() {}
        self.cut_short
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        assert!(self.try_send(bytes), "the server reads");
    }

    /// Sends bytes past TLS.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends, if the server still listens.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        match &mut self.tls {
            None => self.stream.write_all(bytes.as_ref()).is_ok(),
            Some(tls) => {
                let mut stream = rustls::Stream::new(&mut **tls, &mut self.stream);
                stream.write_all(bytes.as_ref()).and_then(|()| stream.flush()).is_ok()
            }
        }
    }

    /// Whether bytes are there without waiting for them.
    pub(crate) fn has_bytes_now(&self) -> bool {
        self.peek_now().is_ok_and(|size| size > 0)
    }

    /// Whether the server has closed the connection already.
    pub(crate) fn is_closed_now(&self) -> bool {
        match self.peek_now() {
            Ok(size) => size == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    fn peek_now(&self) -> std::io::Result<usize> {
        self.stream.set_nonblocking(true).unwrap();
        let result = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        result
    }

    /// Closes the connection at once, so that the server is told of an error (RST).
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Closes the connection.
    pub(crate) fn close(self) {
        drop(self);
    }

    /// Closes the sending half.
    pub(crate) fn finish(&mut self) {
        // The server may have closed it.
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// Reads a head, up to the empty line behind it.
    pub(crate) fn head(&mut self) -> String {
        loop {
            if let Some(at) = self.bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                return String::from_utf8(self.bytes.drain(..at + 4).collect()).unwrap();
            }
            assert!(self.more(), "closed after {:?}", self.bytes.escape_ascii().to_string());
        }
    }

    /// Reads one answer; its length must be told by Content-Length or by its status.
    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer(false).expect("the server answers")
    }

    /// Reads the answer to a HEAD request.
    pub(crate) fn answer_to_head(&mut self) -> Answer {
        self.try_answer(true).expect("the server answers")
    }

    /// Reads one answer, if the connection isn't closed before.
    pub(crate) fn try_answer(&mut self, to_head: bool) -> Option<Answer> {
        let end = loop {
            match self.bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None if self.more() => {}
                None => return None,
            }
        };
        let head = String::from_utf8(self.bytes.drain(..end).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("a header is missing its colon: {head}")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let length = if to_head || status == 304 || status == 204 { 0 } else { length };
        while self.bytes.len() < length {
            assert!(self.more(), "the body is shorter than {length}: {head}");
        }
        answer.body = self.bytes.drain(..length).collect();
        Some(answer)
    }

    /// Everything until the server closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.bytes)
    }

    /// Waits until that many bytes are there, and takes them.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        while self.bytes.len() < count {
            assert!(self.more(), "closed after {:?}", self.bytes.escape_ascii().to_string());
        }
        self.bytes.drain(..count).collect()
    }

    /// Whether the server has closed the connection; waits for it.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.bytes.is_empty() && !self.more()
    }

    fn more(&mut self) -> bool {
        let mut piece = [0; 64 * 1024];
        let read = match &mut self.tls {
            None => self.stream.read(&mut piece),
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.stream).read(&mut piece),
        };
        match read {
            Ok(0) => false,
            Ok(size) => {
                self.bytes.extend_from_slice(&piece[..size]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                self.cut_short = self.tls.is_some();
                false
            }
            // TLS says what it has to say before it reads.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => false,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.cut_short = true;
                false
            }
            // What the server said was a reason.
            Err(error) if error.kind() == ErrorKind::InvalidData => false,
            Err(error) => panic!("cannot read from the server: {error}"),
        }
    }
}

/// The configuration of a handler whose addresses lie in the deployment's folder.
pub(crate) fn handler(name: &str) -> Handler {
    Handler {
        send_spec: format!("ipc://run/{name}.requests"),
        send_ident: format!("54c6755b-9628-40a4-9a2d-{name}"),
        recv_spec: format!("ipc://run/{name}.replies"),
        ..Handler::default()
    }
}

/// A handler program, in the test itself.
pub(crate) struct Peer {
    pull: zmq::Socket,
    publish: zmq::Socket,
}

impl Peer {
    /// Connects to the addresses of [`handler`], and waits until replies will arrive.
    pub(crate) fn connect(folder: &Path, name: &str) -> Self {
        Self::new(folder, name, zmq::PULL)
    }

    /// The same for a handler that gets what all get.
    pub(crate) fn subscribe(folder: &Path, name: &str) -> Self {
        let peer = Self::new(folder, name, zmq::SUB);
        peer.pull.set_subscribe(b"").unwrap();
        peer
    }

    fn new(folder: &Path, name: &str, kind: zmq::SocketType) -> Self {
        let context = zmq::Context::new();
        let deadline = i32::try_from(wait::DEADLINE.as_millis()).unwrap();
        let socket = |kind, direction| {
            let socket = context.socket(kind).unwrap();
            socket.set_linger(1000).unwrap();
            // It throws away what is too much, otherwise.
            socket.set_sndhwm(0).unwrap();
            socket.set_rcvtimeo(deadline).unwrap();
            // A publisher throws away what is beyond it.
            socket.set_sndhwm(0).unwrap();
            socket.connect(&format!("ipc://{}/run/{name}.{direction}", folder.display())).unwrap();
            socket
        };
        // XPUB is told of the server's subscription; PUB isn't.
        let publish = socket(zmq::XPUB, "replies");
        assert_eq!(publish.recv_bytes(0).unwrap()[0], 1);
        Self { pull: socket(kind, "requests"), publish }
    }

    pub(crate) fn recv(&self) -> Vec<u8> {
        self.pull.recv_bytes(0).expect("the server sends a message")
    }

    /// The next request, if one is there.
    pub(crate) fn request_now(&self) -> Option<mongrel2::wire::request::Request> {
        let message = self.pull.recv_bytes(zmq::DONTWAIT).ok()?;
        mongrel2::wire::request::parse(&message).ok()
    }

    /// The next request, if one comes while a handler may do something else.
    pub(crate) fn request_soon(&self) -> Option<mongrel2::wire::request::Request> {
        let ready = self.pull.poll(zmq::POLLIN, 100).unwrap();
        if ready > 0 { self.request_now() } else { None }
    }

    pub(crate) fn request(&self) -> mongrel2::wire::request::Request {
        let message = self.recv();
        mongrel2::wire::request::parse(&message).unwrap_or_else(|error| panic!("{error}: {}", message.escape_ascii()))
    }

    pub(crate) fn send(&self, message: impl AsRef<[u8]>) {
        self.publish.send(message.as_ref(), 0).unwrap();
    }

    /// Sends a message of several frames.
    pub(crate) fn send_parts(&self, parts: &[Vec<u8>]) {
        self.publish.send_multipart(parts, 0).unwrap();
    }

    /// Sends bytes to connections.
    pub(crate) fn reply(&self, ids: &[u64], body: impl AsRef<[u8]>) {
        let mut message = Vec::new();
        mongrel2::wire::reply::render(&mut message, UUID.as_bytes(), ids, body.as_ref());
        self.send(message);
    }

    /// Sends an extended reply.
    pub(crate) fn extended(&self, ids: &[u64], extended: &Extended) {
        let mut message = Vec::new();
        mongrel2::wire::reply::render_extended(&mut message, UUID.as_bytes(), ids, extended);
        self.send(message);
    }

    /// Sends a whole answer.
    pub(crate) fn answer(&self, ids: &[u64], text: &str) {
        self.reply(ids, format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()));
    }
}

/// A program at the control port.
pub(crate) struct Operator {
    socket: zmq::Socket,
}

impl Operator {
    /// Connects to the default address.
    pub(crate) fn connect(folder: &Path) -> Self {
        Self::connect_to(&format!("ipc://{}/run/control", folder.display()))
    }

    pub(crate) fn connect_to(spec: &str) -> Self {
        let socket = zmq::Context::new().socket(zmq::REQ).unwrap();
        socket.set_linger(0).unwrap();
        socket.set_rcvtimeo(i32::try_from(wait::DEADLINE.as_millis()).unwrap()).unwrap();
        socket.connect(spec).unwrap();
        Self { socket }
    }

    /// Sends bytes, and gives those of the answer.
    pub(crate) fn exchange(&self, request: impl AsRef<[u8]>) -> Vec<u8> {
        self.send(request);
        self.socket.recv_bytes(0).expect("the control port answers")
    }

    /// The same with a request of several parts.
    pub(crate) fn exchange_parts(&self, parts: &[&str]) -> Vec<u8> {
        self.socket.send_multipart(parts, 0).unwrap();
        self.socket.recv_bytes(0).expect("the control port answers")
    }

    pub(crate) fn send(&self, request: impl AsRef<[u8]>) {
        self.socket.send(request.as_ref(), 0).unwrap();
    }

    pub(crate) fn ask(&self, command: &control::Command) -> control::Answer {
        let answer = self.exchange(control::render_request(control::Language::Tnetstring, command));
        control::parse_answer(&answer).unwrap_or_else(|error| panic!("{error}: {}", answer.escape_ascii()))
    }

    /// Asks in words, and gives the JSON object.
    pub(crate) fn say(&self, words: &str) -> serde_json::Value {
        serde_json::from_slice(&self.exchange(words)).unwrap()
    }

    /// The rows of `status net` or `status tasks`, each by the names of the columns, once all workers answer in time.
    pub(crate) fn status(&self, what: control::Status) -> Vec<HashMap<String, Value>> {
        let ask = || self.ask(&control::Command::Status(what)).unwrap();
        let table = wait::until("all workers to answer", || Some(ask()).filter(|table| table.note.is_none()));
        let row = |row: Vec<Value>| table.headers.iter().cloned().zip(row).collect();
        table.rows.into_iter().map(row).collect()
    }
}
