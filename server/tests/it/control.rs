//! The control port: what it tells, what it does, and who gets in.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mongrel2::config::{Proxy, Route, Target};
use mongrel2::wire::control::{Command, Failure, Language, Selector, Status, Table, parse_answer, render_request};
use mongrel2::wire::tnetstring::Value;
use testkit::{Process, wait};

use crate::harness::{Client, Operator, Peer, Running, Site, UUID, files, free_address, get, handler};

const SECOND: &str = "9f0cbd7d-aeff-4195-921e-2ce1c25512d3";

fn site() -> Site {
    Site::new().files("/").file("static/index.html", "index").route("/json", Target::Handler(handler("json")))
}

fn operator(running: &Running) -> Operator {
    Operator::connect(running.site.path())
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => String::from_utf8(text.clone()).unwrap(),
        other => panic!("{other:?} is no text"),
    }
}

fn number(value: &Value) -> i64 {
    match value {
        Value::Integer(number) => *number,
        other => panic!("{other:?} is no number"),
    }
}

/// The ids of all connections.
fn ids(operator: &Operator) -> Vec<u64> {
    operator.status(Status::Net).iter().map(|row| number(&row["id"]).try_into().unwrap()).collect()
}

fn generation(answer: &Result<Table, Failure>) -> i64 {
    let table = answer.as_ref().unwrap();
    assert_eq!(table.headers, ["status", "generation", "warnings"]);
    assert_eq!(table.rows[0][0], "OK".into());
    number(&table.rows[0][1])
}

fn recorded(name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(format!("control-{name}"))).unwrap()
}

/// Whether an answer says that a worker was late, which may be on a busy machine.
fn is_late(answer: &[u8]) -> bool {
    answer.windows(10).any(|words| words == b"no answer ")
}

fn replay(operator: &Operator, name: &str) -> (Table, Table) {
    let table = |answer: &[u8]| parse_answer(answer).unwrap().unwrap();
    let ask = || table(&operator.exchange(recorded(&format!("{name}.request"))));
    let told = wait::until("all workers to answer", || Some(ask()).filter(|table| table.note.is_none()));
    (told, table(&recorded(&format!("{name}.answer"))))
}

