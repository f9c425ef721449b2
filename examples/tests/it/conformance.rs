//! An application in Python, over WSGI behind a server, tried as any other host: by what its contract has for it.

use std::process::Command;

use testkit::{Deployment, Process, wait};

use super::example;

#[test]
fn wsgi_keeps_what_it_can_promise() {
    let Some(python) = testkit::python() else { return };
    let deployment = Deployment::of(example("wsgi/config.rhai"), &["6767", "9975", "9974"]);
    let _server = deployment.start();
    let path = [example("python"), example("tests/it/conformance")].map(|folder| folder.display().to_string());
    let mut command = Command::new(python);
    command.env("PYTHONPATH", path.join(":")).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(deployment.path());
    command.args(["-m", "mongrel2.wsgi", "sample:app"]).args([deployment.endpoint(1), deployment.endpoint(2)]);
    let _gateway = Process::start(&mut command);
    let (url, patience) = (format!("http://{}", deployment.address(0)), wait::DEADLINE.as_secs().to_string());
    let told = deployment.told(&["conformance", "app", "-url", &url, "-before", "files", "-patience", &patience]);
    // What WSGI has no words for; everything else has to pass.
    let beyond = ["misuse/", "websocket/", "filters/", "events/", "stop/", "bodies/refused", "bodies/left"];
    let beyond = [&beyond[..], &["connections/continue-refused"]].concat();
    for line in told.lines() {
        let [_, name, outcome, why] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let is_beyond = beyond.iter().any(|part| name.starts_with(part));
        assert_eq!(outcome, if is_beyond { "skipped" } else { "passed" }, "{line}");
        let is_known = why == "nobody here can stop the host" || why.starts_with("the application has no `/");
        assert!(is_known || !is_beyond, "{line}");
    }
}
