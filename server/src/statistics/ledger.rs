//! The thread that writes what has been counted to the database.
//!
//! What is to be written waits in memory, added up; when the database can't be written it waits on, so that all of
//! it goes out together once that works again.  Nobody waits for this thread, but for a moment at the server's end.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mongrel2::config::Database;
use mongrel2::config::store::StoreError;
use mongrel2::config::store::statistics::{Batch, Sample, Subject, name};
use mongrel2::summary::Summary;

use super::counts::{Count, Sheet};
use super::places::Places;

/// How long another program's lock is waited for; the values are not lost, and go out the next time.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long the last values may take when the server ends.
const LAST: Duration = Duration::from_secs(5);

/// For how many configurations values are kept that can't be written.
const KEPT: usize = 16;

/// For how long others may have the database before it is written again, however often servers are reloaded.
const PAUSE: Duration = Duration::from_secs(1);

/// The way to the thread.
#[derive(Debug)]
pub(crate) struct Ledger {
    pending: Pending,
    /// None at the end.
    nudge: Option<SyncSender<()>>,
    /// None at the end, which nobody has to wait for.
    running: Option<SyncSender<Infallible>>,
    /// Closed by the end of the thread.
    ended: Receiver<Infallible>,
}

/// What waits to be written.
#[derive(Debug, Clone)]
struct Pending(Arc<Mutex<Values>>);

#[derive(Debug)]
struct Values {
    /// The places of the site in force.
    places: Arc<Places>,
    sheets: Vec<Sheet>,
}

impl Ledger {
    /// Starts the thread, for a server that has just been started with the site of these places.
    ///
    /// # Errors
    /// The system has no threads left.
    pub(crate) fn start(database: PathBuf, server: String, places: &Arc<Places>) -> io::Result<Self> {
        let values = Values { places: Arc::clone(places), sheets: vec![Sheet::start(places)] };
        let pending = Pending(Arc::new(Mutex::new(values)));
        // One call is enough for everything that is there when it is heard.
        let (nudge, nudges) = sync_channel(1);
        let (end, ended) = sync_channel(0);
        let (running, until_end) = sync_channel(0);
        let mut clerk = Clerk { database, server, pending: pending.clone(), written: None, failing: false };
        std::thread::Builder::new().name("statistics".into()).spawn(move || {
            for () in &nudges {
                clerk.write();
                // It is only ever closed.
                let _ = until_end.recv_timeout(PAUSE);
            }
            clerk.write();
            drop(end);
        })?;
        let ledger = Self { pending, nudge: Some(nudge), running: Some(running), ended };
        ledger.write();
        Ok(ledger)
    }

    /// Says that a site with these places is in force now.
    pub(super) fn serve(&self, places: &Arc<Places>) {
        self.pending.values().places = Arc::clone(places);
    }

    /// Adds what has been counted to what is to be written.
    pub(super) fn add(&self, sheets: Vec<Sheet>) {
        self.pending.values().add(sheets);
    }

    /// Has everything written soon.
    pub(super) fn write(&self) {
        // If one call hasn't been heard yet, it is for this too.
        let _ = self.nudge.as_ref().map(|nudge| nudge.try_send(()));
    }

    /// Has everything written, and waits for that, if it doesn't take too long.
    pub(super) fn finish(&mut self) {
        self.nudge = None;
        self.running = None;
        if let Err(RecvTimeoutError::Timeout) = self.ended.recv_timeout(LAST) {
            tracing::warn!("the last statistics could not be written in time");
        }
    }
}

impl Pending {
    fn values(&self) -> MutexGuard<'_, Values> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Values {
    fn add(&mut self, sheets: Vec<Sheet>) {
        for sheet in sheets {
            match self.sheets.iter_mut().find(|known| known.is_like(&sheet)) {
                Some(known) => known.merge(sheet),
                None => self.sheets.push(sheet),
            }
        }
        while self.sheets.len() > KEPT {
            self.give_up_oldest();
        }
    }

    fn give_up_oldest(&mut self) {
        let generations = self.sheets.iter().map(|sheet| sheet.places.generation).enumerate();
        if let Some((oldest, generation)) = generations.min_by_key(|(_, generation)| *generation) {
            self.sheets.remove(oldest);
            tracing::warn!("the statistics of generation {generation} were given up");
        }
    }
}

/// What the thread works with.
struct Clerk {
    database: PathBuf,
    server: String,
    pending: Pending,
    /// The generation that was in force when something was last written.
    written: Option<i64>,
    failing: bool,
}

impl Clerk {
    fn write(&mut self) {
        let (generation, sheets) = {
            let mut values = self.pending.values();
            (values.places.generation, std::mem::take(&mut values.sheets))
        };
        if sheets.is_empty() && self.written == Some(generation) {
            return;
        }
        let samples = sheets.iter().flat_map(samples).collect();
        match self.put(&Batch { server: self.server.clone(), generation, samples }) {
            Ok(()) => {
                self.written = Some(generation);
                self.recovers();
            }
            Err(error) => {
                self.pending.values().add(sheets);
                self.fails(&error);
            }
        }
    }

    /// Opened anew each time, as the file may be another one by now.
    fn put(&self, batch: &Batch) -> Result<(), StoreError> {
        Database::open_with_patience(&self.database, PATIENCE)?.add_statistics(batch)
    }

    fn fails(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.failing, true) {
            let database = self.database.display();
            tracing::warn!("cannot write statistics to `{database}`, they are kept until that works: {error}");
        }
    }

    fn recovers(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::warn!("statistics can be written again");
        }
    }
}