#[test]
fn fixed_answers_are_those_that_were_recorded() {
    let running = site().start();
    let operator = operator(&running);
    for name in ["help", "kill-missing", "not-a-list", "status-bad", "unknown", "uuid", "control-stop"] {
        let expected = recorded(&format!("{name}.answer"));
        let ask = || operator.exchange(recorded(&format!("{name}.request")));
        let answer = wait::until("all workers to answer", || Some(ask()).filter(|answer| !is_late(answer)));
        assert_eq!(answer.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{name}");
    }
}

#[test]
fn what_is_told_has_the_recorded_columns_first() {
    let running = site().start();
    let operator = operator(&running);
    let (time, recorded_time) = replay(&operator, "time");
    assert_eq!(time.headers, recorded_time.headers);
    assert_eq!(text(&time.rows[0][0]).len(), 10);

    let (info, recorded_info) = replay(&operator, "info");
    assert_eq!(info.headers[..8], recorded_info.headers);
    assert_eq!(info.headers[8..], ["generation", "started", "version", "pid", "workers", "state"]);
    for same in [2, 4, 5, 6, 7] {
        assert_eq!(info.rows[0][same], recorded_info.rows[0][same]);
    }
    assert_eq!(number(&info.rows[0][11]), i64::from(running.process.id()));

    let (tasks, recorded_tasks) = replay(&operator, "status-tasks");
    assert_eq!(tasks.headers[..5], recorded_tasks.headers);
    let kind = |value: &Value| std::mem::discriminant(value);
    for row in &tasks.rows {
        assert!(row.iter().zip(&recorded_tasks.rows[0]).all(|(ours, theirs)| kind(ours) == kind(theirs)), "{row:?}");
    }
}

#[test]
fn a_waiting_connection_is_told_of_and_killed_as_recorded() {
    let running = site().start();
    let peer = Peer::connect(running.site.path(), "json");
    let operator = operator(&running);
    let mut client = running.connect();
    client.send("GET /json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let id = peer.request().id;
    let (net, recorded_net) = replay(&operator, "status-net");
    assert_eq!(net.headers[..8], recorded_net.headers);
    assert_eq!(net.headers[8..], ["state", "address", "host", "route", "age", "queue", "tls"]);
    assert_eq!(net.rows[0][2..8], recorded_net.rows[0][2..]);
    assert_eq!(net.rows[0][0], Value::from(id));
    assert_eq!(
        ["waiting", "127.0.0.1"],
        [8, 9].map(|column| text(&net.rows[0][column])).each_ref().map(String::as_str)
    );

    let kill = |id| render_request(Language::Tnetstring, &Command::Kill(Selector::Id(id)));
    assert_eq!(kill(19), recorded("kill.request"));
    let answer = operator.exchange(kill(id));
    if !is_late(&answer) {
        assert_eq!(answer.escape_ascii().to_string(), recorded("kill.answer").escape_ascii().to_string());
    }
    assert!(client.is_closed());
    let notice = peer.request();
    assert!(notice.is_disconnect() && notice.id == id);
    wait::until("the connection to be gone", || ids(&operator).is_empty().then_some(()));
    let again = || operator.ask(&Command::Kill(Selector::Id(id))).err();
    assert_eq!(wait::until("all workers to answer", again), Failure::INVALID_ARGUMENT);
}

#[test]
fn words_get_json() {
    let running = site().start();
    let operator = operator(&running);
    wait::until("an answer in time", || (operator.exchange("status net") == br#"{"total": 0}"#).then_some(()));
    let _client = running.connect();
    let id = wait::until("the connection", || ids(&operator).first().copied());
    wait::until("the connection in JSON", || {
        let net = operator.say("status net\0");
        (net["total"] == 1 && net[id.to_string()].is_u64()).then_some(())
    });
    assert_eq!(operator.say("uuid\n")["uuid"], UUID);
    assert_eq!(operator.say("info")["pid"], running.process.id());
    assert!(operator.say("time")["time"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(operator.say("help").as_object().unwrap().len(), 10);
    assert_eq!(operator.say("status tasks")["1"]["name"], "main");
    assert_eq!(operator.say("frob")["code"], "CALLBACK_NOT_FOUND");
    wait::until("an answer in time", || (operator.say("kill 1")["code"] == "INVALID_ARGUMENT").then_some(()));
    assert_eq!(operator.say(&format!("kill {id}"))["status"], "OK");
    assert_eq!(operator.say("kill address 127.0.0.9")["count"], 0);
    assert_eq!(operator.say("reload")["status"], "OK");
}

#[test]
fn tasks_are_all_that_runs() {
    let running = site().setting("server.workers", "2").start();
    let operator = operator(&running);
    let _client = running.connect();
    wait::until("the connection", || (ids(&operator).len() == 1).then_some(()));
    let tasks = operator.status(Status::Tasks);
    let column = |name: &str| tasks.iter().map(|row| text(&row[name])).collect::<Vec<_>>();
    assert_eq!(column("name"), ["main", "control", "worker 0", "worker 1", "handler", "handler"]);
    let states = ["serving", "answering", "accepting", "accepting", "receiving", "sending"];
    assert_eq!(column("state"), states);
    let addresses = ["", "ipc://run/control", "", "", "ipc://run/json.replies", "ipc://run/json.requests"];
    assert_eq!(column("address"), addresses);
    assert_eq!(tasks.iter().map(|row| number(&row["connections"])).sum::<i64>(), 1);
}

#[test]
fn what_waits_for_a_handler_is_told() {
    let running = site().setting("server.workers", "1").start();
    let operator = operator(&running);
    let mut clients: Vec<_> = (0..3).map(|_| running.connect()).collect();
    clients.iter_mut().for_each(|client| client.send(get("/json")));
    wait::until("the requests to wait", || {
        let tasks = operator.status(Status::Tasks);
        let sender = tasks.into_iter().find(|row| row["state"] == "sending".into()).unwrap();
        (number(&sender["queue"]) == 3 && sender["status"] == "waiting".into()).then_some(())
    });
}

#[test]
fn a_client_that_does_not_read_has_a_queue() {
    let running = site().setting("limits.reply_queue", "100000000").start();
    let peer = Peer::connect(running.site.path(), "json");
    let operator = operator(&running);
    let mut client = running.connect();
    client.send(get("/json"));
    let id = peer.request().id;
    let piece = vec![b'x'; 1_000_000];
    peer.reply(&[id], "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    wait::until("bytes to wait for the client", || {
        let row = operator.status(Status::Net).pop().unwrap();
        if number(&row["queue"]) > 0 && row["state"] == "writing".into() {
            return Some(());
        }
        peer.reply(&[id], &piece);
        None
    });
}

#[test]
fn a_reload_is_answered_when_it_is_over_with_its_generation() {
    let running = site().start();
    let operator = operator(&running);
    let first = generation(&operator.ask(&Command::Reload));
    let mut site = running.site;
    site.server().hosts[0].routes[0].path = "/new/".into();
    site.save();
    assert_eq!(generation(&operator.ask(&Command::Reload)), first + 1);
    let mut client = Client::connect(site.address());
    client.send(get("/new/"));
    assert_eq!(client.answer().text(), "index");
    assert_eq!(operator.say("info")["generation"], first + 1);
    running.process.wait_for_stderr(&format!("generation {}", first + 1));
}

#[test]
fn a_reload_that_fails_says_why_and_changes_nothing() {
    let running = site().start();
    let operator = operator(&running);
    let before = operator.say("info");
    let mut site = running.site;
    let port = site.server().port;
    site.server().port = 0;
    site.save();
    let failure = operator.ask(&Command::Reload).unwrap_err();
    assert_eq!(failure.code, "RELOAD_FAILED");
    assert!(failure.error.contains("0 is not a TCP port"), "{failure}");
    site.server().port = port;
    assert_eq!(operator.say("info"), before);
    let mut client = Client::connect(site.address());
    client.send(get("/"));
    assert_eq!(client.answer().text(), "index");
}

#[test]
fn many_are_killed_by_address() {
    let running = site().start();
    let operator = operator(&running);
    let mut bad: Vec<_> = (0..20).map(|_| Client::connect_from([127, 0, 0, 2], running.address())).collect();
    let mut good = running.connect();
    wait::until("all to be there", || (ids(&operator).len() == 21).then_some(()));
    let killed = operator.ask(&Command::Kill(Selector::Address([127, 0, 0, 2].into()))).unwrap();
    if killed.note.is_none() {
        assert_eq!(killed, Table::row([("status", "OK".into()), ("count", 20u64.into())]));
    }
    assert!(bad.iter_mut().all(Client::is_closed));
    good.send(get("/"));
    assert_eq!(good.answer().text(), "index");
}

/// Host and route of each connection that has asked for something, by its route.
fn routes(operator: &Operator) -> Vec<(String, String)> {
    let rows = operator.status(Status::Net);
    let mut routes: Vec<_> = rows.iter().map(|row| (text(&row["host"]), text(&row["route"]))).collect();
    routes.sort_unstable();
    routes
}

#[test]
fn connections_are_told_of_and_killed_by_route() {
    let mut running = site().start();
    let peer = Peer::connect(running.site.path(), "json");
    let operator = operator(&running);
    let mut asking = running.connect();
    asking.send(get("/json"));
    peer.request();
    let mut other = running.connect();
    other.send(get("/"));
    other.answer();
    let _silent = running.connect();
    let route = |host: &str, route: &str| (host.to_owned(), route.to_owned());
    let expected = [route("", ""), route("localhost", "/"), route("localhost", "/json")];
    wait::until("the routes of three connections", || (routes(&operator) == expected).then_some(()));
    // The routes get other numbers, and one of them goes.
    running.change(|config| {
        let routes = &mut config.servers[0].hosts[0].routes;
        let json = routes.pop().unwrap();
        *routes = vec![json, Route { path: "/new/".into(), reversed: false, target: files() }];
    });
    assert_eq!(routes(&operator), [route("", ""), route("", ""), route("localhost", "/json")]);
    let kill = |path: &str| {
        let killed = operator.ask(&Command::Kill(Selector::Route(path.into()))).unwrap();
        (number(&killed.rows[0][1]), killed.note.is_some())
    };
    assert!([kill("/js"), kill("")].iter().all(|(count, _)| *count == 0));
    let (count, late) = kill("/json");
    assert!(count == 1 || late);
    assert!(asking.is_closed());
    other.send(get("/new/"));
    assert_eq!(other.answer().text(), "index");
}

#[test]
fn answers_come_while_everybody_is_busy() {
    let running = site().start();
    let peer = Peer::connect(running.site.path(), "json");
    let operator = operator(&running);
    let idle: Vec<_> = (0..500).map(|_| running.connect()).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let (mut client, stop) = (running.connect(), Arc::clone(&stop));
            let path = if number % 2 == 0 { "/json" } else { "/" };
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    client.send(get(path));
                    assert_eq!(client.answer().status, 200);
                }
            })
        })
        .collect();
    let answering = thread::spawn(move || {
        while clients.iter().any(|client| !client.is_finished()) {
            match peer.request_now() {
                Some(request) if !request.is_disconnect() => peer.answer(&[request.id], "hello"),
                _ => {}
            }
        }
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
    wait::until("all to be there", || (ids(&operator).len() == 508).then_some(()));
    for _ in 0..50 {
        let rows = operator.status(Status::Net);
        assert_eq!(rows.len(), 508);
        let connections = operator.status(Status::Tasks).iter().map(|row| number(&row["connections"])).sum::<i64>();
        assert_eq!(connections, 508);
    }
    let busy = |rows: Vec<std::collections::HashMap<String, Value>>| {
        rows.iter().filter(|row| number(&row["bytes_written"]) > 0).count() >= 8
    };
    wait::until("each to be served", || busy(operator.status(Status::Net)).then_some(()));
    stop.store(true, Ordering::Relaxed);
    answering.join().unwrap();
    drop(idle);
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn only_the_owner_gets_in() {
    let mut running = site().start();
    assert_eq!(mode(&running.site.path().join("run/control")), 0o600);
    // Files that are made afterwards are as they always were.
    let log = running.site.path().join("logs/error.log");
    let before = mode(&log);
    fs::remove_file(&log).unwrap();
    running.reload();
    assert_eq!(mode(&log), before);
}

#[test]
fn what_a_crashed_server_left_behind_does_not_matter() {
    let site = site();
    let path = site.path().join("run/control");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let running = site.start();
    assert_eq!(operator(&running).say("uuid")["uuid"], UUID);
    running.signal("-TERM");
    wait::until("the file to be gone", || (!path.exists()).then_some(()));
}

/// A second server in the same chroot.
fn add_second(site: &mut Site) {
    site.change(|config| {
        let mut second = config.servers[0].clone();
        second.uuid = SECOND.into();
        second.port = free_address().port().into();
        second.pid_file = "/run/second.pid".into();
        second.hosts[0].routes.clear();
        config.servers.push(second);
    });
}

fn start_second(site: &Site) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mongrel2"));
    command.arg(site.path().join("config.sqlite")).arg(SECOND).output().unwrap()
}

#[test]
fn a_server_does_not_start_at_the_control_port_of_another() {
    let mut site = site();
    add_second(&mut site);
    let running = site.start();
    running.process.wait_for_stderr("only one of them can run at a time");
    let output = start_second(&running.site);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("cannot start: another server answers at the control port `ipc://run/control`"),
        "{stderr}"
    );
    assert!(stderr.contains("hint: give each server of a chroot a `control_port` of its own"), "{stderr}");
    assert_eq!(operator(&running).say("uuid")["uuid"], UUID, "the first one still has it");
    assert!(!running.site.path().join("run/second.pid").exists());
}

#[test]
fn of_two_that_start_at_once_one_has_the_control_port() {
    let mut site = site();
    add_second(&mut site);
    site.save();
    for _ in 0..5 {
        let start = |uuid: &str| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mongrel2"));
            Process::start(command.arg(site.path().join("config.sqlite")).arg(uuid))
        };
        let mut both = [start(UUID), start(SECOND)];
        let loser = wait::until("one to give up", || both.iter_mut().position(|process| !process.is_running()));
        both[loser].wait_for_stderr("another server answers");
        let winner = &both[1 - loser];
        winner.wait_for_stderr("listens on");
        assert_eq!(Operator::connect(site.path()).say("info")["pid"], winner.id());
    }
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let mut site = site().file("static/precious", "precious");
    site.server().control_port = "ipc://static/precious".into();
    site.save();
    let output = site.command().output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("`ipc://static/precious` would replace a file that is no socket"), "{stderr}");
    assert_eq!(fs::read_to_string(site.path().join("static/precious")).unwrap(), "precious");
}

