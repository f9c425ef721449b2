//! What connections cost that wait: for their next request, or for an answer; those of sessions to the upstream too.

use std::io;
use std::time::Instant;

use crate::client::{Client, PATIENCE};
use crate::error::Error;
use crate::running::Running;
use crate::usage;

/// How many requests may be on their way to the handler: fewer than wait for it by default (`limits.handler_queue`).
const AT_ONCE: usize = 500;

/// Connections that have made one request.
pub(super) fn idle(running: &Running, connections: usize) -> Result<Vec<f64>, Error> {
    let path = running.path("1k.txt");
    let before = running.memory();
    let mut clients = Vec::with_capacity(connections);
    for number in 1..=connections {
        let mut client = open(running, number)?;
        client.get(&path).map_err(Error::doing(format!("use connection {number}")))?;
        clients.push(client);
    }
    Ok(per(connections, before, running))
}

/// Connections whose request waits at the handler.
pub(super) fn parked(running: &Running, connections: usize) -> Result<Vec<f64>, Error> {
    let before = running.memory();
    let _waiting = park(running, connections)?;
    Ok(per(connections, before, running))
}

/// Sessions that have made one request each, all over one connection of a client who never shows a cookie.
pub(super) fn pinned(running: &Running, sessions: usize) -> Result<Vec<f64>, Error> {
    let path = running.path("1k.txt");
    let upstream = running.upstream().ok_or(Error::NoUpstream)?;
    let before = running.memory();
    let mut client = open(running, 0)?;
    for number in 1..=sessions {
        client.get(&path).map_err(Error::doing(format!("begin session {number}")))?;
    }
    let connected = usage::connections_to(upstream);
    if connected < sessions {
        return Err(Error::Sessions(connected, sessions));
    }
    Ok(per(sessions, before, running))
}

/// Opens connections, and has the handler keep a request of each.
pub(super) fn park(running: &Running, connections: usize) -> Result<Vec<Client>, Error> {
    let path = running.path("park");
    let mut asking = open(running, 0)?;
    let mut clients = Vec::with_capacity(connections);
    for number in 1..=connections {
        let mut client = open(running, number)?;
        client.ask(&path).map_err(Error::doing(format!("use connection {number}")))?;
        clients.push(client);
        if number % AT_ONCE == 0 || number == connections {
            await_parked(&mut asking, &running.path("parked"), number).map_err(Error::doing("park requests"))?;
        }
    }
    Ok(clients)
}

fn open(running: &Running, number: usize) -> Result<Client, Error> {
    Client::connect(running.site.address).map_err(Error::doing(format!("open connection {number}")))
}

fn await_parked(asking: &mut Client, path: &str, count: usize) -> io::Result<()> {
    let began = Instant::now();
    while asking.text(path)? != count.to_string() {
        if began.elapsed() > PATIENCE {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    Ok(())
}

/// What the memory has grown by since `before`, for each of so many.
fn per(count: usize, before: u64, running: &Running) -> Vec<f64> {
    vec![running.memory().saturating_sub(before) as f64 / count as f64]
}
