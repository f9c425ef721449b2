//! `running`, `stop` and `reload`, with the tests themselves or a small Python program as the server.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use mongrel2_server::pidfile::PidFile;

use super::bench::{Bench, server};

/// Holds the lock on a PID file, names each signal, and ends at the one that it is told, once its input is at its end.
const SERVER: &str = r"
import fcntl, os, signal, sys
signals = {signal.SIGHUP, signal.SIGINT, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
file = open(sys.argv[1], 'w')
fcntl.lockf(file, fcntl.LOCK_EX)
print(os.getpid(), flush=True)
while True:
    name = signal.Signals(signal.sigwait(signals)).name
    print(name, flush=True)
    if name == sys.argv[2]:
        break
sys.stdin.read()
";

/// A process that owns a PID file.
struct Fake {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pid: String,
}

impl Fake {
    /// `None` if there is no Python, which is said, and not accepted where everything has to be tested.
    fn start(pid_file: &Path, last_signal: &str) -> Option<Self> {
        Self::start_with(pid_file, last_signal, Stdio::null())
    }

    fn start_with(pid_file: &Path, last_signal: &str, stdin: Stdio) -> Option<Self> {
        std::fs::create_dir_all(pid_file.parent().unwrap()).unwrap();
        let mut command = Command::new("python3");
        let spawned =
            command.args(["-c", SERVER]).arg(pid_file).arg(last_signal).stdin(stdin).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = spawned else {
            assert!(std::env::var_os("CI").is_none(), "python3 is missing");
            eprintln!("skipped: python3 is missing");
            return None;
        };
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let pid = lines.next().unwrap().unwrap();
        Some(Self { child, lines, pid })
    }

    /// The signals that it got, all of them: it has to have ended.
    fn signals(mut self) -> Vec<String> {
        let signals = self.lines.by_ref().map(Result::unwrap).collect();
        self.child.wait().unwrap();
        signals
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn two() -> Bench {
    Bench::with(vec![server("a", "1", 6767), server("b", "2", 6768)])
}

#[test]
fn running_says_so() {
    let bench = two();
    std::fs::create_dir(bench.path("run")).unwrap();
    let _file = PidFile::create(&bench.path("run/1.pid")).unwrap();
    let pid = std::process::id();
    assert_eq!(bench.m2sh("running -name a").prints(), format!("mongrel2 at PID {pid} running.\n"));
    let every = bench.m2sh("running -every").exits(3).stdout;
    let expected = format!("Found server a 1 RUNNING at PID {pid}\nPID file run/2.pid not found for server b 2\n");
    assert_eq!(every, expected);
    let json = bench.m2sh("running -name a").json();
    assert_eq!((&json[0]["pid"], &json[0]["running"]), (&pid.into(), &true.into()));
}

#[test]
fn a_file_that_was_left_behind_is_stale() {
    let bench = two();
    std::fs::create_dir(bench.path("run")).unwrap();
    std::fs::write(bench.path("run/1.pid"), "1\n").unwrap();
    for words in ["running -name a", "stop -name a", "reload -name a"] {
        assert_eq!(bench.m2sh(words).exits(3).stdout, "PID file run/1.pid is stale for server a 1\n");
    }
    assert_eq!(bench.log().len(), 1);
}

#[test]
fn stop_waits_for_the_end() {
    let bench = two();
    let Some(fake) = Fake::start(&bench.path("run/1.pid"), "SIGINT") else { return };
    let stopped = bench.m2sh("stop -every -why upgrade").prints();
    let expected = format!("PID file run/2.pid not found for server b 2\nStopped server a 1 at PID {}\n", fake.pid);
    assert_eq!(stopped, expected);
    assert_eq!(fake.signals(), ["SIGINT"]);
    let entry = bench.log().pop().unwrap();
    assert_eq!((entry.what.as_str(), entry.why.as_str()), ("stop", "upgrade"));
}

#[test]
fn all_are_told_to_stop_before_the_end_of_any_is_waited_for() {
    let uuids = ["1", "2", "3", "4", "5"];
    let bench = Bench::with(uuids.map(|uuid| server("a", uuid, 6767)).to_vec());
    let start = |uuid| Fake::start_with(&bench.path(&format!("run/{uuid}.pid")), "SIGINT", Stdio::piped());
    let fakes: Option<Vec<Fake>> = uuids.into_iter().map(start).collect();
    let Some(mut fakes) = fakes else { return };
    let mut m2sh = bench.m2sh("stop -every");
    let stopping = m2sh.command.stdout(Stdio::piped()).spawn().unwrap();
    // None of them ends before all have got the signal.
    fakes.iter_mut().for_each(|fake| assert_eq!(fake.lines.next().unwrap().unwrap(), "SIGINT"));
    fakes.iter_mut().for_each(|fake| drop(fake.child.stdin.take()));
    let output = stopping.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8(output.stdout).unwrap();
    let expected: String =
        uuids.iter().zip(&fakes).map(|(uuid, fake)| format!("Stopped server a {uuid} at PID {}\n", fake.pid)).collect();
    assert_eq!(told, expected);
}

#[test]
fn one_that_does_not_end_does_not_keep_the_others() {
    let bench = two();
    bench.sql("INSERT INTO setting (key, value) VALUES ('server.drain_timeout', '0')");
    let Some(_deaf) = Fake::start(&bench.path("run/1.pid"), "none") else { return };
    let Some(fake) = Fake::start(&bench.path("run/2.pid"), "SIGINT") else { return };
    let output = bench.m2sh("stop -every").exits(1);
    assert_eq!(output.stdout, format!("Stopped server b 2 at PID {}\n", fake.pid));
    assert!(output.stderr.contains("m2sh: cannot stop server a 1: process "), "{}", output.stderr);
}

#[test]
fn a_pid_file_that_is_hidden_does_not_keep_the_others() {
    let bench = two();
    let Some(fake) = Fake::start(&bench.path("run/2.pid"), "SIGINT") else { return };
    std::fs::write(bench.path("run/1.pid"), "1\n").unwrap();
    std::fs::set_permissions(bench.path("run/1.pid"), std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    let trouble = "cannot tell whether server a 1 runs: its PID file run/1.pid: Permission denied";
    for (words, told) in [("reload -every", "Reloading"), ("stop -every", "Stopped")] {
        let output = bench.humble_m2sh(words).exits(1);
        assert_eq!(output.stdout, format!("{told} server b 2 at PID {}\n", fake.pid));
        assert!(output.stderr.contains(trouble), "{}", output.stderr);
    }
}

#[test]
fn what_does_not_end_is_told() {
    let bench = two();
    bench.sql("INSERT INTO setting (key, value) VALUES ('server.drain_timeout', '0')");
    let Some(_fake) = Fake::start(&bench.path("run/1.pid"), "none") else { return };
    bench.m2sh("stop -name a").exits(1).complains(&["still runs", "hint: wait, or stop it at once with `-murder`"]);
}

#[test]
fn murder_is_a_second_signal_and_then_the_last() {
    let bench = two();
    let Some(fake) = Fake::start(&bench.path("run/1.pid"), "none") else { return };
    assert!(bench.m2sh("stop -name a -murder").prints().starts_with("Stopped server a 1 at PID "));
    // On a busy machine the two are one, or the last comes before it has said so.
    let signals = fake.signals();
    assert!(signals.len() <= 2 && signals.iter().all(|signal| signal == "SIGTERM"), "{signals:?}");
}

#[test]
fn reload_signals_once_the_database_is_sound() {
    let bench = two();
    let Some(fake) = Fake::start(&bench.path("run/1.pid"), "SIGINT") else { return };
    bench.sql("UPDATE server SET port = 0 WHERE id = 2");
    bench.m2sh("reload -name a").exits(1).complains(&["0 is not a TCP port"]);
    bench.sql("UPDATE server SET port = 6768 WHERE id = 2");
    let expected = format!("Reloading server a 1 at PID {}\n", fake.pid);
    assert_eq!(bench.m2sh("reload -name a").prints(), expected);
    let stopped = bench.m2sh("stop -every").json();
    assert_eq!((&stopped[0]["outcome"], &stopped[1]["outcome"]), (&"not running".into(), &"stopped".into()));
    assert_eq!(fake.signals(), ["SIGHUP", "SIGINT"]);
    let what: Vec<_> = bench.log().into_iter().map(|entry| entry.what).collect();
    assert_eq!(what, ["test", "reload", "stop"]);
}

#[test]
fn a_log_that_cannot_be_written_is_no_reason_not_to_stop() {
    let bench = two();
    let Some(fake) = Fake::start(&bench.path("run/1.pid"), "SIGINT") else { return };
    bench.sql("CREATE TRIGGER locked BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'no more room'); END");
    let output = bench.m2sh("stop -name a").exits(0);
    assert_eq!(output.stdout, format!("Stopped server a 1 at PID {}\n", fake.pid));
    assert_eq!(output.stderr, "m2sh: warning: cannot write to the log of `config.sqlite`: no more room\n");
}

#[test]
fn start_refuses_what_runs() {
    let bench = two();
    std::fs::create_dir(bench.path("run")).unwrap();
    let _file = PidFile::create(&bench.path("run/1.pid")).unwrap();
    bench.m2sh("start -name a").exits(1).complains(&[
        "m2sh: cannot start server a 1: it is running already, at PID ",
        "hint: `m2sh reload -db config.sqlite -uuid 1` gives it",
        "hint: `m2sh stop -db config.sqlite -uuid 1` stops it",
    ]);
    assert_eq!(bench.log().len(), 1);
}
