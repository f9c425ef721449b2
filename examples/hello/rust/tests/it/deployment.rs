//! The example as its README tells it: m2sh loads and starts, handlers in three languages answer, a reload under
//! traffic fails nobody, m2sh stops.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use testkit::http::{Client, ask};
use testkit::{Deployment, Process, wait};

/// Where clients connect, where handlers get requests, and where they send replies.
const PORTS: [&str; 3] = ["6767", "9997", "9996"];

fn deploy() -> Deployment {
    let deployment = Deployment::of(super::example("config.rhai"), &PORTS);
    fs::create_dir(deployment.path().join("static")).unwrap();
    fs::copy(super::example("static/index.html"), deployment.path().join("static/index.html")).unwrap();
    deployment
}

fn handler(deployment: &Deployment, mut command: Command) -> Process {
    Process::start(command.args([deployment.endpoint(1), deployment.endpoint(2)]))
}

/// Each language has a deployment of its own: a request may be lost with a handler that has just been killed.
fn answers_a_client(language: &str, command: Option<Command>) {
    let Some(command) = command else { return };
    let deployment = deploy();
    let mut server = deployment.start();
    assert!(ask(deployment.address(0), "GET /", "").text().contains("<html"));
    let _handler = handler(&deployment, command);
    let answer = ask(deployment.address(0), "POST /hello?to=you", "a body");
    assert_eq!(answer.status, 200, "{language}");
    let text = answer.text();
    for part in [&format!("Hello from {language}"), "method: POST", "query: to=you", "body: 6 bytes", "a body"] {
        assert!(text.contains(part), "{language}: {text}");
    }
    let running = deployment.told(&["running"]);
    assert!(running.starts_with("mongrel2 at PID ") && running.ends_with(" running.\n"), "{running}");
    deployment.told(&["stop", "-host", "localhost"]);
    assert!(server.wait().success());
}

#[test]
fn rust_answers_a_client() {
    answers_a_client("Rust", super::rust());
}

#[test]
fn python_answers_a_client() {
    answers_a_client("Python", super::python());
}

#[test]
fn javascript_answers_a_client() {
    answers_a_client("JavaScript", super::javascript());
}

#[test]
fn a_reload_under_traffic_fails_no_request() {
    let deployment = deploy();
    let mut server = deployment.start();
    let _handlers: Vec<Process> = (0..2).map(|_| handler(&deployment, super::rust().unwrap())).collect();
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..50)
        .map(|number| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            let line = if number % 2 == 0 { "GET /hello" } else { "GET /" };
            let mut client = Client::connect(deployment.address(0));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    client.request(line, "");
                    assert_eq!(client.answer().status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let script = deployment.path().join("config.rhai");
    let config = fs::read_to_string(&script).unwrap();
    for round in 1..=10 {
        let before = answered.load(Ordering::Relaxed);
        let path = format!("\"/new{round}\": hello,\n            \"/hello\"");
        fs::write(&script, config.replace("\"/hello\"", &path)).unwrap();
        deployment.told(&["load", "-why", "one more route"]);
        deployment.told(&["reload", "-host", "localhost"]);
        let new = format!("GET /new{round}");
        wait::until("the new route", || ask(deployment.address(0), &new, "").text().contains("Hello").then_some(()));
        wait::until("traffic", || (answered.load(Ordering::Relaxed) > before).then_some(()));
    }
    stop.store(true, Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().unwrap());
    let log = deployment.told(&["log"]);
    let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    assert_eq!((count(", load] one more route"), count(", reload] "), count(", start] ")), (10, 10, 1), "{log}");
    deployment.told(&["stop"]);
    assert!(server.wait().success());
}
