//! `m2sh conformance app`: our hosts keep what is promised, as real programs, and so may those of others be tried.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::{Process, free_address, wait};

const M2SH: &str = env!("CARGO_BIN_EXE_m2sh");

/// The cases by suite, and by what came of them.
type Counts = BTreeMap<(String, String), usize>;

fn conformance(words: &[&str]) -> Output {
    Command::new(M2SH).args(["conformance", "app"]).args(words).output().unwrap()
}

/// Runs cases as JSON tells them, with the patience of a test.
fn cases(words: &[&str]) -> Vec<Value> {
    let patience = wait::DEADLINE.as_secs().to_string();
    let output = conformance(&[words, &["-json", "-patience", &patience]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    let failed: Vec<&Value> = rows.iter().filter(|row| row["outcome"] == "failed").collect();
    assert!(failed.is_empty() && output.status.success(), "{failed:#?}{stderr}");
    rows
}

fn count(rows: &[Value]) -> Counts {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter().fold(Counts::new(), |mut counts, row| {
        *counts.entry((text(row, "suite"), text(row, "outcome"))).or_default() += 1;
        counts
    })
}

fn counts(expected: &[(&str, &str, usize)]) -> Counts {
    expected.iter().map(|(suite, outcome, count)| (((*suite).into(), (*outcome).into()), *count)).collect()
}

#[test]
fn our_hosts_keep_all_promises() {
    let expected = [("app-streams", "passed", 101), ("app-files", "passed", 100), ("app-alone", "passed", 101)];
    assert_eq!(count(&cases(&[])), counts(&expected));
}

#[test]
fn a_host_that_runs_already() {
    let address = free_address();
    let mut host = Command::new(M2SH);
    host.args(["conformance", "app", "-grace", "1", "-serve", &address.to_string()]).env("RUST_BACKTRACE", "0");
    let mut host = Process::start(&mut host);
    host.wait_for_stderr(&format!("the sample is served at http://{address}/hello\n"));
    let url = format!("http://{address}");
    for _ in 0..2 {
        let rows = cases(&["-url", &url]);
        assert_eq!(count(&rows), counts(&[("app", "passed", 96), ("app", "skipped", 5)]));
        for row in rows.iter().filter(|row| row["outcome"] == "skipped") {
            assert!(row["case"].as_str().unwrap().starts_with("stop/"), "{row}");
            assert_eq!(row["why"], "nobody here can stop the host");
        }
    }
    kill_process(Pid::from_raw(host.id().try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
    assert!(host.wait().success());
}

#[test]
fn a_host_that_is_another_program() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("host");
    fs::write(&program, format!("#!/bin/sh\nexec '{M2SH}' conformance app -grace 1 -serve \"$1\"\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let rows = cases(&["-program", program.to_str().unwrap(), "-only", "stop/", "-only", "websocket/"]);
    assert_eq!(count(&rows), counts(&[("app", "passed", 21)]));
}

#[test]
fn what_stands_before_decides_what_is_promised() {
    let listed = |words: &[&str]| String::from_utf8(conformance(words).stdout).unwrap();
    let url = ["-list", "-url", "http://127.0.0.1:1"];
    assert!(listed(&url).contains("\tbodies/as-it-comes\t"));
    assert!(!listed(&[&url[..], &["-before", "files"]].concat()).contains("\tbodies/as-it-comes\t"));
}

#[test]
fn what_cannot_be_tried() {
    let check = |words: &[&str], code, expected: &str| {
        let output = conformance(words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
        assert!(stderr.contains(expected), "{words:?}: {stderr}");
        assert!(output.stdout.is_empty());
    };
    let nowhere = format!("http://{}", free_address());
    check(&["-url", &nowhere], 1, &format!("m2sh: cannot try `{nowhere}`: it doesn't serve the sample"));
    check(&["-url", "localhost"], 2, "m2sh: cannot use the URL `localhost`: it isn't `http://HOST:PORT`");
    check(&["-program", "/nonexistent/x"], 1, "m2sh: cannot start the host: cannot run `/nonexistent/x`");
    check(&["-program", "true"], 1, "m2sh: cannot start the host: cannot use `true`: `true` has ended: exit status: 0");
    check(&["-before", "files"], 2, "m2sh: cannot use `-before`: it is about the host of `-url` or `-program`");
    check(&["-serve", "nonsense"], 1, "m2sh: cannot serve at `nonsense`");
    check(&["-serve", "127.0.0.1:0", "-list"], 2, "cannot be used with");
    let output = Command::new(M2SH).args(["conformance", "server", "-url", &nowhere]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("hint: `m2sh conformance app -url …`"), "{stderr}");
}
