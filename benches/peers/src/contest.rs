//! All servers in turns: whatever else the machine does meanwhile disturbs each of them alike.

use crate::args::Args;
use crate::config::Site;
use crate::error::Error;
use crate::measure::Stand;
use crate::peer::{Kind, Peer};
use crate::row::Row;
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
    let peers: Vec<&Peer> = peers.iter().filter(|peer| row.work.suits(peer.kind)).collect();
    let sites: Vec<_> = peers.iter().map(|peer| sites(row, peer)).collect();
    let mut lanes: Vec<_> = peers.iter().zip(&sites).map(|(peer, sites)| lane(peer, sites, wrk, args)).collect();
    eprintln!("measuring {}", row.name);
    for _ in 0..row.work.rounds(args.rounds) {
        for (stand, entry) in &mut lanes {
            if let Some(stand) = stand {
                entry.add(stand.sample(&row.work));
            }
        }
    }
    Outcome { row, entries: lanes.into_iter().map(|(_, entry)| entry).collect() }
}

fn sites(row: &Row, peer: &Peer) -> Result<Vec<Site>, Error> {
    row.work.sites().into_iter().map(|routes| Site::prepare(peer.kind, routes)).collect()
}

fn lane<'a>(
    peer: &'a Peer,
    sites: &'a Result<Vec<Site>, Error>,
    wrk: &'a Wrk,
    args: &Args,
) -> (Option<Stand<'a>>, Entry) {
    let mut entry = Entry { name: peer.name, kind: peer.kind, samples: Vec::new(), trouble: None };
    let running = match sites {
        Ok(sites) => sites.iter().map(|site| Running::start(peer, site)).collect::<Result<Vec<_>, _>>(),
        Err(error) => {
            entry.trouble = Some(error.to_string());
            return (None, entry);
        }
    };
    match running {
        Ok(running) => (Some(Stand { peer, running, wrk, turn: args.turn() }), entry),
        Err(error) => {
            entry.trouble = Some(error.to_string());
            (None, entry)
        }
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
