//! One try of a request with one upstream: both halves are driven by one task, in whatever order the sockets allow.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::time::Sleep;

use super::downward::Downward;
use super::upward::{Upward, Wait};
use crate::connection::request::{Manner, Refusal};
use crate::connection::stream::Stream;
use crate::connection::vitals::Phase;
use crate::target::proxy::{BadAnswer, Expected, Link};

/// How many steps are made before other connections get their turn.
const TURN: usize = 32;

/// How long an upstream may take to say that it wants a body before it gets it anyway (RFC 9110, section 10.1.1).
const HOLD: Duration = Duration::from_secs(1);

/// How often is looked whether a client that may have left has left.
const LOOK: Duration = Duration::from_secs(1);

/// What is agreed about an exchange.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) expected: Expected,
    pub(super) manner: Manner,
    /// The value of Date.
    pub(super) date: Rc<str>,
    /// Further lines of the answer's head.
    pub(super) lines: String,
    /// The cookie that only this server gives out.
    pub(super) own_cookie: String,
    /// How long the answer's head may take once the request is there.
    pub(super) first_byte: Duration,
    /// How long nothing may move.
    pub(super) idle: Duration,
}

/// How an exchange has ended.
#[derive(Debug)]
pub(super) enum End {
    /// The client has the answer.
    Complete,
    /// The client has a 101.
    Switched,
    /// The client has left.
    Gone,
    /// The client's body can't be forwarded; it has had no answer.
    Refused(Refusal),
    /// The client has had no answer.
    Fault(Fault),
    /// The client has had a part of an answer.
    Cut(Fault),
}

/// What can go wrong with an upstream.
#[derive(Debug, Error)]
pub(super) enum Fault {
    #[error("it has closed the connection without an answer")]
    Closed,
    #[error("the connection has broken: {0}")]
    Broken(io::Error),
    #[error("its answer cannot be passed on: {0}")]
    Bad(#[from] BadAnswer),
    #[error("no answer has come within first_byte_timeout")]
    FirstByte,
    #[error("nothing has moved for idle_timeout")]
    Idle,
}

impl Fault {
    /// What the client is told.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::FirstByte | Self::Idle => 504,
            Self::Closed | Self::Broken(_) | Self::Bad(_) => 502,
        }
    }
}

/// A request at an upstream.
pub(super) struct Exchange<'a> {
    pub(super) terms: Terms,
    link: &'a Link,
    pub(super) up: &'a mut Upward,
    pub(super) down: Downward,
    /// When bytes last moved over the link, as far as that was looked at.
    pub(super) moved: Instant,
    /// How many had moved then.
    bytes: u64,
    /// When the last byte of the request had gone.
    asked: Option<Instant>,
    watch: Watch,
}

/// How a client is watched while nothing comes for it.
#[derive(Debug, Clone, Copy)]
enum Watch {
    /// It may close.
    Open,
    /// It has closed its sending half, and was sent something, which a client that has left refuses.
    Probed(Instant),
    /// It has closed its sending half, and wants its answer all the same.
    Trusted,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(terms: Terms, link: &'a Link, up: &'a mut Upward) -> Self {
        let (down, moved) = (Downward::default(), Instant::now());
        Self { terms, link, up, down, moved, bytes: 0, asked: None, watch: Watch::Open }
    }

    /// Carries it out.
    pub(super) async fn run(&mut self, stream: &mut Stream) -> End {
        let mut timer = pin!(tokio::time::sleep_until((self.moved + self.terms.first_byte).into()));
        poll_fn(|context| self.poll(context, stream, timer.as_mut())).await
    }

