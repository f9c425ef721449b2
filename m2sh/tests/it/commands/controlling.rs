//! `m2sh control` with real servers.

use std::fs::{self, File};
use std::io::Read as _;
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::json;
use testkit::{Process, wait};

use super::bench::{Bench, M2sh, server};

fn free_port() -> u16 {
    testkit::free_address().port()
}

/// A running server named `a` with the UUID `1`, which ends with its test.
pub(super) fn start() -> (Bench, Process) {
    let bench = Bench::with(vec![bare("a", "1")]);
    let process = start_in(&bench, "a");
    (bench, process)
}

pub(super) fn bare(name: &str, uuid: &str) -> mongrel2::config::Server {
    let mut server = server(name, uuid, free_port());
    server.control_port = format!("ipc://run/{name}");
    server.hosts.iter_mut().for_each(|host| host.routes.clear());
    server
}

pub(super) fn start_in(bench: &Bench, name: &str) -> Process {
    bench.sql("INSERT OR REPLACE INTO setting (key, value) VALUES ('server.daemonize', '0')");
    let mut m2sh = bench.m2sh(&format!("start -name {name}"));
    let process = Process::start(m2sh.command.stdout(Stdio::null()));
    process.wait_for_stderr("listens on");
    process
}

/// m2sh that reads these lines.
fn reading(bench: &Bench, words: &str, lines: &str) -> M2sh {
    fs::write(bench.path("lines"), lines).unwrap();
    let mut m2sh = bench.m2sh(words);
    m2sh.command.stdin(Stdio::from(File::open(bench.path("lines")).unwrap()));
    m2sh
}

/// The answer as JSON, even if a busy worker is missing in it, which is told on stderr.
fn told(bench: &Bench, words: &str) -> serde_json::Value {
    serde_json::from_str(&bench.m2sh(words).word("-json").exits(0).stdout).unwrap()
}

/// What is said to something that is not done, once no worker is late, who might have done it.
fn refusal(bench: &Bench, words: &str) -> String {
    wait::until("all workers to answer", || {
        let output = bench.m2sh(words).command.output().unwrap();
        (output.status.code() == Some(1)).then(|| String::from_utf8(output.stderr).unwrap())
    })
}

#[test]
fn one_thing_is_said_and_the_answer_is_a_table() {
    let (bench, process) = start();
    assert_eq!(bench.m2sh("control uuid").prints(), "1\n");
    assert_eq!(bench.m2sh("control -name a uuid").json(), json!([{"uuid": "1"}]));
    assert_eq!(bench.m2sh("control status sessions").prints(), "");
    assert_eq!(bench.m2sh("control status sessions").json(), json!([]));
    let info = bench.m2sh("control info").json();
    assert_eq!(info[0]["pid"], process.id());
    let tasks = bench.m2sh("control status tasks").exits(0).stdout;
    assert!(tasks.lines().next().unwrap().starts_with("1\tno\tmain\tserving\t"), "{tasks}");
    assert_eq!(bench.log().len(), 1 + 1, "telling something is no change");
}

#[test]
fn a_connection_is_killed_and_that_is_logged() {
    let (bench, _process) = start();
    let port = bench.m2sh("control info").json()[0]["port"].as_u64().unwrap();
    let address = format!("127.0.0.1:{port}");
    let client = TcpStream::connect(&address).unwrap();
    let id = wait::until("the connection", || told(&bench, "control status net")[0]["id"].as_u64());
    let killed = bench.m2sh(&format!("control kill {id}")).word("-why").word("too slow").exits(0);
    assert_eq!(killed.stdout, "OK\n");
    let end = (&client).read(&mut [0]);
    assert!(!matches!(end, Ok(1..)), "{end:?}");
    let logged = bench.log().pop().unwrap();
    assert_eq!((logged.what.as_str(), logged.why.as_str()), ("kill", "too slow"));
    let before = bench.log().len();
    let refused = refusal(&bench, "control kill session 7");
    assert_eq!(refused, "m2sh: cannot do `kill session 7` at server a 1: there is no such session\n");
    assert_eq!(bench.log().len(), before, "what was not done is not logged");
    let refused = refusal(&bench, "control kill 1");
    assert_eq!(refused, "m2sh: cannot do `kill 1` at server a 1: there is no such connection\n");
}

