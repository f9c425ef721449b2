//! Bodies that are too long to be held, or whose length nobody knows, on their way to a handler (the manual,
//! section 5.5).
//!
//! Either the handler is told of a file that grows, and told again when it is there whole; or it gets the body
//! in pieces, as many bytes as it gives credits for.  What the handler sends meanwhile goes to the client, and
//! may be the end of all.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use super::ask::{Extra, Route, UPLOAD_DONE, UPLOAD_START};
use super::body::{Body, Piece};
use super::fields::Framing;
use super::line::Line;
use super::pending::{Aside, Pending};
use super::request::{Refusal, Request};
use super::tempfile::TempFile;
use super::vitals::Phase;
use super::{Connection, Open, Outcome};
use crate::target::handler::{Handler, Message};

/// The longest piece of a body in one message.
const PIECE: usize = 64 * 1024;

/// Where an upload goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Store<'a> {
    /// To the handler, piece by piece.
    Stream,
    /// Into a file of this template.
    File(&'a str),
}

impl<'a> Route<'a> {
    /// Where the body of a request goes, if it isn't held in memory.
    pub(super) fn store(&self, request: &Request) -> Option<Store<'a>> {
        let settings = &self.site.settings;
        match request.head.framing {
            Framing::Length(length) if length <= settings.content_length => None,
            _ if settings.upload_stream => Some(Store::Stream),
            _ => settings.upload_template.as_deref().map(Store::File),
        }
    }
}

/// An upload in progress.
struct Upload<'a> {
    line: Rc<Line>,
    route: &'a Route<'a>,
    body: Body,
    pending: Box<Pending>,
}

impl Upload<'_> {
    /// The handler that the upload is for, which a reload may have given other addresses.
    fn handler(&self) -> Arc<Handler> {
        self.line.handler().unwrap_or_else(|| Arc::clone(self.route.handler))
    }
}

