//! `m2sh reload` with a real server, which says what came of it.

use std::net::TcpListener;
use std::process::Stdio;

use mongrel2::control::Client;
use mongrel2::wire::control::{Command, Language, Table, render_answer};
use mongrel2::wire::tnetstring::Value;
use testkit::{Process, wait};

use super::bench::{Bench, server};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running server, which ends with its test.
fn start() -> (Bench, Process) {
    let mut server = server("a", "1", free_port());
    server.hosts.iter_mut().for_each(|host| host.routes.clear());
    let bench = Bench::with(vec![server]);
    bench.sql("INSERT INTO setting (key, value) VALUES ('server.daemonize', '0')");
    let mut m2sh = bench.m2sh("start");
    let process = Process::start(m2sh.command.stdout(Stdio::null()));
    process.wait_for_stderr("listens on");
    (bench, process)
}

#[test]
fn success_is_told_with_the_generation() {
    let (bench, process) = start();
    let pid = process.id();
    assert_eq!(bench.m2sh("reload").prints(), format!("Reloaded server a 1 at PID {pid}, generation 1\n"));
    let json = bench.m2sh("reload -why test").json();
    assert_eq!((&json[0]["outcome"], &json[0]["generation"]), (&"reloaded".into(), &1.into()));
    assert_eq!(bench.log().pop().unwrap().why, "test");
}

#[test]
fn failure_is_told_with_its_reason() {
    let (bench, _process) = start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    bench.sql(&format!("UPDATE server SET port = {}", taken.local_addr().unwrap().port()));
    let before = bench.log().len();
    bench.m2sh("reload").exits(1).complains(&["m2sh: cannot reload server a 1: cannot listen on ", "already in use"]);
    assert_eq!(bench.log().len(), before);
}

#[test]
fn without_its_control_port_a_server_gets_a_signal() {
    let (bench, process) = start();
    let spec = format!("ipc://{}", bench.path("run/control").display());
    let client = Client::connect(&spec).unwrap();
    client.ask(&Command::ControlStop, wait::DEADLINE).unwrap().unwrap();
    wait::until("the control port to be gone", || Client::connect(&spec).is_err().then_some(()));
    assert_eq!(bench.m2sh("reload").prints(), format!("Reloading server a 1 at PID {}\n", process.id()));
    process.wait_for_stderr("reloaded in");
}

#[test]
fn another_servers_control_port_is_not_asked() {
    let (bench, process) = start();
    // Nobody listens any more at the one that the server was started with, as far as the database knows.
    let other = zmq::Context::new().socket(zmq::REP).unwrap();
    other.bind(&format!("ipc://{}", bench.path("run/other").display())).unwrap();
    bench.sql("UPDATE server SET control_port = 'ipc://run/other'");
    let answering = std::thread::spawn(move || {
        assert_eq!(other.recv_bytes(0).unwrap(), b"10:4:info,0:}]");
        let answer = Ok(Table::row([("pid", 9_999_999u64.into())]));
        other.send(render_answer(Language::Tnetstring, None, &answer), 0).unwrap();
    });
    assert_eq!(bench.m2sh("reload").prints(), format!("Reloading server a 1 at PID {}\n", process.id()));
    answering.join().unwrap();
}

#[test]
fn what_the_server_warns_of_is_passed_on() {
    let (bench, process) = start();
    let pid = process.id();
    let played = zmq::Context::new().socket(zmq::REP).unwrap();
    played.bind(&format!("ipc://{}", bench.path("run/other").display())).unwrap();
    bench.sql("UPDATE server SET control_port = 'ipc://run/other'");
    let warnings = Value::List(vec!["cannot read `a.crt`".into(), "cannot read `b.crt`".into()]);
    let answering = std::thread::spawn(move || {
        let reload = [("status", "OK".into()), ("generation", 7u64.into()), ("warnings", warnings)];
        for answer in [Table::row([("pid", u64::from(pid).into())]), Table::row(reload)] {
            played.recv_bytes(0).unwrap();
            played.send(render_answer(Language::Tnetstring, None, &Ok(answer)), 0).unwrap();
        }
    });
    let output = bench.m2sh("reload").exits(0);
    assert_eq!(output.stdout, format!("Reloaded server a 1 at PID {pid}, generation 7\n"));
    let warning = "m2sh: warning: server a 1: cannot read";
    assert_eq!(output.stderr, format!("{warning} `a.crt`\n{warning} `b.crt`\n"));
    answering.join().unwrap();
}
