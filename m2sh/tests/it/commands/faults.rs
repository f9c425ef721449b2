//! Databases that can't be used: each gets a message with a hint, exit code 1, and no change.

use std::os::unix::fs::PermissionsExt;

use super::bench::{Bench, server};

const READING: [&str; 7] = ["dump", "servers", "hosts", "routes", "running", "log", "route /"];
const CHANGING: [&str; 4] = ["init", "commit -what x -why y", "start", "stop"];

fn check(bench: &Bench, commands: &[&str], texts: &[&str]) {
    let before = std::fs::read(bench.path("config.sqlite")).ok();
    for words in commands {
        bench.m2sh(words).exits(1).complains(texts);
    }
    assert_eq!(std::fs::read(bench.path("config.sqlite")).ok(), before);
}

#[test]
fn there_is_none() {
    let bench = Bench::empty();
    let hint = "hint: make it with `m2sh init -db config.sqlite`, or name another with `-db`";
    check(&bench, &READING, &["there is no database `config.sqlite`", hint]);
    check(&bench, &CHANGING[1..], &["there is no database `config.sqlite`", hint]);
    bench
        .m2sh("init -db a/b.sqlite")
        .exits(1)
        .complains(&["cannot initialise the database: `a/b.sqlite`", "hint: make its folder"]);
}

#[test]
fn it_is_not_one() {
    let bench = Bench::empty();
    std::fs::write(bench.path("config.sqlite"), "Server(#{})\n".repeat(100)).unwrap();
    check(&bench, &READING, &["`config.sqlite` is not a SQLite database", "hint: name the configuration database"]);
    check(&bench, &CHANGING, &["`config.sqlite` is not a SQLite database"]);
}

#[test]
fn it_is_something_elses() {
    let bench = Bench::empty();
    bench.sql("CREATE TABLE cats (name TEXT)");
    let message = "`config.sqlite` is not a mongrel2 database: it has no table `server`";
    check(&bench, &READING, &[message]);
    check(&bench, &CHANGING, &[message]);
}

#[test]
fn it_is_from_the_future() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    bench.sql("PRAGMA user_version = 99");
    let message = "its version is 99, this program knows up to 1";
    check(&bench, &READING, &[message, "hint: use the m2sh that wrote it, or a newer one"]);
    check(&bench, &CHANGING, &[message]);
}

#[test]
fn a_route_leads_to_nothing() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    bench.sql("UPDATE route SET target_id = 77 WHERE id = 2");
    let message = "table `route`, row 2: target_id is 77, but table `directory` has no such row";
    check(&bench, &["hosts", "routes", "route /", "start", "reload"], &[message, "hint: look at the row"]);
    bench.m2sh("running").exits(3);
    bench.m2sh("stop").exits(3);
    assert!(bench.m2sh("dump").prints().contains("route\t2\t/static/\t0\t1\t77\tdir\n"));
}

#[test]
fn a_configuration_that_no_server_can_run() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    bench.sql("UPDATE server SET port = 99999; UPDATE route SET path = '/(' WHERE id = 1");
    let texts = [
        "cannot use the configuration in `config.sqlite`",
        "server `test`: 99999 is not a TCP port",
        "server `test`, host `localhost`, route `/(`: cannot use the pattern",
    ];
    check(&bench, &["start", "reload", "route /"], &texts);
}

#[test]
fn nobody_may_write_it() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    std::fs::set_permissions(bench.path("config.sqlite"), PermissionsExt::from_mode(0o444)).unwrap();
    for words in ["init", "commit -what x -why y"] {
        bench.humble_m2sh(words).exits(1).complains(&[
            "m2sh: cannot ",
            "`config.sqlite`: the database is read-only",
            "hint: see who may",
        ]);
    }
    assert!(bench.humble_m2sh("servers").prints().starts_with("test\t"));
    assert_eq!(bench.log().len(), 1);
}
