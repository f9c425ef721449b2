//! A connection to the procer of a folder.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};

use crate::args::At;
use crate::control::protocol::{Happened, Reply, Request};
use crate::control::{SOCKET, reach};
use crate::error::Error;
use crate::exit::Exit;
use crate::folder::OWN;

/// The connection.
pub(super) struct Link {
    stream: BufReader<UnixStream>,
    /// Events that came in front of a reply.
    events: VecDeque<Happened>,
}

/// The folder that a command is about: the one that is named, else this one, else `profiles` in it.
pub(super) fn folder(at: &At) -> PathBuf {
    let named = at.profiles.clone().or_else(|| std::env::var_os("PROCER_PROFILES").map(PathBuf::from));
    named.unwrap_or_else(|| {
        let here = Path::new(".");
        if here.join(OWN).exists() { here.into() } else { here.join("profiles") }
    })
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// There is no procer.
    pub(super) fn open(at: &At) -> Result<Self, Error> {
        let folder = folder(at);
        let stream = connect(&folder).map_err(|error| {
            let shown = folder.display();
            let gone = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused].contains(&error.kind());
            if gone {
                Error::cannot(format!("ask the procer of `{shown}`"), "there is none")
                    .hint("`--profiles DIR` names the folder with the profiles; `procer DIR PID_FILE` starts one")
                    .exit(Exit::NoProcer)
            } else {
                Error::cannot(format!("ask the procer of `{shown}`"), error)
            }
        })?;
        Ok(Self { stream: BufReader::new(stream), events: VecDeque::new() })
    }

    /// Asks, and waits for the reply.
    ///
    /// # Errors
    /// It can't be done, or procer has ended.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Reply, Error> {
        let line = serde_json::to_string(request).expect("requests are plain values");
        // Whoever may not ask is told so, and not listened to: what was said then comes before what failed.
        let sent = self.stream.get_mut().write_all(format!("{line}\n").as_bytes());
        loop {
            let line = match (self.line(None), &sent) {
                (Ok(line), _) => line,
                (Err(_), Err(error)) => return Err(lost(error).exit(Exit::NoProcer)),
                (Err(error), Ok(())) => return Err(error),
            };
            if let Ok(happened) = serde_json::from_str(&line) {
                self.events.push_back(happened);
                continue;
            }
            let reply: Reply = serde_json::from_str(&line).map_err(lost)?;
            return match reply.error {
                Some(error) => Err(Error::cannot(words(request), error)),
                None => Ok(reply),
            };
        }
    }

    /// The next event.
    ///
    /// # Errors
    /// There is none by the deadline, or procer has ended.
    pub(super) fn event(&mut self, deadline: Option<Instant>) -> Result<Happened, Error> {
        if let Some(event) = self.events.pop_front() {
            return Ok(event);
        }
        let line = self.line(deadline)?;
        serde_json::from_str(&line).map_err(lost)
    }

    /// Waits until procer has ended.
    pub(super) fn wait_for_end(&mut self) {
        while self.line(None).is_ok() {}
    }

    fn line(&mut self, deadline: Option<Instant>) -> Result<String, Error> {
        let left =
            deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)));
        self.stream.get_ref().set_read_timeout(left).map_err(lost)?;
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => Err(lost("it has ended").exit(Exit::NoProcer)),
            Ok(_) => Ok(line),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                Err(lost("it has ended").exit(Exit::NoProcer))
            }
            Err(error) => Err(lost(error)),
        }
    }
}

/// A socket's address has little room: the folder's own path may be longer.
fn connect(folder: &Path) -> io::Result<UnixStream> {
    let own = open(folder.join(OWN), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    UnixStream::connect(reach(&own, SOCKET))
}

fn lost(error: impl std::fmt::Display) -> Error {
    Error::cannot("talk with procer", error)
}

/// What a request asks for, in words that fit behind "cannot".
fn words(request: &Request) -> String {
    let (word, names) = match request {
        Request::Status { names } => ("tell about", names),
        Request::Start { names } => ("start", names),
        Request::Stop { names } => ("stop", names),
        Request::Restart { names } => ("restart", names),
        Request::Reload { names } => ("reload", names),
        Request::Signal { names, .. } => ("signal", names),
        Request::Events {} => return "follow".into(),
        Request::Quit {} => return "end it".into(),
    };
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { format!("{word} all services") } else { format!("{word} {}", names.join(", ")) }
}
