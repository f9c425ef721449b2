//! What the server counts, in the database: it is what was asked, under the generation in which it was.

use std::collections::BTreeMap;

use mongrel2::config::history::Entry;
use mongrel2::config::store::statistics::{Subject, name};
use mongrel2::config::{Database, Host, Route, Target};
use mongrel2::summary::Summary;
use serde_json::json;
use testkit::wait;

use crate::harness::{Peer, Running, Site, UUID, files, get, handler};

/// What the database says, by generation, subject and name.
type Found = BTreeMap<(i64, Subject, String), Summary>;

fn database(site: &Site) -> Database {
    Database::open_to_change(&site.path().join("config.sqlite")).unwrap()
}

fn found(site: &Site) -> Found {
    let rows = database(site).statistics().unwrap();
    assert!(rows.iter().all(|row| row.server == UUID));
    rows.into_iter().map(|row| ((row.generation, row.subject, row.name), row.summary)).collect()
}

fn stop(mut running: Running) -> Site {
    running.signal("-TERM");
    assert!(running.process.wait().success());
    running.site
}

fn host(host: &str) -> Subject {
    Subject::Host { host: host.into() }
}

fn route(host: &str, route: &str) -> Subject {
    Subject::Route { host: host.into(), route: route.into() }
}

/// Requests, bytes and errors of a subject.
fn counted(found: &Found, generation: i64, subject: Subject) -> (u64, f64, f64) {
    let summary = |name: &str| found.get(&(generation, subject.clone(), name.to_owned())).copied().unwrap_or_default();
    let (latency, bytes, errors) = (summary(name::LATENCY), summary(name::BYTES), summary(name::ERRORS));
    assert_eq!((latency.n, latency.n), (bytes.n, errors.n), "{subject:?}");
    assert!(latency.n == 0 || (0.0 <= latency.min && latency.min <= latency.mean() && latency.mean() <= latency.max));
    (latency.n, bytes.sum, errors.sum)
}

/// Two hosts: one with files and a handler, one with nothing but files below `/a/`.
fn site() -> Site {
    let mut site = Site::new().route("/one", Target::Handler(handler("one"))).files("/");
    let route = Route { path: "/a/".into(), reversed: false, target: files() };
    site.server().hosts.push(Host { name: "other".into(), routes: vec![route], ..Host::default() });
    site.file("static/index.html", "index")
}

#[test]
fn the_table_has_what_was_asked() {
    let running = site().start();
    let peer = Peer::connect(running.site.path(), "one");
    let mut page = 0.0;
    for (request, status) in [
        (get("/"), 200),
        (get("/"), 200),
        (get("/missing"), 404),
        ("HEAD / HTTP/1.0\r\n\r\n".to_owned(), 200),
        ("GET /a/ HTTP/1.1\r\nHost: other\r\n\r\n".to_owned(), 200),
        ("GET /a HTTP/1.1\r\nHost: other\r\n\r\n".to_owned(), 301),
        ("GET /b HTTP/1.1\r\nHost: other\r\n\r\n".to_owned(), 404),
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("POST /one HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n".to_owned(), 413),
    ] {
        let mut client = running.connect();
        client.send(&request);
        let answer = client.try_answer(request.starts_with("HEAD")).unwrap();
        assert_eq!(answer.status, status, "{request:?}");
        if status == 404 {
            page = answer.body.len() as f64;
        }
    }
    let mut client = running.connect();
    for status in ["200 OK", "500 No", "599 Never"] {
        client.send(get("/one"));
        peer.reply(&[peer.request().id], format!("HTTP/1.1 {status}\r\nContent-Length: 3\r\n\r\nabc"));
        assert_eq!(client.answer().body, b"abc");
    }
    let site = stop(running);
    let found = found(&site);
    let check = |subject: Subject, expected: (u64, f64, f64)| assert_eq!(counted(&found, 1, subject), expected);
    check(route("localhost", "/one"), (4, 9.0, 2.0));
    check(route("localhost", "/"), (4, 10.0 + page, 0.0));
    check(host("localhost"), (8, 19.0 + page, 2.0));
    check(route("other", "/a/"), (2, 5.0, 0.0));
    check(host("other"), (3, 5.0 + page, 0.0));
    check(Subject::Server, (12, 24.0 + 2.0 * page, 2.0));
    assert_eq!(found[&(1, Subject::Server, name::STARTS.to_owned())].n, 1);
    let errors = found[&(1, route("localhost", "/one"), name::ERRORS.to_owned())];
    assert_eq!((errors.mean(), errors.min, errors.max), (0.5, 0.0, 1.0));
    ids_lead_to_their_rows(&site);
}

