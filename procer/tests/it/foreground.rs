//! Services that stay in the foreground, and their logs.

use std::fs;

use testkit::wait;

use crate::stage::{SLEEP, Stage, kill, lives, send_group};

#[test]
fn a_killed_service_comes_back() {
    let stage = Stage::new();
    stage.kept("web", SLEEP);
    stage.start();
    stage.told("wait web");
    let mut pid = stage.pid("web");
    for _ in 0..3 {
        kill(pid);
        pid = stage.wait_other("web", pid);
    }
    stage.wait_processes("web", 1);
}

#[test]
fn what_it_says_is_in_its_log_with_the_time() {
    let stage = Stage::new();
    stage.kept("web", "echo to stdout; echo to stderr >&2; printf 'no end'; exec sleep 1000000");
    stage.start();
    stage.wait_text("web/log/current", "to stderr\n");
    let text = stage.read("web/log/current");
    let words: Vec<_> = text.lines().map(|line| line.split_once("Z ").unwrap().1).collect();
    assert_eq!(words, ["to stdout", "to stderr"]);
    let name = format!("/proc/{}/comm", stage.pid("web"));
    wait::until("it to have said all", || (fs::read_to_string(&name).ok()? == "sleep\n").then_some(()));
    stage.told("stop web");
    stage.wait_text("web/log/current", "Z no end\n");
    assert_eq!(stage.told("logs web -n 1").split_once("Z ").unwrap().1, "no end\n");
}

#[test]
fn nothing_is_lost_when_procer_and_the_service_are_killed_and_started() {
    let stage = Stage::new();
    // Numbers go on where the last process has ended; each line is whole.
    let script = "n=0\nwhile true; do n=$((n+1)); echo line $n; test $n = 3000 && exec sleep 1000000; done";
    stage.service("web", script, &[("log/size", "5K"), ("log/keep", "0"), ("log/timestamps", "no")]);
    stage.start();
    for _ in 0..5 {
        stage.wait_text("web/log/current", "line");
        stage.kill_procer();
        stage.start();
    }
    let all = || {
        let entries = fs::read_dir(stage.profiles().join("web/log")).unwrap().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with('Z')).collect();
        names.sort();
        names.push(stage.profiles().join("web/log/current"));
        names.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect::<String>()
    };
    wait::until("the last line", || all().contains("line 3000\n").then_some(()));
    let mut lines: Vec<u32> = all().lines().map(|line| line.strip_prefix("line ").unwrap().parse().unwrap()).collect();
    lines.sort_unstable();
    // What was written when procer was killed may be there twice.
    lines.dedup();
    assert_eq!(lines, (1..=3000).collect::<Vec<u32>>());
}

#[test]
fn it_may_say_much_and_others_come_to_their_turn() {
    let stage = Stage::new();
    stage.service("loud", "yes loud", &[("log/size", "1M"), ("log/keep", "2")]);
    stage.kept("web", SLEEP);
    stage.start();
    stage.told("wait web");
    let pid = stage.pid("web");
    kill(pid);
    stage.wait_other("web", pid);
    wait::until("old logs", || {
        let logs = fs::read_dir(stage.profiles().join("loud/log")).unwrap().count();
        (logs >= 4).then_some(())
    });
    stage.told("stop loud");
    let size: u64 = fs::read_dir(stage.profiles().join("loud/log"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(size < 4 << 20, "{size}");
}

#[test]
fn one_that_closes_its_output_or_opens_it_again_is_served() {
    let stage = Stage::new();
    stage.kept("mute", "exec >&- 2>&-; exec sleep 1000000");
    stage.kept("again", "echo by name > /dev/stdout; echo too > /proc/self/fd/2; exec sleep 1000000");
    stage.start();
    stage.told("wait mute again");
    stage.wait_text("again/log/current", "by name\n");
    stage.wait_text("again/log/current", "too\n");
}

#[test]
fn children_go_with_their_parent() {
    let stage = Stage::new();
    stage.kept("web", "sleep 1000000 &\nsleep 1000000 &\nwait");
    stage.start();
    stage.told("wait web");
    wait::until("its children", || (stage.processes("web").len() == 3).then_some(()));
    let pid = stage.pid("web");
    kill(pid);
    stage.wait_other("web", pid);
    wait::until("three processes, and no more", || (stage.processes("web").len() == 3).then_some(()));
    stage.told("stop web");
    assert_eq!(stage.processes("web"), [0; 0]);
}

#[test]
fn a_killed_procer_is_taken_over_from() {
    let stage = Stage::new();
    stage.kept("web", "sleep 1000000 &\nwait");
    stage.start();
    stage.told("wait web");
    let pid = stage.pid("web");
    stage.kill_procer();
    assert!(lives(pid));
    stage.start();
    assert_eq!(stage.pid("web"), pid);
    stage.wait_processes("web", 2);
    // It is nobody's child now, and its end is noticed all the same.
    send_group(pid, rustix::process::Signal::KILL);
    stage.wait_other("web", pid);
    stage.wait_processes("web", 2);
    stage.kill_procer();
    let pid = stage.processes("web");
    pid.into_iter().for_each(kill);
    stage.start();
    stage.told("wait web");
    wait::until("two processes", || (stage.processes("web").len() == 2).then_some(()));
}
