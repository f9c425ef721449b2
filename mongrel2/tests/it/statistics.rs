//! What servers count, in the database: it adds up, belongs to its generation, and outlives every load.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mongrel2::config::history::Entry;
use mongrel2::config::store::StoreError;
use mongrel2::config::store::statistics::{Batch, Sample, Statistic, Subject, name};
use mongrel2::config::{Config, Database, Dir, Host, Route, Server, Target};
use mongrel2::summary::Summary;
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

const UUID: &str = "f400bf85-4538-4f7a-8908-67e313d515c2";

fn config(hosts: &[&str], paths: &[&str]) -> Config {
    let route = |path: &&str| Route { path: (*path).into(), reversed: false, target: Target::Dir(Dir::default()) };
    let routes: Vec<_> = paths.iter().map(route).collect();
    let host = |name: &&str| Host { name: (*name).into(), routes: routes.clone(), ..Host::default() };
    let hosts = hosts.iter().map(host).collect();
    Config { servers: vec![Server { uuid: UUID.into(), hosts, ..Server::default() }], ..Config::default() }
}

fn save(path: &Path, config: &Config) {
    let mut database = Database::open_or_create(path).unwrap();
    database.change(&Entry::default(), |change| change.save(config)).unwrap();
}

/// A database of ours, in its first generation.
fn ours() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.sqlite");
    save(&path, &config(&["one", "two"], &["/", "/a"]));
    (folder, path)
}

fn summary(samples: &[f64]) -> Summary {
    let mut summary = Summary::default();
    samples.iter().for_each(|sample| summary.add(*sample));
    summary
}

fn route(host: &str, route: &str) -> Subject {
    Subject::Route { host: host.into(), route: route.into() }
}

/// What a server has counted of one subject under the generation that it serves.
fn batch(generation: i64, subject: &Subject, id: i64, samples: &[f64]) -> Batch {
    let sample = Sample { generation, subject: subject.clone(), id, name: name::LATENCY, summary: summary(samples) };
    Batch { server: UUID.into(), generation, samples: vec![sample] }
}

fn add(path: &Path, batch: &Batch) {
    Database::open_to_change(path).unwrap().add_statistics(batch).unwrap();
}

fn statistics(path: &Path) -> Vec<Statistic> {
    Database::open_to_read(path).unwrap().statistics().unwrap()
}

fn counts(path: &Path) -> Vec<(i64, Subject, u64)> {
    statistics(path).into_iter().map(|row| (row.generation, row.subject, row.summary.n)).collect()
}

fn number<T: rusqlite::types::FromSql>(path: &Path, query: &str) -> T {
    Connection::open(path).unwrap().query_row(query, [], |row| row.get(0)).unwrap()
}

