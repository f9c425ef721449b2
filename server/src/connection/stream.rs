//! The socket of a connection and the bytes that have come but haven't been looked at.

use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mongrel2::config::Settings;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::SendFlags;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::chunked::{Decoder, Step};
use super::fields::Framing;
use super::head::{self, Parsed};
use super::message;
use super::request::{Refusal, Request};
use super::vitals::{Phase, Vitals};

/// How much is read at once into a body.
const PIECE: usize = 64 * 1024;

/// How much one call of sendfile(2) may take before other connections get their turn.  Filling a socket's buffers to
/// the brim costs a third of the throughput: the client reads what has left the cache meanwhile.
const FILE_PIECE: usize = 320 * 1024;

/// How long a closed connection may go on sending before it is cut off.
const LINGER: Duration = Duration::from_secs(2);

/// A client's socket.
pub(super) struct Stream {
    socket: TcpStream,
    vitals: Rc<Vitals>,
    rest: Option<Box<Rest>>,
    /// Whether bytes wait in the kernel that tokio has been told to forget.
    unread: bool,
    /// Whether the client has closed its sending half, as far as that is known.
    finished: bool,
    /// Whether a silent client has been asked for a sign of life.
    probed: bool,
}

/// Bytes behind the last request: in a block of their own, since there are mostly none.
#[derive(Debug)]
struct Rest {
    bytes: Vec<u8>,
}

/// What a client begins with.
#[derive(Debug)]
pub(super) enum Incoming {
    /// The head of a request.
    Request(Request),
    /// The beginning of a JSON or XML socket's messages.
    Messages(Vec<u8>),
}

impl Stream {
    pub(super) fn new(socket: TcpStream, vitals: Rc<Vitals>) -> Self {
        // It only costs speed if this fails.
        let _ = socket.set_nodelay(true);
        Self { socket, vitals, rest: None, unread: false, finished: false, probed: false }
    }

    /// How the connection is doing.
    pub(super) fn vitals(&self) -> &Rc<Vitals> {
        &self.vitals
    }

    /// Whether bytes behind the last request are there.
    pub(super) fn has_bytes(&self) -> bool {
        self.unread || self.rest.is_some()
    }

    /// Waits until something can be read; gives whether the socket still works.
    ///
    /// Only the connection's own task ever waits here, so that the waker's one place in the socket will do: an
    /// idle connection's future is a hundred bytes smaller for it.
    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<bool> {
        if self.has_bytes() {
            return Poll::Ready(true);
        }
        self.socket.poll_read_ready(context).map(|ready| ready.is_ok())
    }

    /// Waits until the client has closed its sending half, or the whole connection; nothing is read.
    pub(super) fn poll_finished(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.finished {
            if ready!(self.socket.poll_read_ready(context)).is_err() || has_hung_up(&self.socket) {
                self.finished = true;
            } else {
                self.leave_unread();
            }
        }
        Poll::Ready(())
    }

    /// Whether [`poll_finished`](Self::poll_finished) has found the end.
    pub(super) fn has_finished(&self) -> bool {
        self.finished
    }

    /// Leaves what is there where it is, and waits for the next event instead.
    fn leave_unread(&mut self) {
        self.unread = true;
        let _ = self.socket.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }

    /// Takes what has come of the next request, without waiting for it; gives whether there is anything.
    ///
    /// # Errors
    /// The client has left.
    pub(super) fn begin(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        if self.rest.is_none() {
            return self.read_now(buffer);
        }
        buffer.append(&mut self.take_rest());
        Ok(true)
    }

    /// Reads a request's head; `buffer` has the beginning of it.
    ///
    /// The first byte tells what the client speaks.
    pub(super) async fn read_head(&mut self, mut buffer: Vec<u8>, settings: &Settings) -> Result<Incoming, Refusal> {
        loop {
            if buffer.first().is_some_and(|byte| message::may_start_with(*byte)) {
                return Ok(Incoming::Messages(buffer));
            }
            if !buffer.is_empty()
                && let Parsed::Complete(head) = head::parse(&buffer, settings)?
            {
                self.put_back(buffer.split_off(head.length));
                return Ok(Incoming::Request(Request { bytes: buffer, head, body: Vec::new() }));
            }
            buffer.reserve(1024);
            self.read(&mut buffer).await?;
        }
    }

