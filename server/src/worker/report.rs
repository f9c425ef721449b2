//! What a worker tells of itself and of its connections, and whom of them it drops, when the control port asks.

use std::sync::Arc;
use std::time::Instant;

use mongrel2::wire::control::Selector;

use super::Worker;
use super::members::Member;
use crate::connection::{Identity, Observed, Vitals};
use crate::statistics::{Place, Places};

/// A connection, as it is told of.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) identity: Identity,
    pub(crate) observed: Observed,
    /// The host of the last request, if there was one.
    pub(crate) host: String,
    /// The path of its route.
    pub(crate) route: String,
    /// Bytes of handlers that wait for the client.
    pub(crate) queue: usize,
}

/// How a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Activity {
    pub(crate) state: State,
    pub(crate) connections: usize,
}

/// Whether a worker takes connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Accepting,
    /// It has as many as it may have.
    Full,
    /// The server is about to stop.
    Draining,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accepting => "accepting",
            Self::Full => "full",
            Self::Draining => "draining",
        }
    }
}

impl Worker {
    pub(super) fn activity(&self) -> Activity {
        let connections = self.members.borrow().len();
        let state = match connections {
            _ if self.is_draining() => State::Draining,
            count if count >= self.share() => State::Full,
            _ => State::Accepting,
        };
        Activity { state, connections }
    }

    pub(super) fn net(&self) -> Vec<Seen> {
        let now = Instant::now();
        self.members.borrow().iter().map(|(_, member)| self.see(member, now)).collect()
    }

    fn see(&self, member: &Member, now: Instant) -> Seen {
        let vitals = &member.vitals;
        let (host, route) = self.site.borrow().places.name(vitals.place.get());
        Seen {
            identity: vitals.identity(),
            observed: vitals.observe(now),
            host: host.to_string(),
            route: route.to_string(),
            queue: self.lines.borrow().get(&vitals.id).map_or(0, |line| line.waiting()),
        }
    }

    /// Notes what a connection's request is for, unless a reload has given the places other numbers meanwhile.
    pub(crate) fn note_place(&self, vitals: &Vitals, places: &Arc<Places>, place: Place) {
        if Arc::ptr_eq(places, &self.site.borrow().places) {
            vitals.place.set(place);
        }
    }

    /// Gives the connections the numbers that their places will have.
    pub(super) fn reload_places(&self, places: &Places) {
        let next = self.site.borrow().places.successors(places);
        for (_, member) in self.members.borrow().iter() {
            member.vitals.place.set(next[member.vitals.place.get().index()]);
        }
    }

    /// Closes connections whatever they do; gives how many there were.
    pub(super) fn kill(&self, selector: &Selector) -> usize {
        let (members, site) = (self.members.borrow(), self.site.borrow());
        let chosen = members.iter().filter(|(_, member)| match selector {
            Selector::Id(id) => member.vitals.id == *id,
            Selector::Address(address) => member.vitals.peer().ip() == *address,
            Selector::Route(path) => {
                let (_, route) = site.places.name(member.vitals.place.get());
                !route.is_empty() && *route == **path
            }
        });
        chosen.map(|(_, member)| member.task.abort()).count()
    }
}
