//! `m2sh start`: mostly what can be seen without a server that serves, as its port is taken.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::process::Stdio;

use mongrel2::config::Server;
use rustix::process::{Pid, Signal, kill_process};

use super::bench::{Bench, server};

/// A port that no server can have as long as the listener lives.
fn taken() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Puts a program named sudo into a folder of its own, and gives that folder.
fn fake_sudo(bench: &Bench, script: &str) -> std::path::PathBuf {
    std::fs::create_dir(bench.path("bin")).unwrap();
    std::fs::write(bench.path("bin/sudo"), format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(bench.path("bin/sudo"), PermissionsExt::from_mode(0o755)).unwrap();
    bench.path("bin")
}

fn path_with(folder: &std::path::Path) -> std::ffi::OsString {
    let mut path = folder.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

#[test]
fn one_server_takes_the_place_of_m2sh() {
    let (_listener, port) = taken();
    let bench = Bench::with(vec![server("test", "f400", port)]);
    let output = bench.m2sh("start -db config.sqlite -host localhost -foreground").exits(1);
    assert!(output.stdout.starts_with(&format!("Launching server test f400 on port {port}\n")), "{}", output.stdout);
    for folder in ["run", "logs", "tmp"] {
        assert!(bench.path(folder).is_dir(), "{folder}");
    }
    assert_eq!(bench.log().pop().unwrap().what, "start");
}

#[test]
fn a_chroot_that_is_not_there() {
    let mut server = server("test", "f400", 6767);
    server.chroot = "www".into();
    let bench = Bench::with(vec![server]);
    bench.m2sh("start").exits(1).complains(&["its chroot `www` is not a folder", "hint: `mkdir -p www` makes it"]);
    assert_eq!((bench.log().len(), bench.path("www").exists()), (1, false));
}

#[test]
fn several_are_waited_for() {
    let (_listener, port) = taken();
    let bench = Bench::with(vec![server("a", "1", port), server("b", "2", port)]);
    let output = bench.m2sh("start -every -foreground").exits(1);
    let launched = format!("Launching server a 1 on port {port}\nLaunching server b 2 on port {port}\n");
    assert!(output.stdout.starts_with(&launched), "{}", output.stdout);
    for title in ["a 1", "b 2"] {
        assert!(output.stderr.contains(&format!("Server {title} has ended: exit status: 1")), "{}", output.stderr);
    }
}

/// A free port each.
fn free() -> [u16; 2] {
    [(); 2].map(|()| testkit::free_address().port())
}

fn nothing_but_hosts(name: &str, uuid: &str, port: u16) -> Server {
    let mut server = server(name, uuid, port);
    server.hosts.iter_mut().for_each(|host| host.routes.clear());
    server.control_port = format!("ipc://run/{name}.control");
    server
}

/// Two servers in a folder of somebody who isn't root; `None`, and a word about it, for anyone but root.
fn roots(test: &str) -> Option<Bench> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: {test} needs root");
        return None;
    }
    let [a, b] = free();
    let bench = Bench::with(vec![nothing_but_hosts("a", "1", a), nothing_but_hosts("b", "2", b)]);
    std::os::unix::fs::chown(bench.path("."), Some(65534), Some(65534)).unwrap();
    Some(bench)
}

#[test]
fn several_of_root_are_left_in_the_background() {
    let Some(bench) = roots("several_of_root_are_left_in_the_background") else { return };
    let output = bench.m2sh("start -every").exits(0);
    for title in ["a 1", "b 2"] {
        assert!(output.stdout.contains(&format!("Started server {title} at PID ")), "{}", output.stdout);
    }
    assert_eq!(bench.m2sh("running -every").prints().matches("RUNNING").count(), 2);
    assert_eq!(bench.m2sh("stop -every").prints().matches("Stopped server").count(), 2);
    for folder in ["run", "logs", "tmp"] {
        assert_eq!(bench.path(folder).metadata().unwrap().uid(), 65534, "{folder}");
    }
}

#[test]
fn with_sudo_it_returns_when_the_server_serves() {
    let Some(bench) = roots("with_sudo_it_returns_when_the_server_serves") else { return };
    let sudo = fake_sudo(&bench, r#"exec "$@""#);
    let mut m2sh = bench.m2sh("start -sudo -name a");
    m2sh.command.env("PATH", path_with(&sudo));
    let output = m2sh.exits(0);
    assert!(output.stderr.contains("a listens on 127.0.0.1:"), "{}", output.stderr);
    assert!(bench.m2sh("running -name a").prints().contains("running"));
    assert!(bench.m2sh("stop -name a").prints().starts_with("Stopped server a 1 at PID "));
}

#[test]
fn sudo_gets_the_whole_command() {
    let bench = Bench::with(vec![server("test", "f400", 6767)]);
    let sudo = fake_sudo(&bench, r#"shift; echo "$@""#);
    let told = |words: &str| {
        let mut m2sh = bench.m2sh(words);
        m2sh.command.env("PATH", path_with(&sudo));
        m2sh
    };
    let expected = "Launching server test f400 on port 6767\nmongrel2 config.sqlite f400 --foreground\n";
    assert_eq!(told("start -sudo -foreground").prints(), expected);
    bench.sql("INSERT INTO setting (key, value) VALUES ('server.daemonize', '0')");
    let expected = "Launching server test f400 on port 6767\nmongrel2 config.sqlite f400\n";
    assert_eq!(told("start -sudo").prints(), expected);
}

#[test]
fn what_stands_in_for_sudo() {
    let bench = Bench::with(vec![server("test", "f400", 6767)]);
    let sudo = fake_sudo(&bench, "echo sudo");
    for (name, script) in [("doas", "echo doas"), ("other", "echo other")] {
        std::fs::write(sudo.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(sudo.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let check = |words: &str, path: std::ffi::OsString, expected: &str| {
        let mut m2sh = bench.m2sh(&format!("start -foreground {words}"));
        m2sh.command.env("PATH", path);
        assert_eq!(m2sh.prints().lines().last(), Some(expected), "{words}");
    };
    let other = sudo.join("other").display().to_string();
    check("-sudo", path_with(&sudo), "sudo");
    check("--sudo -every", path_with(&sudo), "sudo");
    check("-sudo doas", path_with(&sudo), "doas");
    check("-sudo=doas -name test", path_with(&sudo), "doas");
    check(&format!("--sudo={other}"), path_with(&sudo), "other");
    std::fs::remove_file(sudo.join("sudo")).unwrap();
    // Programs in the usual folders must not get in the way, and the scripts need none but the shell.
    check("-sudo", sudo.clone().into(), "doas");
}

#[test]
fn signals_reach_all_of_several() {
    let bench = Bench::with(vec![server("a", "1", 6767), server("b", "2", 6768)]);
    let sudo = fake_sudo(&bench, "echo ready\nexec sleep 600");
    let mut m2sh = bench.m2sh("start -sudo -every -foreground");
    let command = m2sh.command.env("PATH", path_with(&sudo)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let ready = BufReader::new(child.stdout.take().unwrap()).lines().filter(|line| line.as_ref().unwrap() == "ready");
    assert_eq!(ready.take(2).count(), 2);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(told.matches("has ended: signal: 15").count(), 2, "{told}");
}
