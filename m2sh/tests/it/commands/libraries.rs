//! `m2sh conformance handler`: ours, one that somebody else starts, and what ends too early.

use conformance::handler::Addresses;
use conformance::handler::own::Own;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::Process;

use super::bench::Bench;

/// For a machine that has much to do.
const PATIENT: &str = "conformance handler -patience 120";

#[test]
fn our_own_library_passes() {
    let bench = Bench::empty();
    let output = bench.m2sh(&format!("{PATIENT} -junit junit.xml -json")).exits(0);
    let rows: Vec<Value> = serde_json::from_str(&output.stdout).unwrap();
    assert!(rows.iter().all(|row| row["suite"] == "handler" && row["outcome"] == "passed"), "{rows:#?}");
    assert_eq!(output.stderr, format!("{} passed, 0 failed, 0 skipped\n", rows.len()));
    let names: Vec<String> = rows.iter().map(|row| row["case"].as_str().unwrap().to_owned()).collect();
    let listed = bench.m2sh("conformance handler -list").prints();
    let listed: Vec<_> = listed.lines().map(|line| line.split('\t').nth(1).unwrap()).collect();
    assert_eq!(listed, names);
    let junit = std::fs::read_to_string(bench.path("junit.xml")).unwrap();
    assert!(names.iter().all(|name| junit.contains(&format!("\"{name}\""))), "{junit}");
    let some = bench.m2sh(&format!("{PATIENT} -only sockets/ -only reply/close")).exits(0);
    let expected = ["sockets/first", "sockets/order", "sockets/restart", "reply/close"];
    assert_eq!(some.stdout, expected.map(|name| format!("handler\t{name}\tpassed\t\n")).concat());
}

#[test]
fn a_handler_of_somebody_else_is_waited_for() {
    let bench = Bench::empty();
    let address = |name: &str| format!("ipc://{}", bench.path(name).display());
    let (requests, replies) = (address("requests"), address("replies"));
    let mut waiting = bench.m2sh(&format!("{PATIENT} -send {requests} -recv {replies} -only notices"));
    let mut m2sh = Process::start(&mut waiting.command);
    m2sh.wait_for_stderr(&format!(
        "m2sh: waits for a handler that connects to `{requests}` for requests and to `{replies}`"
    ));
    let own = Own::start(&Addresses { requests, replies }).unwrap();
    assert!(m2sh.wait().success());
    m2sh.wait_for_stderr("6 passed, 0 failed, 0 skipped");
    assert!(!own.has_ended());
}

#[test]
fn who_waits_for_a_handler_can_be_interrupted() {
    let bench = Bench::empty();
    let mut waiting = bench.m2sh("conformance handler -send ipc://requests");
    let mut m2sh = Process::start(&mut waiting.command);
    m2sh.wait_for_stderr("m2sh: waits for a handler that connects to `ipc://requests`");
    let pid = i32::try_from(m2sh.id()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(m2sh.wait().code(), Some(1));
    m2sh.wait_for_stderr("m2sh: cannot wait for a handler: interrupted");
}

#[test]
fn a_handler_may_be_there_before_its_server() {
    let bench = Bench::empty();
    let address = |name: &str| format!("ipc://{}", bench.path(name).display());
    let (requests, replies) = (address("requests"), address("replies"));
    let _own = Own::start(&Addresses { requests: requests.clone(), replies: replies.clone() }).unwrap();
    // One suite after the other: the handler outlives the server that is played.
    for _ in 0..2 {
        let words = format!("{PATIENT} -send {requests} -recv {replies} -only sockets");
        assert!(bench.m2sh(&words).exits(0).stderr.ends_with("3 passed, 0 failed, 0 skipped\n"));
    }
}

#[test]
fn what_ends_too_early_is_told_with_its_last_words() {
    let bench = Bench::empty();
    bench.script("handler.sh", "echo I get $1 and $3 >&2; exit 3");
    let output = bench.m2sh(&format!("{PATIENT} -send tcp://127.0.0.1:* -- sh handler.sh word")).exits(1);
    output.complains(&["m2sh: cannot try a handler: `sh` has ended: exit status: 3\n  I get word and tcp://127."]);
    bench.m2sh("conformance handler -- ./none").exits(1).complains(&["m2sh: cannot run `./none`: No such file"]);
    bench.script("handler.sh", "exec sleep 1000");
    let never = bench.m2sh("conformance handler -patience 1 -- sh handler.sh").exits(1);
    never.complains(&["m2sh: cannot try a handler: the handler doesn't come"]);
}

#[test]
fn what_can_not_be_meant_is_refused() {
    let bench = Bench::empty();
    for (words, code, told) in [
        ("conformance -send tcp://127.0.0.1:1", 2, "it is about libraries for handlers"),
        ("conformance server -recv tcp://127.0.0.1:1", 2, "hint: `m2sh conformance handler` tries one"),
        ("conformance server -- true", 2, "cannot use a command: it is about libraries"),
        ("conformance handler -program true", 2, "`-program` is for what listens for clients"),
        ("conformance handler -folder a", 2, "`-folder` is for servers that somebody else starts"),
        ("conformance handler -url http://127.0.0.1", 2, "cannot use `-url`: it is about hosts of applications"),
        ("conformance handler true", 2, "unexpected argument 'true'"),
        ("conformance handler -only nothing", 2, "no name of a case has `nothing` in it"),
        ("conformance handler -send nonsense", 1, "cannot play a server: `nonsense`: Invalid argument\nhint: "),
        ("conformance handler -send ipc://a -recv ipc://a", 1, "cannot play a server: `ipc://a` can't be for"),
    ] {
        bench.m2sh(words).exits(code).complains(&[told]);
    }
}
