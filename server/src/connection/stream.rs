//! What a client says and is told, over TLS or in the clear, and the bytes that have come but haven't been looked at.

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use mongrel2::config::Settings;
use tokio::net::TcpStream;

use super::chunked::{Decoder, Step};
use super::fields::Framing;
use super::head::{self, Parsed};
use super::message;
use super::request::{Refusal, Request};
use super::socket::Socket;
use super::tls::{Fault, Fingerprint, Tls};
use super::vitals::{Phase, Vitals};
use crate::tls::Terms;

/// How much is read at once into a body.
const PIECE: usize = 64 * 1024;

/// How often is read for something that a client says.
const READS: usize = 4;

/// The two directions of a connection.
pub(super) struct Stream {
    socket: Socket,
    rest: Option<Box<Rest>>,
    /// What is between the socket and everything else, unless it is nothing.
    tls: Option<Box<Tls>>,
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

/// What a client turns out to speak.
#[derive(Debug)]
pub(super) enum Spoken {
    /// What is expected of it.
    Expected,
    /// HTTP in the clear, where TLS is expected.
    Plain,
}

impl Stream {
    /// Over TLS if there are `terms`.
    pub(super) fn new(tcp: TcpStream, vitals: Rc<Vitals>, terms: Option<&Terms>) -> Self {
        let tls = terms.map(|terms| Tls::new(terms.config()));
        Self { socket: Socket::new(tcp, vitals), rest: None, tls }
    }

    /// How the connection is doing.
    pub(super) fn vitals(&self) -> &Rc<Vitals> {
        self.socket.vitals()
    }

    /// Whether nobody else can read along.
    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The SHA-1 of the client's certificate, if it has shown one.
    pub(super) fn peer_certificate(&self) -> Option<&Fingerprint> {
        self.tls.as_ref()?.peer()
    }

    /// For how many seconds the client shall come back over TLS only; 0 is not said.
    pub(super) fn hsts(&self) -> u32 {
        self.tls.as_ref().map_or(0, |tls| tls.hsts())
    }

    /// Says for how many seconds that shall be; in the clear it isn't said at all (RFC 6797, section 7.2).
    pub(super) fn set_hsts(&mut self, seconds: u32) {
        if let Some(tls) = &mut self.tls {
            tls.set_hsts(seconds);
        }
    }

    /// Whether hands have to be shaken before anything else.
    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Shakes hands.  A client that speaks in the clear goes on so.
    ///
    /// # Errors
    /// It has come to nothing, of which the client has been told.
    pub(super) async fn shake_hands(&mut self) -> Result<Spoken, Refusal> {
        let Some(tls) = &mut self.tls else { return Ok(Spoken::Expected) };
        let mut said = Vec::new();
        match tls.shake_hands(&mut self.socket, &mut said).await {
            Ok(()) => {
                self.socket.vitals().secrecy.set(tls.secrecy());
                self.put_back(said);
                Ok(Spoken::Expected)
            }
            Err(Fault::Plain(said)) => {
                self.tls = None;
                self.put_back(said);
                Ok(Spoken::Plain)
            }
            Err(fault) => {
                self.broken(fault);
                Err(Refusal::Gone)
            }
        }
    }

    /// Whether bytes behind the last request are there, or the end of them.
    pub(super) fn has_bytes(&self) -> bool {
        self.socket.has_unread() || self.rest.is_some() || self.tls.as_ref().is_some_and(|tls| tls.has_closed())
    }

    /// Waits until something can be read; gives whether the socket still works.
    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<bool> {
        if self.has_bytes() {
            return Poll::Ready(true);
        }
        self.socket.poll_readable(context)
    }

    /// Waits until the client has closed its sending half, or the whole connection; nothing is read.
    pub(super) fn poll_finished(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_finished(context)
    }

    /// Whether [`poll_finished`](Self::poll_finished) has found the end.
    pub(super) fn has_finished(&self) -> bool {
        self.socket.has_finished()
    }

