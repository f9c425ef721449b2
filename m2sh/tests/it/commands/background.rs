//! `m2sh start -background`: it returns when each server serves, or has said why it doesn't.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;

use mongrel2::config::Server;
use mongrel2_server::pidfile::owner;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use testkit::{DeafSocket, free_address, wait};

use super::bench::{Bench, server};

/// A server that needs nothing but its port.
pub(super) fn bare(name: &str, uuid: &str, port: u16) -> Server {
    let mut server = server(name, uuid, port);
    server.control_port = format!("ipc://run/{uuid}.control");
    server.hosts.iter_mut().for_each(|host| host.routes.clear());
    server
}

/// A folder whose servers end with the test.
pub(super) struct Deployment(pub(super) Bench);

impl Deployment {
    pub(super) fn of(servers: Vec<Server>) -> Self {
        Self(Bench::with(servers))
    }

    pub(super) fn pid(&self, uuid: &str) -> Option<u32> {
        owner(&self.0.path(&format!("run/{uuid}.pid"))).unwrap()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        let _ = self.0.m2sh("stop -every -murder").command.output();
    }
}

fn free() -> u16 {
    free_address().port()
}

#[test]
fn it_returns_when_the_server_serves() {
    let port = free();
    let deployment = Deployment::of(vec![bare("a", "1", port)]);
    for option in ["-background", "--background", "-b"] {
        let output = deployment.0.m2sh(&format!("start {option}")).exits(0);
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        let pid = deployment.pid("1").unwrap();
        let expected = format!("Launching server a 1 on port {port}\nStarted server a 1 at PID {pid}, generation 1\n");
        assert_eq!(output.stdout, expected);
        assert!(output.stderr.contains("a listens on 127.0.0.1:"), "{}", output.stderr);
        assert_eq!(deployment.0.log().pop().unwrap().what, "start");
        let stopped = deployment.0.m2sh("stop").prints();
        assert_eq!(stopped, format!("Stopped server a 1 at PID {pid}\n"));
    }
}

#[test]
fn what_does_not_start_says_why() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let deployment = Deployment::of(vec![bare("a", "1", taken.local_addr().unwrap().port())]);
    let output = deployment.0.m2sh("start -background").exits(1);
    assert!(
        output.stderr.starts_with("m2sh: cannot start server a 1: cannot listen on 127.0.0.1:"),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("\nhint: see who listens there: ss -ltnp"), "{}", output.stderr);
    assert_eq!(deployment.pid("1"), None);
    assert_eq!(deployment.0.log().len(), 1, "nothing has been started");
}

#[test]
fn one_that_fails_does_not_keep_the_others() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut lost = bare("lost", "3", free());
    lost.chroot = "nowhere".into();
    let servers =
        vec![bare("a", "1", free()), bare("b", "2", taken.local_addr().unwrap().port()), lost, bare("d", "4", free())];
    let ports = [servers[0].port, servers[3].port];
    let deployment = Deployment::of(servers);
    let mut m2sh = deployment.0.m2sh("start -every -background --json");
    let output = m2sh.command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("cannot start server b 2: cannot listen on"), "{stderr}");
    assert!(stderr.contains("cannot start server lost 3: its chroot `nowhere` is not a folder"), "{stderr}");
    let told: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let told: Vec<_> = told.iter().map(|row| (&row["uuid"], &row["outcome"], &row["port"], &row["pid"])).collect();
    let pids = ["1", "4"].map(|uuid| json!(deployment.pid(uuid).unwrap()));
    let expected = [("1", 0), ("4", 1)]
        .map(|(uuid, index)| (json!(uuid), json!("started"), json!(ports[index]), pids[index].clone()));
    assert_eq!(told, expected.each_ref().map(|(a, b, c, d)| (a, b, c, d)));
    let output = deployment.0.m2sh("start -every -background").exits(1);
    assert!(output.stderr.contains("m2sh: not starting server a 1: it is running already"), "{}", output.stderr);
}

/// A program in the place of sudo, and how to start with it.
fn stand_in(bench: &Bench, script: &str) -> String {
    let path = bench.path("root");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    format!("start -background -sudo={}", path.display())
}

#[test]
fn one_that_ends_without_a_word_is_told_with_the_end_of_its_log() {
    let deployment = Deployment::of(vec![bare("a", "1", free())]);
    let words = stand_in(&deployment.0, "echo bad luck >&2\nexit 7");
    fs::create_dir(deployment.0.path("logs")).unwrap();
    fs::write(deployment.0.path("logs/error.log"), "what was before\n").unwrap();
    let output = deployment.0.m2sh(&words).exits(1);
    let expected =
        "m2sh: cannot start server a 1: exit status: 7\n  bad luck\nthe end of `logs/error.log`:\n  what was before\n";
    assert_eq!(output.stderr, expected);
}

#[test]
fn a_word_alone_is_not_believed() {
    let deployment = Deployment::of(vec![bare("a", "1", free())]);
    let words = stand_in(&deployment.0, "exit 0");
    let output = deployment.0.m2sh(&words).exits(1);
    assert!(output.stderr.starts_with("m2sh: cannot start server a 1: it has ended again\n"), "{}", output.stderr);
}

#[test]
fn who_stands_in_for_sudo_makes_a_server_in_the_background() {
    let deployment = Deployment::of(vec![bare("a", "1", free()), bare("b", "2", free())]);
    let words = stand_in(&deployment.0, r#"exec "$@""#).replace("-background ", "");
    let output = deployment.0.m2sh(&format!("{words} -every")).exits(0);
    assert_eq!(output.stdout.matches("Started server").count(), 2, "{}", output.stdout);
}

/// The processes that were started with this database.
fn processes_of(database: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let command = |folder: fs::DirEntry| fs::read(folder.path().join("cmdline")).ok();
    let commands = processes.filter_map(command).map(|words| String::from_utf8_lossy(&words).replace('\0', " "));
    commands.filter(|words| words.contains(&*database.to_string_lossy())).collect()
}

#[test]
fn who_is_interrupted_leaves_nothing_behind() {
    let deployment = Deployment::of(vec![bare("a", "1", free())]);
    fs::create_dir(deployment.0.path("run")).unwrap();
    // The server asks whether anybody listens there, and gets no answer.
    let _deaf = DeafSocket::at(&deployment.0.path("run/1.control"));
    let database = deployment.0.path("config.sqlite");
    let mut m2sh = deployment.0.m2sh("start -background");
    let command = m2sh.command.arg("-db").arg(&database).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn().unwrap();
    wait::until("the server to hang", || deployment.pid("1"));
    kill_process_group(Pid::from_child(&child), Signal::INT).unwrap();
    child.wait().unwrap();
    wait::until("all to end", || processes_of(&database).is_empty().then_some(()));
    // A process loses its words before it loses its locks.
    wait::until("the PID file to be let go", || deployment.pid("1").is_none().then_some(()));
}

#[test]
fn several_start_at_the_same_time() {
    let servers: Vec<Server> = (1..=4).map(|number| bare("s", &number.to_string(), free())).collect();
    let deployment = Deployment::of(servers);
    // Each waits until all four have been run.
    let script = r#"name=$(echo "$*" | sed 's/.* \([0-9]\) --background/\1/')
: > "begun.$name"
until [ -e begun.2 ] && [ -e begun.3 ] && [ -e begun.4 ] || [ "$name" = 1 ]; do sleep 0.01; done
exec "$@""#;
    let words = stand_in(&deployment.0, script);
    deployment.0.m2sh(&format!("{words} -every")).exits(0);
    assert!((1..=4).all(|number| deployment.pid(&number.to_string()).is_some()));
}
