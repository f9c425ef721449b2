//! `m2sh conformance server`: this server keeps all promises, others are told what they don't keep, and nothing stays.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use testkit::{Process, wait};

/// As long as anything may take in a test.
const PATIENT: [&str; 2] = ["-patience", "60"];

fn m2sh(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_m2sh"));
    command.arg("conformance").args(words).stdin(Stdio::null());
    command
}

/// Runs it in a folder of its own, which has to be empty in the end.
fn run(words: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let output = m2sh(words).env("TMPDIR", folder.path()).output().unwrap();
    is_empty(folder.path());
    output
}

fn is_empty(folder: &Path) {
    let left: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Suite, name and outcome of each case.
fn rows(output: &Output) -> Vec<(String, String, String)> {
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    });
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.iter().map(|row| (text(row, "suite"), text(row, "case"), text(row, "outcome"))).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn this_server_keeps_all_promises() {
    let output = run(&[&["-json"], &PATIENT[..]].concat());
    let rows = rows(&output);
    let others: Vec<_> = rows.iter().filter(|row| row.2 != "passed").collect();
    assert!(others.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), format!("{} passed, 0 failed, 0 skipped\n", rows.len()))
    );
    for suite in ["plain", "files", "streams"] {
        assert!(rows.iter().any(|row| row.0 == suite), "no `{suite}`");
    }
    // The list is the same, and no name comes twice.
    let listed = run(&["-list", "-json"]);
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap();
    let mut names: Vec<_> = listed.iter().map(|row| row["case"].as_str().unwrap()).collect();
    assert_eq!(names, rows.iter().map(|row| row.1.as_str()).collect::<Vec<_>>());
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rows.len());
}

/// A server that somebody else starts, with something in its configuration that breaks a few promises.
struct Elsewhere {
    folder: TempDir,
    m2sh: Process,
}

impl Elsewhere {
    fn start(only: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let words = ["-folder", folder.path().to_str().unwrap(), "-only", only, "-json", "-junit", "junit.xml"];
        let stdout = fs::File::create(folder.path().join("printed")).unwrap();
        let mut command = m2sh(&[&words, &PATIENT[..]].concat());
        let m2sh = Process::start(command.current_dir(folder.path()).stdout(stdout));
        m2sh.wait_for_stderr("m2sh: waiting for a server: `cd ");
        Self { folder, m2sh }
    }

    fn site(&self) -> std::path::PathBuf {
        self.folder.path().join("plain")
    }

    fn server(&self) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_m2sh"));
        Process::start(command.arg("start").stdout(Stdio::null()).current_dir(self.site()))
    }
}

#[test]
fn what_a_server_does_not_keep_is_told() {
    let mut run = Elsewhere::start("messages/");
    let database = rusqlite::Connection::open(run.site().join("config.sqlite")).unwrap();
    database.execute_batch("UPDATE handler SET raw_payload = 1").unwrap();
    let _server = run.server();
    assert_eq!(run.m2sh.wait().code(), Some(1), "{}", run.m2sh.stderr());
    let read = |name: &str| fs::read_to_string(run.folder.path().join(name)).unwrap();
    let rows: Vec<Value> = serde_json::from_str(&read("printed")).unwrap();
    let failed: Vec<_> = rows.iter().filter(|row| row["outcome"] == "failed").collect();
    let names: Vec<_> = failed.iter().map(|row| row["case"].as_str().unwrap()).collect();
    let expected = ["xml", "tnetstring", "reply", "unasked", "close"].map(|name| format!("messages/{name}"));
    assert_eq!(names, expected);
    assert_eq!(failed[0]["why"], "what comes is `<`, wanted `PG9rLz4=\\x00`");
    assert!(run.m2sh.stderr().ends_with("8 passed, 5 failed, 0 skipped\n"), "{}", run.m2sh.stderr());
    let junit = read("junit.xml");
    for part in [
        r#"<testsuite name="plain" tests="13""#,
        r#"<testcase name="messages/json" classname="plain""#,
        r#"<failure message="what comes is `&lt;`, wanted `PG9rLz4=\x00`">"#,
    ] {
        assert!(junit.contains(part), "no `{part}` in {junit}");
    }
}

