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
    /// wrk asks for one thing.
    Load(Load),
    /// The same, while many other requests wait for an answer that never comes.
    Beside { parked: usize, load: Load },
    /// What much configuration costs: CPU per request, against that with little.
    Compare { few: Setup, many: Setup, load: Load },
    /// How much memory a connection costs that has made one request and waits.
    Memory { connections: usize },
    /// How much memory a request costs that waits for its answer.
    Parked { connections: usize },
    /// How fast what one handler sends reaches many streams.
    FanOut(FanOut),
    /// How fast WebSocket messages come back from a handler, one at a time on each connection.
    WebSocket { connections: usize, size: usize },
    /// How fast a file comes, and how much memory that needs.
    Download { setup: Setup, path: &'static str },
    /// How many connections over TLS can be made, each with a whole handshake, a request, and an end.
    Handshakes { connections: usize },
    /// How much memory a session costs whose connection to the upstream waits.
    Pinned { sessions: usize },
    /// How fast a body gets into a file, and how much memory that needs.
    Upload { size: usize },
    /// How many requests fail when the server reloads all the time.
    Reload { every: Duration, lasting: Duration, connections: usize },
    /// The time from the start of the process to its first answer.
    Start { times: u64 },
    /// The CPU time of a server that nobody asks.
    Rest { lasting: Duration },
    /// How long m2sh takes.
    Operate(Task),
}

/// What an operator does with m2sh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Makes a database of a file with so many routes, which lead to so many folders.
    Load { routes: usize, folders: usize },
    /// A command that lists what is in a database with so many routes.
    List { what: &'static str, routes: usize },
    /// Commands with a database that has 1,000 generations and a log of 100,000 entries.
    History,
}

/// What a server is configured with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    /// Files below `/`, and below as many routes more.
    Files { routes: usize },
    /// Files below `/`, and as many pairs of handler addresses; so many handlers take requests from the last pair.
    Handlers { configured: usize, programs: usize },
    /// Everything comes from an upstream, over connections that stay; if `pinned`, each session has its own.
    Proxy { pinned: bool },
    /// Files below `/`, over TLS.
    Tls,
}

/// The servers of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Servers {
    /// They run while samples are taken.
    Kept(Vec<Setup>),
    /// Each sample starts its own.
    Fresh(Setup),
}

/// What wrk does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) setup: Setup,
    /// One of [`config::FILES`](crate::config::FILES), or a word for the [`handler`](crate::handler).
    pub(crate) path: &'static str,
    pub(crate) connections: usize,
    pub(crate) keep_alive: bool,
    /// The size of what is posted; 0: nothing, a GET.
    pub(crate) body: usize,
}

/// Streams that get the same bytes, in rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FanOut {
    pub(crate) streams: usize,
    /// How many rounds may be on their way.
    pub(crate) rounds: usize,
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

const FILES: Setup = Setup::Files { routes: 0 };

const PROXY: Setup = Setup::Proxy { pinned: false };

const HANDLER: Setup = Setup::Handlers { configured: 1, programs: 1 };

const fn get(path: &'static str, connections: usize) -> Load {
    Load { setup: FILES, path, connections, keep_alive: true, body: 0 }
}

/// A round trip to a handler.
const fn trip(path: &'static str, connections: usize) -> Load {
    Load { setup: HANDLER, ..get(path, connections) }
}

const fn row(name: &'static str, title: &'static str, work: Work) -> Row {
    Row { name, title, baseline: Kind::Nginx, work }
}

/// A row that only servers with handlers have.
const fn routed(name: &'static str, title: &'static str, work: Work) -> Row {
    Row { name, title, baseline: Kind::Original, work }
}

const fn loaded(folders: usize) -> Task {
    Task::Load { routes: 10_000, folders }
}

