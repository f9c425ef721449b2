//! Connections that carry messages in both directions at any time: WebSockets (RFC 6455), and JSON and XML
//! sockets (the manual, section 5.1.4).
//!
//! What the client sends becomes one message to a handler each; what handlers send goes to the client as it is.
//! While the queue to the handler is full nothing is read, so that the client has to wait.

use std::future::poll_fn;
use std::rc::Rc;

use mongrel2::route::Found;
use mongrel2::wire::request::Prepared;

use super::ask::Address;
use super::line::Line;
use super::message::{self, Parsed, Parser};
use super::vitals::{Kind, Phase};
use super::websocket::{Decoder, close_frame};
use super::{After, Connection, Open};
use crate::site::Site;
use crate::target::Target;
use crate::target::handler::{Dispatch, Message, Room};
use crate::worker::Item;

/// How often is read before other connections get their turn.
const TURN: usize = 16;

/// Close codes (RFC 6455, section 7.4.1): the server stops, or has lost the handler; the handler takes nothing.
pub(super) const GOING_AWAY: u16 = 1001;
const TRY_AGAIN_LATER: u16 = 1013;

/// The state of such a connection.
#[derive(Debug)]
pub(super) enum Duplex {
    /// Frames behind a handshake.
    WebSocket(WebSocket),
    /// Messages that end with a NUL.
    Messages {
        parser: Parser,
        /// The message of which only a part has come.
        partial: Vec<u8>,
    },
}

/// A WebSocket, or what will be one when the handler agrees.
#[derive(Debug)]
pub(super) struct WebSocket {
    pub(super) path: Box<[u8]>,
    /// The headers of the handshake.
    pub(super) headers: Prepared,
    pub(super) decoder: Decoder,
}

impl Duplex {
    /// Keeps no more memory than needed while nothing comes.
    fn rest(&mut self) {
        if let Self::Messages { partial, .. } = self {
            partial.shrink_to_fit();
        }
    }
}

/// Why such a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Without a word.
    Closed,
    /// A WebSocket is told why.
    Code(u16),
}

impl Connection {
    /// Goes on with messages; `bytes` have come already.
    pub(super) async fn start_messages(&mut self, bytes: Vec<u8>) -> After {
        let kind = if bytes.first() == Some(&b'@') { Kind::Json } else { Kind::Xml };
        self.stream.vitals().kind.set(kind);
        self.converse(Box::new(Duplex::Messages { parser: Parser::default(), partial: bytes })).await
    }

    /// Goes on with frames, now that the handler has agreed.
    pub(super) async fn start_websocket(&mut self, websocket: WebSocket) -> After {
        self.stream.vitals().kind.set(Kind::WebSocket);
        self.says_goodbye = true;
        self.converse(Box::new(Duplex::WebSocket(websocket))).await
    }

    /// Passes on what has come from both sides.
    pub(super) async fn converse(&mut self, mut duplex: Box<Duplex>) -> After {
        let mut buffer = self.worker.take_buffer();
        if let Duplex::WebSocket(_) = *duplex {
            buffer.append(&mut self.stream.take_rest());
        }
        let ended = self.converse_with(&mut duplex, &mut buffer).await;
        buffer.clear();
        self.worker.return_buffer(buffer);
        match ended {
            Ok(()) => {
                duplex.rest();
                self.open = Open::Duplex(duplex);
                After::Wait
            }
            Err(end) => {
                self.says_goodbye = false;
                if let (End::Code(code), Duplex::WebSocket(_)) = (end, &*duplex) {
                    self.stream.write_last(&close_frame(code));
                }
                After::Close
            }
        }
    }

