//! `m2sh reload` with a real server, which says what came of it.

use std::net::TcpListener;
use std::process::Stdio;

use mongrel2::control::Client;
use mongrel2::wire::control::{Command, Failure, Language, Table, render_answer};
use mongrel2::wire::tnetstring::Value;
use testkit::{Process, wait};

use super::bench::{Bench, server};

fn free_port() -> u16 {
    testkit::free_address().port()
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

/// Writes `config.rhai`: what is loaded, with this in place of that.
fn edit(bench: &Bench, that: &str, this: &str) {
    let script = bench.m2sh("export").prints();
    assert!(script.contains(that), "no `{that}` in:\n{script}");
    bench.script("config.rhai", &script.replace(that, this));
}

#[test]
fn load_has_it_served() {
    let (bench, process) = start();
    let pid = process.id();
    edit(&bench, "example.org", "example.test");
    let output = bench.m2sh("load -reload -why test").prints();
    let expected = format!("into config.sqlite\nReloaded server a 1 at PID {pid}, generation 2\n");
    assert!(output.ends_with(&expected), "{output}");
    let what: Vec<_> = bench.log().into_iter().filter(|entry| entry.why == "test").map(|entry| entry.what).collect();
    assert_eq!(what, ["load", "reload"]);
    // Also when it is only the server that doesn't know it yet.
    let json = bench.m2sh("load -reload").json();
    assert_eq!((&json["changes"], &json["put_back"]), (&serde_json::json!([]), &false.into()));
    assert_eq!((&json["reload"][0]["outcome"], &json["reload"][0]["generation"]), (&"reloaded".into(), &2.into()));
}

#[test]
fn load_reloads_what_runs() {
    let bench = Bench::with(vec![server("a", "1", free_port())]);
    edit(&bench, "example.org", "example.test");
    let output = bench.m2sh("load -reload").prints();
    assert!(output.contains("PID file ") && output.ends_with(" not found for server a 1\n"), "{output}");
}

#[test]
fn what_a_server_cannot_serve_is_put_back() {
    let ports = [free_port(), free_port()];
    let mut servers = [("a", "1", ports[0]), ("b", "2", ports[1])].map(|(name, uuid, port)| server(name, uuid, port));
    for server in &mut servers {
        server.hosts.iter_mut().for_each(|host| host.routes.clear());
        server.pid_file = format!("/run/{}.pid", server.name);
        server.control_port = format!("ipc://run/{}.control", server.name);
    }
    let bench = Bench::with(servers.into());
    bench.sql("INSERT INTO setting (key, value) VALUES ('server.daemonize', '0')");
    let processes = ["a", "b"].map(|name| {
        let mut m2sh = bench.m2sh(&format!("start -name {name}"));
        let process = Process::start(m2sh.command.stdout(Stdio::null()));
        process.wait_for_stderr("listens on");
        process
    });
    let before = bench.m2sh("export").prints();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    edit(&bench, &format!("port: {}", ports[1]), &format!("port: {}", taken.local_addr().unwrap().port()));
    let output = bench.m2sh("load -reload").exits(1);
    let [a, b] = processes.each_ref().map(Process::id);
    let reloaded = |name, pid, generation| format!("Reloaded server {name} at PID {pid}, generation {generation}\n");
    let expected = [reloaded("a 1", a, 2), reloaded("a 1", a, 3), reloaded("b 2", b, 3)].concat();
    assert!(output.stdout.ends_with(&expected), "{}", output.stdout);
    for text in
        ["m2sh: cannot reload server b 2: cannot listen on ", "m2sh: cannot load `config.rhai`: not every server"]
    {
        assert!(output.stderr.contains(text), "{}", output.stderr);
    }
    assert_eq!(bench.m2sh("export").prints(), before);
    let json: serde_json::Value = serde_json::from_str(&bench.m2sh("load -reload -json").exits(1).stdout).unwrap();
    assert_eq!(json["put_back"], true);
    let what: Vec<_> = bench.log().into_iter().rev().take(3).map(|entry| entry.what).collect();
    assert_eq!(what, ["reload", "rollback", "load"]);
}

#[test]
fn what_somebody_else_has_loaded_meanwhile_stays() {
    let (bench, process) = start();
    edit(&bench, "example.org", "example.test");
    let pid = process.id();
    let played = zmq::Context::new().socket(zmq::REP).unwrap();
    played.bind(&format!("ipc://{}", bench.path("run/other").display())).unwrap();
    bench.sql("UPDATE server SET control_port = 'ipc://run/other'");
    let patience = i32::try_from(wait::DEADLINE.as_millis()).unwrap();
    played.set_rcvtimeo(patience).unwrap();
    let output = std::thread::scope(|scope| {
        let loading = scope.spawn(|| bench.m2sh("load -reload").exits(1));
        let answer = |answer| {
            played.recv_bytes(0).unwrap();
            played.send(render_answer(Language::Tnetstring, None, &answer), 0).unwrap();
        };
        // Asked before the load who it is, then again, and to reload.
        for _ in 0..2 {
            answer(Ok(Table::row([("pid", u64::from(pid).into())])));
        }
        played.poll(zmq::POLLIN, patience.into()).unwrap();
        bench.sql("UPDATE server SET access_log = '/logs/theirs.log'");
        answer(Err(Failure { code: "RELOAD".into(), error: "no room".into() }));
        loading.join().unwrap()
    });
    for text in ["cannot reload server a 1: no room", "cannot put back the configuration that was there: ", "meanwhile"]
    {
        assert!(output.stderr.contains(text), "{}", output.stderr);
    }
    assert!(bench.m2sh("export").prints().contains("/logs/theirs.log"));
}

#[test]
fn nothing_is_loaded_for_a_server_that_cannot_be_asked() {
    let (bench, _process) = start();
    edit(&bench, "example.org", "example.test");
    bench.sql("UPDATE server SET control_port = 'ipc://run/elsewhere'");
    let before = bench.m2sh("export").prints();
    let cause = "m2sh: cannot load `config.rhai`: server a 1 cannot be asked to reload: ";
    bench.m2sh("load -reload").exits(1).complains(&[cause, "hint: without `-reload` it is loaded"]);
    assert_eq!(bench.m2sh("export").prints(), before);
}

#[test]
fn drift_tells_three_ways() {
    let (bench, _process) = start();
    edit(&bench, "example.org", "example.org");
    bench.m2sh("load -reload").prints();
    assert_eq!(bench.m2sh("drift").prints(), "No drift\n");
    edit(&bench, "example.org", "example.test");
    bench.sql("UPDATE server SET access_log = '/logs/sql.log'");
    let changed = |from: &str, to: &str| format!("~ server a\n    access_log: {from} -> {to}\n");
    let told = bench.m2sh("drift").exits(2).stdout;
    let (usual, edited) = ("/logs/access.log", "/logs/sql.log");
    let behind = "Behind m2sh's back, since generation 2, the database was changed:\n";
    let server = "To reload server a 1, which runs with generation 2, would change:\n";
    for (heading, change) in [(behind, changed(usual, edited)), (server, changed(usual, edited))] {
        assert!(told.contains(&format!("{heading}{change}")), "{told}");
    }
    assert!(told.starts_with("To load config.rhai would change:\n"), "{told}");
    let json: serde_json::Value = serde_json::from_str(&bench.m2sh("drift -json").exits(2).stdout).unwrap();
    let told = [&json[0]["script"], &json[1]["generation"], &json[2]["server"]];
    assert_eq!(told, [&serde_json::json!("config.rhai"), &2.into(), &"1".into()]);
}

#[test]
fn drift_of_a_server_that_tells_nothing() {
    let (bench, _process) = start();
    bench.sql("UPDATE server SET control_port = 'ipc://run/elsewhere'");
    let output = bench.m2sh("drift").exits(1);
    assert!(output.stdout.starts_with("Behind m2sh's back"), "{}", output.stdout);
    assert!(output.stderr.contains("cannot ask server a 1 for its generation"), "{}", output.stderr);
}