#[test]
fn values_add_up_and_the_rest_follows() {
    let (_folder, path) = ours();
    for samples in [&[2.0, 4.0, 4.0][..], &[4.0, 5.0], &[5.0, 7.0, 9.0]] {
        add(&path, &batch(1, &Subject::Server, 1, samples));
    }
    let row = "FROM statistic WHERE other_type = 'server' AND other_id = 1 AND name = 'latency'";
    let values = ["n", "sum", "sumsq", "min", "max", "mean"]
        .map(|column| number::<f64>(&path, &format!("SELECT CAST({column} AS REAL) {row}")));
    assert_eq!(values, [8.0, 40.0, 232.0, 2.0, 9.0, 5.0]);
    let sd: f64 = number(&path, &format!("SELECT sd {row}"));
    assert!((sd - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
    assert_eq!(number::<i64>(&path, "SELECT count(*) FROM statistic"), 1);
    assert_eq!(number::<String>(&path, &format!("SELECT server {row}")), UUID);
    assert_eq!(number::<i64>(&path, &format!("SELECT generation {row}")), 1);
    assert!(number::<bool>(&path, &format!("SELECT first_at <= last_at AND last_at <= datetime('now') {row}")));
}

#[test]
fn the_rows_of_a_snapshot_are_those_of_the_tree() {
    let (_folder, path) = ours();
    save(&path, &config(&["one", "two"], &["/", "/a"]));
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("DELETE FROM route WHERE id = 2").unwrap();
    let snapshot = Database::open_to_read(&path).unwrap().snapshot().unwrap();
    assert_eq!(snapshot.generation, 1);
    let server = &snapshot.config.servers[0];
    let rows = &snapshot.rows[0];
    assert_eq!((rows.id, rows.hosts.len()), (1, server.hosts.len()));
    for (host, rows) in server.hosts.iter().zip(&rows.hosts) {
        let name: String = number(&path, &format!("SELECT name FROM host WHERE id = {}", rows.id));
        assert_eq!(name, host.name);
        assert_eq!(rows.routes.len(), host.routes.len());
        for (route, id) in host.routes.iter().zip(&rows.routes) {
            assert_eq!(number::<String>(&path, &format!("SELECT path FROM route WHERE id = {id}")), route.path);
        }
    }
}

#[test]
fn a_new_generation_begins_anew_and_the_old_one_is_kept_by_name() {
    let (_folder, path) = ours();
    add(&path, &batch(1, &route("one", "/a"), 2, &[1.0, 2.0]));
    save(&path, &config(&["two"], &["/b", "/a"]));
    // The server still serves the old one, by the old ids.
    add(&path, &batch(1, &route("one", "/a"), 2, &[3.0]));
    add(&path, &batch(2, &route("two", "/a"), 2, &[4.0]));
    // An answer that began before the reload.
    let mut late = batch(1, &route("one", "/a"), 2, &[5.0]);
    late.generation = 2;
    add(&path, &late);
    assert_eq!(counts(&path), [(1, route("one", "/a"), 4), (2, route("two", "/a"), 1)]);
    assert_eq!(number::<i64>(&path, "SELECT count(*) FROM statistic WHERE generation = 2 AND n = 1"), 1);
    let past = "FROM past_statistic WHERE generation = 1 AND host = 'one' AND route = '/a' AND min = 1 AND max = 5";
    assert_eq!(number::<f64>(&path, &format!("SELECT sum {past}")), 11.0);
    let database = &mut Database::open_to_change(&path).unwrap();
    database.change(&Entry::default(), |change| change.init()).unwrap();
    assert_eq!(counts(&path).len(), 2);
}

#[test]
fn a_generation_without_requests_ends_the_one_before_too() {
    let (_folder, path) = ours();
    add(&path, &batch(1, &Subject::Server, 1, &[1.0]));
    add(&path, &Batch { server: UUID.into(), generation: 2, samples: Vec::new() });
    assert_eq!(number::<i64>(&path, "SELECT count(*) FROM statistic"), 0);
    assert_eq!(counts(&path), [(1, Subject::Server, 1)]);
}

#[test]
fn servers_that_share_a_database_touch_no_rows_but_their_own() {
    let (_folder, path) = ours();
    let other = |batch: Batch| Batch { server: "other".into(), ..batch };
    add(&path, &batch(1, &Subject::Server, 1, &[1.0]));
    add(&path, &other(batch(1, &Subject::Server, 2, &[1.0])));
    // The other one has been told of a configuration in which it comes first.
    add(&path, &other(batch(2, &Subject::Server, 1, &[1.0])));
    add(&path, &batch(1, &Subject::Server, 1, &[1.0]));
    let owner = "SELECT server FROM statistic WHERE other_type = 'server' AND other_id = 1";
    assert_eq!(number::<String>(&path, owner), "other");
    add(&path, &batch(2, &Subject::Server, 2, &[1.0]));
    let rows = statistics(&path);
    let rows: Vec<_> = rows.iter().map(|row| (row.generation, row.server.as_str(), row.summary.n)).collect();
    assert_eq!(rows, [(1, UUID, 2), (1, "other", 1), (2, UUID, 1), (2, "other", 1)]);
    assert_eq!(number::<i64>(&path, "SELECT count(*) FROM statistic"), 2);
}

#[test]
fn a_database_of_the_original_tool_gets_the_columns_and_stays_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.sqlite");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/c-config.sqlite"), &path).unwrap();
    assert_eq!(statistics(&path), []);
    let before = Database::open_to_read(&path).unwrap().snapshot().unwrap();
    assert_eq!(before.generation, 0);
    add(&path, &batch(0, &route("localhost", "/a"), 1, &[1.0]));
    // The original's m2sh counts no generations: only the name tells that the id means another route now.
    add(&path, &batch(0, &route("localhost", "/b"), 1, &[1.0]));
    assert_eq!(counts(&path), [(0, route("localhost", "/a"), 1), (0, route("localhost", "/b"), 1)]);
    assert_eq!(number::<String>(&path, "SELECT route FROM statistic"), "/b");
    assert_eq!(number::<i64>(&path, "PRAGMA user_version"), 0);
    assert_eq!(number::<i64>(&path, "SELECT count(*) FROM sqlite_master WHERE name = 'alias'"), 0);
    assert_eq!(Database::open_to_read(&path).unwrap().snapshot().unwrap(), before);
}

