//! The rows: what is measured.  A new row is a value in [`ROWS`]; a new way of measuring is a [`Work`].

use std::time::Duration;

use crate::peer::Kind;

/// Something that servers are compared by.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its word on the command line.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Whose median is 1.
    pub(crate) baseline: Kind,
    pub(crate) work: Work,
}

/// How a row is measured.
#[derive(Debug)]
pub(crate) enum Work {
    /// wrk asks for one file.
    Load(Load),
    /// How much memory a connection costs that has made one request and waits.
    Memory { connections: usize },
    /// How many requests fail when the server reloads all the time.
    Reload { every: Duration, lasting: Duration, connections: usize },
    /// The time from the start of the process to its first answer.
    Start { times: u64 },
    /// What many routes cost: CPU per request, against that with few.
    Routes { few: usize, many: usize, load: Load },
    /// The CPU time of a server that nobody asks.
    Rest { lasting: Duration },
}

/// What wrk does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// One of [`config::FILES`](crate::config::FILES).
    pub(crate) file: &'static str,
    pub(crate) connections: usize,
    pub(crate) keep_alive: bool,
}

/// A figure of a row; the first one of a row is shown with spread and ratio, the others as medians.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
}

/// What a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Count,
    Seconds,
    Bytes,
    Factor,
}

const fn column(name: &'static str, unit: Unit) -> Column {
    Column { name, unit }
}

const fn get(file: &'static str, connections: usize) -> Load {
    Load { file, connections, keep_alive: true }
}

const fn row(name: &'static str, title: &'static str, work: Work) -> Row {
    Row { name, title, baseline: Kind::Nginx, work }
}

/// All rows.
pub(crate) const ROWS: &[Row] = &[
    row("1k-1", "1 KiB file, 1 connection", Work::Load(get("1k.txt", 1))),
    row("1k", "1 KiB file, 50 connections", Work::Load(get("1k.txt", 50))),
    row("1k-1000", "1 KiB file, 1,000 connections", Work::Load(get("1k.txt", 1000))),
    row("100k", "100 KiB file, 50 connections", Work::Load(get("100k.txt", 50))),
    row("10m", "10 MiB file, 10 connections", Work::Load(get("10m.txt", 10))),
    row(
        "close",
        "1 KiB file, 50 connections, without keep-alive",
        Work::Load(Load { keep_alive: false, ..get("1k.txt", 50) }),
    ),
    row("memory", "memory per idle keep-alive connection, 10,000 of them", Work::Memory { connections: 10_000 }),
    row(
        "reload",
        "a reload every 0.5 s under load, 50 connections, 10 s",
        Work::Reload { every: Duration::from_millis(500), lasting: Duration::from_secs(10), connections: 50 },
    ),
    row("start", "start to first answer, 20 times", Work::Start { times: 20 }),
    row(
        "routes",
        "10,000 routes against 10: CPU per request",
        Work::Routes { few: 10, many: 10_000, load: get("1k.txt", 50) },
    ),
    row("rest", "CPU time in 5 s without requests", Work::Rest { lasting: Duration::from_secs(5) }),
];

impl Work {
    /// The figures that a sample has, in their order.
    pub(crate) fn columns(&self) -> &'static [Column] {
        match self {
            Self::Load(_) => {
                const {
                    &[
                        column("requests/s", Unit::Count),
                        column("p99", Unit::Seconds),
                        column("CPU/request", Unit::Seconds),
                        column("failed", Unit::Count),
                    ]
                }
            }
            Self::Memory { .. } => const { &[column("memory", Unit::Bytes)] },
            Self::Reload { .. } => const { &[column("failed", Unit::Count), column("answered", Unit::Count)] },
            Self::Start { .. } => const { &[column("time", Unit::Seconds)] },
            Self::Routes { .. } => {
                const {
                    &[
                        column("factor", Unit::Factor),
                        column("few: CPU/request", Unit::Seconds),
                        column("many: CPU/request", Unit::Seconds),
                    ]
                }
            }
            Self::Rest { .. } => const { &[column("CPU", Unit::Seconds)] },
        }
    }

    /// How many samples are taken of each server; what hardly varies, or takes long, is measured once.
    pub(crate) fn rounds(&self, asked: u64) -> u64 {
        match self {
            Self::Load(_) | Self::Routes { .. } => asked,
            Self::Start { times } => *times,
            Self::Memory { .. } | Self::Reload { .. } | Self::Rest { .. } => 1,
        }
    }

    /// The servers that run while samples are taken, by their numbers of routes.
    pub(crate) fn sites(&self) -> Vec<usize> {
        match self {
            Self::Load(_) | Self::Reload { .. } | Self::Rest { .. } => vec![0],
            Self::Routes { few, many, .. } => vec![*few, *many],
            Self::Memory { .. } | Self::Start { .. } => Vec::new(),
        }
    }

    /// Whether it can be measured with that kind of server.
    pub(crate) fn suits(&self, kind: Kind) -> bool {
        !matches!(self, Self::Routes { .. }) || kind.has_database()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own_and_a_file_that_is_there() {
        for (index, row) in ROWS.iter().enumerate() {
            assert!(ROWS[..index].iter().all(|other| other.name != row.name), "{}", row.name);
            if let Work::Load(load) | Work::Routes { load, .. } = &row.work {
                assert!(crate::config::FILES.iter().any(|(file, _)| *file == load.file), "{}", row.name);
            }
        }
    }
}
