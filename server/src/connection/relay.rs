//! A handler's answer on its way to the client.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;

use super::line::Line;
use super::pending::{Aside, Pending};
use super::track::Tracker;
use super::{After, Connection, Open, Outcome, hsts};
use crate::target::handler::SentFile;
use crate::worker::Item;

/// How much of a file is read at once where the answer's bytes have to be looked at.
const PIECE: usize = 64 * 1024;

impl Connection {
    /// Passes on what has come; gives what becomes of the connection.
    pub(super) async fn relay(&mut self, mut pending: Box<Pending>) -> After {
        let line = self.line.clone().expect("whoever has asked a handler has a line");
        let outcome = loop {
            if let Some(outcome) = self.pass_on(&mut pending, &line).await {
                break outcome;
            }
            if pending.tracker.status == Some(101)
                && let Some(Aside::WebSocket(websocket)) = pending.aside.take().map(|aside| *aside)
            {
                self.record(&pending.host, pending.begun, pending.asked(), &Outcome::of(&pending.tracker, true));
                return Box::pin(self.start_websocket(websocket)).await;
            }
            if pending.tracker.is_complete() {
                break Outcome::of(&pending.tracker, pending.manner.keep_alive && !pending.tracker.says_close);
            }
            if !self.stream.has_finished() {
                self.open = Open::Request(pending);
                return After::Wait;
            }
            if self.has_left(&pending, &line).await {
                break Outcome::of(&pending.tracker, false);
            }
        };
        if pending.tracker.is_cut_short() {
            self.stream.cut_short();
        }
        self.record(&pending.host, pending.begun, pending.asked(), &outcome);
        outcome.after
    }

    /// Waits for more of an answer; gives whether the client turns out to have left.
    pub(super) async fn has_left(&mut self, pending: &Pending, line: &Line) -> bool {
        let untouched = pending.tracker.is_untouched();
        tokio::select! {
            biased;
            () = poll_fn(|context| line.poll_changed(context)) => false,
            () = self.stream.gone(pending.manner.minor == 1 && untouched, untouched) => true,
        }
    }

    /// Writes what a handler has sent so far; gives the outcome if that is the end of the connection.
    pub(super) async fn pass_on(&mut self, pending: &mut Pending, line: &Rc<Line>) -> Option<Outcome> {
        let mut written = 0;
        let outcome = loop {
            if line.has_ended() {
                self.stream.cut_short();
                self.say_why(line);
                break Some(Outcome::dropped(&pending.tracker));
            }
            let sent = match line.pop() {
                Some(Item::Bytes(bytes)) => self.pass_bytes(&bytes, &mut pending.tracker, line).await,
                Some(Item::File(file)) => self.pass_file(&file, &mut pending.tracker, line).await,
                Some(Item::Close) => break Some(Outcome::of(&pending.tracker, false)),
                Some(Item::Unanswered) if pending.tracker.is_untouched() => {
                    if let Some(Aside::Upload(file)) = pending.aside.as_deref_mut() {
                        file.take_back();
                    }
                    pending.aside = None;
                    break Some(self.error_of(pending.manner, 503, &pending.host).await);
                }
                Some(Item::Unanswered) => Ok(0),
                Some(Item::Removed) => break Some(self.lost_handler(pending).await),
                None => break None,
            };
            match sent {
                Ok(bytes) => written += bytes,
                Err(Unsent) if line.has_ended() => break Some(Outcome::dropped(&pending.tracker)),
                Err(Unsent) => break Some(Outcome::of(&pending.tracker, false)),
            }
        };
        self.tell_credits(line, written);
        outcome
    }

    /// Answers what a handler can't any more that a reload has removed.
    async fn lost_handler(&mut self, pending: &Pending) -> Outcome {
        if pending.tracker.is_untouched() {
            let outcome = self.error_of(pending.manner, 503, &pending.host).await;
            return Outcome { after: After::Close, ..outcome };
        }
        self.stream.cut_short();
        Outcome::of(&pending.tracker, false)
    }

