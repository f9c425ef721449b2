//! The tables that the control port answers with.

use std::time::{SystemTime, UNIX_EPOCH};

use mongrel2::config::Server;
use mongrel2::wire::control::Table;
use mongrel2::wire::tnetstring::Value;

use crate::target::proxy;
use crate::worker::{Activity, Seen};

/// What runs here, beside what the configuration says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    /// The number of the configuration's generation.
    pub(crate) generation: i64,
    pub(crate) started: SystemTime,
    pub(crate) workers: usize,
}

/// Something that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) name: String,
    /// What it does.
    pub(crate) state: &'static str,
    /// Whether it is at it.
    pub(crate) status: &'static str,
    /// The address that it serves, if it serves one.
    pub(crate) address: String,
    /// How many messages wait for it.
    pub(crate) queue: usize,
    /// How many connections it has.
    pub(crate) connections: usize,
}

/// What `info` tells.
pub(crate) fn about(server: &Server, about: &About, state: &str) -> Table {
    let text = |text: &str| Value::from(text);
    let started = about.started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Table::row([
        ("port", Value::Integer(server.port)),
        ("bind_addr", text(&server.bind_addr)),
        ("uuid", text(&server.uuid)),
        ("chroot", text(&server.chroot)),
        ("access_log", text(&server.access_log)),
        ("error_log", text(&server.error_log)),
        ("pid_file", text(&server.pid_file)),
        ("default_hostname", text(&server.default_host)),
        ("generation", Value::Integer(about.generation)),
        ("started", started.into()),
        ("version", text(env!("CARGO_PKG_VERSION"))),
        ("pid", u64::from(std::process::id()).into()),
        ("workers", count(about.workers)),
        ("state", text(state)),
    ])
}

/// What `status net` tells: a row for each connection, by id.
pub(crate) fn net(connections: impl Iterator<Item = Seen>) -> Table {
    let mut connections: Vec<Seen> = connections.collect();
    connections.sort_unstable_by_key(|seen| seen.identity.id);
    let headers = [
        "id",
        "fd",
        "type",
        "last_ping",
        "last_read",
        "last_write",
        "bytes_read",
        "bytes_written",
        "state",
        "address",
        "host",
        "route",
        "age",
        "queue",
        "tls",
    ];
    Table::new(&headers, connections.iter().map(connection).collect())
}

fn connection(seen: &Seen) -> Vec<Value> {
    let (identity, vitals) = (&seen.identity, &seen.observed);
    vec![
        identity.id.into(),
        Value::Integer(identity.fd.into()),
        Value::Integer(vitals.kind.number()),
        vitals.last_ping.into(),
        vitals.last_read.into(),
        vitals.last_write.into(),
        vitals.bytes_read.into(),
        vitals.bytes_written.into(),
        vitals.phase.name().into(),
        identity.peer.ip().to_string().as_str().into(),
        seen.host.as_str().into(),
        seen.route.as_str().into(),
        vitals.age.into(),
        count(seen.queue),
        vitals.secrecy.name().into(),
    ]
}

/// What `status tasks` tells.
pub(crate) fn tasks(tasks: &[Task]) -> Table {
    let headers = ["id", "system", "name", "state", "status", "address", "queue", "connections"];
    let row = |(index, task): (usize, &Task)| {
        vec![
            count(index + 1),
            Value::Bool(false),
            task.name.as_str().into(),
            task.state.into(),
            task.status.into(),
            task.address.as_str().into(),
            count(task.queue),
            count(task.connections),
        ]
    };
    Table::new(&headers, tasks.iter().enumerate().map(row).collect())
}

