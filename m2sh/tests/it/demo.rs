//! `m2sh demo`: what it makes, serves, survives, and leaves behind.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mongrel2::config::Database;
use mongrel2_server::pidfile;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::http::{Answer, Client, ask};
use testkit::{Process, wait};

/// A folder in which the demo is run.
struct Place {
    folder: TempDir,
    address: SocketAddr,
}

impl Place {
    fn new() -> Self {
        let address = testkit::free_address();
        Self { folder: tempfile::tempdir().unwrap(), address }
    }

    /// Something in the folder `demo`.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("demo").join(name)
    }

    fn m2sh(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_m2sh"));
        command.args(words).current_dir(self.folder.path()).env_remove("DEMO_PORT").env_remove("DEMO_FOLDER");
        command
    }

    fn demo(&self) -> Command {
        self.m2sh(&["demo", "--port", &self.address.port().to_string()])
    }

    /// Starts the demo, and waits until it has said what there is to try.
    fn start(&self) -> Demo<'_> {
        let printed = self.folder.path().join("printed");
        let process = Process::start(self.demo().stdout(File::create(&printed).unwrap()));
        let mut demo = Demo { place: self, process, printed };
        wait::until("the demo's last line", || {
            assert!(demo.process.is_running(), "{}", demo.process.stderr());
            demo.printed().contains("Ctrl-C").then_some(())
        });
        demo
    }

    /// Runs the demo where it can't run.
    fn refuses(&self, command: &mut Command, texts: &[&str]) {
        let output = command.stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
        texts.iter().for_each(|text| assert!(stderr.contains(text), "no `{text}` in:\n{stderr}"));
    }
}

/// A running demo.
struct Demo<'a> {
    place: &'a Place,
    process: Process,
    printed: PathBuf,
}

impl Demo<'_> {
    fn printed(&self) -> String {
        fs::read_to_string(&self.printed).unwrap()
    }

    fn ask(&self, line: &str, body: &str) -> Answer {
        ask(self.place.address, line, body)
    }

    fn json(&self, line: &str, body: &str) -> Value {
        parsed(&self.ask(line, body))
    }

    /// Asks to be answered when somebody rings, and makes sure that this has been noticed.
    fn waiter(&self, number: usize) -> Client {
        let mut client = Client::connect(self.place.address);
        client.request("GET /handler/wait", "");
        self.wait_for_waiting(number);
        client
    }

    fn wait_for_waiting(&self, number: usize) {
        let mut seen = json!("");
        while seen != number {
            seen = self.json(&format!("GET /handler/count?seen={seen}"), "")["waiting"].clone();
        }
    }

    fn server(&self) -> Option<Pid> {
        let pid = pidfile::owner(&self.place.path("run/mongrel2.pid")).ok()??;
        Pid::from_raw(i32::try_from(pid).unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap(), signal).unwrap();
    }

    /// Ends it as Ctrl-C does.
    fn stop(self) {
        self.signal(Signal::INT);
        self.ends();
    }

    /// Expects that it has been asked to end, and does.
    fn ends(mut self) {
        assert_eq!(self.process.wait().code(), Some(0), "{}", self.process.stderr());
    }
}

impl Drop for Demo<'_> {
    /// A demo that is killed can't stop its server.
    fn drop(&mut self) {
        let _ = self.server().map(|pid| kill_process(pid, Signal::KILL));
    }
}