#[test]
fn an_address_of_tcp_works_and_may_be_taken() {
    let mut site = site();
    let spec = format!("tcp://127.0.0.1:{}", free_address().port());
    site.server().control_port.clone_from(&spec);
    let running = site.start();
    assert_eq!(Operator::connect_to(&spec).say("uuid")["uuid"], UUID);
    let mut other = Site::new();
    other.server().control_port.clone_from(&spec);
    other.save();
    let output = other.command().output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&format!("cannot bind the control port `{spec}`: Address already in use")), "{stderr}");
    assert!(stderr.contains("hint: another program has this address"), "{stderr}");
    drop(running);
}

#[test]
fn a_reload_moves_the_control_port() {
    let mut running = site().start();
    let old = operator(&running);
    running.site.server().control_port = "ipc://run/elsewhere".into();
    running.site.save();
    generation(&old.ask(&Command::Reload));
    let new = Operator::connect_to(&format!("ipc://{}/run/elsewhere", running.site.path().display()));
    assert_eq!(new.say("uuid")["uuid"], UUID);
    assert!(!running.site.path().join("run/control").exists());
    // And back, by a signal.
    running.change(|config| config.servers[0].control_port.clear());
    assert_eq!(operator(&running).say("uuid")["uuid"], UUID);
    assert_eq!(mode(&running.site.path().join("run/control")), 0o600);
}

