//! What one worker counts: for each place the answers by status, how long they took and how large they were.
//!
//! A worker has its own [`Tally`], that nobody else touches, and hands it over now and then.  Pure: no clock.

use std::cell::RefCell;
use std::sync::Arc;

use mongrel2::summary::Summary;

use super::exchange::Exchange;
use super::places::{Place, Places};

/// The upper bounds of the histogram, in nanoseconds; what takes longer is in a bucket of its own.
pub(crate) const BOUNDS: [u64; 15] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    60_000_000_000,
];

/// The exchanges of one place.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Count {
    /// How many there were of each status.
    pub(crate) statuses: Vec<(u16, u64)>,
    /// Seconds.
    pub(crate) latency: Summary,
    /// How many took no longer than each of [`BOUNDS`], and longer than the one before; then those that took longer.
    pub(crate) buckets: [u64; BOUNDS.len() + 1],
    pub(crate) bytes: Summary,
}

impl Count {
    fn add(&mut self, exchange: &Exchange) {
        self.add_status(exchange.status, 1);
        self.latency.add(exchange.took.as_secs_f64());
        self.bytes.add(exchange.bytes as f64);
        let nanoseconds = u64::try_from(exchange.took.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[BOUNDS.partition_point(|bound| *bound < nanoseconds)] += 1;
    }

    fn add_status(&mut self, status: u16, count: u64) {
        match self.statuses.iter_mut().find(|known| known.0 == status) {
            Some(known) => known.1 += count,
            None => self.statuses.push((status, count)),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.statuses.iter().for_each(|(status, count)| self.add_status(*status, *count));
        self.latency.merge(&other.latency);
        self.bytes.merge(&other.bytes);
        self.buckets.iter_mut().zip(other.buckets).for_each(|(mine, other)| *mine += other);
    }

    /// 1 for each error of the server or of a handler, 0 for each other answer.
    pub(super) fn errors(&self) -> Summary {
        let errors = self.statuses.iter().filter(|(status, _)| *status >= 500).map(|(_, count)| count).sum();
        let mut summary = Summary::repeated(1.0, errors);
        summary.merge(&Summary::repeated(0.0, self.latency.n - errors));
        summary
    }
}

/// What was counted at the places of one site.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(super) places: Arc<Places>,
    /// How often the server was started.
    pub(super) starts: u64,
    counts: Vec<Option<Box<Count>>>,
}

impl Sheet {
    fn new(places: &Arc<Places>) -> Self {
        Self { places: Arc::clone(places), starts: 0, counts: (0..places.count()).map(|_| None).collect() }
    }

    /// That the server was started.
    pub(super) fn start(places: &Arc<Places>) -> Self {
        Self { starts: 1, ..Self::new(places) }
    }

    fn add(&mut self, exchange: &Exchange) {
        self.counts[exchange.place.index()].get_or_insert_default().add(exchange);
    }

    /// What was counted, by place.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Place, &Count)> {
        self.places.all().zip(&self.counts).filter_map(|(place, count)| Some((place, count.as_deref()?)))
    }

    /// Whether the places are the same.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.places, &other.places) || self.places == other.places
    }

    /// Adds what was counted at the same places.
    pub(super) fn merge(&mut self, other: Self) {
        self.starts += other.starts;
        for (mine, other) in self.counts.iter_mut().zip(other.counts) {
            match (mine, other) {
                (Some(mine), Some(other)) => mine.merge(&other),
                (mine @ None, other) => *mine = other,
                (_, None) => {}
            }
        }
    }
}

/// What a worker has counted since it last told.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// One, or two while answers go out that began before a reload.
    sheets: RefCell<Vec<Sheet>>,
}

impl Tally {
    /// Counts an exchange at a place of `places`.
    pub(crate) fn add(&self, places: &Arc<Places>, exchange: &Exchange) {
        let mut sheets = self.sheets.borrow_mut();
        match sheets.iter_mut().find(|sheet| Arc::ptr_eq(&sheet.places, places)) {
            Some(sheet) => sheet.add(exchange),
            None => {
                let mut sheet = Sheet::new(places);
                sheet.add(exchange);
                sheets.push(sheet);
            }
        }
    }

    /// Hands everything over, and begins anew.
    pub(crate) fn take(&self) -> Vec<Sheet> {
        self.sheets.take()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::super::places::tests::places;
    use super::*;

    pub(crate) fn exchange(place: Place, status: u16, bytes: u64, milliseconds: u64) -> Exchange {
        Exchange { place, status, bytes, took: Duration::from_millis(milliseconds) }
    }

    #[test]
    fn exchanges_are_counted_where_they_belong() {
        let places = places(1, &[("one", &["/"])]);
        let (host, route) = (places.host(0), places.route(0, 0));
        let tally = Tally::default();
        for exchange in [exchange(route, 200, 10, 1), exchange(route, 503, 30, 3), exchange(host, 404, 5, 70_000)] {
            tally.add(&places, &exchange);
        }
        let sheets = tally.take();
        assert!(tally.take().is_empty() && sheets.len() == 1);
        let counts: Vec<_> = sheets[0].counts().collect();
        let [(first, missing), (second, served)] = counts[..] else { panic!("{counts:?}") };
        assert_eq!((first, second), (host, route));
        assert_eq!(served.statuses, [(200, 1), (503, 1)]);
        assert_eq!((served.bytes.n, served.bytes.sum, served.bytes.max), (2, 40.0, 30.0));
        assert!((served.latency.sum - 0.004).abs() < 1e-9);
        assert_eq!((served.errors().n, served.errors().sum, served.errors().mean()), (2, 1.0, 0.5));
        assert_eq!((served.buckets[1], served.buckets[3]), (1, 1));
        assert_eq!((missing.buckets[BOUNDS.len()], missing.errors().sum), (1, 0.0));
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let mut count = Count::default();
        for nanoseconds in [0, BOUNDS[0], BOUNDS[0] + 1, BOUNDS[1]] {
            let took = Duration::from_nanos(nanoseconds);
            count.add(&Exchange { place: Place::NOWHERE, status: 200, bytes: 0, took });
        }
        assert_eq!(count.buckets[..3], [2, 2, 0]);
    }

    #[test]
    fn an_answer_that_began_before_a_reload_is_counted_for_the_site_before() {
        let (old, new) = (places(1, &[("one", &["/a"])]), places(2, &[("one", &["/b"])]));
        let tally = Tally::default();
        tally.add(&new, &exchange(new.route(0, 0), 200, 1, 1));
        tally.add(&old, &exchange(old.route(0, 0), 200, 1, 1));
        let generations: Vec<_> = tally.take().iter().map(|sheet| sheet.places.generation).collect();
        assert_eq!(generations, [2, 1]);
    }

    #[test]
    fn sheets_of_the_same_places_become_one() {
        let (one, same, other) =
            (places(1, &[("one", &["/"])]), places(1, &[("one", &["/"])]), places(1, &[("two", &["/"])]));
        let sheet = |places: &Arc<Places>| {
            let tally = Tally::default();
            tally.add(places, &exchange(places.route(0, 0), 200, 1, 1));
            tally.take().remove(0)
        };
        let mut whole = Sheet::start(&one);
        for places in [&one, &same] {
            assert!(whole.is_like(&sheet(places)));
            whole.merge(sheet(places));
        }
        assert!(!whole.is_like(&sheet(&other)));
        let counts: Vec<_> = whole.counts().map(|(place, count)| (place, count.latency.n)).collect();
        assert_eq!((whole.starts, counts), (1, vec![(one.route(0, 0), 2)]));
    }
}