#[test]
fn lines_are_done_one_after_the_other_whatever_becomes_of_them() {
    let (bench, _process) = start();
    let lines = "uuid\n\nfrob\n  status\tsessions \nkill everyone\nreload\nuuid";
    let output = reading(&bench, "control", lines).exits(1);
    assert_eq!(output.stdout, "1\nOK\t1\t\n1\n");
    assert_eq!(
        output.stderr,
        "m2sh: cannot do `frob`: there is no such command\nhint: `m2sh control help` lists them\n\
         m2sh: cannot do `kill everyone`: it is written `kill ID`, `kill route PATH`, `kill address IP`, \
         `kill session NUMBER`\n"
    );
    let logged = bench.log().pop().unwrap();
    assert!(logged.what == "reload" && logged.how.ends_with("m2sh control reload"), "{logged:?}");
    assert_eq!(reading(&bench, "control", "uuid\n").prints(), "1\n");
    assert!(reading(&bench, "control", "help\n").prints().contains("status net\t"));
}

#[test]
fn the_port_can_be_closed_and_the_server_stopped() {
    let (bench, process) = start();
    let closed = reading(&bench, "control", "control stop\nuuid\n").exits(1);
    assert_eq!(closed.stdout, "stopping the control port\n");
    assert!(closed.stderr.contains("nobody answers at the control port"), "{}", closed.stderr);
    drop(process);
    let process = start_in(&bench, "a");
    assert_eq!(bench.m2sh("control stop").prints(), "signal sent to server\n");
    process.wait_for_stderr("stopped");
    assert_eq!(bench.log().pop().unwrap().what, "stop");
}

#[test]
fn several_servers_are_told_apart() {
    let bench = Bench::with(vec![bare("a", "1"), bare("b", "2")]);
    let _processes = ["a", "b"].map(|name| start_in(&bench, name));
    assert_eq!(bench.m2sh("control -every uuid").prints(), "1\t1\n2\t2\n");
    assert_eq!(
        bench.m2sh("control -every uuid").json(),
        json!([{"server": "1", "uuid": "1"}, {"server": "2", "uuid": "2"}])
    );
    bench.m2sh("control uuid").exits(1).complains(&["Not sure which server to control", "Use -every"]);
    assert_eq!(reading(&bench, "control -every", "uuid\ntime\n").prints().lines().count(), 4);
    bench.m2sh("stop -name b").prints();
    let output = reading(&bench, "control -every", "uuid\n").exits(1);
    assert_eq!(output.stdout, "1\t1\n");
    assert!(output.stderr.contains("2.pid not found for server b 2"), "{}", output.stderr);
}

#[test]
fn what_is_watched_in_a_pipe_is_one_table_after_the_other() {
    let (bench, _process) = start();
    let mut child = bench.m2sh("control -name a -- watch 0.1 uuid").command.stdout(Stdio::piped()).spawn().unwrap();
    let mut text = [0; "1\n\n1\n\n1\n".len()];
    child.stdout.take().unwrap().read_exact(&mut text).unwrap();
    assert_eq!(&text[..], b"1\n\n1\n\n1\n");
    // With nobody to read it, it ends.
    child.wait().unwrap();
    bench.m2sh("control watch reload").exits(2).complains(&["what changes something is said once"]);
    let refused = reading(&bench, "control", "watch uuid\n").exits(1);
    assert!(refused.stderr.contains("say it alone: `m2sh control watch uuid`"), "{}", refused.stderr);
}

#[test]
fn a_server_that_does_not_run_is_told() {
    let bench = Bench::with(vec![bare("a", "1")]);
    for words in ["control uuid", "control"] {
        bench.m2sh(words).exits(3).complains(&["1.pid not found for server a 1"]);
    }
    for words in ["control frob", "control 19", "control status everything", "control kill"] {
        bench.m2sh(words).exits(2).complains(&["m2sh: cannot do `"]);
    }
    assert!(bench.m2sh("control help").prints().contains("kill session NUMBER\tends that pinned session\n"));
}
