//! A backend that answers as a test wants it, well or badly, and counts what it costs.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use testkit::wait;

/// A running backend.
#[derive(Clone)]
pub(super) struct Backend {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Box<dyn Fn(&Event) -> Answer + Send + Sync>,
    events: Mutex<Vec<Event>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    /// The bytes that endless answers have had so far when their connection was closed.
    wasted: Mutex<Vec<usize>>,
}

/// An event, as it came.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) fields: HashMap<String, Vec<u8>>,
    pub(super) headers: HashMap<String, String>,
}

/// An answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    /// A whole one.
    Status(u16),
    /// One that chooses a subprotocol.
    Protocol(&'static str),
    /// None; the connection stays open.
    Hang,
    /// A body that has no end.
    Endless,
    /// A head that has no end.
    EndlessHead,
    /// A body that is shorter than the head says.
    Cut,
    /// The beginning of a head.
    HalfHead,
    /// No HTTP.
    Garbage,
}

/// What a backend waits at until a test lets it go on.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(super) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(super) fn wait(&self) {
        let is_open = self.0.1.wait_while(self.0.0.lock().unwrap(), |is_open| !*is_open);
        drop(is_open.unwrap());
    }
}

pub(super) const OK: Answer = Answer::Status(200);

impl Backend {
    /// One that answers events like that.
    pub(super) fn start(answer: impl Fn(&Event) -> Answer + Send + Sync + 'static) -> Self {
        Self::at(testkit::free_address(), answer)
    }

    /// One that agrees to a socket when the gate is opened.
    pub(super) fn gated() -> (Self, Gate) {
        let gate = Gate::default();
        let passed = gate.clone();
        let backend = Self::start(move |event| {
            if event.field("verb") == "open" {
                passed.wait();
            }
            OK
        });
        (backend, gate)
    }

    /// The same as `start` at an address.
    pub(super) fn at(address: SocketAddr, answer: impl Fn(&Event) -> Answer + Send + Sync + 'static) -> Self {
        let listener = listen(address);
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            events: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            wasted: Mutex::default(),
        });
        let backend = Self { address, shared };
        let accepting = backend.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("there are descriptors");
                let shared = Arc::clone(&accepting.shared);
                shared.connections.fetch_add(1, Ordering::SeqCst);
                shared.open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    shared.serve(&stream);
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        backend
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/event?room=1", self.address)
    }

    /// All events that have come, tries and all.
    pub(super) fn events(&self) -> Vec<Event> {
        self.shared.events.lock().unwrap().clone()
    }

    /// What they were, in short.
    pub(super) fn told(&self) -> Vec<String> {
        self.events().iter().map(Event::told).collect()
    }

    /// Waits for that many events, and gives what they were.
    pub(super) fn wait_for(&self, count: usize) -> Vec<String> {
        wait::until(&format!("{count} events"), || Some(self.told()).filter(|told| told.len() >= count))
    }

    /// How many connections there have been.
    pub(super) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many there are.
    pub(super) fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    pub(super) fn wasted(&self) -> Vec<usize> {
        self.shared.wasted.lock().unwrap().clone()
    }
}

/// Listens at a free address.  A program that another test starts at the same moment has the descriptor with which it was
/// found to be free, until it has begun.
pub(super) fn listen(address: SocketAddr) -> TcpListener {
    wait::until("the address to be free", || TcpListener::bind(address).ok())
}

impl Shared {
    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(event) = Event::read(&mut reader) {
            self.events.lock().unwrap().push(event.clone());
            if !self.answer(stream, (self.answer)(&event)) {
                break;
            }
        }
    }

    /// Answers; gives whether the connection may have another request.
    fn answer(&self, mut stream: &TcpStream, answer: Answer) -> bool {
        let text = match answer {
            Answer::Protocol(name) => {
                format!("HTTP/1.1 200 OK\r\nSec-WebSocket-Protocol: {name}\r\nContent-Length: 0\r\n\r\n")
            }
            Answer::Status(204) => "HTTP/1.1 204 No Content\r\n\r\n".into(),
            Answer::Status(status) => format!("HTTP/1.1 {status} Told\r\nContent-Length: 5\r\n\r\nhello"),
            Answer::Cut => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello".into(),
            Answer::HalfHead => "HTTP/1.1 200 OK\r\nConte".into(),
            Answer::Garbage => "\0\u{7f}* nothing that anybody would speak\r\n\r\n".into(),
            Answer::Endless => "HTTP/1.1 200 OK\r\n\r\n".into(),
            Answer::EndlessHead => "HTTP/1.1 200 OK\r\n".into(),
            Answer::Hang => String::new(),
        };
        // Who isn't there any more has not waited.
        let _ = stream.write_all(text.as_bytes());
        match answer {
            Answer::Status(_) | Answer::Protocol(_) => true,
            Answer::Cut | Answer::HalfHead | Answer::Garbage => false,
            Answer::Endless => self.waste(stream, &[b'x'; 16 * 1024]),
            Answer::EndlessHead => self.waste(stream, b"X-More: and more and more and more\r\n"),
            Answer::Hang => {
                let _ = stream.read_to_end(&mut Vec::new());
                false
            }
        }
    }

    fn waste(&self, mut stream: &TcpStream, piece: &[u8]) -> bool {
        let mut size = 0;
        while stream.write_all(piece).is_ok() {
            size += piece.len();
        }
        self.wasted.lock().unwrap().push(size);
        false
    }
}

impl Event {
    fn read(reader: &mut impl BufRead) -> Option<Self> {
        let mut line = || {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|size| *size > 0)?;
            Some(line.trim_end().to_owned())
        };
        assert_eq!(line()?, "POST /event?room=1 HTTP/1.1");
        let mut headers = HashMap::new();
        while let Some((name, value)) = line()?.split_once(": ") {
            assert_eq!(headers.insert(name.to_lowercase(), value.to_owned()), None, "{name} came twice");
        }
        let mut form = vec![0; headers["content-length"].parse().expect("it is a number")];
        reader.read_exact(&mut form).ok()?;
        Some(Self { fields: fields(&form), headers })
    }

    /// A field as text.
    pub(super) fn field(&self, name: &str) -> String {
        self.fields.get(name).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    }

    /// Number, verb and data.
    pub(super) fn told(&self) -> String {
        format!("{} {} {}", self.field("number"), self.field("verb"), self.field("data")).trim_end().to_owned()
    }
}

fn fields(form: &[u8]) -> HashMap<String, Vec<u8>> {
    let form = std::str::from_utf8(form).expect("a form is ASCII");
    let pairs = form.split('&').map(|pair| pair.split_once('=').expect("a field has a value"));
    pairs.map(|(name, value)| (name.to_owned(), decoded(value.as_bytes()))).collect()
}

fn decoded(mut text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some((first, rest)) = text.split_first() {
        let (byte, rest) = match first {
            b'%' => {
                let digits = std::str::from_utf8(&rest[..2]).expect("they are digits");
                (u8::from_str_radix(digits, 16).expect("they are digits"), &rest[2..])
            }
            other => (*other, rest),
        };
        bytes.push(byte);
        text = rest;
    }
    bytes
}