/// What a sheet comes to: each count is one of its route, of its host and of the server.
fn samples(sheet: &Sheet) -> Vec<Sample> {
    let places = &sheet.places;
    let mut sums: BTreeMap<(Subject, i64), Count> = BTreeMap::new();
    for (place, count) in sheet.counts() {
        for subject in places.subjects(place) {
            sums.entry(subject).or_default().merge(count);
        }
    }
    let mut samples = Vec::new();
    let mut add = |subject: &Subject, id: i64, name: &'static str, summary: Summary| {
        samples.push(Sample { generation: places.generation, subject: subject.clone(), id, name, summary });
    };
    if sheet.starts > 0 {
        add(&Subject::Server, places.server, name::STARTS, Summary::repeated(1.0, sheet.starts));
    }
    for ((subject, id), count) in &sums {
        add(subject, *id, name::LATENCY, count.latency);
        add(subject, *id, name::BYTES, count.bytes);
        add(subject, *id, name::ERRORS, count.errors());
    }
    samples
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mongrel2::config::Config;
    use mongrel2::config::history::Entry;
    use tempfile::TempDir;

    use super::super::counts::Tally;
    use super::super::counts::tests::exchange;
    use super::super::places::Place;
    use super::super::places::tests::places;
    use super::*;

    fn sheet(places: &Arc<Places>, counted: &[(Place, u16)]) -> Sheet {
        let tally = Tally::default();
        counted.iter().for_each(|(place, status)| tally.add(places, &exchange(*place, *status, 10, 1)));
        tally.take().remove(0)
    }

    #[test]
    fn a_count_is_one_of_its_route_and_of_all_that_it_belongs_to() {
        let places = places(3, &[("one", &["/"]), ("two", &["/"])]);
        let (first, second) = (places.route(0, 0), places.route(1, 0));
        let counted = [(Place::NOWHERE, 400), (places.host(0), 404), (first, 200), (first, 500), (second, 503)];
        let samples = samples(&sheet(&places, &counted));
        let errors = samples.iter().filter(|sample| sample.name == name::ERRORS);
        let errors: Vec<_> = errors.map(|sample| (sample.subject.kind(), sample.id, sample.summary)).collect();
        let errors: Vec<_> = errors.into_iter().map(|(kind, id, errors)| (kind, id, errors.n, errors.sum)).collect();
        let hosts = [("host", 10, 3, 1.0), ("host", 11, 1, 1.0)];
        let routes = [("route", 100, 2, 1.0), ("route", 110, 1, 1.0)];
        assert_eq!(errors, [&[("server", 7, 5, 2.0)][..], &hosts, &routes].concat());
        assert_eq!(samples.len(), 3 * errors.len());
        assert!(samples.iter().all(|sample| sample.generation == 3));
    }

    fn database() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.sqlite");
        let mut database = Database::open_or_create(&path).unwrap();
        database.change(&Entry::default(), |change| change.save(&Config::default())).unwrap();
        (folder, path)
    }

    fn clerk(path: &Path, places: &Arc<Places>) -> Clerk {
        let values = Values { places: Arc::clone(places), sheets: Vec::new() };
        let pending = Pending(Arc::new(Mutex::new(values)));
        Clerk { database: path.to_owned(), server: "test".into(), pending, written: None, failing: false }
    }

    /// Generation, name and number of samples of the server as a whole.
    fn written(path: &Path) -> Vec<(i64, String, u64)> {
        let rows = Database::open_to_read(path).unwrap().statistics().unwrap();
        let rows = rows.into_iter().filter(|row| row.subject == Subject::Server);
        rows.map(|row| (row.generation, row.name, row.summary.n)).collect()
    }

    #[test]
    fn what_cannot_be_written_waits() {
        let (_folder, path) = database();
        let places = places(1, &[("one", &["/"])]);
        let mut clerk = clerk(&path, &places);
        Database::open_to_change(&path)
            .unwrap()
            .change(&Entry::default(), |_| {
                for _ in 0..2 {
                    clerk.pending.values().add(vec![sheet(&places, &[(places.host(0), 200)])]);
                    clerk.write();
                    assert!(clerk.failing);
                }
                Ok(())
            })
            .unwrap();
        assert_eq!(written(&path), []);
        clerk.write();
        let row = |name: &str| (1, name.to_owned(), 2);
        assert_eq!(written(&path), [row(name::BYTES), row(name::ERRORS), row(name::LATENCY)]);
        assert!(!clerk.failing && clerk.pending.values().sheets.is_empty());
    }

    #[test]
    fn what_waits_is_bounded() {
        let (_folder, path) = database();
        let mut clerk = clerk(&path.join("missing"), &places(0, &[]));
        for generation in 0..2 * KEPT {
            let places = places(generation.try_into().unwrap(), &[("one", &["/"])]);
            clerk.pending.values().add(vec![sheet(&places, &[(places.host(0), 200)])]);
            clerk.write();
        }
        let sheets = &clerk.pending.values().sheets;
        assert_eq!(sheets.len(), KEPT);
        assert!(sheets.iter().all(|sheet| sheet.places.generation >= i64::try_from(KEPT).unwrap()));
    }

    #[test]
    fn a_start_is_written_at_once_and_the_rest_at_the_end() {
        let (_folder, path) = database();
        let places = places(1, &[("one", &["/"])]);
        let mut ledger = Ledger::start(path.clone(), "test".into(), &places).unwrap();
        testkit::wait::until("the start in the database", || (!written(&path).is_empty()).then_some(()));
        ledger.add(vec![sheet(&places, &[(places.host(0), 200)])]);
        ledger.finish();
        let row = |name: &str| (1, name.to_owned(), 1);
        assert_eq!(written(&path), [name::BYTES, name::ERRORS, name::LATENCY, name::STARTS].map(row));
    }
}