#[test]
fn the_original_speaks_the_protocol_too() {
    let Some(original) = original() else { return };
    let cases = [
        "json/get",
        "tnetstring/get",
        "json/repeated",
        "json/names",
        "json/body",
        "json/forwarded",
        "connections/id",
        "replies/bytes",
        "replies/pieces",
        "replies/many",
        "notices/json",
        "notices/tnetstring",
        "websocket/text",
        "websocket/replies",
        "frames/fragments",
        "frames/pong",
        "messages/json",
        "messages/raw",
        "control/time",
        "control/net",
        "control/unknown",
        "uploads/done",
        "streams/done",
    ];
    let only = cases.iter().flat_map(|case| ["-only", case]);
    let words: Vec<&str> = ["-program", original, "-json"].into_iter().chain(PATIENT).chain(only).collect();
    let output = run(&words);
    let rows = rows(&output);
    for case in cases {
        let outcome = rows.iter().find(|row| row.1 == case).map(|row| row.2.as_str());
        assert_eq!(outcome, Some("passed"), "{case}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

/// The original's server, where it is installed.
fn original() -> Option<&'static str> {
    let path = "/usr/bin/mongrel2";
    let is_there = Path::new(path).exists();
    assert!(is_there || std::env::var_os("CI").is_none_or(|ci| ci != "true"), "mongrel2-core is missing");
    if !is_there {
        eprintln!("skipped: there is no mongrel2 of the original (Debian: mongrel2-core)");
    }
    is_there.then_some(path)
}

#[test]
fn a_program_that_is_no_server() {
    for (program, cause) in [("false", "has ended: exit status: 1"), ("/nowhere/at/all", "No such file")] {
        let output = run(&["-program", program]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(cause), "{}", stderr(&output));
    }
    let output = run(&["-program", "sleep", "-patience", "60"]);
    assert!(stderr(&output).contains("has ended"), "`sleep config.sqlite` is wrong: {}", stderr(&output));
}

#[test]
fn names_that_there_are_not() {
    for words in [&["-only", "frob"][..], &["-list", "-only", "frob"]] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("hint: `m2sh conformance -list` lists them all"), "{}", stderr(&output));
    }
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let printed = folder.path().join("printed");
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut command = m2sh(&PATIENT);
    command.env("TMPDIR", &temporary).stdout(fs::File::create(&printed).unwrap());
    let mut process = Process::start(&mut command);
    wait::until("the first case", || fs::read_to_string(&printed).unwrap().contains("passed").then_some(()));
    kill_process(Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    assert_eq!(process.wait().code(), Some(1));
    process.wait_for_stderr("m2sh: interrupted: not all cases were run");
    is_empty(&temporary);
}

/// A program that never becomes a server, and would be waited for much longer than anybody does.
#[test]
fn who_presses_ctrl_c_again_does_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let (program, temporary) = (folder.path().join("hangs"), folder.path().join("tmp"));
    fs::create_dir(&temporary).unwrap();
    fs::write(&program, "#!/bin/sh\nsleep 1000\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = m2sh(&["-program", program.to_str().unwrap(), "-patience", "3600"]);
    let mut process = Process::start(command.env("TMPDIR", &temporary).stdout(Stdio::null()));
    let log =
        || fs::read_dir(&temporary).unwrap().next()?.unwrap().path().join("logs/output.log").exists().then_some(());
    wait::until("the program", log);
    let pid = Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap();
    wait::until("the end", || {
        // Signals that come at the same time are one.
        let _ = kill_process(pid, Signal::INT);
        (!process.is_running()).then_some(())
    });
    assert_eq!(process.wait().code(), Some(1));
    process.wait_for_stderr("has ended: signal: 9");
    is_empty(&temporary);
}
