//! Services with a PID file: noticed when it appears, believed with a reason only.

use std::fs;
use std::process::Command;

use testkit::wait;

use crate::stage::{DAEMON, Stage, kill, lives};

#[test]
fn a_killed_service_comes_back() {
    let stage = Stage::new();
    stage.daemon("chat");
    stage.start();
    stage.told("wait chat");
    let mut pid = stage.pid("chat");
    for _ in 0..3 {
        kill(pid);
        pid = stage.wait_other("chat", pid);
    }
    stage.wait_processes("chat", 1);
    assert_eq!(stage.status("chat")["restarts"], 3);
}

#[test]
fn one_that_daemonizes_properly_is_watched() {
    let stage = Stage::new();
    // Two forks and a session of its own, as daemon(3) has it.
    let script = "setsid sh -c 'sleep 1000000 & echo $! > '$PROCER_PIDFILE >/dev/null 2>&1";
    stage.service("chat", script, &[("restart", ""), ("pid_file", "chat.pid")]);
    stage.start();
    stage.told("wait chat");
    let pid = stage.pid("chat");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    wait::until("it to be procer's child", || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_else(|_| status.clone());
        status.contains(&format!("PPid:\t{}\n", stage.procer())).then_some(())
    });
    kill(pid);
    let pid = stage.wait_other("chat", pid);
    stage.told("stop chat");
    assert!(!lives(pid));
}

#[test]
fn a_pid_file_may_come_late() {
    let stage = Stage::new();
    // The daemon waits for a sign of the test before it writes its file.
    let daemon = "read line < go; echo $$ > chat.pid; exec sleep 1000000";
    stage.service(
        "chat",
        "sh daemon >/dev/null 2>&1 &",
        &[("pid_file", "chat.pid"), ("start_timeout", "1h"), ("daemon", daemon)],
    );
    let go = stage.profiles().join("chat/go");
    rustix::fs::mkfifoat(rustix::fs::CWD, &go, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    stage.start();
    wait::until("`run` to have ended", || (stage.processes("chat").len() == 1).then_some(()));
    assert_eq!(stage.state("chat"), "starting");
    fs::write(go, "now\n").unwrap();
    stage.told("wait chat");
}

#[test]
fn a_run_that_stays_may_write_its_own_number() {
    let stage = Stage::new();
    let script = "echo $$ > chat.pid; exec sleep 1000000";
    stage.service("chat", script, &[("pid_file", "chat.pid"), ("restart", "")]);
    stage.start();
    stage.told("wait chat");
    let pid = stage.pid("chat");
    kill(pid);
    stage.wait_other("chat", pid);
    stage.wait_processes("chat", 1);
}

#[test]
fn strangers_are_never_signalled() {
    let stage = Stage::new();
    let mut stranger = Command::new("sleep").arg("1000000").spawn().unwrap();
    // As old as the boot: whoever has the number now was started later.
    let stale = |name: &str, pid: &str| {
        stage.service(name, DAEMON, &[("pid_file", "x.pid")]);
        let path = stage.profiles().join(name).join("x.pid");
        fs::write(&path, pid).unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    };
    let numbers =
        [("stale", stranger.id().to_string()), ("init", "1".into()), ("zero", "0".into()), ("all", "-1".into())];
    for (name, pid) in &numbers {
        stale(name, pid);
    }
    stale("words", "many words\n");
    stage.start();
    stage.told("wait");
    stage.told("stop");
    assert!(lives(i32::try_from(stranger.id()).unwrap()), "a stranger was taken for a service");
    let log = stage.read("error.log");
    assert!(
        log.contains("was started after the file was written") && log.contains("names 1, which is no service"),
        "{log}"
    );
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn a_pid_file_that_names_procer_is_not_believed() {
    let stage = Stage::new();
    stage.service("suicide", "cp ../../procer.pid x.pid", &[("pid_file", "x.pid"), ("start_timeout", "300ms")]);
    stage.start();
    stage.wait_state("suicide", "failed");
    stage.told("stop suicide");
    assert!(lives(stage.procer()));
}

#[test]
fn another_service_is_not_taken_for_ones_own() {
    let stage = Stage::new();
    stage.daemon("chat");
    stage.service(
        "thief",
        "cp ../chat/chat.pid x.pid",
        &[("pid_file", "x.pid"), ("start_timeout", "300ms"), ("depends", "chat")],
    );
    stage.start();
    stage.wait_state("thief", "failed");
    let pid = stage.pid("chat");
    stage.told("stop thief");
    assert_eq!(stage.pid("chat"), pid);
}

#[test]
fn a_service_may_put_another_process_in_its_place() {
    let stage = Stage::new();
    stage.daemon("chat");
    stage.start();
    stage.told("wait chat");
    let old = stage.pid("chat");
    let mut other = Command::new("sleep").arg("1000000").spawn().unwrap();
    stage.write("chat/chat.pid", &other.id().to_string());
    kill(old);
    let pid = stage.wait_other("chat", old);
    assert_eq!(pid, i32::try_from(other.id()).unwrap());
    assert_eq!(stage.status("chat")["restarts"], 0);
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_run_that_makes_no_pid_file_is_told() {
    let stage = Stage::new();
    stage.service("chat", "true", &[("pid_file", "chat.pid"), ("start_timeout", "3s")]);
    stage.service("hangs", "sleep 1000000", &[("pid_file", "chat.pid"), ("start_timeout", "100ms")]);
    stage.start();
    stage.wait_state("chat", "failed");
    assert!(stage.why("chat").contains("its PID file names no process of it"), "{}", stage.why("chat"));
    stage.wait_state("hangs", "failed");
    assert_eq!(stage.why("hangs"), "`run` did not end in time");
    assert_eq!(stage.processes("hangs"), [0; 0]);
}

#[test]
fn one_that_dies_before_its_run_has_ended_comes_back() {
    let stage = Stage::new();
    let script = "sh -c 'exec true' &\necho $! > chat.pid\nwait\ntest -e again && exit 1\ntouch again";
    stage.service("chat", script, &[("pid_file", "chat.pid"), ("start_timeout", "1h"), ("restart", "delay 1h")]);
    stage.start();
    stage.wait_text("error.log", "chat: has died: it has ended");
    stage.wait_state("chat", "delayed");
}