#[test]
fn a_reload_to_a_control_port_that_cannot_be_had_fails() {
    let running = site().file("static/precious", "precious").start();
    let operator = operator(&running);
    let mut site = running.site;
    for (spec, reason) in [("ipc://static/precious", "no socket"), ("ipc://nowhere/control", "No such file")] {
        site.server().control_port = spec.into();
        site.save();
        let failure = operator.ask(&Command::Reload).unwrap_err();
        assert!(failure.error.contains(reason), "{failure}");
    }
    assert_eq!(operator.say("uuid")["uuid"], UUID);
}

#[test]
fn control_stop_is_for_good() {
    let mut running = site().start();
    assert_eq!(operator(&running).say("control stop")["msg"], "stopping the control port");
    let path = running.site.path().join("run/control");
    wait::until("the file to be gone", || (!path.exists()).then_some(()));
    running.reload();
    running.change(|config| config.servers[0].control_port = "ipc://run/elsewhere".into());
    assert!(!path.exists() && !running.site.path().join("run/elsewhere").exists());
    assert_eq!(running.get("/").text(), "index");
}

#[test]
fn stop_lets_answers_be_completed() {
    let mut running = site().start();
    let peer = Peer::connect(running.site.path(), "json");
    let operator = operator(&running);
    let mut client = running.connect();
    client.send(get("/json"));
    let id = peer.request().id;
    assert_eq!(operator.say("stop")["msg"], "signal sent to server");
    // It still answers, and takes no other configuration.
    let states = || operator.status(Status::Tasks).iter().map(|row| text(&row["state"])).collect::<Vec<_>>();
    wait::until("it to stop", || states().starts_with(&["stopping".to_owned()]).then_some(()));
    wait::until("workers to drain", || states().contains(&"draining".to_owned()).then_some(()));
    assert_eq!(operator.ask(&Command::Reload).unwrap_err().code, "RELOAD_FAILED");
    peer.answer(&[id], "last words");
    assert_eq!(client.answer().text(), "last words");
    assert_eq!(running.process.wait().code(), Some(0));
}

