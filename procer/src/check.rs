//! Asking a service whether it is ready: how often, and what the answers come to.
//!
//! A probe is a connection that doesn't block, or a script that somebody else runs.  Time is passed in.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use crate::poll::For;
use crate::profile::{Check, HttpCheck, Ready};
use crate::service::Event;

/// More of an answer than its first line needs.
const MAX_HEAD: usize = 1024;

/// The checks of one service that runs.
#[derive(Debug)]
pub(crate) struct Checker {
    /// How it is asked.
    pub(crate) ready: Ready,
    /// When it is asked next; `None` while it is.
    next: Option<Duration>,
    successes: u32,
    failures: u32,
    is_ready: bool,
    /// What goes on.
    pub(crate) probe: Option<Probe>,
}

/// A question that has no answer yet.
#[derive(Debug)]
pub(crate) enum Probe {
    /// A script is at work: its number among the helpers.
    Script(u32),
    /// A connection is being made, or has been.
    Connection(Connection),
}

/// A connection to what shall be ready.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    asks: Asks,
    /// When the answer has to be there.
    pub(crate) by: Duration,
}

/// What a connection is for.
#[derive(Debug)]
enum Asks {
    /// To be made.
    Nothing,
    /// To say this.
    Request(String),
    /// To hear the rest of this.
    Answer(Vec<u8>),
}

/// What a connection needs next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// To be watched for that.
    Needs(For),
    /// Nothing any more; `Err` says why the service isn't ready.
    Over(Result<(), String>),
}

impl Checker {
    /// Of a service that has just been started, or that was ready when it was adopted.
    pub(crate) fn new(ready: Ready, is_ready: bool, now: Duration) -> Self {
        let next = (ready.check != Check::Notify).then_some(now);
        Self { ready, next, successes: 0, failures: 0, is_ready, probe: None }
    }

    /// When something has to be done: a question asked, or one given up.
    pub(crate) fn due(&self) -> Option<Duration> {
        match &self.probe {
            Some(Probe::Connection(connection)) => Some(connection.by),
            Some(Probe::Script(_)) => None,
            None => self.next,
        }
    }

    /// Takes an answer; gives what the service is to be told, if the answers come to something new.
    pub(crate) fn answered(&mut self, answer: Result<(), String>, now: Duration) -> Option<Event> {
        self.probe = None;
        let event = match answer {
            Ok(()) => self.succeeded(),
            Err(why) => self.failed(why),
        };
        let interval = if self.is_ready { self.ready.interval } else { self.ready.interval.min(Ready::EAGER) };
        self.next = Some(now + interval);
        event
    }

    fn succeeded(&mut self) -> Option<Event> {
        self.failures = 0;
        self.successes = self.successes.saturating_add(1);
        if self.is_ready || self.successes < self.ready.successes {
            return None;
        }
        self.is_ready = true;
        Some(Event::Ready)
    }

    fn failed(&mut self, why: String) -> Option<Event> {
        self.successes = 0;
        self.failures = self.failures.saturating_add(1);
        if !self.is_ready || self.failures < self.ready.failures {
            return None;
        }
        self.is_ready = false;
        Some(Event::Unready(why))
    }
}

impl Connection {
    /// Begins to connect.
    ///
    /// # Errors
    /// The connection is refused at once.
    pub(crate) fn open(check: &Check, by: Duration) -> io::Result<Self> {
        let (address, asks) = match check {
            Check::Tcp(address) => (*address, Asks::Nothing),
            Check::Http(http) => (http.address, Asks::Request(request(http))),
            Check::Script(_) | Check::Notify => return Err(io::Error::other("nothing to connect to")),
        };
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        match connect(&socket, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self { stream: socket.into(), asks, by })
    }

    /// What epoll watches.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Does what can be done.
    pub(crate) fn go_on(&mut self) -> Progress {
        match self.try_to() {
            Ok(progress) => progress,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Progress::Needs(For::Reading),
            Err(error) => Progress::Over(Err(error.to_string())),
        }
    }

    fn try_to(&mut self) -> io::Result<Progress> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        // Not connected yet.
        if self.stream.peer_addr().is_err() {
            return Ok(Progress::Needs(For::Writing));
        }
        if self.is_to_itself() {
            return Err(io::Error::other("the connection leads to itself: nobody listens"));
        }
        match &mut self.asks {
            Asks::Nothing => Ok(Progress::Over(Ok(()))),
            Asks::Request(request) => {
                // So few bytes always find room in a new connection.
                self.stream.write_all(request.as_bytes())?;
                self.asks = Asks::Answer(Vec::new());
                Ok(Progress::Needs(For::Reading))
            }
            Asks::Answer(head) => read(&mut self.stream, head),
        }
    }

    /// Where a port of the range that clients get is free, a connection to it may get that very port.
    fn is_to_itself(&self) -> bool {
        let ends: (Option<SocketAddr>, Option<SocketAddr>) =
            (self.stream.local_addr().ok(), self.stream.peer_addr().ok());
        ends.0 == ends.1
    }
}

