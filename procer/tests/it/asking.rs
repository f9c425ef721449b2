//! The control socket and the commands that use it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::wait;

use crate::stage::{SLEEP, Stage, is_root, kill, procer};

#[test]
fn codes_say_how_it_went() {
    let stage = Stage::new();
    assert_eq!(stage.tell("status").0, 4, "there is no procer");
    stage.kept("web", SLEEP);
    stage.service("down", SLEEP, &[("down", "")]);
    stage.start();
    stage.told("wait web");
    assert_eq!(stage.tell("status").0, 0);
    assert_eq!(stage.tell("status down").0, 3);
    assert_eq!(
        stage.tell("status wbe"),
        (1, "procer: cannot tell about `wbe`: there is no service `wbe`; did you mean `web`?\n".into())
    );
    assert_eq!(stage.tell("wait down --timeout 50ms").0, 5);
    assert_eq!(stage.tell("signal NOSUCH web").0, 1);
    assert_eq!(stage.tell("signal HUP down").0, 1, "it does not run");
    assert_eq!(stage.tell("stop web nobody").0, 1);
    assert_eq!(stage.state("web"), "ready", "all names or none");
    assert_eq!(stage.tell("wait web --down --timeout 50ms").0, 5);
    assert_eq!(stage.tell("frobnicate").0, 2);
    stage.told("stop web");
    stage.told("wait web --down");
    stage.told("quit");
    stage.wait_for_no_procer();
    assert!(!stage.path("procer.pid").exists());
}

#[test]
fn a_status_is_a_line_or_json() {
    let stage = Stage::new();
    stage.kept("web", SLEEP);
    stage.start();
    stage.told("wait web");
    let pid = stage.pid("web");
    let line = stage.told("status");
    let cells: Vec<_> = line.trim_end_matches('\n').split('\t').collect();
    assert_eq!((cells.len(), &cells[..3]), (6, &["web", "ready", &pid.to_string()][..]));
    let status = stage.status("web");
    for key in ["name", "state", "pid", "uptime", "restarts", "wanted", "why"] {
        assert!(status.get(key).is_some(), "{key}");
    }
}

#[test]
fn a_restart_is_another_process() {
    let stage = Stage::new();
    stage.kept("web", SLEEP);
    stage.start();
    stage.told("wait web");
    let pid = stage.pid("web");
    stage.told("restart web");
    assert_ne!(stage.pid("web"), pid);
    assert_eq!(stage.state("web"), "ready");
    stage.wait_processes("web", 1);
}

#[test]
fn services_are_sent_signals_and_told_to_reload() {
    let stage = Stage::new();
    let script = "trap 'echo hup' HUP\ntrap 'echo usr2' USR2\necho set\nwhile true; do sleep 1000000 & wait; done";
    stage.kept("web", script);
    stage.start();
    stage.wait_text("web/log/current", "set");
    stage.told("reload web");
    stage.wait_text("web/log/current", "hup");
    stage.write("web/reload", "USR2\n");
    stage.told("reload");
    stage.told("reload web");
    stage.wait_text("web/log/current", "usr2");
    stage.told("signal usr2 web");
    wait::until("twice", || (stage.read("web/log/current").matches("usr2").count() == 2).then_some(()));
}

