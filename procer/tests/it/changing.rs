//! The folder changes while procer runs.

use std::fs;

use rustix::process::Signal;
use testkit::wait;

use crate::stage::{SLEEP, Stage, lives, send};

#[test]
fn only_what_has_changed_is_touched() {
    let stage = Stage::new();
    for name in ["same", "policy", "env", "gone"] {
        stage.kept(name, SLEEP);
    }
    stage.start();
    stage.told("wait");
    let before = ["same", "policy", "env", "gone"].map(|name| stage.pid(name));
    stage.write("policy/restart", "limit 5");
    stage.write("env/env", "A=1");
    stage.kept("new", SLEEP);
    fs::remove_dir_all(stage.profiles().join("gone")).unwrap();
    stage.told("reload");
    stage.told("wait new");
    stage.wait_other("env", before[2]);
    assert_eq!((stage.pid("same"), stage.pid("policy")), (before[0], before[1]));
    wait::until("`gone` to be gone", || (stage.tell("status gone").0 == 1).then_some(()));
    assert!(!lives(before[3]));
    assert!(!stage.profiles().join(".procer/output/gone").exists());
}

#[test]
fn a_hangup_reads_the_folder_again() {
    let stage = Stage::new();
    stage.kept("web", SLEEP);
    stage.start();
    stage.told("wait web");
    stage.kept("chat", SLEEP);
    send(stage.procer(), Signal::HUP);
    wait::until("`chat`", || (stage.tell("wait chat").0 == 0).then_some(()));
}

#[test]
fn a_profile_that_is_not_sound_any_more_leaves_its_service_alone() {
    let stage = Stage::new();
    stage.kept("web", SLEEP);
    stage.start();
    stage.told("wait web");
    let pid = stage.pid("web");
    stage.write("web/restart", "delai 5s");
    let (code, text) = stage.tell("reload");
    assert_eq!(code, 1);
    assert!(text.contains("web/restart, line 1: `delai` is not known; did you mean `delay`?"), "{text}");
    assert_eq!((stage.pid("web"), stage.state("web")), (pid, "ready".into()));
    crate::stage::kill(pid);
    stage.wait_other("web", pid);
    stage.write("web/restart", "");
    stage.told("reload");
    assert_eq!(stage.why("web"), "");
}

#[test]
fn another_run_is_another_process() {
    let stage = Stage::new();
    stage.kept("web", SLEEP);
    stage.start();
    stage.told("wait web");
    let pid = stage.pid("web");
    stage.told("reload");
    assert_eq!(stage.pid("web"), pid);
    stage.script("web/run", "echo second; exec sleep 1000000");
    stage.told("reload");
    stage.wait_other("web", pid);
    stage.wait_text("web/log/current", "second");
}

#[test]
fn a_removed_service_that_comes_back_is_started() {
    let stage = Stage::new();
    stage.kept("web", SLEEP);
    stage.start();
    stage.told("wait web");
    fs::rename(stage.profiles().join("web"), stage.path("web")).unwrap();
    stage.told("reload");
    wait::until("it to be gone", || (stage.tell("status web").0 == 1).then_some(()));
    assert_eq!(stage.processes("web"), [0; 0]);
    fs::rename(stage.path("web"), stage.profiles().join("web")).unwrap();
    stage.told("reload");
    stage.told("wait web");
}