fn parsed(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

fn what_happened(db: &Path) -> Vec<(String, String)> {
    let log = Database::open_to_read(db).unwrap().log().unwrap();
    log.into_iter().map(|entry| (entry.what, entry.how)).collect()
}

#[test]
fn everything_it_prints_is_there() {
    let place = Place::new();
    let demo = place.start();
    let printed = demo.printed();
    let url = format!("http://localhost:{}", place.address.port());
    for path in ["/", "/notes.txt", "/handler/hello?name=you", "/users/42", "/users/nobody"] {
        assert!(printed.contains(&format!("  {url}{path} ")), "no `{path}` in:\n{printed}");
    }
    let page = demo.ask("GET /", "");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html")));
    assert!(page.text().contains("<title>mongrel2 runs</title>"));
    assert!(demo.ask("GET /notes.txt", "").text().starts_with("This is a file"));
    let hello = demo.json("GET /handler/hello?name=you", "");
    assert_eq!((&hello["path"], &hello["query"]), (&json!("/handler/hello"), &json!("name=you")));
    assert_eq!(hello["headers"]["host"], "localhost");
    let echo = demo.json("POST /handler/echo", "Grüße");
    assert_eq!((&echo["method"], &echo["body"]), (&json!("POST"), &json!("Grüße")));
    assert_eq!(demo.json("GET /users/42", "")["path"], "/users/42");
    assert_eq!(demo.ask("GET /users/nobody", "").status, 404);
    demo.stop();
}

#[test]
fn the_commands_that_it_prints_work() {
    let place = Place::new();
    let demo = place.start();
    let printed = demo.printed();
    let commands: Vec<_> = printed.lines().filter(|line| line.contains(" -db ")).collect();
    assert_eq!(commands.len(), 5, "{printed}");
    for line in commands {
        let command = line.trim().split("  ").next().unwrap();
        let output = Command::new("sh").args(["-c", command]).current_dir(place.folder.path()).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{command}: {output:?}");
    }
    let what: Vec<_> = what_happened(&place.path("config.sqlite")).into_iter().map(|(what, _)| what).collect();
    assert_eq!(what, ["load", "start", "load", "reload"]);
    demo.stop();
}

#[test]
fn one_ring_answers_two_who_wait() {
    let place = Place::new();
    let demo = place.start();
    let mut waiters = [demo.waiter(1), demo.waiter(2)];
    assert_eq!(demo.json("POST /handler/ring", "tea"), json!({"answered": 2}));
    for waiter in &mut waiters {
        assert_eq!(parsed(&waiter.answer()), json!({"message": "tea", "shared_by": 2}));
    }
    assert_eq!(demo.json("GET /handler/count", ""), json!({"waiting": 0}));
    demo.stop();
}

#[test]
fn who_leaves_waits_no_more() {
    let place = Place::new();
    let demo = place.start();
    let mut stays = demo.waiter(1);
    demo.waiter(2).close();
    demo.wait_for_waiting(1);
    assert_eq!(demo.json("POST /handler/ring", "tea"), json!({"answered": 1}));
    assert_eq!(parsed(&stays.answer())["shared_by"], 1);
    demo.stop();
}

#[test]
fn those_who_wait_do_not_hold_up_the_end() {
    let place = Place::new();
    let demo = place.start();
    let mut waiter = demo.waiter(1);
    demo.signal(Signal::TERM);
    let answer = waiter.answer();
    assert_eq!((answer.status, answer.text().contains("the demo is ending")), (503, true));
    demo.ends();
}

#[test]
fn the_end_leaves_nothing_behind() {
    let place = Place::new();
    let demo = place.start();
    let server = demo.server().unwrap();
    demo.stop();
    assert!(test_kill_process(server).is_err());
    assert!(!place.path("run/mongrel2.pid").exists());
    assert!(TcpListener::bind(place.address).is_ok());
}

#[test]
fn a_second_run_uses_what_was_changed() {
    let place = Place::new();
    place.start().stop();
    fs::write(place.path("static/index.html"), "mine").unwrap();
    let script = fs::read_to_string(place.path("config.rhai")).unwrap();
    fs::write(place.path("config.rhai"), script.replace("\"/users/", "\"/people/")).unwrap();
    let demo = place.start();
    assert_eq!(demo.ask("GET /", "").text(), "mine");
    assert_eq!(demo.json("GET /people/7", "")["path"], "/people/7");
    assert_eq!(demo.ask("GET /users/7", "").status, 404);
    demo.stop();
    let happened = what_happened(&place.path("config.sqlite"));
    assert_eq!(happened.iter().map(|(what, _)| what.as_str()).collect::<Vec<_>>(), ["load", "start", "load", "start"]);
    assert!(happened[2].1.ends_with(&format!("m2sh demo --port {}", place.address.port())), "{happened:?}");
}

#[test]
fn a_second_demo_in_the_folder_is_refused() {
    let place = Place::new();
    let demo = place.start();
    place.refuses(&mut place.m2sh(&["demo", "--port", "1"]), &["it is running already", "hint: `m2sh reload -db "]);
    assert_eq!(demo.ask("GET /", "").status, 200);
    demo.stop();
}

#[test]
fn a_port_in_use() {
    let place = Place::new();
    let _listener = TcpListener::bind(place.address).unwrap();
    let hint = format!("hint: or take another port: `{} demo demo --port ", env!("CARGO_BIN_EXE_m2sh"));
    let texts = ["mongrel2: cannot start: cannot listen on 127.0.0.1:", "hint: see who listens", &hint];
    place.refuses(&mut place.demo(), &texts);
    assert!(!place.path("run/mongrel2.pid").exists());
}

#[test]
fn a_script_that_has_a_port_of_its_own() {
    let place = Place::new();
    place.start().stop();
    let script = fs::read_to_string(place.path("config.rhai")).unwrap();
    fs::write(place.path("config.rhai"), script.replace("port: port", "port: 6767")).unwrap();
    place.refuses(&mut place.demo(), &["`demo/config.rhai` says 6767", "hint: let it say "]);
}

#[test]
fn a_faulty_script_is_told() {
    let place = Place::new();
    place.start().stop();
    fs::write(place.path("config.rhai"), "commit([Servr(#{})]);").unwrap();
    place.refuses(&mut place.demo(), &["demo/config.rhai:1:", "Server"]);
}

#[test]
fn a_folder_of_something_else() {
    let place = Place::new();
    fs::write(place.folder.path().join("thesis.txt"), "").unwrap();
    place.refuses(&mut place.m2sh(&["demo", "."]), &["m2sh: cannot use the folder `.`: it has other things in it"]);
}

#[test]
fn a_database_of_something_else() {
    let place = Place::new();
    let output = place.m2sh(&["demo", "-db", "mine.sqlite"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("hint: leave out `-db`, or name the folder: `m2sh demo FOLDER`"), "{stderr}");
    assert_eq!((output.status.code(), place.path("").exists()), (Some(2), false));
}

#[test]
fn a_path_that_is_long_and_strange() {
    let place = Place::new();
    let name = format!("it's \"far\" {}/away", "x".repeat(150));
    let printed = place.folder.path().join("printed");
    let process = Process::start(place.demo().arg(&name).stdout(File::create(&printed).unwrap()));
    let demo = Demo { place: &place, process, printed };
    wait::until("the demo's last line", || demo.printed().contains("Ctrl-C").then_some(()));
    assert_eq!(demo.json("GET /users/42", "")["path"], "/users/42");
    demo.stop();
}

#[test]
fn a_server_that_dies_ends_the_demo() {
    let place = Place::new();
    let mut demo = place.start();
    let log = place.path("logs/error.log");
    wait::until("the log", || fs::read_to_string(&log).unwrap().contains("listens on").then_some(()));
    kill_process(demo.server().unwrap(), Signal::KILL).unwrap();
    assert_eq!(demo.process.wait().code(), Some(1));
    for text in ["m2sh: cannot go on: the server has ended: signal: 9", "listens on 127.0.0.1", "hint: start it again"]
    {
        demo.process.wait_for_stderr(text);
    }
}

#[test]
fn a_server_that_is_stopped_ends_the_demo() {
    let place = Place::new();
    let mut demo = place.start();
    assert!(place.m2sh(&["stop", "-db", "demo/config.sqlite"]).stdout(Stdio::null()).status().unwrap().success());
    assert_eq!(demo.process.wait().code(), Some(0));
    demo.process.wait_for_stderr("m2sh: the server has been stopped");
}
