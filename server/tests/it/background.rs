//! The way into the background that anybody may ask for: `mongrel2 DATABASE UUID --background`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use mongrel2_server::pidfile::owner;
use testkit::{DeafSocket, Process, wait};

use crate::harness::{Client, Site, get};

fn pid_file(site: &Site) -> PathBuf {
    site.path().join("run/mongrel2.pid")
}

fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

/// A server in the background, which ends with its test.
struct Daemon(u32);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", &self.0.to_string()]).status();
    }
}

fn daemon(site: &Site) -> Daemon {
    Daemon(owner(&pid_file(site)).unwrap().expect("it holds its PID file"))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_command_returns_when_the_server_serves() {
    for option in ["-background", "--background"] {
        let site = Site::new();
        site.save();
        let output = site.command().arg(option).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        assert!(text(&output).contains("test listens on 127.0.0.1:"), "{}", text(&output));
        let daemon = daemon(&site);
        let mut client = Client::connect(site.address());
        client.send(get("/"));
        assert_eq!(client.answer().status, 404);
        kill("-TERM", daemon.0);
        wait::until("the server to end", || owner(&pid_file(&site)).unwrap().is_none().then_some(()));
    }
}

#[test]
fn the_command_says_why_the_server_does_not_serve() {
    let site = Site::new();
    site.save();
    fs::remove_dir(site.path().join("logs")).unwrap();
    let output = site.command().arg("--background").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("mongrel2: cannot start: cannot open the log"), "{}", text(&output));
    assert_eq!(owner(&pid_file(&site)).unwrap(), None);
}

#[test]
fn in_the_foreground_a_setting_does_not_count() {
    let site = Site::new().setting("server.daemonize", "1");
    site.save();
    let mut process = Process::start(site.command().arg("--foreground"));
    process.wait_for_stderr("listens on");
    assert!(process.is_running());
    assert_eq!(owner(&pid_file(&site)).unwrap(), Some(process.id()));
}

#[test]
fn two_options_are_one_too_many() {
    let site = Site::new();
    let output = site.command().args(["--background", "--foreground"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}

#[test]
fn a_start_that_is_broken_off_leaves_no_server() {
    let mut site = Site::new();
    site.server().control_port = "ipc://run/deaf".into();
    site.save();
    // The server asks whether anybody listens there, and gets no answer.
    let _deaf = DeafSocket::at(&site.path().join("run/deaf"));
    let launcher = Process::start(site.command().arg("--background"));
    let hanging = wait::until("the server to claim its PID file", || owner(&pid_file(&site)).unwrap());
    assert_ne!(hanging, launcher.id());
    kill("-KILL", launcher.id());
    wait::until("the server to end", || owner(&pid_file(&site)).unwrap().is_none().then_some(()));
}