/// Each row of `statistic` has the id of the row that it is about.
fn ids_lead_to_their_rows(site: &Site) {
    let tables = database(site).dump().unwrap();
    let rows = |name: &str| {
        let table = tables.iter().find(|table| table.name == name).unwrap();
        let row = |row: &Vec<serde_json::Value>| {
            table.columns.iter().cloned().zip(row.iter().cloned()).collect::<BTreeMap<_, _>>()
        };
        table.rows.iter().map(row).collect::<Vec<_>>()
    };
    let statistics = rows("statistic");
    assert_eq!(statistics.len(), 6 * 3 + 1);
    for statistic in statistics {
        let kind = statistic["other_type"].as_str().unwrap().to_owned();
        let row = rows(&kind).into_iter().find(|row| row["id"] == statistic["other_id"]).unwrap();
        match kind.as_str() {
            "server" => assert_eq!(row["uuid"], json!(UUID)),
            "host" => assert_eq!(row["name"], statistic["host"]),
            _ => assert_eq!(row["path"], statistic["route"]),
        }
    }
}

#[test]
fn each_generation_has_its_own() {
    let mut running = site().start();
    let peer = Peer::connect(running.site.path(), "one");
    running.get("/");
    let mut client = running.connect();
    client.send(get("/one"));
    let id = peer.request().id;
    running.change(|config| {
        let routes = &mut config.servers[0].hosts[0].routes;
        routes.remove(1);
        routes.insert(0, Route { path: "/new/".into(), reversed: false, target: files() });
    });
    // It began before the reload.
    peer.answer(&[id], "late");
    assert_eq!(client.answer().text(), "late");
    running.get("/new/");
    let site = stop(running);
    let found = found(&site);
    assert_eq!(counted(&found, 1, route("localhost", "/")).0, 1);
    assert_eq!(counted(&found, 1, route("localhost", "/one")).0, 1);
    assert_eq!(counted(&found, 1, Subject::Server).0, 2);
    assert_eq!(counted(&found, 2, route("localhost", "/new/")).0, 1);
    assert_eq!(counted(&found, 2, Subject::Server).0, 1);
    assert!(!found.contains_key(&(2, Subject::Server, name::STARTS.to_owned())));
    let tables = database(&site).dump().unwrap();
    let rows = |name: &str| tables.iter().find(|table| table.name == name).unwrap().rows.len();
    assert_eq!((rows("past_statistic"), rows("statistic")), (4 * 3 + 1, 3 * 3));
}

#[test]
fn a_reload_writes_and_restarts_add_up() {
    let mut running = site().start();
    running.get("/");
    running.reload();
    let requests = |site: &Site| counted(&found(site), 1, Subject::Server).0;
    wait::until("the request in the database", || (requests(&running.site) == 1).then_some(()));
    let site = stop(running);
    let running = site.start_again();
    running.get("/");
    let site = stop(running);
    assert_eq!(requests(&site), 2);
    assert_eq!(found(&site)[&(1, Subject::Server, name::STARTS.to_owned())].n, 2);
}

#[test]
fn a_database_that_cannot_be_written_is_said_once_and_loses_nothing() {
    let mut running = site().start();
    let written = |site: &Site| !found(site).is_empty();
    wait::until("the start in the database", || written(&running.site).then_some(()));
    // Whoever changes the database keeps all others from changing it.
    let mut locked = database(&running.site);
    locked
        .change(&Entry::default(), |_| {
            for _ in 0..2 {
                running.get("/");
                running.reload();
                running.process.wait_for_stderr("cannot write statistics to `");
            }
            Ok(())
        })
        .unwrap();
    running.reload();
    running.process.wait_for_stderr("statistics can be written again");
    assert_eq!(running.process.stderr().matches("cannot write statistics").count(), 1);
    assert_eq!(counted(&found(&running.site), 1, Subject::Server).0, 2);
    let mut locked = database(&running.site);
    locked
        .change(&Entry::default(), |_| {
            running.get("/");
            running.signal("-TERM");
            assert!(running.process.wait().success());
            Ok(())
        })
        .unwrap();
    let said = running.process.stderr();
    // At the end it does not wait for long.
    let is_told = said.matches("cannot write statistics").count() == 2 || said.contains("could not be written in time");
    assert!(is_told, "{said}");
}

#[test]
fn a_database_that_is_read_only_harms_nothing() {
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: a_database_that_is_read_only_harms_nothing is one of `root` there");
        return;
    }
    let site = site();
    site.save();
    let path = site.path().join("config.sqlite");
    let mut rights = path.metadata().unwrap().permissions();
    rights.set_readonly(true);
    std::fs::set_permissions(&path, rights).unwrap();
    let running = site.start_again();
    running.process.wait_for_stderr("cannot write statistics to `");
    assert_eq!(running.get("/").status, 200);
    let text = running.process.stderr();
    assert!(text.contains("they are kept until that works: the database is read-only"), "{text}");
    drop(stop(running));
}
