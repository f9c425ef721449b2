//! Dependencies that mean ready.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use testkit::{free_address, wait};

use crate::stage::{SLEEP, Stage, kill};

/// `db` with these files, and `web` that depends on it.
fn stage(files: &[(&str, &str)]) -> Stage {
    let stage = Stage::new();
    stage.service("db", SLEEP, files);
    stage.service("web", SLEEP, &[("depends", "db")]);
    stage
}

/// Whether `web` waits although `db` runs.
fn wait_waiting(stage: &Stage) {
    stage.wait_state("db", "up");
    assert_eq!((stage.state("web"), stage.why("web")), ("waiting".into(), "waits for `db`".into()));
}

#[test]
fn a_script_says_so() {
    let stage = stage(&[("restart", "")]);
    stage.script("db/ready", "test -e yes");
    stage.start();
    wait_waiting(&stage);
    wait::until("a reason", || stage.why("db").contains("its check says no: exit status 1").then_some(()));
    stage.write("db/yes", "");
    stage.told("wait db web");
}

#[test]
fn a_port_says_so() {
    let address = free_address();
    let stage = stage(&[("ready", &format!("tcp {address}\n"))]);
    stage.start();
    wait_waiting(&stage);
    let _listener = TcpListener::bind(address).unwrap();
    stage.told("wait db web");
}

#[test]
fn an_http_server_says_so_and_says_no_again() {
    let status = Arc::new(AtomicU16::new(503));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let said = Arc::clone(&status);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1000]);
            let _ = write!(stream, "HTTP/1.1 {} Whatever\r\nContent-Length: 0\r\n\r\n", said.load(Ordering::Relaxed));
        }
    });
    let stage = stage(&[("ready", &format!("http http://{address}/up\ninterval 20ms\nfailures 2\n"))]);
    stage.start();
    wait_waiting(&stage);
    wait::until("a reason", || (stage.why("db") == "it answers with status 503").then_some(()));
    status.store(200, Ordering::Relaxed);
    stage.told("wait db web");
    status.store(500, Ordering::Relaxed);
    stage.wait_state("db", "unready");
    assert_eq!(stage.tell("status db").0, 3);
    status.store(204, Ordering::Relaxed);
    stage.told("wait db");
}

#[test]
fn the_service_says_so_itself() {
    // What sd_notify(3) does, with what is there.
    let notify = "import os, socket, time\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.connect(os.environ['NOTIFY_SOCKET'])\n\
                  s.send(b'STATUS=warming up')\nwhile not os.path.exists('yes'): time.sleep(0.01)\ns.send(b'READY=1\\nSTATUS=serving')\ntime.sleep(1000000)\n";
    let stage = stage(&[("ready", "notify\n"), ("notify.py", notify), ("restart", "")]);
    stage.script("db/run", "exec python3 notify.py");
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "python3 is missing");
        return eprintln!("skipped: python3 is missing");
    }
    stage.start();
    wait_waiting(&stage);
    wait::until("its words", || (stage.why("db") == "warming up").then_some(()));
    stage.write("db/yes", "");
    stage.told("wait db web");
    wait::until("its words", || (stage.why("db") == "serving").then_some(()));
    // Another procer remembers that it was ready, and hears the next one.
    let pid = stage.pid("db");
    stage.kill_procer();
    stage.start();
    assert_eq!((stage.pid("db"), stage.state("db")), (pid, "ready".into()));
    kill(pid);
    stage.wait_other("db", pid);
}

#[test]
fn one_that_never_is_ready_has_failed() {
    let stage = stage(&[("ready", "tcp 127.0.0.1:1\nwithin 300ms\n")]);
    stage.start();
    stage.wait_state("db", "failed");
    assert_eq!((stage.why("db"), stage.state("web")), ("it was not ready in time".into(), "waiting".into()));
    assert_eq!(stage.processes("db"), [0; 0]);
}

#[test]
fn one_that_is_not_ready_any_more_may_be_restarted() {
    let stage =
        stage(&[("restart", ""), ("ready", "script check\ninterval 20ms\ntimeout 60s\nfailures 1\nrestart yes\n")]);
    stage.script("db/check", "test -e yes");
    stage.write("db/yes", "");
    stage.start();
    stage.told("wait db");
    let pid = stage.pid("db");
    std::fs::remove_file(stage.profiles().join("db/yes")).unwrap();
    wait::until("another process", || {
        stage.status("db")["pid"].as_i64().is_some_and(|other| other != i64::from(pid)).then_some(())
    });
    stage.write("db/yes", "");
    stage.told("wait db web");
}

#[test]
fn a_check_that_hangs_is_killed() {
    let stage = stage(&[("ready", "script check\ntimeout 50ms\nwithin 0\n")]);
    stage.script("db/check", "sleep 1000000");
    stage.start();
    wait::until("a reason", || (stage.why("db") == "its check says no: killed by SIGKILL").then_some(()));
    wait::until("the service itself, and one check at most", || (stage.processes("db").len() <= 3).then_some(()));
}
