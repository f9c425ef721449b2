//! The built-in handler: a thread that takes requests to what [`Answers`] them, and sends its replies.

use std::fs::File;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use mongrel2::config::{self, Server, Target};
use mongrel2::handler::{Connection, HandlerError, Request};
use rustix::fd::AsRawFd as _;

use crate::error::{Error, say};

use super::room::Reply;

/// The handler with this `send_ident` is the demo's.
const IDENT: &str = "m2sh-demo";

/// How long an order of m2sh may go unnoticed.
const TICK: Duration = Duration::from_millis(50);

const HEADERS: [(&str, &str); 2] = [("Content-Type", "application/json"), ("Cache-Control", "no-store")];

/// What the handler does: requests in, replies out.
pub(super) trait Answers: Send + 'static {
    /// Takes a request, or the notice that a connection is gone.
    fn take(&mut self, request: &Request) -> Vec<Reply>;

    /// Answers everyone who waits; from now on nobody can.
    fn close(&mut self) -> Vec<Reply> {
        Vec::new()
    }
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Handler {
    close: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Handler {
    /// Starts to answer for a server; `None` if it has no such handler, as somebody runs another one.
    ///
    /// # Errors
    /// The server's addresses can't be used.
    pub(super) fn start(server: &Server, answers: impl Answers) -> Result<Option<Self>, Error> {
        let Some(handler) = find(server) else { return Ok(None) };
        let cannot = |error: &dyn std::fmt::Display| Error::cannot("start the demo's handler", error);
        let chroot = File::open(&server.chroot).map_err(|error| cannot(&error))?;
        let [requests, replies] = [&handler.send_spec, &handler.recv_spec].map(|spec| from_here(spec, &chroot));
        let connection = Connection::connect(IDENT, &requests, &replies).map_err(|error| cannot(&error))?;
        let (close, closed) = channel();
        let work = move || {
            // It is what the addresses count from, as often as ZeroMQ connects.
            let _chroot = chroot;
            if let Err(error) = attend(connection, &closed, answers) {
                say(&format!("m2sh: the demo's handler has ended: {error}"));
            }
        };
        let thread = std::thread::Builder::new().name("handler".into()).spawn(work).map_err(|error| cannot(&error))?;
        Ok(Some(Self { close: Some(close), thread: Some(thread) }))
    }

    /// Answers those who wait, and lets nobody wait any more.
    pub(super) fn close(&self) {
        // A handler that has ended needs no telling.
        let _ = self.close.as_ref().map(|close| close.send(()));
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.close = None;
        // If the thread has panicked, it has said so.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn find(server: &Server) -> Option<&config::Handler> {
    let mut routes = server.hosts.iter().flat_map(|host| &host.routes);
    routes.find_map(|route| match &route.target {
        Target::Handler(handler) if handler.send_ident == IDENT => Some(handler),
        _ => None,
    })
}

/// The server's `ipc://` addresses count from its chroot.  Through the open folder they are as short for this
/// process, wherever it runs: the system takes no more than 107 bytes.
fn from_here(spec: &str, chroot: &File) -> String {
    match spec.strip_prefix("ipc://") {
        Some(path) => format!("ipc:///proc/self/fd/{}/{}", chroot.as_raw_fd(), path.trim_start_matches('/')),
        None => spec.to_owned(),
    }
}

/// Answers until nobody is left who could say to close.
fn attend(mut connection: Connection, closed: &Receiver<()>, mut answers: impl Answers) -> Result<(), HandlerError> {
    loop {
        let replies = match closed.try_recv() {
            Ok(()) => answers.close(),
            Err(TryRecvError::Disconnected) => return Ok(()),
            Err(TryRecvError::Empty) => Vec::new(),
        };
        let done = replies.into_iter().try_for_each(|reply| send(&mut connection, None, reply));
        match done.and_then(|()| serve(&mut connection, &mut answers)) {
            Err(error @ (HandlerError::Receive(_) | HandlerError::Send(_))) => return Err(error),
            Err(error) => say(&format!("m2sh: the demo's handler skips a message: {error}")),
            Ok(()) => {}
        }
    }
}

/// Answers the next request, if one comes.
fn serve(connection: &mut Connection, answers: &mut impl Answers) -> Result<(), HandlerError> {
    let Some(request) = connection.recv_timeout(TICK)? else { return Ok(()) };
    answers.take(&request).into_iter().try_for_each(|reply| send(connection, Some(&request), reply))
}

fn send(connection: &mut Connection, request: Option<&Request>, reply: Reply) -> Result<(), HandlerError> {
    let mut body = serde_json::to_vec_pretty(reply.body()).expect("JSON is JSON");
    body.push(b'\n');
    match (reply, request) {
        (Reply::Many { server, ids, status, .. }, _) => connection.deliver_http(&server, &ids, status, &HEADERS, &body),
        (Reply::One { status, allow, .. }, Some(request)) => {
            let allow = allow.map(|methods| ("Allow", methods));
            let headers: Vec<_> = HEADERS.into_iter().chain(allow).collect();
            connection.reply_http(request, status, &headers, &body)
        }
        (Reply::One { .. }, None) => Ok(()),
    }
}