/// What `status sessions` tells: a row for each session, by number, with the path of its route.
pub(crate) fn sessions<'a>(sessions: impl Iterator<Item = (&'a str, proxy::Seen)>) -> Table {
    let mut sessions: Vec<_> = sessions.collect();
    sessions.sort_unstable_by_key(|(_, seen)| seen.number);
    let headers = ["id", "route", "address", "upstream", "requests", "age", "idle", "state"];
    let row = |(route, seen): &(&str, proxy::Seen)| {
        vec![
            seen.number.into(),
            (*route).into(),
            text(seen.address),
            text(seen.upstream),
            seen.requests.into(),
            seen.age.as_secs().into(),
            seen.idle.map_or(0, |idle| idle.as_secs()).into(),
            if seen.idle.is_some() { "idle" } else { "busy" }.into(),
        ]
    };
    Table::new(&headers, sessions.iter().map(row).collect())
}

impl Task {
    /// The main thread, which is answering.
    pub(crate) fn main(state: &'static str) -> Self {
        Self::of("main", state, "running", "")
    }

    /// The control port.
    pub(crate) fn control(spec: &str) -> Self {
        Self::of("control", "answering", "running", spec)
    }

    /// The socket of an address of handlers, with the number of messages that wait to be sent; `None` receives.
    pub(crate) fn handler(spec: &str, waiting: Option<usize>) -> Self {
        let queue = waiting.unwrap_or(0);
        let status = if queue > 0 { "waiting" } else { "idle" };
        Self { queue, ..Self::of("handler", if waiting.is_some() { "sending" } else { "receiving" }, status, spec) }
    }

    fn of(name: &str, state: &'static str, status: &'static str, address: &str) -> Self {
        Self { name: name.into(), state, status, address: address.into(), queue: 0, connections: 0 }
    }

    /// The worker of that number; `None` is one that has not answered.
    pub(crate) fn worker(index: usize, activity: Option<&Activity>, queue: usize) -> Self {
        let (state, status) = match activity {
            None => ("busy", "late"),
            Some(activity) => (activity.state.name(), "running"),
        };
        let connections = activity.map_or(0, |activity| activity.connections);
        Self { queue, connections, ..Self::of(&format!("worker {index}"), state, status, "") }
    }
}

/// What is missing, if workers have not answered in time.
pub(crate) fn late<T>(answers: &[Option<T>]) -> Option<String> {
    let late: Vec<String> =
        (0..answers.len()).filter(|&index| answers[index].is_none()).map(|i| i.to_string()).collect();
    if late.is_empty() { None } else { Some(format!("no answer in time from worker {}", late.join(", "))) }
}

/// Empty if there is none.
fn text(value: Option<impl ToString>) -> Value {
    value.map(|value| value.to_string()).unwrap_or_default().as_str().into()
}

fn count(number: usize) -> Value {
    Value::from(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_by_number() {
        let seconds = std::time::Duration::from_secs;
        let unused = proxy::Seen {
            number: 2,
            address: None,
            upstream: None,
            requests: 0,
            age: seconds(3),
            idle: Some(seconds(3)),
        };
        let used = proxy::Seen {
            number: 1,
            address: Some([127, 0, 0, 1].into()),
            upstream: Some(([127, 0, 0, 2], 80).into()),
            requests: 7,
            age: seconds(9),
            idle: None,
        };
        let table = sessions([("/b", unused), ("/a", used)].into_iter());
        let number = Value::Integer;
        let first = vec![
            number(1),
            "/a".into(),
            "127.0.0.1".into(),
            "127.0.0.2:80".into(),
            number(7),
            number(9),
            number(0),
            "busy".into(),
        ];
        let empty = || Value::from("");
        let second = vec![number(2), "/b".into(), empty(), empty(), number(0), number(3), number(3), "idle".into()];
        assert_eq!(table.rows, [first, second]);
        assert_eq!(table.headers.len(), 8);
    }

    #[test]
    fn who_is_late_is_named() {
        assert_eq!(late(&[Some(1), Some(2)]), None);
        assert_eq!(late(&[None, Some(2), None]).as_deref(), Some("no answer in time from worker 0, 2"));
    }
}
