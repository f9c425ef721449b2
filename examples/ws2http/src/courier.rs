//! The events of one socket on their way to its backend: one after the other, each tried until it is taken or given up.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use crate::backend::Backend;
use crate::event::Event;
use crate::id::Id;
use crate::queue::Queue;
use crate::tries::{Verdict, pause, verdict};

/// Brings a socket's events to its backend.
pub(crate) struct Courier {
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

impl Courier {
    /// For a socket whose handshake had those `headers`; an event is tried `limit` times.
    pub(crate) fn new(backend: Arc<Backend>, id: Id, uri: Arc<str>, headers: HeaderMap, limit: u32) -> Self {
        Self { backend, id, uri, headers, limit, number: 0 }
    }

    /// Brings all events of a queue, up to its end.
    pub(crate) async fn bring_all(&mut self, events: &Queue<Event>) {
        let mut load = Load { events, socket: self.socket(), has_one: false };
        while let Some(event) = events.next().await {
            load.has_one = true;
            self.bring(&event).await;
            load.has_one = false;
        }
    }

    /// Brings one event, however often it has to be tried.
    pub(crate) async fn bring(&mut self, event: &Event) -> Outcome {
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

/// What a courier has still to bring; if it is stopped, that is not passed over in silence.
struct Load<'a> {
    events: &'a Queue<Event>,
    socket: String,
    has_one: bool,
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        let left = self.events.len() + usize::from(self.has_one);
        if left > 0 {
            tracing::error!("{left} events of {} were not told any more", self.socket);
        }
    }
}
