//! What the original promises: two arguments, four files, the folder's owner.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use testkit::{Process, wait};

use crate::stage::{SLEEP, Stage, is_root, kill, lives, procer, send};

#[test]
fn it_goes_into_the_background_and_says_who_it_is() {
    let stage = Stage::new();
    stage.daemon("chat");
    stage.start();
    stage.told("wait chat");
    let pid = stage.procer();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session: i32 = stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap().parse().unwrap();
    assert_eq!(session, pid, "a session of its own");
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(command.ends_with(&format!("{}\0{}\0", stage.profiles().display(), stage.path("procer.pid").display())));
}

#[test]
fn in_the_foreground_it_says_what_it_does() {
    let stage = Stage::new();
    stage.kept("chat", SLEEP);
    let mut command = procer();
    command.arg("--foreground").arg(stage.profiles()).arg(stage.path("procer.pid"));
    let mut process = Process::start(&mut command);
    process.wait_for_stderr("chat: is ready");
    assert_eq!(stage.procer(), i32::try_from(process.id()).unwrap());
    send(stage.procer(), Signal::TERM);
    assert!(process.wait().success());
    assert!(!stage.path("procer.pid").exists());
    stage.wait_processes("chat", 1);
}

#[test]
fn run_is_told_who_it_is() {
    let stage = Stage::new();
    let script = "env > env.txt; pwd >> env.txt; echo to stdout; echo to stderr >&2; exit 3";
    stage.service("chat", script, &[("pid_file", "/nowhere/chat.pid")]);
    stage.start();
    stage.wait_state("chat", "failed");
    let (env, profiles) = (stage.read("chat/env.txt"), stage.profiles());
    let at = profiles.display();
    for line in [
        "PROCER_PIDFILE=/nowhere/chat.pid".to_owned(),
        "PROCER_ACTION=chat".to_owned(),
        format!("PROCER_RUN_LOG={at}/run.log"),
        format!("PROCER_ERROR_LOG={at}/error.log"),
        format!("{at}/chat"),
    ] {
        assert!(env.lines().any(|found| found == line), "{line} in {env}");
    }
    assert_eq!(stage.read("run.log"), "to stdout\nto stderr\n");
    assert_eq!(stage.why("chat"), "exit status 3");
}

#[test]
fn services_are_adopted_at_the_start_and_left_alone_at_the_end() {
    let stage = Stage::new();
    stage.daemon("chat");
    stage.kept("web", SLEEP);
    stage.start();
    stage.told("wait");
    let pids = (stage.pid("chat"), stage.pid("web"));
    send(stage.procer(), Signal::TERM);
    stage.wait_for_no_procer();
    assert!(lives(pids.0) && lives(pids.1));
    stage.start();
    assert_eq!((stage.pid("chat"), stage.pid("web")), pids);
    assert_eq!((stage.state("chat"), stage.state("web")), ("ready".into(), "ready".into()));
    kill(pids.0);
    kill(pids.1);
    stage.wait_other("chat", pids.0);
    stage.wait_other("web", pids.1);
    stage.wait_processes("chat", 1);
    stage.wait_processes("web", 1);
}

#[test]
fn what_was_started_by_hand_is_adopted() {
    let stage = Stage::new();
    stage.daemon("chat");
    let mut child = Command::new("sleep").arg("1000000").spawn().unwrap();
    stage.write("chat/chat.pid", &format!("{}\n", child.id()));
    stage.start();
    assert_eq!(stage.pid("chat"), i32::try_from(child.id()).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    stage.wait_other("chat", i32::try_from(child.id()).unwrap());
}

#[test]
fn a_second_procer_is_refused() {
    let stage = Stage::new();
    stage.kept("chat", SLEEP);
    stage.start();
    stage.told("wait chat");
    let second = stage.try_start();
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1));
    assert!(text.contains(&format!("process {} does already", stage.procer())), "{text}");
    let other = Stage::new();
    let third = procer().arg(other.profiles()).arg(stage.path("procer.pid")).output().unwrap();
    assert_eq!(third.status.code(), Some(1), "nor may two have one PID file");
    stage.wait_processes("chat", 1);
}

#[test]
fn without_restart_a_service_is_started_once() {
    let stage = Stage::new();
    stage.service("once", "echo done >> done.txt", &[]);
    stage.service("dies", SLEEP, &[]);
    stage.kept("after", SLEEP);
    stage.write("after/depends", "once\n");
    stage.start();
    stage.wait_state("once", "exited");
    stage.told("wait after");
    let pid = stage.pid("dies");
    kill(pid);
    stage.wait_state("dies", "failed");
    assert_eq!(stage.why("dies"), "killed by SIGKILL");
    assert_eq!(stage.read("once/done.txt"), "done\n");
}

#[test]
fn a_service_runs_as_the_owner_of_its_folder() {
    if !is_root() {
        return eprintln!("skipped: only root can become others");
    }
    let stage = Stage::new();
    fs::set_permissions(stage.path(""), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let script = "(id -u; id -g; id -G; ulimit -n; touch /etc/not-mine 2>&1) > who.txt; exec sleep 1000000";
    stage.service("theirs", script, &[("nice", "-5")]);
    stage.service("mine", "id -u > who.txt; exec sleep 1000000", &[]);
    stage.service("polite", script, &[]);
    stage.service("named", "id -u > who.txt; exec sleep 1000000", &[("user", "nobody")]);
    for name in ["theirs", "polite"] {
        chown(stage.profiles().join(name), Some(12_345), Some(12_346)).unwrap();
    }
    fs::set_permissions(stage.profiles().join("named"), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    stage.start();
    stage.told("wait polite mine named");
    stage.wait_text("polite/who.txt", "12345\n12346\n12346\n");
    stage.wait_text("polite/who.txt", "Permission denied");
    stage.wait_text("mine/who.txt", "0\n");
    stage.wait_text("named/who.txt", "65534\n");
    let log = fs::metadata(stage.profiles().join("polite/log/current"));
    assert!(log.is_err() || log.unwrap().uid() == 12_345, "the log belongs to who may read it");
    stage.wait_state("theirs", "failed");
    assert!(!stage.profiles().join("theirs/who.txt").exists(), "nobody gets more than their own rights");
}

#[test]
fn signals_that_somebody_ignores_are_not_ignored_by_services() {
    let stage = Stage::new();
    stage.kept("chat", "grep SigIgn /proc/self/status > signals.txt; exec sleep 1000000");
    let program = env!("CARGO_BIN_EXE_procer");
    let (profiles, pid_file) = (stage.profiles(), stage.path("procer.pid"));
    let line = format!("trap '' HUP INT PIPE; exec {program} {} {}", profiles.display(), pid_file.display());
    assert!(Command::new("sh").arg("-c").arg(line).stdin(Stdio::null()).status().unwrap().success());
    stage.told("wait chat");
    stage.wait_text("chat/signals.txt", "SigIgn:");
    let mask = u64::from_str_radix(stage.read("chat/signals.txt").split_whitespace().nth(1).unwrap(), 16).unwrap();
    // SIGHUP is 1, SIGINT 2, SIGPIPE 13.
    assert_eq!(mask & (1 << 0 | 1 << 1 | 1 << 12), 0, "{mask:x}");
    wait::until("procer", || lives(stage.procer()).then_some(()));
}
