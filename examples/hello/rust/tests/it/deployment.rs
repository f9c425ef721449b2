//! The example as its README tells it: m2sh loads and starts, handlers in three languages answer, a reload under
//! traffic fails nobody, m2sh stops.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;
use testkit::http::{Client, ask};
use testkit::{Process, wait};

/// The example's folder, copied, with free ports in its configuration.
struct Deployment {
    folder: TempDir,
    address: SocketAddr,
    requests: String,
    replies: String,
}

impl Deployment {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = [(); 3].map(|()| testkit::free_address().port());
        let mut config = fs::read_to_string(super::example("config.rhai")).unwrap();
        for (old, new) in ["6767", "9997", "9996"].iter().zip(&ports) {
            config = config.replace(old, &new.to_string());
        }
        // Root's server would go into the background.
        config = config.replace("commit([main])", "commit([main], #{settings: #{\"server.daemonize\": 0}})");
        fs::write(folder.path().join("config.rhai"), config).unwrap();
        fs::create_dir(folder.path().join("static")).unwrap();
        fs::copy(super::example("static/index.html"), folder.path().join("static/index.html")).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], ports[0]));
        let [requests, replies] = [ports[1], ports[2]].map(|port| format!("tcp://127.0.0.1:{port}"));
        Self { folder, address, requests, replies }
    }

    fn m2sh(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(testkit::program("m2sh"));
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    /// Runs m2sh to its end and gives what it printed.
    fn told(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.m2sh(arguments).output().unwrap();
        let text = String::from_utf8(stdout).unwrap();
        assert!(status.success(), "m2sh {arguments:?}: {text}{}", String::from_utf8_lossy(&stderr));
        text
    }

    /// Loads and starts, and waits until the server listens.
    fn start(&self) -> Process {
        self.told(&["load"]);
        let server = Process::start(self.m2sh(&["start", "-host", "localhost"]).stdout(Stdio::null()));
        server.wait_for_stderr("listens on");
        server
    }

    fn handler(&self, mut command: Command) -> Process {
        Process::start(command.args([&self.requests, &self.replies]))
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.rhai")
    }
}

/// Each language has a deployment of its own: a request may be lost with a handler that has just been killed.
fn answers_a_client(language: &str, command: Option<Command>) {
    let Some(command) = command else { return };
    let deployment = Deployment::new();
    let mut server = deployment.start();
    assert!(ask(deployment.address, "GET /", "").text().contains("<html"));
    let _handler = deployment.handler(command);
    let answer = ask(deployment.address, "POST /hello?to=you", "a body");
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
    let deployment = Deployment::new();
    let mut server = deployment.start();
    let _handlers: Vec<Process> = (0..2).map(|_| deployment.handler(super::rust().unwrap())).collect();
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..50)
        .map(|number| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            let line = if number % 2 == 0 { "GET /hello" } else { "GET /" };
            let mut client = Client::connect(deployment.address);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    client.request(line, "");
                    assert_eq!(client.answer().status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let config = fs::read_to_string(deployment.config()).unwrap();
    for round in 1..=10 {
        let before = answered.load(Ordering::Relaxed);
        let path = format!("\"/new{round}\": hello,\n            \"/hello\"");
        fs::write(deployment.config(), config.replace("\"/hello\"", &path)).unwrap();
        deployment.told(&["load", "-why", "one more route"]);
        deployment.told(&["reload", "-host", "localhost"]);
        let new = format!("GET /new{round}");
        wait::until("the new route", || ask(deployment.address, &new, "").text().contains("Hello").then_some(()));
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
