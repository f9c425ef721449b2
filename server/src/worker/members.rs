//! The connections of a worker: how they come, how many there may be, and who is dropped.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::Worker;
use crate::connection::{Accepted, Connection, Identity, Kind, Phase, Serving, Vitals};

/// How long a worker that has no file descriptors left waits before it accepts again.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection as its worker sees it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) vitals: Rc<Vitals>,
    pub(super) task: AbortHandle,
}

impl Worker {
    pub(super) fn accept(self: &Rc<Self>, listener: TcpListener) -> AbortHandle {
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => worker.accept_all(listener).await,
                Err(error) => tracing::error!("cannot accept connections: {error}"),
            }
        })
        .abort_handle()
    }

    async fn accept_all(self: Rc<Self>, listener: tokio::net::TcpListener) {
        loop {
            self.room().await;
            match listener.accept().await {
                // A client of IPv4 on a socket of IPv6 goes by its own address.
                Ok((stream, peer)) => self.welcome(stream, SocketAddr::new(peer.ip().to_canonical(), peer.port())),
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Waits until this worker may have another connection.
    async fn room(&self) {
        loop {
            let changed = self.changed.notified();
            if self.members.borrow().len() < self.share() {
                return;
            }
            changed.await;
        }
    }

    /// This worker's share of `limits.connections`.
    pub(super) fn share(&self) -> usize {
        match self.site.borrow().settings.connections {
            // The other half is for connections to upstreams.
            0 if self.site.borrow().has_proxies() => self.descriptors / 2,
            0 => self.descriptors,
            limit => limit.div_ceil(self.peers.len()),
        }
    }

    fn welcome(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr) {
        let limit = self.site.borrow().settings.connections_per_address;
        let counted = if limit == 0 { None } else { self.addresses.count(peer.ip(), limit) };
        if limit > 0 && counted.is_none() {
            tracing::debug!("refused a connection from {peer}: its address has {limit} already");
            return;
        }
        self.accepted.set(self.accepted.get() + 1);
        let mut members = self.members.borrow_mut();
        let place = members.vacant_entry();
        let identity = Identity { id: self.take_id(), fd: stream.as_raw_fd(), peer };
        let vitals = Rc::new(Vitals::new(identity, Instant::now()));
        let accepted = Accepted { stream, counted, terms: self.site.borrow().terms.clone() };
        let connection = Connection::new(accepted, Rc::clone(self), place.key(), Rc::clone(&vitals));
        let task = tokio::task::spawn_local(Serving::new(connection)).abort_handle();
        place.insert(Member { vitals, task });
    }

    /// How many connections there are, by what they speak.
    pub(super) fn connections(&self) -> Vec<(&'static str, u64)> {
        let mut counts = Kind::ALL.map(|kind| (kind.name(), 0));
        for (_, member) in self.members.borrow().iter() {
            counts[member.vitals.kind.get() as usize].1 += 1;
        }
        counts.to_vec()
    }

    /// The id of the next connection, from which every worker can tell which one has it.
    fn take_id(&self) -> u64 {
        self.next_id.replace(self.next_id.get() + self.peers.len() as u64)
    }

    /// Drops the connections that are too slow, again and again.
    pub(super) async fn sweep(self: Rc<Self>) {
        loop {
            tokio::time::sleep(self.site().settings.tick_timer).await;
            let (now, site) = (Instant::now(), self.site());
            self.pool.sweep(now);
            for (_, member) in self.members.borrow().iter() {
                if let Some(phase) = member.vitals.fatal(now, &site.settings) {
                    if phase != Phase::Idle {
                        tracing::info!("dropped a connection that was too slow while {phase:?}");
                    }
                    member.task.abort();
                }
            }
        }
    }

    pub(super) async fn drain(self: Rc<Self>, done: oneshot::Sender<()>) {
        self.draining.set(true);
        for (_, member) in self.members.borrow().iter().filter(|(_, member)| member.vitals.is_idle()) {
            member.task.abort();
        }
        loop {
            let changed = self.changed.notified();
            if self.members.borrow().is_empty() {
                break;
            }
            changed.await;
        }
        self.flush_log();
        let _ = done.send(());
    }

    /// Takes a connection from the others.
    pub(crate) fn closed(&self, key: usize) {
        let mut members = self.members.borrow_mut();
        let was_full = members.len() >= self.share();
        members.remove(key);
        if was_full || (self.draining.get() && members.is_empty()) {
            self.changed.notify_waiters();
        }
    }
}