#[test]
fn events_are_followed() {
    let stage = Stage::new();
    stage.kept("web", SLEEP);
    stage.kept("chat", SLEEP);
    stage.start();
    stage.told("wait");
    let mut command = procer();
    command.args(["events", "--json", "web", "--profiles"]).arg(stage.profiles());
    let mut follower = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let pid = stage.pid("web");
    // It may not have asked yet: services die until it hears of it.
    let happened = std::thread::spawn(move || {
        let mut kinds = Vec::new();
        while !kinds.contains(&"ready".to_owned()) || !kinds.contains(&"died".to_owned()) {
            let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert_eq!(event["service"]["name"], "web");
            kinds.push(event["event"].as_str().unwrap().to_owned());
        }
    });
    let mut pid = pid;
    wait::until("events", || {
        kill(pid);
        pid = stage.wait_other("web", pid);
        happened.is_finished().then_some(())
    });
    happened.join().unwrap();
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[test]
fn logs_are_followed_over_files() {
    let stage = Stage::new();
    let files = [("log/size", "100"), ("log/timestamps", "no"), ("restart", ""), ("lines.txt", "")];
    stage.service("web", "exec tail -n +1 -f lines.txt", &files);
    stage.start();
    stage.told("wait web");
    let said = std::fs::File::options().append(true).open(stage.profiles().join("web/lines.txt")).unwrap();
    let say = |line: String| {
        writeln!(&said, "{line}").unwrap();
        wait::until(&line.clone(), || stage.told("logs web -n 1000").contains(&format!("{line}\n")).then_some(()));
    };
    (0..5).for_each(|n| say(format!("before {n}")));
    assert_eq!(stage.told("logs web -n 2"), "before 3\nbefore 4\n");
    let mut command = procer();
    command.args(["logs", "web", "-f", "-n", "1", "--profiles"]).arg(stage.profiles());
    let mut follower = command.stdout(Stdio::piped()).spawn().unwrap();
    let output = follower.stdout.take().unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let next = || lines.recv_timeout(wait::DEADLINE).unwrap();
    assert_eq!(next(), "before 4");
    for n in 0..30 {
        say(format!("line number {n}"));
        assert_eq!(next(), format!("line number {n}"));
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
    assert_eq!(stage.tell("logs nobody").0, 1);
}

#[test]
fn nonsense_on_the_socket_is_answered_and_harms_nothing() {
    let stage = Stage::new();
    stage.kept("web", SLEEP);
    stage.start();
    stage.told("wait web");
    let connect = || UnixStream::connect(stage.profiles().join(".procer/control")).unwrap();
    let mut stream = connect();
    stream.write_all(b"hello\n{\"do\":\"sing\"}\n[[[[\n\xff\xfe\n{\"do\":\"status\",\"names\":[\"web\"]}\n").unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap())
        .lines()
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    for _ in 0..4 {
        assert_eq!(lines.next().unwrap()["ok"], false);
    }
    assert_eq!(lines.next().unwrap()["services"][0]["name"], "web");
    // A line without end, clients that say nothing, and one that doesn't read what it asks for.
    let mut endless = connect();
    while endless.write_all(&[b'x'; 65_536]).is_ok() {}
    let silent: Vec<UnixStream> = (0..200).map(|_| connect()).collect();
    drop(silent);
    let mut deaf = connect();
    deaf.set_nonblocking(true).unwrap();
    for _ in 0..10_000 {
        let _ = deaf.write(b"{\"do\":\"status\"}\n");
    }
    let pid = stage.pid("web");
    kill(pid);
    stage.wait_other("web", pid);
}

#[test]
fn others_may_not_ask() {
    if !is_root() {
        return eprintln!("skipped: only root can become others");
    }
    let stage = Stage::new();
    std::fs::set_permissions(stage.path(""), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    stage.kept("web", SLEEP);
    stage.start();
    stage.told("wait web");
    // The program may lie where others can't reach it.  Copied by another process: this one may be forking.
    let copy = stage.path("copy");
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_procer")).arg(&copy).status();
    assert!(copied.unwrap().success());
    let as_user = |uid: u32| {
        let mut command = Command::new(&copy);
        command.uid(uid).gid(uid).args(["stop", "--profiles"]).arg(stage.profiles()).output().unwrap()
    };
    let refused = as_user(12_345);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("only root and the owner"), "{refused:?}");
    assert_eq!(stage.state("web"), "ready");
    std::os::unix::fs::chown(stage.profiles(), Some(12_345), None).unwrap();
    stage.told("quit");
    stage.start();
    assert_eq!(as_user(12_345).status.code(), Some(0), "the owner may");
    assert_eq!(stage.state("web"), "down");
}