fn read(stream: &mut TcpStream, head: &mut Vec<u8>) -> io::Result<Progress> {
    let mut buffer = [0; MAX_HEAD];
    let size = stream.read(&mut buffer)?;
    head.extend_from_slice(&buffer[..size]);
    let line = head.iter().position(|byte| *byte == b'\n').map(|end| &head[..end]);
    Ok(match line {
        Some(line) => Progress::Over(judge(&String::from_utf8_lossy(line))),
        None if size == 0 => Progress::Over(Err("it has closed the connection without an answer".into())),
        None if head.len() > MAX_HEAD => Progress::Over(Err("its answer is not HTTP".into())),
        None => Progress::Needs(For::Reading),
    })
}

fn request(http: &HttpCheck) -> String {
    format!("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: procer\r\nConnection: close\r\n\r\n", http.path, http.host)
}

/// Whether a status line is that of a server in order.
fn judge(line: &str) -> Result<(), String> {
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.trim().parse::<u16>().ok());
    match status {
        Some(100..400) => Ok(()),
        Some(status) => Err(format!("it answers with status {status}")),
        None => Err("its answer is not HTTP".into()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn status_lines_are_judged() {
        for line in ["HTTP/1.1 200 OK\r", "HTTP/1.0 204\r", "HTTP/1.1 302 Found"] {
            assert_eq!(judge(line), Ok(()), "{line}");
        }
        for line in ["HTTP/1.1 503 Unavailable", "HTTP/1.1 404 Not Found", "SSH-2.0", "", "HTTP/1.1", "HTTP/1.1 abc"] {
            assert!(judge(line).is_err(), "{line}");
        }
    }

    fn checker(text: &str) -> Checker {
        let mut troubles = Vec::new();
        let ready = Ready::parse(text, std::path::Path::new("/"), &mut troubles).unwrap();
        assert_eq!(troubles, []);
        Checker::new(ready, false, Duration::ZERO)
    }

    #[test]
    fn answers_come_to_something_in_a_row() {
        let mut checker = checker("tcp 127.0.0.1:1\nsuccesses 2\nfailures 3\ninterval 7s");
        let at = Duration::from_secs;
        let bad = || Err("no".to_owned());
        assert_eq!(checker.answered(Ok(()), at(0)), None);
        assert_eq!(checker.due(), Some(Ready::EAGER), "eager until it is ready");
        assert_eq!(checker.answered(bad(), at(1)), None);
        assert_eq!(checker.answered(Ok(()), at(2)), None);
        assert_eq!(checker.answered(Ok(()), at(3)), Some(Event::Ready));
        assert_eq!(checker.due(), Some(at(10)));
        assert_eq!(checker.answered(bad(), at(4)), None);
        assert_eq!(checker.answered(bad(), at(5)), None);
        assert_eq!(checker.answered(Ok(()), at(6)), None);
        let answers = [4, 5, 6].map(|time| checker.answered(bad(), at(time)));
        assert_eq!(answers, [None, None, Some(Event::Unready("no".into()))]);
    }

    /// Goes on until it is over, as often as a test may wait.
    fn outcome(check: &Check) -> Result<(), String> {
        let mut connection = match Connection::open(check, Duration::ZERO) {
            Ok(connection) => connection,
            Err(error) => return Err(error.to_string()),
        };
        testkit::wait::until("an answer", || match connection.go_on() {
            Progress::Over(outcome) => Some(outcome),
            Progress::Needs(_) => None,
        })
    }

    #[test]
    fn connections_are_made_and_answers_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(outcome(&Check::Tcp(address)), Ok(()));
        let answer = |text: &'static str| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = [0; 1000];
                let size = stream.read(&mut head).unwrap();
                stream.write_all(text.as_bytes()).unwrap();
                String::from_utf8_lossy(&head[..size]).into_owned()
            });
            let http = HttpCheck { address, host: "localhost".into(), path: "/up".into() };
            let outcome = outcome(&Check::Http(http));
            assert!(server.join().unwrap().starts_with("GET /up HTTP/1.1\r\nHost: localhost\r\n"));
            outcome
        };
        assert_eq!(answer("HTTP/1.1 200 OK\r\n\r\n"), Ok(()));
        assert_eq!(answer("HTTP/1.1 500 Oh\r\n\r\n"), Err("it answers with status 500".into()));
        assert_eq!(answer(""), Err("it has closed the connection without an answer".into()));
        drop(listener);
        assert!(outcome(&Check::Tcp(address)).is_err());
    }
}
