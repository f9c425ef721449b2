//! Several m2sh at once, on one database: each waits for its turn, all land, and the chain of seals holds.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Stdio};

use mongrel2::config::{Config, Database};
use testkit::wait;

use super::bench::{Bench, server};

const MANY: u16 = 6;

fn spawn(bench: &Bench, words: &str) -> Child {
    let mut m2sh = bench.m2sh(words);
    m2sh.command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ends_well(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A folder with scripts `0.rhai` and so on, which differ.
fn scripts() -> Bench {
    let bench = Bench::empty();
    for number in 0..MANY {
        bench.save(&Config { servers: vec![server("a", "u-a", 7000 + number)], ..Config::fresh() });
        bench.m2sh(&format!("export -o {number}.rhai")).exits(0);
    }
    std::fs::remove_file(bench.path("config.sqlite")).unwrap();
    bench
}

fn check(bench: &Bench, entries: usize, generations: usize) {
    let database = Database::open_to_read(&bench.path("config.sqlite")).unwrap();
    let verdict = database.verify(None).unwrap();
    assert_eq!((verdict.entries, verdict.seals, verdict.faults), (entries, entries, vec![]));
    let kept = database.generations().unwrap();
    assert_eq!(kept.len(), generations);
    let newest = database.generation(kept.last().unwrap().id).unwrap();
    assert_eq!(newest, Some(database.load().unwrap()), "the newest generation is what is there");
}

#[test]
fn loads_and_commits_land_all() {
    let bench = scripts();
    bench.m2sh("init").prints();
    let loads = (0..MANY).map(|number| spawn(&bench, &format!("load -config {number}.rhai -yes")));
    let commits = (0..MANY).map(|number| spawn(&bench, &format!("commit -what c{number} -why y")));
    let children: Vec<Child> = loads.chain(commits).collect();
    children.into_iter().for_each(ends_well);
    let many = usize::from(MANY);
    check(&bench, 1 + 2 * many, 1 + many);
    let what: BTreeSet<_> = bench.log().into_iter().map(|entry| entry.what).collect();
    assert!((0..MANY).all(|number| what.contains(&format!("c{number}"))), "{what:?}");
}

#[test]
fn all_of_them_may_make_it() {
    let bench = scripts();
    let children: Vec<Child> =
        (0..MANY).map(|number| spawn(&bench, &format!("load -config {number}.rhai -yes"))).collect();
    children.into_iter().for_each(ends_well);
    check(&bench, usize::from(MANY), usize::from(MANY));
}

#[test]
fn one_waits_for_the_other() {
    let bench = scripts();
    bench.m2sh("load -config 0.rhai").exits(0);
    let other = rusqlite::Connection::open(bench.path("config.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let child = spawn(&bench, "load -config 1.rhai -yes");
    let descriptors = format!("/proc/{}/fd", child.id());
    let file = bench.path("config.sqlite").canonicalize().unwrap();
    wait::until("m2sh to open the database", || has_open(Path::new(&descriptors), &file).then_some(()));
    other.execute_batch("INSERT INTO log (who, what) VALUES ('other', 'x'); COMMIT").unwrap();
    ends_well(child);
    let what: Vec<_> = bench.log().into_iter().map(|entry| entry.what).collect();
    assert_eq!(what, ["load", "x", "load"]);
    assert_eq!(bench.m2sh("log -verify").json()["faults"], serde_json::json!([]));
}

fn has_open(descriptors: &Path, file: &Path) -> bool {
    let links = std::fs::read_dir(descriptors).into_iter().flatten().flatten();
    links.into_iter().any(|link| std::fs::read_link(link.path()).is_ok_and(|path| path == file))
}