    async fn pass_bytes(&mut self, bytes: &[u8], tracker: &mut Tracker, line: &Line) -> Result<u64, Unsent> {
        let place = if self.stream.hsts() > 0 && tracker.is_untouched() { hsts::place(bytes) } else { None };
        let used = tracker.feed(bytes);
        match place {
            Some(at) => {
                let bytes = [&bytes[..at], self.hsts_line().as_bytes(), &bytes[at..used]].concat();
                self.write_unless_ended(&bytes, line).await?;
            }
            None => self.write_unless_ended(&bytes[..used], line).await?,
        }
        if used < bytes.len() {
            tracing::warn!("a handler sent more than its answer to connection {}; it was closed", line.id());
            return Err(Unsent);
        }
        Ok(used as u64)
    }

    /// Sends a file: by the kernel, unless its bytes have to be looked at to find the end of the answer.
    async fn pass_file(&mut self, file: &SentFile, tracker: &mut Tracker, line: &Line) -> Result<u64, Unsent> {
        let Some((file, size)) = open(file, line) else { return Ok(0) };
        if tracker.skip(size) {
            return self.send_file_unless_ended(&file, size, line).await;
        }
        let mut piece = vec![0; PIECE];
        let mut offset = 0;
        while offset < size {
            let wanted = usize::try_from(size - offset).unwrap_or(PIECE).min(PIECE);
            let size = rustix::io::pread(&file, &mut piece[..wanted], offset).map_err(|_| Unsent)?;
            if size == 0 {
                // It has become shorter, so that what was promised can't be kept.
                return Err(Unsent);
            }
            offset += self.pass_bytes(&piece[..size], tracker, line).await?;
        }
        Ok(offset)
    }

    /// Lets the kernel send a file whose bytes nobody has to look at; gives how many those were.
    pub(super) async fn write_file_unless_ended(&mut self, file: &SentFile, line: &Line) -> Result<u64, Unsent> {
        let Some((file, size)) = open(file, line) else { return Ok(0) };
        self.send_file_unless_ended(&file, size, line).await
    }

    async fn send_file_unless_ended(&mut self, file: &File, size: u64, line: &Line) -> Result<u64, Unsent> {
        tokio::select! {
            biased;
            sent = self.stream.write_and_send_file(&[], file, 0..size) => sent.map(|()| size).map_err(|_| Unsent),
            () = poll_fn(|context| line.poll_ended(context)) => Err(Unsent),
        }
    }

    pub(super) async fn write_unless_ended(&mut self, bytes: &[u8], line: &Line) -> Result<(), Unsent> {
        let written = tokio::select! {
            biased;
            written = self.stream.write_all(bytes) => written.map_err(|_| Unsent),
            () = poll_fn(|context| line.poll_ended(context)) => Err(Unsent),
        };
        if written.is_err() {
            self.say_why(line);
        }
        written
    }

    pub(super) fn say_why(&self, line: &Line) {
        if line.has_overflown() {
            tracing::info!("{} reads too slowly; the connection was closed", self.peer());
        }
    }

    /// Tells the handler how much the client has taken, if it wants to know.
    pub(super) fn tell_credits(&self, line: &Line, written: u64) {
        if written > 0
            && self.worker.site().settings.flow_control
            && let Some(handler) = line.handler()
        {
            handler.dispatch.credits(line.id(), written);
        }
    }
}

/// Opens a file that a handler has sent; if it can't be sent the answer goes on without it.
fn open(file: &SentFile, line: &Line) -> Option<(File, u64)> {
    let tell = |error: &io::Error| {
        let name = file.name().escape_ascii();
        tracing::warn!("cannot send the file `{name}` to connection {}: {error}", line.id());
    };
    file.open().inspect_err(tell).ok()
}

/// The client takes no more, or must not get any.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unsent;

impl Outcome {
    /// Of a handler's answer; 200 stands for one that isn't HTTP, 499 for a client that left before any came.
    pub(super) fn of(tracker: &Tracker, keep_alive: bool) -> Self {
        let fallback = if tracker.is_untouched() { 499 } else { 200 };
        Self::new(tracker.status.unwrap_or(fallback), tracker.bytes, keep_alive)
    }

    /// Of one that a handler has cancelled, or that is too slow for its client: a part must not look like the whole.
    fn dropped(tracker: &Tracker) -> Self {
        let after = if tracker.is_untouched() { After::Close } else { After::Abort };
        Self { after, ..Self::of(tracker, false) }
    }
}