#[test]
fn terminate_waits_for_nobody() {
    for (first, then) in [("terminate", None), ("stop", Some("terminate"))] {
        let mut running = site().setting("server.drain_timeout", "3600").start();
        let peer = Peer::connect(running.site.path(), "json");
        let operator = operator(&running);
        let mut client = running.connect();
        client.send(get("/json"));
        peer.request();
        for words in [Some(first), then].into_iter().flatten() {
            assert_eq!(operator.say(words)["msg"], "signal sent to server", "{words}");
        }
        assert_eq!(running.process.wait().code(), Some(0));
        assert!(client.is_closed());
        assert!(peer.request().is_disconnect());
    }
}

#[test]
fn garbage_gets_an_error_and_changes_nothing() {
    let running = site().start();
    let operator = operator(&running);
    let deep =
        (0..5000).fold(b"0:]".to_vec(), |inner, _| [format!("{}:", inner.len()).as_bytes(), &inner, b"]"].concat());
    let garbage: [&[u8]; 14] = [
        b"",
        b"\0",
        b"\0\0\0",
        b"\xff\xfe",
        b"{\"status\": \"net\"}",
        b"1",
        b"999999999:x",
        b"99999999999999999999:x,",
        b"3:abc",
        b"0:}",
        b"4:kill,",
        b"23:4:kill,12:2:id,4:1e99^}]",
        &[b'a'; 60_000],
        &deep[..deep.len().min(60_000)],
    ];
    for bytes in garbage {
        let answer = operator.exchange(bytes);
        let shown = bytes[..bytes.len().min(40)].escape_ascii();
        assert!(answer.windows(5).any(|word| word == b"error"), "{shown}: {}", answer.escape_ascii());
    }
    assert_eq!(operator.say("uuid")["uuid"], UUID);
}