    fn poll(&mut self, context: &mut Context<'_>, stream: &mut Stream, mut timer: Pin<&mut Sleep>) -> Poll<End> {
        let mut budget = TURN;
        loop {
            let wait = match self.up.poll(context, stream, self.link, &mut budget) {
                Ok(wait) => wait,
                // There is no place for another answer.
                Err(_) if self.down.has_begun() || self.down.waits_for_client() => return Poll::Ready(End::Gone),
                Err(refusal) => return Poll::Ready(End::Refused(refusal)),
            };
            let halves = (&self.terms, &mut *self.up);
            if let Poll::Ready(end) = self.down.poll(context, stream, self.link, halves, &mut budget) {
                return Poll::Ready(end);
            }
            if budget == 0 {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            // The upstream has just said that it wants the body.
            if wait == Wait::Leave && !self.up.is_held() {
                continue;
            }
            match self.wait(context, stream, wait) {
                Err(end) => return Poll::Ready(end),
                Ok(None) => return Poll::Pending,
                Ok(Some(deadline)) => {
                    if deadline > Instant::now() {
                        // A timer that goes off too early costs less than one that is set anew for each byte.
                        if timer.is_elapsed() || timer.deadline().into_std() > deadline {
                            timer.as_mut().reset(deadline.into());
                        }
                        if timer.as_mut().poll(context).is_pending() {
                            return Poll::Pending;
                        }
                        timer.as_mut().reset(deadline.into());
                        if timer.as_mut().poll(context).is_pending() {
                            return Poll::Pending;
                        }
                    }
                    if let Some(end) = self.late(wait) {
                        return Poll::Ready(end);
                    }
                }
            }
        }
    }

    /// Until when may be waited.
    fn wait(&mut self, context: &mut Context<'_>, stream: &mut Stream, wait: Wait) -> Result<Option<Instant>, End> {
        let now = Instant::now();
        if self.bytes != self.link.moved() {
            (self.bytes, self.moved) = (self.link.moved(), now);
        }
        // The limits of rates are for the client.  One that takes nothing is not spared for what it sends.
        if self.down.waits_for_client() {
            stream.vitals().enter(Phase::Writing);
            return Ok(None);
        }
        if wait == Wait::Client {
            stream.vitals().enter(Phase::Reading);
            return Ok(None);
        }
        stream.vitals().enter(Phase::Forwarding);
        let has_begun = self.down.has_begun();
        if let Some(since) = self.up.held_since().filter(|_| !has_begun) {
            return Ok(Some(since + HOLD));
        }
        if wait == Wait::Upstream {
            return Ok(Some(self.moved + self.terms.idle));
        }
        let deadline = match has_begun {
            true => self.moved + self.terms.idle,
            false => *self.asked.get_or_insert(now) + self.terms.first_byte,
        };
        let look = self.watch(context, stream, now)?;
        Ok(Some(look.map_or(deadline, |look| look.min(deadline))))
    }

    /// Notices a client that leaves while it has nothing to send; gives when to look again.
    fn watch(&mut self, context: &mut Context<'_>, stream: &mut Stream, now: Instant) -> Result<Option<Instant>, End> {
        if matches!(self.watch, Watch::Open) && stream.poll_finished(context).is_ready() {
            let has_begun = self.down.has_begun();
            self.watch = match has_begun {
                // Nobody knows when the next byte comes that would tell.
                true if !self.down.is_bounded() => return Err(End::Gone),
                false if self.terms.manner.minor == 1 && !stream.probe() => return Err(End::Gone),
                false if self.terms.manner.minor == 1 => Watch::Probed(now + LOOK),
                _ => Watch::Trusted,
            };
        }
        match self.watch {
            Watch::Probed(next) if now < next => Ok(Some(next)),
            Watch::Probed(_) if stream.is_broken() => Err(End::Gone),
            Watch::Probed(_) => {
                self.watch = Watch::Probed(now + LOOK);
                Ok(Some(now + LOOK))
            }
            Watch::Open | Watch::Trusted => Ok(None),
        }
    }

    /// What follows from a deadline that has passed; nothing if it was one to look again.
    fn late(&mut self, wait: Wait) -> Option<End> {
        let now = Instant::now();
        let has_begun = self.down.has_begun();
        // A body whose answer is there already is nobody's concern any more.
        if self.up.is_held() && !has_begun {
            self.up.release();
            self.down.say_continue();
            return None;
        }
        if has_begun || wait == Wait::Upstream {
            let fault = (now >= self.moved + self.terms.idle).then_some(Fault::Idle)?;
            return Some(if has_begun { End::Cut(fault) } else { End::Fault(fault) });
        }
        let asked = self.asked?;
        (now >= asked + self.terms.first_byte).then_some(End::Fault(Fault::FirstByte))
    }
}
