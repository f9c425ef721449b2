//! Bad input, of which nothing may hurt anybody else.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use testkit::wait;

use crate::stage::{SLEEP, Stage, is_root, kill, lives};

#[test]
fn folders_of_all_kinds_keep_nobody_else_from_running() {
    let stage = Stage::new();
    stage.kept("good", SLEEP);
    fs::create_dir(stage.profiles().join("empty")).unwrap();
    stage.service("plain", SLEEP, &[]);
    fs::set_permissions(stage.profiles().join("plain/run"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir_all(stage.profiles().join("folder/run")).unwrap();
    fs::create_dir(stage.profiles().join("loop")).unwrap();
    symlink("run", stage.profiles().join("loop/run")).unwrap();
    symlink("nowhere", stage.profiles().join("dangling")).unwrap();
    stage.write("stray.txt", "not a folder");
    stage.service("binary", SLEEP, &[]);
    fs::write(stage.profiles().join("binary/pid_file"), [0xff, 0x00, 0xfe]).unwrap();
    stage.service("noise", SLEEP, &[]);
    fs::write(stage.profiles().join("noise/run"), [0x7f, b'E', b'L', b'F', 1, 2, 3]).unwrap();
    stage.service("interpreter", SLEEP, &[]);
    fs::write(stage.profiles().join("interpreter/run"), "#!/no/such/interpreter\n").unwrap();
    stage.service("bare", SLEEP, &[("restart", "")]);
    fs::write(stage.profiles().join("bare/run"), "exec sleep 1000000\n").unwrap();
    stage.start();
    stage.told("wait good bare");
    let why = |name: &str| (stage.state(name), stage.why(name));
    let unsound = |problem: &str| ("failed".to_owned(), format!("its profile is not sound: {problem}"));
    assert_eq!(why("empty"), unsound("run: there is no such file"));
    assert_eq!(why("plain"), unsound("run: it is not executable; `chmod u+x` makes it so"));
    assert_eq!(why("folder"), unsound("run: it is a folder"));
    assert!(why("loop").1.contains("run: Too many levels of symbolic links"), "{:?}", why("loop"));
    assert_eq!(why("binary"), unsound("pid_file: it is no text in UTF-8"));
    for name in ["noise", "interpreter"] {
        stage.wait_state(name, "failed");
        assert!(why(name).1.contains("exit status 12"), "{:?}", why(name));
    }
    stage.wait_text("interpreter/log/current", "procer: cannot run `");
    assert_eq!(stage.tell("status dangling").0, 1, "it leads to no folder");
    assert!(lives(stage.procer()));
}

#[test]
fn a_script_that_loops_is_ended() {
    let stage = Stage::new();
    stage.service(
        "loop",
        "while true; do :; done",
        &[("pid_file", "x.pid"), ("start_timeout", "200ms"), ("restart", "limit 1")],
    );
    stage.start();
    stage.wait_state("loop", "failed");
    assert_eq!(stage.processes("loop"), [0; 0]);
}

/// A file system that ends with its test, should that fail.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // The test itself has done it, mostly.
        let _ = std::process::Command::new("umount").arg("--lazy").arg(self.0).output();
    }
}

#[test]
fn a_full_disk_costs_lines_and_nothing_else() {
    if !is_root() {
        return eprintln!("skipped: only root can mount");
    }
    let stage = Stage::new();
    let mount = |words: &[&str]| {
        std::process::Command::new(words[0]).args(&words[1..]).output().is_ok_and(|done| done.status.success())
    };
    let log = stage.profiles().join("loud/log");
    let script = "while ! test -e stop; do echo a line that fills the disk, again and again; done; echo the last line; exec sleep 1000000";
    stage.service("loud", script, &[("restart", "")]);
    stage.kept("web", SLEEP);
    fs::create_dir(&log).unwrap();
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=64k", "none", log.to_str().unwrap()]) {
        return eprintln!("skipped: nothing can be mounted here");
    }
    let _mounted = Mounted(&log);
    stage.start();
    stage.told("wait loud web");
    wait::until("a full disk", || {
        fs::metadata(log.join("current")).is_ok_and(|found| found.len() > 60_000).then_some(())
    });
    let pid = stage.pid("web");
    kill(pid);
    stage.wait_other("web", pid);
    stage.write("loud/stop", "");
    wait::until("the service to have said all", || {
        stage
            .processes("loud")
            .iter()
            .any(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep"))
            .then_some(())
    });
    let ends = ["again and again", "could not be written", "the last line"];
    // The part of a line that found room is there until it is taken away.
    wait::until("whole lines", || {
        let text = fs::read_to_string(log.join("current")).unwrap();
        let is_whole = |line: &str| ends.iter().any(|end| line.ends_with(end));
        (text.ends_with('\n') && text.lines().all(is_whole)).then_some(())
    });
    stage.told("stop");
    stage.told("quit");
    stage.wait_for_no_procer();
    assert!(mount(&["umount", log.to_str().unwrap()]));
}

#[test]
fn others_cannot_lead_root_astray() {
    if !is_root() {
        return eprintln!("skipped: only root can become others");
    }
    let stage = Stage::new();
    fs::set_permissions(stage.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let secret = stage.path("secret");
    fs::write(&secret, "TOKEN=secret\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    // Their folder, in which files and logs lead to what is root's.
    stage.service("theirs", "env > env.txt; exec sleep 1000000", &[("restart", "")]);
    symlink(&secret, stage.profiles().join("theirs/env")).unwrap();
    stage.service("logs", "echo hello; exec sleep 1000000", &[]);
    let victim = stage.path("victim");
    fs::create_dir(&victim).unwrap();
    symlink(&victim, stage.profiles().join("logs/log")).unwrap();
    stage.service("file", "echo hello; exec sleep 1000000", &[]);
    fs::create_dir(stage.profiles().join("file/log")).unwrap();
    symlink(&secret, stage.profiles().join("file/log/current")).unwrap();
    // A link of theirs to a folder of root's.
    fs::create_dir(stage.path("roots")).unwrap();
    fs::write(stage.path("roots/run"), "#!/bin/sh\ntouch ran\n").unwrap();
    fs::set_permissions(stage.path("roots/run"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink(stage.path("roots"), stage.profiles().join("link")).unwrap();
    for name in ["theirs", "logs", "file", "file/log", "link"] {
        std::os::unix::fs::lchown(stage.profiles().join(name), Some(12_345), Some(12_345)).unwrap();
    }
    stage.start();
    assert!(
        stage.why("theirs").contains("env: it is a symbolic link in a folder that isn't procer's"),
        "{}",
        stage.why("theirs")
    );
    assert!(stage.why("logs").contains("log: it is no folder"), "{}", stage.why("logs"));
    assert!(stage.why("link").contains("somebody else's folder"), "{}", stage.why("link"));
    stage.told("wait file");
    stage.told("stop");
    assert_eq!(fs::read_to_string(&secret).unwrap(), "TOKEN=secret\n");
    assert_eq!(fs::read_dir(&victim).unwrap().count(), 0);
    assert!(!stage.path("roots/ran").exists());
}