    /// Takes what has come of the next request, without waiting for it; gives whether there is anything.
    ///
    /// # Errors
    /// The client has left.
    pub(super) fn begin(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        if self.rest.is_none() {
            let came = self.read_now(buffer)?;
            // A part of a record is a part of a request, and may not take for ever either.
            return Ok(came || self.tls.as_ref().is_some_and(|tls| tls.is_within_record()));
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
        let before = buffer.len();
        for _ in 0..READS {
            let read = match &mut self.tls {
                None => {
                    buffer.reserve(4096);
                    self.socket.read_now(buffer)
                }
                Some(tls) => tls.read_now(&mut self.socket, buffer).map_err(|fault| self.broken(fault)),
            };
            match read {
                Ok(_) if buffer.len() > before => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        // Whoever only sends records without anything in them gets no more than a turn at a time.
        Ok(false)
    }

    /// Reads what is there, or waits for it.
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<(), Refusal> {
        match &mut self.tls {
            None => self.socket.read(buffer).await,
            Some(tls) => tls.read(&mut self.socket, buffer).await.map_err(|fault| self.broken(fault)),
        }
        .map_err(|_| Refusal::Gone)
    }

    /// Says what is wrong with a client's TLS.
    fn broken(&self, fault: Fault) -> io::Error {
        match fault {
            Fault::Io(error) => error,
            Fault::Tls(error) => {
                tracing::info!("TLS with {} has come to its end: {error}", self.vitals().peer());
                io::ErrorKind::InvalidData.into()
            }
            Fault::Plain(_) => io::ErrorKind::InvalidData.into(),
        }
    }

    /// Reads more into a buffer, if something comes.  Which phase it is to wait for that, is left to the caller.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<Result<(), Refusal>> {
        buffer.reserve(PIECE.min(buffer.len().max(4096)));
        let before = buffer.len();
        loop {
            match self.read_now(buffer) {
                Ok(true) => {
                    self.vitals().moved_in(Phase::Reading, buffer.len() - before);
                    return Poll::Ready(Ok(()));
                }
                Ok(false) => {
                    if !ready!(self.socket.poll_readable(context)) {
                        return Poll::Ready(Err(Refusal::Gone));
                    }
                }
                Err(_) => return Poll::Ready(Err(Refusal::Gone)),
            }
        }
    }

    /// Takes bytes for the client, as many as there is room for; gives how many.  What has been taken is on its way
    /// only when [`poll_flush`](Self::poll_flush) says so.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.tls {
            None => self.socket.poll_write(context, || self.socket.now().write(bytes)),
            Some(tls) => tls.poll_write(&self.socket, context, bytes),
        }
    }

    /// Waits until the client has taken what was written.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.tls {
            None => Poll::Ready(Ok(())),
            Some(tls) => tls.poll_flush(&self.socket, context),
        }
    }

    /// Sends an interim answer that only tells whether the client is still there; gives whether it could be sent.
    pub(super) fn probe(&mut self) -> bool {
        const WORD: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        if !self.socket.may_probe() {
            return true;
        }
        match &mut self.tls {
            // One that has not taken all of an answer before will be told by the next.
            None => {
                self.socket.now().write(WORD).map_or_else(|error| error.kind() == io::ErrorKind::WouldBlock, |_| true)
            }
            Some(tls) => {
                tls.write_last(&self.socket, WORD);
                true
            }
        }
    }

    /// Whether the connection is broken, as it is when one that has left was sent something.
    pub(super) fn is_broken(&self) -> bool {
        self.socket.is_broken()
    }

    /// Has the kernel reset the connection when it is dropped, so that the client can't take what it has for the whole.
    pub(super) fn abort(&mut self) {
        self.cut_short();
        self.socket.abort();
    }

    /// Waits until the client has left while it waits for its answer.
    ///
    /// Nothing is read: the next request stays where it is.  A client that has closed its sending half may
    /// still want the answer, and looks like one that has left.  `may_wait` says that it is given the benefit
    /// of the doubt; `may_probe` that it may be sent an interim answer (RFC 9110, section 15.2), which one that
    /// has left refuses at once.
    pub(super) async fn gone(&mut self, may_probe: bool, may_wait: bool) {
        if !self.socket.finished().await || !may_wait {
            return;
        }
        let probes = may_probe && self.socket.may_probe();
        if probes && self.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_err() {
            return;
        }
        self.socket.failed().await;
    }

    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.socket.write_all(bytes).await,
            Some(tls) => tls.write(&self.socket, &mut [IoSlice::new(bytes)]).await,
        }
    }

    /// Writes two pieces, in one system call if the client takes them.
    pub(super) async fn write_both(&mut self, first: &[u8], second: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.socket.write_both(first, second).await,
            Some(tls) => tls.write(&self.socket, &mut [IoSlice::new(first), IoSlice::new(second)]).await,
        }
    }

    /// Writes a head, and a part of a file behind it.
    pub(super) async fn write_and_send_file(&mut self, head: &[u8], file: &File, part: Range<u64>) -> io::Result<()> {
        match &mut self.tls {
            None => self.socket.write_and_send_file(head, file, part).await,
            Some(tls) => Box::pin(tls.write_file(&self.socket, head, file, part)).await,
        }
    }

    /// Writes what the client takes at once of the last words of a connection.
    pub(super) fn write_last(&mut self, bytes: &[u8]) {
        match &mut self.tls {
            // Whoever hears nothing has left.
            None => drop(self.socket.now().write(bytes)),
            Some(tls) => tls.write_last(&self.socket, bytes),
        }
    }

    /// The answer that the client is getting will not become complete, which it can tell by the way the connection
    /// ends.
    pub(super) fn cut_short(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.cut_short();
        }
    }

    /// Says that nothing more will come, unless an answer was cut short; in the clear that needs no words.
    pub(super) async fn end(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.end(&self.socket).await;
        }
    }

    /// The same, if the client takes it at once.
    pub(super) fn end_now(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.end_now(&self.socket);
        }
    }

    /// Lingers if the client has sent more than was read.
    pub(super) async fn linger_if_unread(&mut self) {
        if self.rest.is_some() || self.socket.has_waiting() {
            self.socket.linger().await;
        }
    }

    /// Says that nothing more will come, and lets the client finish (RFC 9112, section 9.6).
    pub(super) async fn linger(&mut self) {
        self.end().await;
        self.socket.linger().await;
    }
}

fn too_large() -> Refusal {
    Refusal::Bad { status: 413, reason: "the body is longer than limits.content_length".into() }
}