    async fn converse_with(&mut self, duplex: &mut Duplex, buffer: &mut Vec<u8>) -> Result<(), End> {
        let mut reads = 0;
        loop {
            self.pass_messages().await?;
            self.stream.vitals().enter(Phase::Idle);
            match duplex {
                Duplex::WebSocket(websocket) => {
                    self.take_frames(websocket, buffer).await?;
                    buffer.clear();
                    if !self.stream.read_now(buffer).map_err(|_| End::Closed)? {
                        return Ok(());
                    }
                }
                Duplex::Messages { parser, partial } => {
                    self.take_messages(parser, partial).await?;
                    if !self.stream.read_now(partial).map_err(|_| End::Closed)? {
                        return Ok(());
                    }
                }
            }
            reads += 1;
            if reads % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Writes what handlers have sent.
    async fn pass_messages(&mut self) -> Result<(), End> {
        let Some(line) = self.line.clone() else { return Ok(()) };
        let mut written = 0;
        let end = loop {
            if line.has_ended() {
                self.say_why(&line);
                break Err(End::Closed);
            }
            match line.pop() {
                Some(Item::Bytes(bytes)) => {
                    if self.write_unless_ended(&bytes, &line).await.is_err() {
                        break Err(End::Closed);
                    }
                    written += bytes.len() as u64;
                }
                Some(Item::File(file)) => {
                    let Ok(size) = self.write_file_unless_ended(&file, &line).await else { break Err(End::Closed) };
                    written += size;
                }
                Some(Item::Close) => break Err(End::Closed),
                Some(Item::Unanswered) => break Err(End::Code(TRY_AGAIN_LATER)),
                Some(Item::Removed) => break Err(End::Code(GOING_AWAY)),
                None => break Ok(()),
            }
        };
        self.tell_credits(&line, written);
        end
    }

    /// Sends on what the frames in a buffer bring.
    async fn take_frames(&mut self, websocket: &mut WebSocket, buffer: &mut [u8]) -> Result<(), End> {
        let mut start = 0;
        loop {
            let message = match websocket.decoder.next(&mut buffer[start..]) {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(()),
                Err(fault) => {
                    tracing::info!("closed a WebSocket of {}: {fault}", self.peer());
                    return Err(End::Code(fault.code()));
                }
            };
            start += message.end;
            let line = self.line.clone().expect("a WebSocket begins at a handler");
            // None if a reload has removed it: the line says so next.
            let Some(handler) = line.handler() else { return Err(End::Code(GOING_AWAY)) };
            let message = Message::Frame {
                path: &websocket.path,
                headers: &websocket.headers,
                first: message.first,
                body: &message.payload,
            };
            let room = self.room(&line, &handler.dispatch).await?;
            handler.dispatch.message(room, line.id(), &message);
        }
    }

    /// Sends on the messages that are there whole.
    async fn take_messages(&mut self, parser: &mut Parser, bytes: &mut Vec<u8>) -> Result<(), End> {
        let site = self.worker.site();
        let limits = message::Limits {
            message: usize::try_from(site.settings.content_length).unwrap_or(usize::MAX).max(1),
            path: site.settings.url_path,
        };
        let mut start = 0;
        while start < bytes.len() {
            let rest = &bytes[start..];
            let length = match parser.next(rest, limits) {
                Ok(Parsed::Incomplete) => break,
                Ok(Parsed::Ping { length }) => length,
                Ok(Parsed::Policy { .. }) => {
                    let _ = self.stream.write_all(message::POLICY).await;
                    return Err(End::Closed);
                }
                Ok(Parsed::Message { kind, path, body, length }) => {
                    let method = if kind == message::Kind::Json { &b"JSON"[..] } else { b"XML" };
                    self.send_message(&site, method, path.of(rest), body.of(rest)).await?;
                    length
                }
                Err(error) => {
                    tracing::info!("closed a socket of {}: {error}", self.peer());
                    return Err(End::Closed);
                }
            };
            start += length;
        }
        bytes.drain(..start);
        Ok(())
    }

    /// Sends a socket's message to the handler of its route, which is one of the default host's.
    async fn send_message(&mut self, site: &Site, method: &[u8], path: &[u8], body: &[u8]) -> Result<(), End> {
        let found = site.default_host().route(path);
        let Found::Rule(rule) = found else {
            tracing::info!("closed a socket of {}: no route takes `{}`", self.peer(), path.escape_ascii());
            return Err(End::Closed);
        };
        let Target::Handler(handler) = &rule.value.target else { return Err(End::Closed) };
        self.worker.note_place(self.stream.vitals(), &site.places, rule.value.place);
        let line = self.line();
        let peer = Address::new(self.peer().ip());
        let certificate = self.stream.peer_certificate().copied();
        let headers: [(&str, &[u8]); 5] = [
            ("METHOD", method),
            ("PATTERN", rule.path().text.as_bytes()),
            ("URL_SCHEME", self.scheme().as_bytes()),
            ("REMOTE_ADDR", peer.as_bytes()),
            ("PEER_CERT_SHA1", certificate.as_ref().map_or(&[], |sha1| &sha1[..])),
        ];
        let headers = if certificate.is_some() { &headers[..] } else { &headers[..4] };
        let client: [(&[u8], &[u8]); 1] = [(b"x-forwarded-for", peer.as_bytes())];
        let message = Message::Socket { path, client: &client, server: headers, body };
        let room = self.room(&line, &handler.dispatch).await?;
        line.introduce(handler);
        handler.dispatch.message(room, line.id(), &message);
        Ok(())
    }

    /// Waits until the queue to a handler has room; passes on meanwhile what handlers send.
    async fn room(&mut self, line: &Rc<Line>, dispatch: &Dispatch) -> Result<Room, End> {
        loop {
            if let Some(room) = dispatch.try_room() {
                return Ok(room);
            }
            self.stream.vitals().enter(Phase::Waiting);
            tokio::select! {
                biased;
                () = poll_fn(|context| line.poll_changed(context)) => self.pass_messages().await?,
                room = dispatch.room() => return Ok(room),
            }
        }
    }
}