const fn listed(what: &'static str) -> Task {
    Task::List { what, routes: 10_000 }
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
        Work::Compare {
            few: Setup::Files { routes: 10 },
            many: Setup::Files { routes: 10_000 },
            load: get("1k.txt", 50),
        },
    ),
    row("rest", "CPU time in 5 s without requests", Work::Rest { lasting: Duration::from_secs(5) }),
    routed("handler-1", "13 bytes from a handler, 1 connection", Work::Load(trip("answer", 1))),
    routed("handler", "13 bytes from a handler, 50 connections", Work::Load(trip("answer", 50))),
    routed("handler-500", "13 bytes from a handler, 500 connections", Work::Load(trip("answer", 500))),
    routed(
        "handlers",
        "13 bytes from one of 4 handlers, 50 connections",
        Work::Load(Load { setup: Setup::Handlers { configured: 1, programs: 4 }, ..trip("answer", 50) }),
    ),
    routed(
        "post",
        "10 KiB to a handler and back, 50 connections",
        Work::Load(Load { body: 10 * 1024, ..trip("echo", 50) }),
    ),
    routed(
        "fan-out",
        "1 KiB from a handler to each of 5,000 streams, 128 at a time",
        Work::FanOut(FanOut { streams: 5000, rounds: 4 }),
    ),
    routed(
        "websocket",
        "WebSocket messages of 64 bytes to a handler and back, 50 connections",
        Work::WebSocket { connections: 50, size: 64 },
    ),
    routed(
        "beside",
        "13 bytes from a handler, 50 connections, beside 9,000 requests that wait",
        Work::Beside { parked: 9000, load: trip("answer", 50) },
    ),
    routed(
        "parked",
        "memory per request that waits for a handler, 10,000 of them",
        Work::Parked { connections: 10_000 },
    ),
    routed(
        "configured",
        "100 configured handlers against 1: CPU per request",
        Work::Compare {
            few: HANDLER,
            many: Setup::Handlers { configured: 100, programs: 1 },
            load: trip("answer", 50),
        },
    ),
    routed("upload", "an upload of 100 MiB into a file", Work::Upload { size: 100 * 1024 * 1024 }),
    row("proxy", "1 KiB from an upstream, 50 connections", Work::Load(Load { setup: PROXY, ..get("1k.txt", 50) })),
    row("proxy-100m", "100 MiB from an upstream", Work::Download { setup: PROXY, path: "100m.txt" }),
    row("tls", "1 KiB file over TLS 1.3, 50 connections", Work::Load(Load { setup: Setup::Tls, ..get("1k.txt", 50) })),
    row(
        "handshake",
        "TLS 1.3 handshakes with ECDSA P-256, each with a request, 16 at a time",
        Work::Handshakes { connections: 16 },
    ),
    Row {
        baseline: Kind::Ours,
        ..row("pinned", "memory per idle pinned session, 10,000 of them", Work::Pinned { sessions: 10_000 })
    },
    routed("load", "m2sh load: 10,000 routes to as many folders", Work::Operate(loaded(10_000))),
    routed("load-1", "m2sh load: 10,000 routes to one folder", Work::Operate(loaded(1))),
    routed("m2sh-servers", "m2sh servers, of a database with 10,000 routes", Work::Operate(listed("servers"))),
    routed("m2sh-hosts", "m2sh hosts, of a database with 10,000 routes", Work::Operate(listed("hosts"))),
    routed("m2sh-routes", "m2sh routes, of a database with 10,000 routes", Work::Operate(listed("routes"))),
    routed("m2sh-log", "m2sh log, of a database with 10,000 routes", Work::Operate(listed("log"))),
    Row {
        name: "m2sh-history",
        title: "m2sh, of 1,000 generations of 1,000 routes and 100,000 entries of the log",
        baseline: Kind::Ours,
        work: Work::Operate(Task::History),
    },
];

