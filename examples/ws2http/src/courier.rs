//! The events of one socket on their way to its backend: one after the other, each tried until it is taken or given up.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use crate::backend::Backend;
use crate::event::Event;
use crate::id::Id;
use crate::queue::Queue;
use crate::sockets::Place;
use crate::tries::{Verdict, pause, verdict};

/// Brings a socket's events to its backend; if it is stopped, what it has still to bring is not passed over in silence.
pub(crate) struct Courier<'a> {
    events: &'a Queue<Event>,
    /// Whether it has taken an event that it has not brought yet.
    has_one: bool,
    /// Whether there is a socket, of which a last event is to come.
    is_live: bool,
    backend: Arc<Backend>,
    id: Id,
    uri: Arc<str>,
    headers: HeaderMap,
    limit: u32,
    number: u64,
}

/// What has become of an event.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The backend has it; of an `open`, with the subprotocol that it chooses.
    Taken(Option<HeaderValue>),
    /// The backend doesn't want it.
    Refused,
    /// The backend couldn't be told.
    GivenUp,
}

impl<'a> Courier<'a> {
    /// For the socket at a place, whose handshake had those `headers`; an event is tried `limit` times.
    pub(crate) fn new(
        backend: Arc<Backend>,
        place: &Place,
        headers: HeaderMap,
        limit: u32,
        events: &'a Queue<Event>,
    ) -> Self {
        let (id, uri) = (place.id, Arc::clone(&place.uri));
        Self { events, has_one: false, is_live: false, backend, id, uri, headers, limit, number: 0 }
    }

    /// Brings all events of the queue, up to its end.
    pub(crate) async fn bring_all(&mut self) {
        self.is_live = true;
        while let Some(event) = self.events.next().await {
            self.bring(&event).await;
        }
    }

    /// Brings one event, however often it has to be tried.
    pub(crate) async fn bring(&mut self, event: &Event) -> Outcome {
        self.has_one = true;
        let outcome = self.try_to_bring(event).await;
        self.has_one = false;
        outcome
    }

    async fn try_to_bring(&mut self, event: &Event) -> Outcome {
        let number = self.number;
        self.number += 1;
        let form = Bytes::from(event.form(self.id, &self.uri, number));
        let what = format!("{} {number} of {}", event.verb(), self.socket());
        let mut tried = 1;
        loop {
            let fault = match self.attempt(form.clone(), &what).await {
                Ok(outcome) => return outcome,
                Err(fault) => format!("cannot tell {} of {what}: {fault}", self.backend.name()),
            };
            let Some(pause) = pause(tried, self.limit) else {
                tracing::error!("{fault}; given up after {tried} tries");
                return Outcome::GivenUp;
            };
            tracing::warn!("{fault}; tried {tried} of {} times, again in {pause:?}", self.limit);
            tokio::time::sleep(pause).await;
            tried += 1;
        }
    }

    /// Tries once; an error is why it is worth another try.
    async fn attempt(&self, form: Bytes, what: &str) -> Result<Outcome, String> {
        let answer = self.backend.post(&self.headers, form).await.map_err(|fault| fault.to_string())?;
        let told = format!("it answered {}", answer.status.as_u16());
        match verdict(answer.status) {
            Verdict::Taken => Ok(Outcome::Taken(answer.protocol)),
            Verdict::Failed => Err(told),
            Verdict::Refused => {
                tracing::warn!("{} does not want {what}: {told}", self.backend.name());
                Ok(Outcome::Refused)
            }
        }
    }

    /// How logs call it: the query may be a secret.
    fn socket(&self) -> String {
        let path = self.uri.split('?').next().unwrap_or_default();
        format!("{} {}", path, self.id.short())
    }
}

impl Drop for Courier<'_> {
    fn drop(&mut self) {
        let close = self.is_live && !self.events.is_ended();
        let left = self.events.len() + usize::from(self.has_one) + usize::from(close);
        if left > 0 {
            let events = if left == 1 { "event" } else { "events" };
            tracing::error!("not told any more: {left} {events} of {}", self.socket());
        }
    }
}
