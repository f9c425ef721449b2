//! Ask a running server at its control port: the manual's section 7.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use mongrel2::control::{Client, ClientError};
//! use mongrel2::wire::control::{Command, Status};
//!
//! # fn main() -> Result<(), ClientError> {
//! let client = Client::connect("ipc://run/control")?;
//! let answer = client.ask(&Command::Status(Status::Net), Duration::from_secs(1))?;
//! println!("{answer:?}");
//! # Ok(())
//! # }
//! ```

use std::fs::File;
use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use thiserror::Error;

use crate::handler::wait_readable;
use crate::wire::control::{Answer, AnswerError, Command, Language, parse_answer, render_request};

/// How long a listener may take to accept a connection.
const ACCEPT: Duration = Duration::from_secs(1);

/// The longest path that the name of a socket has room for, on any system.
const MAX_PATH: usize = 100;

/// A client of a control port.
pub struct Client {
    socket: zmq::Socket,
    /// Part of the address, where that would be too long.
    _folder: Option<File>,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody listens there, or not to this user.
    #[error("nobody answers at the control port `{0}`: {1}")]
    Absent(String, io::Error),
    /// ZeroMQ can't do it.
    #[error("cannot use the control port: {0}")]
    Zeromq(#[from] zmq::Error),
    /// The time was up.
    #[error("the control port gave no answer in time")]
    Late,
    /// The answer isn't one.
    #[error("cannot use the answer: {0}")]
    Answer(#[from] AnswerError),
}

impl Client {
    /// Connects to an address; `ipc://run/control` counts from the working directory.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(spec: &str) -> Result<Self, ClientError> {
        let absent = |error| ClientError::Absent(spec.to_owned(), error);
        let (address, folder) = match spec.strip_prefix("ipc://").filter(|path| !path.starts_with('@')) {
            Some(path) => file_address(Path::new(path)).map_err(absent)?,
            None => (spec.replace("://*:", "://127.0.0.1:"), None),
        };
        // ZeroMQ itself would wait for somebody to come.
        knock(&address).map_err(absent)?;
        let socket = zmq::Context::new().socket(zmq::REQ)?;
        socket.set_linger(0)?;
        socket.connect(&address)?;
        Ok(Self { socket, _folder: folder })
    }

    /// Asks, and waits for the answer for so long.
    ///
    /// # Errors
    /// There is none; this client can't be used any more then.
    pub fn ask(&self, command: &Command, timeout: Duration) -> Result<Answer, ClientError> {
        self.send(command)?;
        self.answer(timeout)?.ok_or(ClientError::Late)
    }

    /// Asks, without waiting.
    ///
    /// # Errors
    /// The last question has had no answer yet.
    pub fn send(&self, command: &Command) -> Result<(), ClientError> {
        Ok(self.socket.send(render_request(Language::Tnetstring, command), 0)?)
    }

    /// The answer, if it comes within so long.
    ///
    /// # Errors
    /// It can't be read.
    pub fn answer(&self, timeout: Duration) -> Result<Option<Answer>, ClientError> {
        if !wait_readable(&self.socket, timeout)? {
            return Ok(None);
        }
        Ok(Some(parse_answer(&self.socket.recv_bytes(0)?)?))
    }
}

/// The address of a file, short enough for the name of a socket, and the folder that has to stay open for it.
fn file_address(path: &Path) -> io::Result<(String, Option<File>)> {
    let text = |path: &Path| format!("ipc://{}", path.display());
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if path.as_os_str().len() > MAX_PATH => {
            let folder = File::open(parent)?;
            let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
            Ok((text(&short), Some(folder)))
        }
        _ => Ok((text(path), None)),
    }
}

/// Whether somebody accepts connections.
fn knock(address: &str) -> io::Result<()> {
    match address.split_once("://") {
        Some(("ipc", path)) if !path.starts_with('@') => {
            // Where too many wait already, connect(2) would wait with them.
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
            Ok(connect(&socket, &SocketAddrUnix::new(path)?)?)
        }
        Some(("tcp", address)) => {
            let mut found = address.to_socket_addrs()?;
            let address = found.next().ok_or(io::ErrorKind::NotFound)?;
            TcpStream::connect_timeout(&address, ACCEPT).map(drop)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::wire::control::{Table, render_answer};

    #[test]
    fn nobody_waits_where_too_many_wait_already() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let _deaf = testkit::DeafSocket::at(&path);
        let connected = Client::connect(&format!("ipc://{}", path.display()));
        assert!(matches!(connected, Err(ClientError::Absent(_, error)) if error.kind() == io::ErrorKind::WouldBlock));
    }

    /// A port that answers once.
    fn port(spec: &str) -> thread::JoinHandle<Vec<u8>> {
        let socket = zmq::Context::new().socket(zmq::REP).unwrap();
        socket.bind(spec).unwrap();
        thread::spawn(move || {
            let request = socket.recv_bytes(0).unwrap();
            let answer = Ok(Table::row([("uuid", "f400".into())]));
            socket.send(render_answer(Language::Tnetstring, None, &answer), 0).unwrap();
            request
        })
    }

    #[test]
    fn a_question_and_its_answer() {
        let folder = tempfile::tempdir().unwrap();
        let spec = format!("ipc://{}/control", folder.path().display());
        let port = port(&spec);
        let client = Client::connect(&spec).unwrap();
        let answer = client.ask(&Command::Uuid, Duration::from_secs(30)).unwrap();
        assert_eq!(answer.unwrap().rows, [["f400".into()]]);
        assert_eq!(port.join().unwrap(), b"10:4:uuid,0:}]");
    }

    #[test]
    fn a_long_path() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("x".repeat(MAX_PATH));
        std::fs::create_dir(&deep).unwrap();
        // As the server, from within.
        let inside = File::open(&deep).unwrap();
        let port = port(&format!("ipc:///proc/self/fd/{}/control", inside.as_raw_fd()));
        let client = Client::connect(&format!("ipc://{}/control", deep.display())).unwrap();
        assert!(client.ask(&Command::Uuid, Duration::from_secs(30)).unwrap().is_ok());
        port.join().unwrap();
    }

    #[test]
    fn nobody_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let stale = folder.path().join("stale");
        drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
        for spec in [
            "ipc:///nowhere/at/all".to_owned(),
            format!("ipc://{}", stale.display()),
            format!("ipc:///nowhere/{}", "x/".repeat(MAX_PATH)),
            "tcp://127.0.0.1:1".to_owned(),
            "tcp://nonsense".to_owned(),
        ] {
            assert!(matches!(Client::connect(&spec), Err(ClientError::Absent(..))), "{spec}");
        }
    }

    #[test]
    fn who_listens_and_says_nothing_is_late() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("silent");
        let _silent = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let client = Client::connect(&format!("ipc://{}", path.display())).unwrap();
        assert!(matches!(client.ask(&Command::Uuid, Duration::from_millis(10)), Err(ClientError::Late)));
    }
}