impl Work {
    /// The figures that a sample has, in their order.
    pub(crate) fn columns(&self) -> &'static [Column] {
        match self {
            Self::Load(_) | Self::Beside { .. } => {
                const {
                    &[
                        column("requests/s", Unit::Count),
                        column("p99", Unit::Seconds),
                        column("CPU/request", Unit::Seconds),
                        column("failed", Unit::Count),
                    ]
                }
            }
            Self::Memory { .. } | Self::Parked { .. } | Self::Pinned { .. } => {
                const { &[column("memory", Unit::Bytes)] }
            }
            Self::FanOut(_) => const { &[column("deliveries/s", Unit::Count), column("CPU/delivery", Unit::Seconds)] },
            Self::WebSocket { .. } => {
                const {
                    &[
                        column("messages/s", Unit::Count),
                        column("p99", Unit::Seconds),
                        column("CPU/message", Unit::Seconds),
                    ]
                }
            }
            Self::Handshakes { .. } => {
                const {
                    &[
                        column("handshakes/s", Unit::Count),
                        column("CPU/handshake", Unit::Seconds),
                        column("failed", Unit::Count),
                    ]
                }
            }
            Self::Download { .. } => {
                const { &[column("MiB/s", Unit::Count), column("memory", Unit::Bytes), column("CPU/MiB", Unit::Seconds)] }
            }
            Self::Upload { .. } => {
                const { &[column("MiB/s", Unit::Count), column("memory", Unit::Bytes), column("CPU", Unit::Seconds)] }
            }
            Self::Reload { .. } => const { &[column("failed", Unit::Count), column("answered", Unit::Count)] },
            Self::Start { .. } => const { &[column("time", Unit::Seconds)] },
            Self::Compare { .. } => {
                const {
                    &[
                        column("factor", Unit::Factor),
                        column("few: CPU/request", Unit::Seconds),
                        column("many: CPU/request", Unit::Seconds),
                        column("few: requests/s", Unit::Count),
                        column("many: requests/s", Unit::Count),
                    ]
                }
            }
            Self::Rest { .. } => const { &[column("CPU", Unit::Seconds)] },
            Self::Operate(Task::History) => {
                const {
                    &[
                        column("rollback", Unit::Seconds),
                        column("log -n 20", Unit::Seconds),
                        column("blame", Unit::Seconds),
                        column("generations", Unit::Seconds),
                        column("log -stats", Unit::Seconds),
                        column("database", Unit::Bytes),
                    ]
                }
            }
            Self::Operate(_) => {
                const { &[column("time", Unit::Seconds), column("CPU", Unit::Seconds), column("database", Unit::Bytes)] }
            }
        }
    }

    /// How many samples are taken of each server; what hardly varies, or takes long, is measured once.
    pub(crate) fn rounds(&self, asked: u64) -> u64 {
        match self {
            Self::Load(_) | Self::Beside { .. } | Self::Compare { .. } => asked,
            Self::FanOut(_) | Self::WebSocket { .. } | Self::Upload { .. } => asked,
            Self::Download { .. } | Self::Handshakes { .. } => asked,
            Self::Start { times } => *times,
            Self::Memory { .. } | Self::Parked { .. } | Self::Pinned { .. } => 1,
            Self::Reload { .. } | Self::Rest { .. } => 1,
            Self::Operate(_) => 4 * asked,
        }
    }

    /// What it is measured with.
    pub(crate) fn servers(&self) -> Servers {
        match self {
            Self::Load(load) => Servers::Kept(vec![load.setup]),
            Self::Compare { few, many, .. } => Servers::Kept(vec![*few, *many]),
            Self::WebSocket { .. } | Self::Upload { .. } => Servers::Kept(vec![HANDLER]),
            Self::Reload { .. } | Self::Rest { .. } => Servers::Kept(vec![FILES]),
            Self::Handshakes { .. } => Servers::Kept(vec![Setup::Tls]),
            Self::Operate(_) => Servers::Kept(Vec::new()),
            // What memory has grown by once doesn't grow again.
            Self::Download { setup, .. } => Servers::Fresh(*setup),
            Self::Pinned { .. } => Servers::Fresh(Setup::Proxy { pinned: true }),
            Self::Beside { .. } | Self::Parked { .. } | Self::FanOut(_) => Servers::Fresh(HANDLER),
            Self::Memory { .. } | Self::Start { .. } => Servers::Fresh(FILES),
        }
    }

    /// Whether it can be measured with that kind of server.
    pub(crate) fn suits(&self, kind: Kind) -> bool {
        if let Self::Operate(task) = self {
            return if *task == Task::History { kind == Kind::Ours } else { kind.has_database() };
        }
        match self.servers() {
            Servers::Kept(setups) => setups.iter().all(|setup| setup.suits(kind)),
            Servers::Fresh(setup) => setup.suits(kind),
        }
    }
}

impl Setup {
    fn suits(self, kind: Kind) -> bool {
        match self {
            FILES => kind != Kind::Haproxy,
            Self::Files { .. } | Self::Handlers { .. } => kind.has_database(),
            PROXY => kind != Kind::Lighttpd,
            Self::Proxy { .. } => kind == Kind::Ours,
            Self::Tls => matches!(kind, Kind::Nginx | Kind::Ours),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own_and_a_file_that_is_there() {
        for (index, row) in ROWS.iter().enumerate() {
            assert!(ROWS[..index].iter().all(|other| other.name != row.name), "{}", row.name);
            if let Work::Load(load) | Work::Compare { load, .. } = &row.work
                && !matches!(load.setup, Setup::Handlers { .. })
            {
                assert!(crate::config::FILES.iter().any(|(file, _)| *file == load.path), "{}", row.name);
            }
        }
    }

    #[test]
    fn each_server_has_the_rows_that_it_can_do() {
        let names = |kind| ROWS.iter().filter(|row| row.work.suits(kind)).map(|row| row.name).collect::<Vec<_>>();
        assert_eq!(names(Kind::Haproxy), ["proxy", "proxy-100m"]);
        assert_eq!(names(Kind::Ours).len(), ROWS.len());
        assert!(!names(Kind::Original).contains(&"pinned") && !names(Kind::Lighttpd).contains(&"proxy"));
    }
}
