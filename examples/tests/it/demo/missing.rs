//! What a machine hasn't got: it is told with what to install, and everything else runs.

use rustix::process::Signal;
use serde_json::{Value, json};

use testkit::Process;

use super::super::browser::Browser;
use super::Place;

#[test]
fn without_any_interpreter_the_page_says_what_to_install() {
    let place = Place::bare();
    let demo = place.start();
    let printed = demo.printed();
    for (first, why, hint) in [
        ("hello", "there is no `python3`", "apt-get install python3 python3-venv"),
        ("javascript", "there is no `node`", "apt-get install nodejs npm"),
        ("php", "there is no `php`", "apt-get install php-cli php-zmq"),
    ] {
        assert!(printed.contains(&format!("    {why}\n    {hint}\n")), "no `{hint}` in:\n{printed}");
        assert_eq!(demo.told_of(first)["lack"], json!({"why": why, "hint": hint}));
    }
    assert!(
        printed
            .contains("  hello, handlertest, upload, mp3stream, chat, bbs, web, websocket, wsgi, scatter, pinned:\n")
    );
    assert_eq!(demo.ask("GET /").status, 200);
    assert_eq!(demo.ask("GET /source/hello/hello.py").status, 200);
    demo.end(Signal::INT);
}

/// A machine with Python but without its packages, and no network.
#[test]
fn what_needs_nothing_runs_where_no_package_can_be_had() {
    let Some(mut place) = Place::with_python() else { return };
    let demo = place.begin(place.demo().arg("--json"));
    let started = testkit::wait::until("the guide", || serde_json::from_str::<Value>(&demo.printed()).ok());
    let of = |name: &str| {
        let demos = started["demos"].as_array().unwrap();
        demos.iter().find(|demo| demo["name"] == name).unwrap()
    };
    for name in ["web", "pinned"] {
        assert_eq!((&of(name)["answers"], &of(name)["lack"]), (&Value::Bool(true), &Value::Null), "{name}");
    }
    let lack = &of("hello")["lack"];
    let why = "Python has no module `zmq`, and pip can't install it: `python3`: ensurepip is not available";
    assert_eq!(lack["why"], why);
    assert_eq!(lack["hint"], "apt-get install python3-zmq");
    assert!(demo.process.stderr().contains("m2sh: installing pyzmq and flask into `demo-all/venv` with pip"));
    assert!(!place.path("venv").exists(), "half an environment is of no use");
    assert_eq!(demo.ask("GET /web/").status, 200);
    demo.end(Signal::INT);

    // Those that were left out are started when nothing is missing any more.
    place.path.clone_from(&Place::new().path);
    let demo = place.start();
    assert_eq!(demo.ask("GET /hello").status, 200);
    demo.end(Signal::INT);
}

/// The page isn't loaded anew when another m2sh is there.
#[test]
fn the_page_shows_what_another_m2sh_knows() {
    let Some(mut place) = Place::with_python() else { return };
    let demo = place.start();
    let Some(browser) = Browser::start() else { return };
    let url = format!("http://{}/", place.address);
    let sees = |part: &str| {
        assert!(Process::start(browser.driver("tests/it/demo/other.py").args([&url, part])).wait().success());
    };
    sees("first");
    demo.end(Signal::INT);
    place.path.clone_from(&Place::new().path);
    let demo = place.start();
    sees("second");
    demo.end(Signal::INT);
}

/// A machine with Python but without its packages, and pip can get them.
#[test]
fn what_can_be_had_is_installed_into_the_folder_once() {
    let (Some(place), Some(wheels)) = (Place::with_python_and_venv(), testkit::wheels()) else { return };
    let demo = place.begin(place.demo().env("PIP_FIND_LINKS", wheels));
    // Where much else goes on each of these takes its time.
    for stage in ["examples", "venv/bin/python3", "venv/bin/pip", "venv/bin/flask", "run/procer.pid"] {
        testkit::wait::until(stage, || place.path(stage).exists().then_some(()));
    }
    demo.is_ready();
    assert!(demo.process.stderr().contains("m2sh: installing pyzmq and flask into `demo-all/venv` with pip"));
    assert_eq!(demo.ask("GET /hello").status, 200);
    assert_eq!(demo.ask("GET /book/").status, 200);
    demo.end(Signal::INT);

    let demo = place.start();
    assert!(!demo.process.stderr().contains("installing"), "{}", demo.process.stderr());
    assert_eq!(demo.ask("GET /hello").status, 200);
    demo.end(Signal::INT);
}
