//! Restart policy, dependents and hooks.

use testkit::wait;

use crate::stage::{SLEEP, Stage, kill, lives};

#[test]
fn too_many_restarts_are_a_failure_that_says_why() {
    let stage = Stage::new();
    stage.service(
        "web",
        "echo x >> tries.txt; exit 7",
        &[("restart", "limit 3\nwindow 1h\ndelay 1ms\n"), ("ready", "tcp 127.0.0.1:1")],
    );
    stage.script("web/on_fail", "echo \"$PROCER_ACTION $PROCER_EVENT: $PROCER_WHY\" > failed.txt");
    stage.start();
    stage.wait_state("web", "failed");
    assert_eq!(stage.why("web"), "exit status 7, for the 4th time in 3600s");
    assert_eq!(stage.read("web/tries.txt").lines().count(), 4);
    stage.wait_text("web/failed.txt", "web failed: exit status 7, for the 4th time");
    let (code, text) = stage.tell("start web");
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("cannot have `web` ready: exit status 7"), "{text}");
    stage.script("web/run", SLEEP);
    std::fs::remove_file(stage.profiles().join("web/ready")).unwrap();
    stage.told("reload");
    stage.told("wait web");
}

#[test]
fn restarts_that_fail_wait_longer_and_longer() {
    let stage = Stage::new();
    stage.service("web", "exit 1", &[("restart", "delay 1h\njitter 0\nmax_delay 2h")]);
    stage.start();
    stage.wait_state("web", "delayed");
    let log = stage.read("error.log");
    assert!(log.contains("is started again in 3600.0 s"), "{log}");
    assert_eq!(stage.status("web")["restarts"], 2);
    stage.told("stop web");
    assert_eq!(stage.state("web"), "down");
}

#[test]
fn only_failures_are_restarted_where_that_is_wanted() {
    let stage = Stage::new();
    let script = "test -e second && exit 0; touch second; exit 1";
    stage.service("job", script, &[("restart", "when failure")]);
    stage.start();
    stage.wait_state("job", "exited");
    assert_eq!(stage.status("job")["restarts"], 1);
}

#[test]
fn hooks_are_told_what_happens() {
    let stage = Stage::new();
    stage.kept("web", SLEEP);
    for hook in ["on_start", "on_ready", "on_die"] {
        stage.script(&format!("web/{hook}"), "echo $PROCER_EVENT $PROCER_ACTION $PROCER_PID $PROCER_WHY >> events.txt");
    }
    stage.start();
    stage.told("wait web");
    let pid = stage.pid("web");
    stage.wait_text("web/events.txt", &format!("ready web {pid}\n"));
    stage.wait_text("web/events.txt", &format!("started web {pid}\n"));
    kill(pid);
    stage.wait_text("web/events.txt", "died web killed by SIGKILL\n");
}

#[test]
fn dependents_wait_and_are_told_what_becomes_of_those_they_need() {
    let stage = Stage::new();
    stage.service("db", SLEEP, &[("dependents", "restart"), ("restart", "")]);
    stage.service("cache", SLEEP, &[("dependents", "stop"), ("restart", "")]);
    stage.kept("log", SLEEP);
    stage.service("web", SLEEP, &[("depends", "db log"), ("restart", "")]);
    stage.service("page", SLEEP, &[("depends", "cache\nlog"), ("restart", "")]);
    stage.start();
    stage.told("wait");
    let (web, page) = (stage.pid("web"), stage.pid("page"));
    kill(stage.pid("log"));
    stage.told("wait log");
    assert_eq!((stage.pid("web"), stage.pid("page")), (web, page), "left alone");
    kill(stage.pid("db"));
    stage.wait_other("web", web);
    kill(stage.pid("cache"));
    stage.wait_state("page", "down");
    assert!(!lives(page));
    stage.told("wait cache");
}

#[test]
fn unknown_names_and_circles_keep_nobody_else() {
    let stage = Stage::new();
    stage.kept("web", SLEEP);
    stage.service("a", SLEEP, &[("depends", "b")]);
    stage.service("b", SLEEP, &[("depends", "a")]);
    stage.service("c", SLEEP, &[("depends", "wbe")]);
    stage.service("d", SLEEP, &[("depends", "c")]);
    stage.start();
    stage.told("wait web");
    assert_eq!((stage.state("a"), stage.why("a")), ("failed".into(), "it depends on itself: `a` → `b` → `a`".into()));
    assert_eq!(stage.why("c"), "it depends on `wbe`, which there isn't; did you mean `web`?");
    assert_eq!((stage.state("d"), stage.why("d")), ("waiting".into(), "waits for `c`".into()));
    assert_eq!(stage.tell("start a").0, 1);
    stage.write("c/depends", "web");
    stage.told("reload");
    stage.told("wait c d");
}

#[test]
fn a_storm_of_restarts_is_weathered() {
    let stage = Stage::new();
    for n in 0..10 {
        stage.service(&format!("bad{n}"), "exit 1", &[("restart", "delay 10ms\nmax_delay 50ms")]);
    }
    stage.kept("web", SLEEP);
    stage.start();
    stage.told("wait web");
    wait::until("many restarts", || (stage.status("bad0")["restarts"].as_i64().unwrap() > 20).then_some(()));
    let pid = stage.pid("web");
    kill(pid);
    stage.wait_other("web", pid);
    assert!(stage.processes("bad0").len() <= 1);
}
