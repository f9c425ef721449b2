//! A handler that runs, with the server that is played for it.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use mongrel2::wire::extended::Extended;

use super::message::{Message, Reply, UUID};
use super::server::{Server, ServerError};
use crate::case::Case;
use crate::check::{Problem, Verdict, escaped, holds, same};
use crate::client::Answer;

/// What a handler says where its library has nothing for it.
const UNSUPPORTED: &[u8] = b"unsupported";

/// What it says where its library refuses to send something.
const REFUSED: &[u8] = b"refused";

/// The connection of requests that only show that the handler is there.
const SIGN_OF_LIFE: u64 = 1;

/// How many replies may lie between one case and the next; a handler that sends more sends without end.
const MAX_LEFT: usize = 100_000;

/// So much shorter is the wait for a handler that has just let one pass.
const HASTE: u32 = 10;

/// Tells why no more can come of a handler: that it has ended; `None` as long as there is no such reason.
pub type Pulse = Box<dyn Fn() -> Option<String>>;

/// A handler.
pub struct Subject {
    server: RefCell<Server>,
    pulse: Pulse,
    patience: Duration,
    /// What became of the reply to the very first request.
    first: Verdict,
    /// How often it has shown that it is there.
    signs: Cell<u64>,
    /// Whether it has let the last wait pass.
    is_silent: Cell<bool>,
}

impl Subject {
    /// Waits for a handler, and has it answer.
    ///
    /// The server takes replies only when it has seen that the handler is there: the first reply can't leave before that.
    /// `waits` tells whether to wait on for it, after so long.
    ///
    /// # Errors
    /// It doesn't come, or doesn't answer.
    pub fn connect(
        server: Server,
        pulse: Pulse,
        waits: impl Fn(Duration) -> bool,
        patience: Duration,
    ) -> Verdict<Self> {
        let server = RefCell::new(server);
        let (signs, is_silent) = (Cell::default(), Cell::default());
        let mut subject = Self { server, pulse, patience, first: Ok(()), signs, is_silent };
        let sign = subject.sign();
        let message = sign.request();
        subject
            .until(waits, "the handler doesn't come", || Ok(subject.server.borrow().offer(&message)?.then_some(())))?;
        subject.open()?;
        // One that follows at once shows soon whether the first one is lost.
        subject.send_raw(&subject.sign().request())?;
        let first = subject.receive().and_then(|found| same("what comes first", found, sign.reply()));
        subject.first = first.map_err(|problem| problem.when("the reply to the first request"));
        subject.settle()?;
        Ok(subject)
    }

    /// A case that finds nothing that another one has left behind, and leaves nothing behind that is as promised.
    pub(super) fn case(
        name: (&str, &str),
        promise: impl Into<String>,
        source: &'static str,
        trial: impl Fn(&Self) -> Verdict + Send + Sync + 'static,
    ) -> Case<Self> {
        Case::new(name, promise, source, move |subject: &Self| {
            subject.settle()?;
            trial(subject)?;
            subject.says_nothing()
        })
    }

    /// What became of the reply to the very first request.
    pub(super) fn first(&self) -> Verdict {
        self.first.clone()
    }

    /// Sends a message.
    pub(super) fn send(&self, message: &Message<'_>) -> Verdict {
        self.send_raw(&message.render())
    }

    /// Sends any bytes.
    pub(super) fn send_raw(&self, message: &[u8]) -> Verdict {
        let offer = || Ok(self.server.borrow().offer(message)?.then_some(()));
        self.until(within(self.patience), "the handler takes no message", offer)
    }

    /// Takes the next reply.
    pub(super) fn recv(&self) -> Verdict<Reply> {
        supported(&self.receive()?)
    }

    /// Sends a request, and takes the bytes that its connection gets.
    pub(super) fn ask(&self, message: &Message<'_>) -> Verdict<Vec<u8>> {
        self.send(message)?;
        self.recv()?.bytes_for(message.connection())
    }

    /// The same where the bytes are an HTTP answer.
    pub(super) fn ask_http(&self, message: &Message<'_>) -> Verdict<Answer> {
        let bytes = self.ask(message)?;
        holds(!bytes.starts_with(REFUSED), || format!("the handler says `{}`", escaped(&bytes)))?;
        Answer::of(&bytes, false)
    }

    /// Sends a request, and takes what the server is told to do about its connection.
    pub(super) fn order(&self, message: &Message<'_>) -> Verdict<Extended> {
        self.send(message)?;
        self.recv()?.order_about(message.connection())
    }

