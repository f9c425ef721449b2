//! `m2sh running`: what is told of servers that run, beyond that they do.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::{Command, Stdio};

use mongrel2::config::{Config, Server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use testkit::{free_address, wait};

use super::background::{Deployment, bare};

fn free() -> u16 {
    free_address().port()
}

/// Servers in the background.
fn started(servers: Vec<Server>) -> Deployment {
    let deployment = Deployment::of(servers);
    deployment.0.m2sh("start -background -every").exits(0);
    deployment
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

/// The columns of a server's row of `running -long`.
fn row(deployment: &Deployment, name: &str) -> Vec<String> {
    let told = deployment.0.m2sh("running -every -long").command.output().unwrap().stdout;
    let told = String::from_utf8(told).unwrap();
    let row = told.lines().find(|line| line.starts_with(&format!("{name}\t"))).unwrap();
    row.split('\t').map(str::to_owned).collect()
}

#[test]
fn the_table_has_everything() {
    let port = free();
    let deployment = Deployment::of(vec![bare("a", "1", port), bare("b", "2", 6768)]);
    deployment.0.m2sh("start -background -name a").exits(0);
    let pid = deployment.pid("1").unwrap();
    let ps = ["-o", "lstart=", "-p", &pid.to_string()].map(str::to_owned);
    let since = Command::new("ps").args(ps).env("TZ", "UTC").env("LC_ALL", "C").output();
    let running = row(&deployment, "a");
    let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let (pid, port) = (pid.to_string(), port.to_string());
    let known = ["a", "1", &pid, &running[3], &running[4], "1", "1", &port, "serving", user.trim()];
    assert_eq!(running, known);
    let moment = chrono::NaiveDateTime::parse_from_str(&running[3], "%Y-%m-%d %H:%M:%S").unwrap();
    // Each rounds in its own way what the kernel counts in parts of a second.
    if let Ok(since) = since {
        let since = String::from_utf8(since.stdout).unwrap();
        let theirs = chrono::NaiveDateTime::parse_from_str(since.trim(), "%a %b %e %H:%M:%S %Y").unwrap();
        assert!((moment - theirs).num_seconds().abs() <= 1, "{moment} {theirs}");
    }
    assert_eq!(row(&deployment, "b"), ["b", "2", "", "", "", "", "1", "6768", "not running", ""]);
    deployment.0.m2sh("running -every -long").exits(3);

    let json = deployment.0.m2sh("running -name a").json();
    assert_eq!(json[0]["since"], format!("{}Z", running[3].replace(' ', "T")));
    assert!(json[0]["uptime"].as_i64().unwrap() >= 0);
    for (key, expected) in
        [("health", json!("serving")), ("generation", json!(1)), ("newest", json!(1)), ("why", json!(null))]
    {
        assert_eq!(json[0][key], expected, "{key}");
    }
}

#[test]
fn a_pipe_gets_what_scripts_rely_on() {
    let deployment = started(vec![bare("a", "1", free())]);
    let pid = deployment.pid("1").unwrap();
    assert_eq!(deployment.0.m2sh("running").prints(), format!("mongrel2 at PID {pid} running.\n"));
}

#[test]
fn a_generation_that_is_not_served_is_stale() {
    let server = bare("a", "1", free());
    let deployment = started(vec![server.clone()]);
    deployment.0.save(&Config { servers: vec![Server { name: "c".into(), ..server }], ..Config::default() });
    let stale = row(&deployment, "c");
    assert_eq!([&stale[5], &stale[6], &stale[8]], ["1", "2", "stale generation"]);
    deployment.0.m2sh("reload").exits(0);
    let served = row(&deployment, "c");
    assert_eq!([&served[5], &served[6], &served[8]], ["2", "2", "serving"]);
}

#[test]
fn a_server_that_completes_answers_is_stopping() {
    let port = free();
    let deployment = started(vec![bare("a", "1", port)]);
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: never fin").unwrap();
    let connections = || deployment.0.m2sh("control status net").command.output().unwrap().stdout;
    wait::until("the server to have read the request", || (!connections().is_empty()).then_some(()));
    signal(deployment.pid("1").unwrap(), Signal::INT);
    wait::until("the server to stop", || (row(&deployment, "a")[8] == "stopping").then_some(()));
}

#[test]
fn a_server_that_hangs_gives_no_answer() {
    let deployment = started(vec![bare("a", "1", free())]);
    let pid = deployment.pid("1").unwrap();
    signal(pid, Signal::STOP);
    let output = deployment.0.m2sh("running -long").exits(0);
    signal(pid, Signal::CONT);
    let row: Vec<&str> = output.stdout.trim_end().split('\t').collect();
    assert_eq!([row[2], row[5], row[8]], [&pid.to_string(), "", "no answer"]);
    assert_eq!(output.stderr, "m2sh: server a 1: the control port gave no answer in time\n");
}

/// What is told of a server whose control port is not for this user.
fn check_unasked(deployment: &Deployment, user: &str) {
    let pid = deployment.pid("1").unwrap().to_string();
    let output = deployment.0.humble_m2sh("running -long").exits(0);
    let row: Vec<&str> = output.stdout.trim_end().split('\t').collect();
    assert_eq!([row[2], row[5], row[8], row[9]], [&pid, "", "accepting", user], "{}", output.stderr);
    assert!(!row[3].is_empty() && !row[4].is_empty(), "{row:?}");
    let why = "m2sh: server a 1: nobody answers at the control port `ipc://run/1.control`: Permission denied";
    assert!(output.stderr.starts_with(why), "{}", output.stderr);
    let json = deployment.0.humble_m2sh("running").json();
    assert_eq!((&json[0]["health"], &json[0]["generation"]), (&json!("accepting"), &json!(null)));
    assert!(json[0]["why"].as_str().unwrap().contains("Permission denied"), "{json}");
}

#[test]
fn a_control_port_that_is_closed_to_this_user() {
    let deployment = started(vec![bare("a", "1", free())]);
    fs::set_permissions(deployment.0.path("run/1.control"), fs::Permissions::from_mode(0o000)).unwrap();
    let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    check_unasked(&deployment, user.trim());
}

#[test]
fn a_server_of_another_user() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: a_server_of_another_user needs root");
        return;
    }
    let deployment = Deployment::of(vec![bare("a", "1", free())]);
    for name in [".", "config.sqlite"] {
        chown(deployment.0.path(name), Some(65534), Some(65534)).unwrap();
    }
    deployment.0.m2sh("start").exits(0);
    let user = String::from_utf8(Command::new("id").args(["-un", "65534"]).output().unwrap().stdout).unwrap();
    check_unasked(&deployment, user.trim());
    // Root with all its rights is let in.
    assert_eq!(row(&deployment, "a")[8..], ["serving", user.trim()]);
    // And a folder that is not for this user hides everything.
    fs::set_permissions(deployment.0.path("run"), fs::Permissions::from_mode(0o700)).unwrap();
    let hidden = deployment.0.humble_m2sh("running -long").exits(1);
    let row: Vec<&str> = hidden.stdout.trim_end().split('\t').collect();
    assert_eq!([row[2], row[8]], ["", "unknown"], "{}", hidden.stderr);
    assert!(hidden.stderr.contains("cannot tell whether server a 1 runs"), "{}", hidden.stderr);
    deployment
        .0
        .humble_m2sh("running")
        .exits(1)
        .complains(&["cannot tell whether server a 1 runs: its PID file run/1.pid"]);
}

#[test]
fn somebody_at_a_terminal_is_told_more_behind_the_same_words() {
    if Command::new("script").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        eprintln!("skipped: script is missing");
        return;
    }
    let deployment = started(vec![bare("a", "1", free())]);
    let pid = deployment.pid("1").unwrap();
    let m2sh = env!("CARGO_BIN_EXE_m2sh");
    let script = |words: &str| {
        let mut script = Command::new("script");
        let command = format!("{m2sh} running {words}");
        script.args(["-qec", &command, "/dev/null"]).current_dir(deployment.0.path(".")).stdin(Stdio::null());
        String::from_utf8(script.output().unwrap().stdout).unwrap()
    };
    let one = script("");
    assert!(one.starts_with(&format!("mongrel2 at PID {pid} running. (since 2")), "{one}");
    assert!(one.trim_end().ends_with(", serving)") && one.contains(" UTC, "), "{one}");
    let every = script("-every");
    assert!(every.starts_with(&format!("Found server a 1 RUNNING at PID {pid}, since 2")), "{every}");
}
