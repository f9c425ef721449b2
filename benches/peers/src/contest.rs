//! All servers in turns: whatever else the machine does meanwhile disturbs each of them alike.

use std::cell::OnceCell;

use crate::args::Args;
use crate::error::Error;
use crate::measure::Stand;
use crate::peer::{Kind, Peer};
use crate::row::{Row, Servers};
use crate::running::Running;
use crate::wrk::Wrk;

/// What a row has come to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) row: &'static Row,
    pub(crate) entries: Vec<Entry>,
}

/// What one server has achieved.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) samples: Vec<Vec<f64>>,
    /// Why there are no more samples.
    pub(crate) trouble: Option<String>,
}

/// The middle and the ends of some figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// Measures one row.
pub(crate) fn hold(row: &'static Row, peers: &[Peer], wrk: &Wrk, args: &Args) -> Outcome {
    eprintln!("measuring {}", row.name);
    let peers = peers.iter().filter(|peer| row.work.suits(peer.kind));
    let mut lanes: Vec<_> = peers.map(|peer| lane(row, peer, wrk, args)).collect();
    for _ in 0..row.work.rounds(args.rounds) {
        for (stand, entry) in &mut lanes {
            if let Some(stand) = stand {
                entry.add(stand.sample(&row.work));
            }
        }
    }
    Outcome { row, entries: lanes.into_iter().map(|(_, entry)| entry).collect() }
}

/// Starts what a peer needs for a row; a peer that can't start has an entry that says so.
fn lane<'a>(row: &Row, peer: &'a Peer, wrk: &'a Wrk, args: &Args) -> (Option<Stand<'a>>, Entry) {
    let entry = Entry { name: peer.name, kind: peer.kind, samples: Vec::new(), trouble: None };
    let start = |setup| Running::start(peer, setup);
    let setups = if let Servers::Kept(setups) = row.work.servers() { setups } else { Vec::new() };
    match setups.into_iter().map(start).collect() {
        Ok(running) => (Some(Stand { peer, running, wrk, turn: args.turn(), desk: OnceCell::new() }), entry),
        Err(error) => (None, Entry { trouble: Some(Error::to_string(&error)), ..entry }),
    }
}

impl Entry {
    fn add(&mut self, sample: Result<Vec<f64>, Error>) {
        match sample {
            Ok(sample) => self.samples.push(sample),
            Err(error) => self.trouble = Some(error.to_string()),
        }
    }

    /// The figures of one column; `None` if there are none.
    pub(crate) fn summary(&self, column: usize) -> Option<Summary> {
        summary(self.samples.iter().map(|sample| sample[column]).collect())
    }
}

impl Outcome {
    /// The median of the row's first column that counts as 1.
    pub(crate) fn baseline(&self) -> Option<f64> {
        let entry = self.entries.iter().find(|entry| entry.kind == self.row.baseline)?;
        Some(entry.summary(0)?.median).filter(|median| *median > 0.0)
    }
}

fn summary(mut figures: Vec<f64>) -> Option<Summary> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let (min, max) = (*figures.first()?, *figures.last()?);
    let median =
        if figures.len() % 2 == 1 { figures[middle] } else { f64::midpoint(figures[middle - 1], figures[middle]) };
    Some(Summary { median, min, max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(summary(vec![]), None);
        assert_eq!(summary(vec![3.0, 1.0, 2.0]), Some(Summary { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(summary(vec![4.0, 1.0, 2.0, 3.0]), Some(Summary { median: 2.5, min: 1.0, max: 4.0 }));
    }
}