impl Connection {
    /// Takes a long body; gives the outcome if the exchange has ended with it.
    pub(super) async fn upload(
        &mut self,
        request: &Request,
        route: &Route<'_>,
        store: Store<'_>,
    ) -> Result<Option<Outcome>, Refusal> {
        let Some(line) = self.line_to_ask() else { return Ok(Some(Outcome::new(499, 0, false))) };
        line.reset_credits();
        if request.head.expects_continue {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| Refusal::Gone)?;
        }
        let body = Body::new(request.head.framing, self.stream.take_rest());
        let mut upload = Upload { line, route, body, pending: self.pending(request, route) };
        // Whatever ends the exchange before its time: what is left of the body must not be taken for a request.
        let keep_alive = std::mem::take(&mut upload.pending.manner.keep_alive);
        let ended = match store {
            Store::Stream => self.stream_upload(request, &mut upload).await,
            Store::File(template) => self.store_upload(request, &mut upload, template).await,
        };
        let Upload { body, mut pending, .. } = upload;
        match ended {
            // An error page in the middle of an answer would be taken for a part of it.
            Err(_) if !pending.tracker.is_untouched() => {
                self.stream.cut_short();
                Err(Refusal::Gone)
            }
            Err(refusal) => Err(refusal),
            Ok(Some(outcome)) => {
                if pending.tracker.is_cut_short() {
                    self.stream.cut_short();
                }
                Ok(Some(outcome))
            }
            Ok(None) => {
                self.stream.put_back(body.into_rest());
                pending.manner.keep_alive = keep_alive;
                let tracker = &pending.tracker;
                if tracker.is_complete() {
                    return Ok(Some(Outcome::of(tracker, pending.manner.keep_alive && !tracker.says_close)));
                }
                self.open = Open::Request(pending);
                Ok(None)
            }
        }
    }

    async fn store_upload(
        &mut self,
        request: &Request,
        upload: &mut Upload<'_>,
        template: &str,
    ) -> Result<Option<Outcome>, Refusal> {
        let mut file = TempFile::create(template, upload.route.site.settings.upload_mode).map_err(cannot_store)?;
        let name = file.name().to_owned();
        let names = [(UPLOAD_START, name.as_bytes()), (UPLOAD_DONE, name.as_bytes())];
        let about = |count| Extra { client: &names[..count], ..Extra::default() };
        if !self.tell(&upload.line, request, upload.route, &about(1)) {
            return Err(unavailable());
        }
        loop {
            match upload.body.next(usize::MAX)? {
                Piece::Data(piece) => file.write(upload.body.data(piece)).map_err(cannot_store)?,
                Piece::End => break,
                Piece::More | Piece::Blocked => {
                    if let Some(outcome) = self.more(upload).await? {
                        return Ok(Some(outcome));
                    }
                }
            }
        }
        file.finish();
        // A reload may have moved it.
        let handler = upload.handler();
        if !self.tell(&upload.line, request, &Route { handler: &handler, ..*upload.route }, &about(2)) {
            file.take_back();
            return Err(unavailable());
        }
        upload.pending.aside = Some(Box::new(Aside::Upload(file)));
        Ok(None)
    }

    async fn stream_upload(&mut self, request: &Request, upload: &mut Upload<'_>) -> Result<Option<Outcome>, Refusal> {
        let mut offset = self.begin_stream(request, upload)?;
        while !upload.body.is_over() {
            let credits = usize::try_from(upload.line.credits()).unwrap_or(PIECE).min(PIECE);
            let outcome = match upload.body.next(credits)? {
                Piece::Data(piece) => {
                    let size = piece.len() as u64;
                    let outcome = self.send_piece_of(request, upload, offset, Some(piece)).await?;
                    upload.line.spend(size);
                    offset += size;
                    outcome
                }
                Piece::Blocked => self.credits(upload).await?,
                Piece::More => self.more(upload).await?,
                Piece::End => return self.send_piece_of(request, upload, offset, None).await,
            };
            if outcome.is_some() {
                return Ok(outcome);
            }
        }
        Ok(None)
    }

    /// Sends the first message, which has what has come if the length is known; gives how much that is.
    fn begin_stream(&self, request: &Request, upload: &mut Upload<'_>) -> Result<u64, Refusal> {
        let piece = match upload.body.is_chunked() {
            true => Piece::More,
            false => upload.body.next(usize::MAX)?,
        };
        let data = if let Piece::Data(piece) = piece { upload.body.data(piece) } else { &[] };
        let headers: [(&str, &[u8]); 2] = [("UPLOAD_STREAM", b"0"), ("UPLOAD_STREAM_DONE", b"1")];
        let headers = if upload.body.is_over() { &headers[..] } else { &headers[..1] };
        let extra = Extra { server: headers, body: data, ..Extra::default() };
        let sent = self.tell(&upload.line, request, upload.route, &extra);
        if sent { Ok(data.len() as u64) } else { Err(unavailable()) }
    }

    /// Sends a piece of the body, or its end; waits if the queue to the handler is full.
    async fn send_piece_of(
        &mut self,
        request: &Request,
        upload: &mut Upload<'_>,
        offset: u64,
        piece: Option<std::ops::Range<usize>>,
    ) -> Result<Option<Outcome>, Refusal> {
        let offset = offset.to_string();
        let headers: [(&str, &[u8]); 2] = [("UPLOAD_STREAM", offset.as_bytes()), ("UPLOAD_STREAM_DONE", b"1")];
        let is_last = piece.is_none() || upload.body.is_over();
        let headers = if is_last { &headers[..] } else { &headers[..1] };
        let (handler, room) = loop {
            let handler = upload.handler();
            if let Some(room) = handler.dispatch.try_room() {
                break (handler, room);
            }
            self.stream.vitals().enter(Phase::Waiting);
            tokio::select! {
                biased;
                () = poll_fn(|context| upload.line.poll_changed(context)) => {
                    let outcome = self.pass_on(&mut upload.pending, &upload.line).await;
                    if outcome.is_some() {
                        return Ok(outcome);
                    }
                }
                room = handler.dispatch.room() => break (handler, room),
            }
        };
        let body = piece.map_or(&[][..], |piece| upload.body.data(piece));
        let message = Message::Piece { path: request.path(), server: headers, body };
        handler.dispatch.message(room, upload.line.id(), &message);
        Ok(None)
    }

    /// Waits for more of the body; passes on meanwhile what the handler sends.
    async fn more(&mut self, upload: &mut Upload<'_>) -> Result<Option<Outcome>, Refusal> {
        tokio::select! {
            biased;
            () = poll_fn(|context| upload.line.poll_changed(context)) => {}
            read = self.stream.read_piece(upload.body.buffer()) => return read.map(|()| None),
        }
        Ok(self.pass_on(&mut upload.pending, &upload.line).await)
    }

    /// Waits for credits; passes on meanwhile what the handler sends, and notices a client that leaves.
    async fn credits(&mut self, upload: &mut Upload<'_>) -> Result<Option<Outcome>, Refusal> {
        self.stream.vitals().enter(Phase::Waiting);
        let untouched = upload.pending.tracker.is_untouched();
        let line = Rc::clone(&upload.line);
        tokio::select! {
            biased;
            () = poll_fn(|context| line.poll_changed(context)) => {}
            () = poll_fn(|context| line.poll_credits(context)) => return Ok(None),
            () = self.stream.gone(untouched && upload.pending.manner.minor == 1, untouched) => return Err(Refusal::Gone),
        }
        Ok(self.pass_on(&mut upload.pending, &line).await)
    }
}

fn cannot_store(error: io::Error) -> Refusal {
    tracing::error!("cannot write an upload (upload.temp_store): {error}");
    Refusal::Bad { status: 500, reason: format!("its body cannot be written: {error}") }
}

fn unavailable() -> Refusal {
    Refusal::Bad { status: 503, reason: "the queue to its handler is full".into() }
}