    /// That the library refuses what a request wants it to send.
    pub(super) fn refuses(&self, message: &Message<'_>) -> Verdict {
        let found = self.ask(message)?;
        holds(found.starts_with(REFUSED), || format!("it is not refused; the client gets `{}`", escaped(&found)))
    }

    /// That a message is skipped or refused, or answered with one of these, and that the handler goes on.
    pub(super) fn survives(&self, message: &Message<'_>, answers: &[&[u8]]) -> Verdict {
        let sign = self.sign();
        self.send(message)?;
        self.send_raw(&sign.request())?;
        let mut found = self.receive()?;
        if found != sign.reply() {
            let body = supported(&found)?.bytes_for(message.connection())?;
            let is_good = body.starts_with(REFUSED) || answers.contains(&&body[..]);
            holds(is_good, || format!("the client gets `{}`", escaped(&body)))?;
            found = self.receive()?;
        }
        same("the next reply", found, sign.reply())
    }

    /// That nothing more comes from the handler than the reply to what it is asked now.
    pub(super) fn says_nothing(&self) -> Verdict {
        let sign = self.sign();
        self.send_raw(&sign.request())?;
        let found = self.receive()?;
        if found == sign.reply() {
            return Ok(());
        }
        let reply = supported(&found)?;
        let body = escaped(&reply.body);
        Err(Problem::wrong(format!("a reply comes where none was to come: `{body}` for {:?}", reply.ids)))
    }

    /// Takes whatever comes, up to the reply to what the handler is asked now.
    pub(super) fn settle(&self) -> Verdict {
        let sign = self.sign();
        let asked = self.send_raw(&sign.request());
        let answered = asked.and_then(|()| self.drain(&sign.reply()));
        answered.map_err(|problem| problem.when("asked for `/reply`"))
    }

    /// Closes the server's sockets, and binds them again.
    pub(super) fn restart(&self) -> Verdict {
        self.server.borrow_mut().close();
        self.open()
    }

    fn open(&self) -> Verdict {
        let failed = |error: ServerError| Problem::wrong(format!("the server can't bind {error}"));
        self.server.borrow_mut().open(self.patience).map_err(failed)
    }

    /// A request whose reply shows that the handler is there, and has answered all before it.
    fn sign(&self) -> Sign {
        self.signs.set(self.signs.get() + 1);
        Sign(format!("here {} times", self.signs.get()))
    }

    fn drain(&self, last: &[u8]) -> Verdict {
        for _ in 0..MAX_LEFT {
            if self.receive()? == last {
                return Ok(());
            }
        }
        Err(Problem::wrong("replies come without end"))
    }

    /// Takes the next message of the handler.  One that hangs shall not cost all cases that are left the whole wait.
    fn receive(&self) -> Verdict<Vec<u8>> {
        let patience = if self.is_silent.get() { self.patience / HASTE } else { self.patience };
        let received = self.until(within(patience), "no reply comes", || self.server.borrow().receive());
        self.is_silent.set(received.is_err());
        received
    }

    /// Tries something until it gives something, as long as one waits and anything can come of it.
    fn until<T>(
        &self,
        waits: impl Fn(Duration) -> bool,
        otherwise: &str,
        step: impl Fn() -> zmq::Result<Option<T>>,
    ) -> Verdict<T> {
        let began = Instant::now();
        loop {
            if let Some(done) = step()? {
                return Ok(done);
            }
            if let Some(why) = (self.pulse)() {
                return Err(Problem::wrong(why));
            }
            if !waits(began.elapsed()) {
                return Err(Problem::wrong(otherwise));
            }
        }
    }
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Subject").field("server", &self.server).finish_non_exhaustive()
    }
}

/// No longer than that.
pub fn within(patience: Duration) -> impl Fn(Duration) -> bool {
    move |waited| waited < patience
}

/// What is sent back, and by that a request and its reply; no two are the same.
struct Sign(String);

impl Sign {
    fn request(&self) -> Vec<u8> {
        Message::post("/reply", &self.0).id(SIGN_OF_LIFE).render()
    }

    fn reply(&self) -> Vec<u8> {
        format!("{UUID} 1:{SIGN_OF_LIFE}, {}", self.0).into_bytes()
    }
}

/// A reply, unless it says that the library has none such.
fn supported(message: &[u8]) -> Verdict<Reply> {
    let reply = Reply::parse(message)?;
    if reply.body == UNSUPPORTED { Err(Problem::Missing("the handler says `unsupported`".into())) } else { Ok(reply) }
}