#[test]
fn there_are_no_sessions_without_a_pinned_proxy() {
    let proxy = Proxy { addr: "127.0.0.1".into(), port: 1, session_cookie: "sid".into(), ..Proxy::default() };
    let running = site().route("/pinned/", Target::Proxy(proxy)).start();
    let operator = operator(&running);
    assert!(operator.status(Status::Sessions).is_empty());
    assert_eq!(operator.say("status sessions"), serde_json::json!({"total": 0}));
    assert_eq!(operator.ask(&Command::KillSession(1)), Err(Failure::INVALID_ARGUMENT));
    let expected = serde_json::json!({"error": "Invalid argument type.", "code": "INVALID_ARGUMENT"});
    assert_eq!(operator.say("kill session 1"), expected);
}

#[test]
fn who_does_not_keep_to_the_rules_harms_nobody_else() {
    let running = site().start();
    let path = running.site.path().join("run/control");
    // Too large to be taken at all.
    let large = operator(&running);
    large.send(vec![b'a'; 10_000_000]);
    // In several parts, of which the first counts.
    assert_eq!(operator(&running).exchange_parts(&["uuid", "time", "stop"]), operator(&running).exchange("uuid"));
    // Gone before the answer.
    for _ in 0..50 {
        operator(&running).send("status net");
    }
    // No ZeroMQ at all.
    let mut raw = UnixStream::connect(&path).unwrap();
    raw.write_all(&[b'x'; 1000]).unwrap();
    let _silent = UnixStream::connect(&path).unwrap();
    assert_eq!(operator(&running).say("uuid")["uuid"], UUID);
}

#[test]
fn one_client_may_ask_again_and_again() {
    let running = site().start();
    let operator = operator(&running);
    for _ in 0..2000 {
        assert_eq!(operator.exchange("frob").first(), Some(&b'{'));
    }
}