    /// Reads a request's body of at most `limit` bytes.
    pub(super) async fn read_body(&mut self, request: &mut Request, limit: u64) -> Result<(), Refusal> {
        match request.head.framing {
            Framing::Length(0) => return Ok(()),
            Framing::Length(length) if length > limit => return Err(too_large()),
            _ => {}
        }
        if request.head.expects_continue {
            self.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| Refusal::Gone)?;
        }
        let mut bytes = self.take_rest();
        match request.head.framing {
            Framing::Length(length) => {
                let length = usize::try_from(length).map_err(|_| too_large())?;
                bytes.reserve_exact(length.saturating_sub(bytes.len()).min(PIECE));
                while bytes.len() < length {
                    self.read_piece(&mut bytes).await?;
                }
                self.put_back(bytes.split_off(length));
                request.body = bytes;
            }
            Framing::Chunked => request.body = self.read_chunks(bytes, limit).await?,
        }
        Ok(())
    }

    async fn read_chunks(&mut self, mut bytes: Vec<u8>, limit: u64) -> Result<Vec<u8>, Refusal> {
        let (mut decoder, mut body, mut start) = (Decoder::new(), Vec::new(), 0);
        loop {
            match decoder.next(&bytes, start)? {
                Step::Data(range) => {
                    if (body.len() + range.len()) as u64 > limit {
                        return Err(too_large());
                    }
                    start = range.end;
                    body.extend_from_slice(&bytes[range]);
                }
                Step::End(at) => {
                    self.put_back(bytes.split_off(at));
                    return Ok(body);
                }
                Step::More => {
                    // A chunk that is announced as too long need not come to be refused.
                    if (body.len() as u64).saturating_add(decoder.left()) > limit {
                        return Err(too_large());
                    }
                    bytes.clear();
                    start = 0;
                    self.read_piece(&mut bytes).await?;
                }
            }
        }
    }

    /// Takes the bytes that have come behind the last request's head.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        self.rest.take().map_or_else(Vec::new, |rest| rest.bytes)
    }

    /// Gives back what wasn't used of them.
    pub(super) fn put_back(&mut self, bytes: Vec<u8>) {
        self.rest = (!bytes.is_empty()).then(|| Box::new(Rest { bytes }));
    }

    /// Reads more into a buffer.
    pub(super) async fn read_piece(&mut self, bytes: &mut Vec<u8>) -> Result<(), Refusal> {
        bytes.reserve(PIECE.min(bytes.len().max(4096)));
        self.read(bytes).await
    }

    /// Reads what is there, if there is any; gives whether there was.
    ///
    /// # Errors
    /// The client has left.
    pub(super) fn read_now(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        buffer.reserve(4096);
        let read = match std::mem::take(&mut self.unread) {
            true => self.read_unread(buffer),
            false => self.try_read(buffer),
        };
        match read {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(size) => {
                self.vitals.read(size);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes what the client takes at once of the last words of a connection.
    pub(super) fn write_last(&self, bytes: &[u8]) {
        let _ = self.socket.try_write(bytes);
    }

    /// Reads what is there, or waits for it.
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<(), Refusal> {
        if std::mem::take(&mut self.unread) {
            match self.read_unread(buffer) {
                Ok(0) => return Err(Refusal::Gone),
                Ok(size) => {
                    self.vitals.read(size);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(Refusal::Gone),
            }
        }
        let mut waited = false;
        loop {
            match self.try_read(buffer) {
                Ok(0) => return Err(Refusal::Gone),
                Ok(size) => {
                    self.vitals.read(size);
                    if waited {
                        self.vitals.moved(size);
                    }
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    waited = true;
                    self.vitals.enter(Phase::Reading);
                    self.socket.readable().await.map_err(|_| Refusal::Gone)?;
                }
                Err(_) => return Err(Refusal::Gone),
            }
        }
    }

    /// Reads once what tokio has been told to forget.  More may be left behind, of which it will not tell either.
    fn read_unread(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let size = rustix::io::read(&self.socket, rustix::buffer::spare_capacity(buffer))?;
        self.unread = buffer.len() == buffer.capacity();
        Ok(size)
    }

    /// Reads once.  A read that leaves room has taken everything that was there, so that tokio may wait for the
    /// next event: the read that would find nothing is saved.
    fn try_read(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let mut all = None;
        let room = buffer.capacity() - buffer.len();
        let read = || match rustix::io::read(&self.socket, rustix::buffer::spare_capacity(buffer))? {
            size if size > 0 && size < room => {
                all = Some(size);
                Err(io::ErrorKind::WouldBlock.into())
            }
            size => Ok(size),
        };
        let result = self.socket.try_io(Interest::READABLE, read);
        all.map_or(result, Ok)
    }

    /// Reads more into a buffer, if something comes.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<Result<(), Refusal>> {
        buffer.reserve(PIECE.min(buffer.len().max(4096)));
        let before = buffer.len();
        loop {
            match self.read_now(buffer) {
                Ok(true) => {
                    self.vitals.moved_in(Phase::Reading, buffer.len() - before);
                    return Poll::Ready(Ok(()));
                }
                Ok(false) => {
                    self.vitals.enter(Phase::Reading);
                    ready!(self.socket.poll_read_ready(context)).map_err(|_| Refusal::Gone)?;
                }
                Err(_) => return Poll::Ready(Err(Refusal::Gone)),
            }
        }
    }

    /// Writes what the client takes; gives how much that is.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.socket.try_write(bytes) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(written) => {
                    self.vitals.wrote(written);
                    self.vitals.moved_in(Phase::Writing, written);
                    return Poll::Ready(Ok(written));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.vitals.enter(Phase::Writing);
                    ready!(self.socket.poll_write_ready(context))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Sends an interim answer that only tells whether the client is still there; gives whether it could be sent.
    pub(super) fn probe(&mut self) -> bool {
        self.probed || {
            self.probed = true;
            self.socket.try_write(b"HTTP/1.1 100 Continue\r\n\r\n").is_ok()
        }
    }

    /// Whether the connection is broken, as it is when one that has left was sent something.
    pub(super) fn is_broken(&self) -> bool {
        let mut polled = [PollFd::new(&self.socket, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
    }

    /// Waits until the client has left while it waits for its answer.
    ///
    /// Nothing is read: the next request stays where it is.  A client that has closed its sending half may
    /// still want the answer, and looks like one that has left.  `may_wait` says that it is given the benefit
    /// of the doubt; `may_probe` that it may be sent an interim answer (RFC 9110, section 15.2), which one that
    /// has left refuses at once.
    pub(super) async fn gone(&mut self, may_probe: bool, may_wait: bool) {
        loop {
            match self.socket.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => self.leave_unread(),
                Ok(_) if may_wait => break,
                _ => return,
            }
        }
        self.unread = true;
        if may_probe && !self.probed {
            self.probed = true;
            if self.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_err() {
                return;
            }
        }
        let _ = self.socket.ready(Interest::ERROR).await;
    }

    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        let mut waited = false;
        while !bytes.is_empty() {
            match self.socket.try_write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.vitals.wrote(written);
                    if waited {
                        self.vitals.moved(written);
                    }
                    bytes = &bytes[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    waited = true;
                    self.vitals.enter(Phase::Writing);
                    self.socket.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes two pieces, in one system call if the client takes them.
    pub(super) async fn write_both(&self, first: &[u8], second: &[u8]) -> io::Result<()> {
        match self.socket.try_write_vectored(&[IoSlice::new(first), IoSlice::new(second)]) {
            Ok(written) if written >= first.len() => {
                self.vitals.wrote(written);
                self.write_all(&second[written - first.len()..]).await
            }
            Ok(written) => {
                self.vitals.wrote(written);
                self.write_all(&first[written..]).await?;
                self.write_all(second).await
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.write_all(first).await?;
                self.write_all(second).await
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a head, and lets the kernel send a part of a file behind it.
    pub(super) async fn write_and_send_file(&self, head: &[u8], file: &File, part: Range<u64>) -> io::Result<()> {
        self.vitals.enter(Phase::Writing);
        self.write_more(head).await?;
        let mut offset = part.start;
        while offset < part.end {
            let piece = usize::try_from(part.end - offset).unwrap_or(FILE_PIECE).min(FILE_PIECE);
            let send = || Ok(rustix::fs::sendfile(&self.socket, file, Some(&mut offset), piece)?);
            match self.socket.async_io(Interest::WRITABLE, send).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                sent => {
                    self.vitals.wrote(sent);
                    self.vitals.moved(sent);
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Writes bytes that others follow at once, so that the kernel may put them into one packet.
    async fn write_more(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let send = || Ok(rustix::net::send(&self.socket, bytes, SendFlags::MORE | SendFlags::NOSIGNAL)?);
            let written = self.socket.async_io(Interest::WRITABLE, send).await?;
            self.vitals.wrote(written);
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Has the kernel reset the connection when it is dropped.
    pub(super) fn abort(&self) {
        // Without it the client can't tell an answer without a length from a part of it.
        let _ = socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }

    /// Lingers if the client has sent more than was read.
    pub(super) async fn linger_if_unread(&mut self) {
        let waiting = || rustix::io::ioctl_fionread(&self.socket).is_ok_and(|count| count > 0);
        if self.rest.is_some() || waiting() {
            self.linger().await;
        }
    }

    /// Says that nothing more will come, and lets the client finish (RFC 9112, section 9.6).
    ///
    /// Without this the client might lose the answer: unread input makes the kernel reset the connection.
    pub(super) async fn linger(&mut self) {
        if rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Write).is_err() {
            return;
        }
        let drain = async {
            let mut bytes = Vec::with_capacity(PIECE);
            while self.read(&mut bytes).await.is_ok() {
                bytes.clear();
            }
        };
        let _ = tokio::time::timeout(LINGER, drain).await;
    }
}

/// Whether the other end has closed its sending half, which bytes before that would hide from a read.
fn has_hung_up(socket: &TcpStream) -> bool {
    let mut polled = [PollFd::new(socket, PollFlags::RDHUP)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    !matches!(rustix::event::poll(&mut polled, Some(&now)), Ok(0))
}

fn too_large() -> Refusal {
    Refusal::Bad { status: 413, reason: "the body is longer than limits.content_length".into() }
}
