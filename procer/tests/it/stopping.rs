//! Stops: in order, by signal, by force.

use std::fs;

use testkit::wait;

use crate::stage::{SLEEP, Stage, lives};

#[test]
fn one_that_ignores_the_signal_is_killed_with_its_children() {
    let stage = Stage::new();
    let deaf = "trap '' TERM\nsleep 1000000 &\nwhile true; do wait; done";
    stage.service("deaf", deaf, &[("stop", "timeout 200ms"), ("restart", "")]);
    stage.start();
    stage.told("wait deaf");
    wait::until("its child", || (stage.processes("deaf").len() == 2).then_some(()));
    stage.told("stop deaf");
    assert_eq!(stage.processes("deaf"), [0; 0]);
    assert!(stage.read("error.log").contains("deaf: does not end, and is killed"));
}

#[test]
fn the_signal_is_the_profiles() {
    let stage = Stage::new();
    let script = "trap 'echo USR1 > signal.txt; exit 0' USR1\nsleep 1000000 &\nwait";
    stage.service("web", script, &[("stop", "signal USR1"), ("restart", "")]);
    stage.start();
    stage.told("wait web");
    // The shell needs a moment to set its trap; it has when its child is there.
    wait::until("its child", || (stage.processes("web").len() == 2).then_some(()));
    stage.told("stop web");
    assert_eq!((stage.state("web"), stage.read("web/signal.txt")), ("down".into(), "USR1\n".into()));
}

#[test]
fn stops_go_in_reverse_order() {
    let stage = Stage::new();
    let script = "trap 'echo $PROCER_ACTION >> ../../order.txt; exit 0' TERM\nsleep 1000000 &\nwait";
    stage.service("db", script, &[]);
    stage.service("app", script, &[("depends", "db")]);
    stage.service("web", script, &[("depends", "app")]);
    stage.start();
    stage.told("wait");
    for name in ["db", "app", "web"] {
        wait::until("its child", || (stage.processes(name).len() == 2).then_some(()));
    }
    stage.told("stop");
    assert_eq!(fs::read_to_string(stage.path("order.txt")).unwrap(), "web\napp\ndb\n");
}

#[test]
fn a_stop_waits_for_nothing_that_rests() {
    let stage = Stage::new();
    stage.service("db", SLEEP, &[]);
    stage.service("never", SLEEP, &[("depends", "db"), ("down", "")]);
    stage.service("once", "exit 0", &[("depends", "db")]);
    stage.start();
    stage.told("wait db once");
    stage.told("stop");
    assert_eq!((stage.state("db"), stage.state("never")), ("down".into(), "down".into()));
}

#[test]
fn what_is_stopped_stays_so_for_the_next_procer() {
    let stage = Stage::new();
    stage.kept("web", SLEEP);
    stage.service("later", SLEEP, &[("down", "")]);
    stage.kept("chat", SLEEP);
    stage.start();
    stage.told("wait web chat");
    assert_eq!(stage.state("later"), "down");
    stage.told("start later");
    stage.told("stop web");
    let later = stage.pid("later");
    stage.kill_procer();
    stage.start();
    assert_eq!((stage.state("web"), stage.state("chat")), ("down".into(), "ready".into()));
    assert_eq!(stage.pid("later"), later);
    stage.told("start web");
    wait::until("one process", || (stage.processes("web").len() == 1).then_some(()));
}

#[test]
fn a_stop_that_procer_did_not_survive_is_finished_by_the_next_one() {
    let stage = Stage::new();
    stage.service(
        "deaf",
        "trap '' TERM\nwhile true; do sleep 1000000 & wait; done",
        &[("stop", "timeout 1h"), ("restart", "")],
    );
    stage.start();
    stage.told("wait deaf");
    let pid = stage.pid("deaf");
    wait::until("its child", || (stage.processes("deaf").len() == 2).then_some(()));
    stage.told("stop --no-wait deaf");
    stage.wait_state("deaf", "stopping");
    stage.kill_procer();
    assert!(lives(pid));
    stage.write("deaf/stop", "timeout 100ms");
    stage.start();
    stage.wait_state("deaf", "down");
    assert_eq!(stage.processes("deaf"), [0; 0]);
}
