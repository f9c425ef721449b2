//! Where an answer is counted: the hosts and routes of a site, numbered, with their names and the ids of their rows.
//!
//! A worker counts by number.  What it hands over goes with the [`Places`] that give the numbers their meaning, so
//! that an answer that began before a reload is counted for the route that it came by.

use std::collections::HashMap;
use std::sync::Arc;

use mongrel2::config::Server;
use mongrel2::config::store::statistics::Subject;
use mongrel2::config::store::{ServerRows, Snapshot};

/// The number of a place within its [`Places`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(u32);

impl Place {
    /// Of requests that could not be read, so that nobody knows whom they were for.
    pub(crate) const NOWHERE: Self = Self(0);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The places of a site: one for no host at all, then for each host one of its own and one for each of its routes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// The generation of the configuration that the site was made of.
    pub(crate) generation: i64,
    /// The id of the server's row.
    pub(super) server: i64,
    /// The place of each host, by its position in the configuration.
    hosts: Vec<Place>,
    labels: Vec<Label>,
}

/// Whose a place is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Label {
    host: Option<Row>,
    route: Option<Row>,
}

/// A row of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    id: i64,
    /// The host's name, or the route's path.
    name: Arc<str>,
}

/// The names of host and route; empty where there is none.
pub(crate) type Name = (Arc<str>, Arc<str>);

impl Places {
    /// Numbers the hosts and routes of the server of that position in a snapshot.
    pub(crate) fn new(snapshot: &Snapshot, position: usize) -> Self {
        let (server, rows) = (&snapshot.config.servers[position], &snapshot.rows[position]);
        let mut places = Self {
            generation: snapshot.generation,
            server: rows.id,
            hosts: Vec::new(),
            labels: vec![Label::default()],
        };
        places.add_hosts(server, rows);
        places
    }

    fn add_hosts(&mut self, server: &Server, rows: &ServerRows) {
        for (host, rows) in server.hosts.iter().zip(&rows.hosts) {
            let row = |id: i64, name: &str| Some(Row { id, name: name.into() });
            let host_row = row(rows.id, &host.name);
            self.hosts.push(Place(u32::try_from(self.labels.len()).expect("a configuration fits into memory")));
            self.labels.push(Label { host: host_row.clone(), route: None });
            for (route, id) in host.routes.iter().zip(&rows.routes) {
                self.labels.push(Label { host: host_row.clone(), route: row(*id, &route.path) });
            }
        }
    }

    /// The place of a host, for requests that none of its routes answers; by its position.
    pub(crate) fn host(&self, host: usize) -> Place {
        self.hosts[host]
    }

    /// The place of a route, by the positions of its host and its own.
    pub(crate) fn route(&self, host: usize, route: usize) -> Place {
        Place(self.hosts[host].0 + 1 + u32::try_from(route).expect("a configuration fits into memory"))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.labels.len()
    }

    /// All of them, in the order of their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = Place> {
        (0..).take(self.labels.len()).map(Place)
    }

    /// What they are called.
    pub(super) fn names(&self) -> impl Iterator<Item = Name> {
        self.all().map(|place| self.name(place))
    }

    /// What a place is called.
    pub(crate) fn name(&self, place: Place) -> Name {
        let name = |row: &Option<Row>| row.as_ref().map_or_else(|| "".into(), |row| Arc::clone(&row.name));
        let Label { host, route } = &self.labels[place.index()];
        (name(host), name(route))
    }

    /// For each of these, the one that has its name among others; or nowhere.
    pub(crate) fn successors(&self, others: &Self) -> Vec<Place> {
        let mut named = HashMap::new();
        for place in others.all() {
            named.entry(others.name(place)).or_insert(place);
        }
        self.names().map(|name| named.get(&name).copied().unwrap_or(Place::NOWHERE)).collect()
    }

    /// What the statistics of a place are about, with the ids of their rows: its route, its host and the server.
    pub(super) fn subjects(&self, place: Place) -> Vec<(Subject, i64)> {
        let mut subjects = vec![(Subject::Server, self.server)];
        let Label { host, route } = &self.labels[place.index()];
        if let Some(Row { id, name: host }) = host {
            subjects.push((Subject::Host { host: host.to_string() }, *id));
            if let Some(Row { id, name: route }) = route {
                subjects.push((Subject::Route { host: host.to_string(), route: route.to_string() }, *id));
            }
        }
        subjects
    }
}

#[cfg(test)]
pub(super) mod tests {
    use mongrel2::config::store::HostRows;
    use mongrel2::config::{Config, Dir, Host, Route, Target};

    use super::*;

    /// A server with the id 7, whose hosts have ids from 10 on, and their routes ten times these and more.
    pub(crate) fn places(generation: i64, hosts: &[(&str, &[&str])]) -> Arc<Places> {
        let route = |path: &&str| Route { path: (*path).into(), reversed: false, target: Target::Dir(Dir::default()) };
        let host = |(name, paths): &(&str, &[&str])| Host {
            name: (*name).into(),
            routes: paths.iter().map(route).collect(),
            ..Host::default()
        };
        let ids = |(id, (_, paths)): (i64, &(&str, &[&str]))| HostRows {
            id,
            routes: (id * 10..).take(paths.len()).collect(),
        };
        let server = Server { hosts: hosts.iter().map(host).collect(), ..Server::default() };
        let rows = ServerRows { id: 7, hosts: (10..).zip(hosts).map(ids).collect() };
        let config = Config { servers: vec![server], ..Config::default() };
        Arc::new(Places::new(&Snapshot { generation, config, rows: vec![rows] }, 0))
    }

    #[test]
    fn each_host_and_route_has_a_place_with_its_row() {
        let places = places(3, &[("one", &["/", "/a"]), ("two", &[]), ("three", &["/"])]);
        let host = |host: &str| Subject::Host { host: host.into() };
        let route = |host: &str, route: &str| Subject::Route { host: host.into(), route: route.into() };
        let subjects = |place: Place| places.subjects(place)[1..].to_vec();
        assert_eq!((places.generation, places.count()), (3, 7));
        assert_eq!(places.subjects(Place::NOWHERE), [(Subject::Server, 7)]);
        assert_eq!(subjects(places.host(0)), [(host("one"), 10)]);
        assert_eq!(subjects(places.route(0, 1)), [(host("one"), 10), (route("one", "/a"), 101)]);
        assert_eq!(subjects(places.host(1)), [(host("two"), 11)]);
        assert_eq!(subjects(places.route(2, 0)), [(host("three"), 12), (route("three", "/"), 120)]);
        let names: Vec<String> = places.names().map(|(host, route)| format!("{host}|{route}")).collect();
        assert_eq!(names, ["|", "one|", "one|/", "one|/a", "two|", "three|", "three|/"]);
    }
    #[test]
    fn a_place_is_found_again_by_its_name() {
        let old = places(1, &[("one", &["/", "/a"]), ("two", &["/"])]);
        let new = places(2, &[("two", &["/b", "/"]), ("one", &["/a"])]);
        let next = old.successors(&new);
        assert_eq!(next[old.host(0).index()], new.host(1));
        assert_eq!(next[old.route(0, 1).index()], new.route(1, 0));
        assert_eq!(next[old.route(1, 0).index()], new.route(0, 1));
        assert_eq!(next[old.route(0, 0).index()], Place::NOWHERE);
        assert_eq!(next[Place::NOWHERE.index()], Place::NOWHERE);
    }
}
