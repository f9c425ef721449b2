//! m2sh killed (SIGKILL) at every step of a change: before each system call that touches a file.  The database is then the
//! old or the new one, whole, with its log, and the next m2sh works.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use mongrel2::config::{Config, Database};
use testkit::{Process, Strace, strace};

use super::bench::{Bench, server};

/// What SQLite and m2sh do to files, by the names that kernels have for it.
const CALLS: [&str; 11] = [
    "openat",
    "fcntl",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "unlink",
    "unlinkat",
    "close",
    "exit_group",
];

/// What can be told apart of a database.
#[derive(Debug, PartialEq, Eq)]
struct State {
    digest: String,
    entries: usize,
    generations: usize,
}

/// Looks at a database, which has to be whole.
fn state(bench: &Bench, step: &str) -> State {
    let path = bench.path("config.sqlite");
    let database = Database::open_to_read(&path).unwrap_or_else(|error| panic!("{step}: {error}"));
    let verdict = database.verify(None).unwrap();
    assert_eq!((verdict.faults, verdict.unsealed), (vec![], vec![]), "{step}");
    let generations = database.generations().unwrap();
    assert!(generations.iter().all(|generation| generation.logged.is_some()), "{step}");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let integrity: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok", "{step}");
    let digest = database.load().unwrap().digest();
    State { digest, entries: verdict.entries, generations: generations.len() }
}

fn remove(bench: &Bench) {
    for name in ["config.sqlite", "config.sqlite-journal"] {
        let _ = std::fs::remove_file(bench.path(name));
    }
}

/// Does `words` to the database of a bench again and again, each time killed at a later step, until nothing is left to be
/// killed at.  There have to be deaths that leave the old database, and such that leave the new one.
fn kill_at_each_step(strace: Strace, bench: &Bench, words: &str) {
    std::fs::rename(bench.path("config.sqlite"), bench.path("old.sqlite")).unwrap();
    let renew = || {
        remove(bench);
        std::fs::copy(bench.path("old.sqlite"), bench.path("config.sqlite")).unwrap();
    };
    renew();
    let old = state(bench, "before");
    bench.m2sh(words).prints();
    let new = state(bench, "after");
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for call in CALLS {
        for nth in 1.. {
            renew();
            let mut command = strace.killing(&bench.m2sh(words).command, call, nth);
            let output = command.stdin(Stdio::null()).output().unwrap();
            if output.status.success() {
                break;
            }
            let step = format!("{words}, killed at {call} {nth}");
            assert_eq!(output.status.signal(), Some(9), "{step}: {}", String::from_utf8_lossy(&output.stderr));
            let state = state(bench, &step);
            assert!(state == old || state == new, "{step}: {state:?} is neither {old:?} nor {new:?}");
            *left.entry(if state == old { "old" } else { "new" }).or_default() += 1;
            bench.m2sh("commit -what next -why works").prints();
        }
    }
    assert!(left["old"] > 20 && left["new"] > 1, "{words}: {left:?}");
}

fn config(port: u16) -> Config {
    Config { servers: vec![server("a", "u-a", port)], ..Config::fresh() }
}

/// A database with two generations; `new.rhai` would be a third.
fn bench() -> Bench {
    let bench = Bench::empty();
    for (port, name) in [(6769, "new.rhai"), (6767, "first.rhai"), (6768, "second.rhai")] {
        bench.save(&config(port));
        bench.m2sh(&format!("export -o {name}")).exits(0);
        if name == "new.rhai" {
            remove(&bench);
        }
    }
    bench
}

#[test]
fn while_it_loads() {
    let Some(strace) = strace() else { return };
    kill_at_each_step(strace, &bench(), "load -config new.rhai -yes");
}

#[test]
fn while_it_goes_back() {
    let Some(strace) = strace() else { return };
    kill_at_each_step(strace, &bench(), "rollback 1");
}

#[test]
fn while_it_commits() {
    let Some(strace) = strace() else { return };
    kill_at_each_step(strace, &bench(), "commit -what x -why y");
}

#[test]
fn while_it_makes_the_database() {
    let Some(strace) = strace() else { return };
    let bench = bench();
    let words = "load -config new.rhai -yes";
    remove(&bench);
    bench.m2sh(words).prints();
    let whole = state(&bench, "whole");
    for call in CALLS {
        for nth in 1.. {
            remove(&bench);
            if strace.killing(&bench.m2sh(words).command, call, nth).output().unwrap().status.success() {
                break;
            }
            let step = format!("killed at {call} {nth}");
            // There is none, an empty file, or all of it.
            let is_made = Database::open_to_read(&bench.path("config.sqlite")).is_ok();
            assert!(!is_made || state(&bench, &step) == whole, "{step}");
            bench.m2sh(words).prints();
            assert_eq!(state(&bench, &step).digest, whole.digest, "{step}");
        }
    }
}

#[test]
fn while_it_loads_and_reloads() {
    let Some(strace) = strace() else { return };
    let bench = Bench::empty();
    let mut config = config(testkit::free_address().port());
    config.settings.insert("server.daemonize".into(), "0".into());
    config.servers[0].hosts.iter_mut().for_each(|host| host.routes.clear());
    let other = {
        let mut other = config.clone();
        other.settings.insert("limits.min_ping".into(), "77".into());
        other
    };
    for (name, config) in [("one.rhai", &config), ("two.rhai", &other)] {
        bench.save(config);
        bench.m2sh(&format!("export -o {name}")).exits(0);
    }
    let server = Process::start(bench.m2sh("start").command.stdout(Stdio::null()));
    server.wait_for_stderr("listens on");
    let scripts = ["one.rhai", "two.rhai"];
    let mut told = BTreeMap::new();
    for call in ["fsync", "unlink", "poll", "write"] {
        for nth in 1.. {
            let (from, to) = (scripts[(nth + 1) % 2], scripts[nth % 2]);
            bench.m2sh(&format!("load -config {from} -reload -yes")).exits(0);
            let mut command =
                strace.killing(&bench.m2sh(&format!("load -config {to} -reload -yes")).command, call, nth);
            if command.output().unwrap().status.success() {
                break;
            }
            let step = format!("killed at {call} {nth}");
            state(&bench, &step);
            // The server runs with the old or the new one, and it can be told which.
            let agree =
                |script: &&&str| bench.m2sh(&format!("drift {script}")).command.output().unwrap().status.success();
            *told.entry(scripts.iter().find(agree).is_some()).or_insert(0) += 1;
            bench.m2sh(&format!("load -config {to} -reload -yes")).exits(0);
            assert_eq!(bench.m2sh(&format!("drift {to}")).prints(), "No drift\n", "{step}");
        }
    }
    assert!(told[&true] > 1, "{told:?}");
}
