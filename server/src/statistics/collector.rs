//! Gathers what the workers have counted, for the database and for metrics: counted once, shown twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::counts::{Count, Sheet};
use super::ledger::Ledger;
use super::places::{Name, Places};
use crate::metrics::Facts;
use crate::target::handler::Outlet;
use crate::worker::{Mail, Thread};

/// How long a worker is waited for that has something else to do; what it says then counts the next time.
const PATIENCE: Duration = Duration::from_millis(500);

/// The handler queues, by `send_spec`.
pub(crate) type Queues = Vec<(String, Weak<Outlet>)>;

/// What a worker has counted since the last time, and what it has now.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) sheets: Vec<Sheet>,
    /// How many connections it has accepted.
    pub(crate) accepted: u64,
    /// How many it has, by kind.
    pub(crate) connections: Vec<(&'static str, u64)>,
}

/// Everything that has been counted.
#[derive(Debug)]
pub(crate) struct Collector {
    sources: Vec<Source>,
    ledger: Ledger,
    places: Arc<Places>,
    queues: Queues,
    counts: BTreeMap<Name, Count>,
    accepted: u64,
    reloads: Reloads,
    started: SystemTime,
}

/// How reloads went.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reloads {
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    /// When the last one went well.
    pub(crate) last: Option<SystemTime>,
}

/// A worker.
#[derive(Debug)]
struct Source {
    /// The worker ends when nobody can write to it any more, so that this must not count.
    mailbox: mpsc::WeakSender<Mail>,
    /// What it still owes.
    owed: Option<oneshot::Receiver<Counts>>,
    /// The connections that it last had.
    connections: Vec<(&'static str, u64)>,
}

impl Collector {
    pub(crate) fn new(workers: &[Thread], ledger: Ledger, places: &Arc<Places>, queues: Queues) -> Self {
        let source =
            |worker: &Thread| Source { mailbox: worker.mailbox().downgrade(), owed: None, connections: Vec::new() };
        Self {
            sources: workers.iter().map(source).collect(),
            ledger,
            places: Arc::clone(places),
            queues,
            counts: BTreeMap::new(),
            accepted: 0,
            reloads: Reloads::default(),
            started: SystemTime::now(),
        }
    }

    /// Takes what the workers have counted.
    pub(super) async fn gather(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        for source in &mut self.sources {
            source.ask(deadline).await;
        }
        let mut sheets = Vec::new();
        for source in &mut self.sources {
            if let Some(counts) = source.answer(deadline).await {
                self.accepted += counts.accepted;
                source.connections = counts.connections;
                sheets.extend(counts.sheets);
            }
        }
        sheets.iter().for_each(|sheet| self.add(sheet));
        self.ledger.add(sheets);
    }

    fn add(&mut self, sheet: &Sheet) {
        for (place, count) in sheet.counts() {
            self.counts.entry(sheet.places.name(place)).or_default().merge(count);
        }
    }

    /// Takes what the workers have counted, and has it written.
    pub(super) async fn settle(&mut self) {
        self.gather().await;
        self.ledger.write();
    }

    /// Counts for another site from now on.  What it has no more is forgotten, so that metrics are no more than
    /// the configuration has hosts and routes.
    pub(super) async fn serve(&mut self, places: &Arc<Places>, queues: Queues) {
        self.ledger.serve(places);
        self.settle().await;
        let names: BTreeSet<Name> = places.names().collect();
        self.counts.retain(|name, _| names.contains(name));
        (self.places, self.queues) = (Arc::clone(places), queues);
    }

    /// The generation of the configuration in force.
    pub(crate) fn generation(&self) -> i64 {
        self.places.generation
    }

    /// When the server was started.
    pub(crate) fn started(&self) -> SystemTime {
        self.started
    }

    /// Counts a reload.
    pub(super) fn reloaded(&mut self, went_well: bool) {
        if went_well {
            self.reloads.ok += 1;
            self.reloads.last = Some(SystemTime::now());
        } else {
            self.reloads.failed += 1;
        }
    }

    /// What metrics say now.
    pub(super) fn facts(&self) -> Facts<'_> {
        let mut connections = BTreeMap::new();
        for (kind, count) in self.sources.iter().flat_map(|source| &source.connections) {
            *connections.entry(*kind).or_default() += count;
        }
        let waiting = |(spec, outlet): &(String, Weak<Outlet>)| Some((spec.clone(), outlet.upgrade()?.waiting()));
        Facts {
            counts: &self.counts,
            connections,
            accepted: self.accepted,
            queues: self.queues.iter().filter_map(waiting).collect(),
            reloads: self.reloads,
            generation: self.places.generation,
            started: self.started,
        }
    }

    /// Has the last values written.
    pub(super) async fn finish(&mut self) {
        self.gather().await;
        self.ledger.finish();
    }
}

impl Source {
    /// Asks the worker for what it has counted, unless it still owes what it was asked for before.
    async fn ask(&mut self, deadline: Instant) {
        if self.owed.is_some() {
            return;
        }
        // A worker that has panicked has said so.
        if let Some(mailbox) = self.mailbox.upgrade() {
            let (counts, owed) = oneshot::channel();
            if let Ok(Ok(())) = timeout_at(deadline, mailbox.send(Mail::Count(counts))).await {
                self.owed = Some(owed);
            }
        }
    }

    async fn answer(&mut self, deadline: Instant) -> Option<Counts> {
        let answer = timeout_at(deadline, self.owed.as_mut()?).await.ok()?;
        self.owed = None;
        answer.ok()
    }
}