#[test]
fn a_missing_table_is_made() {
    let (_folder, path) = ours();
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("DROP TABLE statistic; DROP TABLE past_statistic").unwrap();
    assert_eq!(statistics(&path), []);
    add(&path, &batch(1, &Subject::Server, 1, &[1.0]));
    assert_eq!(counts(&path), [(1, Subject::Server, 1)]);
}

#[test]
fn what_other_programs_have_put_there_harms_nothing() {
    let (_folder, path) = ours();
    let connection = Connection::open(&path).unwrap();
    let sql = "INSERT INTO statistic (other_type, other_id, name, n, sum) VALUES ('server', 1, 'latency', 'x', x'00');
               INSERT INTO statistic (other_type, other_id, name, n) VALUES ('weather', 1, 'rain', 7)";
    connection.execute_batch(sql).unwrap();
    add(&path, &batch(1, &Subject::Server, 1, &[1.0]));
    assert_eq!(counts(&path).last(), Some(&(1, Subject::Server, 1)));
    assert_eq!(number::<i64>(&path, "SELECT n FROM statistic WHERE other_type = 'weather'"), 7);
}

#[test]
fn a_lock_is_not_waited_for() {
    let (_folder, path) = ours();
    let blocker = Connection::open(&path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut database = Database::open_with_patience(&path, Duration::ZERO).unwrap();
    let counted = batch(1, &Subject::Server, 1, &[1.0]);
    assert!(matches!(database.add_statistics(&counted), Err(StoreError::Locked)));
    blocker.execute_batch("ROLLBACK").unwrap();
    database.add_statistics(&counted).unwrap();
    assert_eq!(counts(&path), [(1, Subject::Server, 1)]);
}

/// One of two servers, the generation that it serves, and what it has counted: generation, id, name of the host.
type Step = (bool, i64, Vec<(i64, i64, u8)>);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

    #[test]
    fn nothing_is_lost_and_nothing_is_counted_twice(
        steps in prop::collection::vec((any::<bool>(), 0..3i64, prop::collection::vec((0..3i64, 1..3i64, 0..2u8), 0..4)), 1..8)
    ) {
        let (_folder, path) = ours();
        let mut expected: BTreeMap<(i64, String, Subject), u64> = BTreeMap::new();
        let mut database = Database::open_to_change(&path).unwrap();
        for (first, generation, counted) in steps as Vec<Step> {
            let server = if first { "first" } else { "second" };
            let mut samples = Vec::new();
            for (generation, id, host) in counted {
                let subject = Subject::Host { host: host.to_string() };
                *expected.entry((generation, server.into(), subject.clone())).or_default() += 1;
                samples.push(Sample { generation, subject, id, name: name::BYTES, summary: summary(&[1.0]) });
            }
            database.add_statistics(&Batch { server: server.into(), generation, samples }).unwrap();
        }
        let found = database.statistics().unwrap();
        let found = found.into_iter().map(|row| ((row.generation, row.server, row.subject), row.summary.n));
        prop_assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
    }
}
