//! How it ends, is ended, and begins again: nothing is left behind, and what is there is found.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use rustix::process::{Signal, kill_process};
use testkit::wait;

use super::{Place, runs, text};

#[test]
fn ctrl_c_and_sigterm_leave_nothing_behind() {
    let Some(place) = Place::with_python() else { return };
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let demo = place.start();
        let processes = place.processes();
        assert!(processes.len() > 3, "{processes:?}");
        let said = demo.end(signal);
        assert!(said.contains("m2sh: stopped; everything stays in `demo-all` for the next time"), "{said}");
        place.is_deserted(&processes);
    }
}

#[test]
fn a_signal_in_the_middle_of_the_start_ends_it_at_any_stage() {
    let Some(place) = Place::with_python() else { return };
    // While it looks around, while procer reads the profiles, and while the server starts.
    for stage in ["demo.pid", "procer.pid", "control", "mongrel2.pid"] {
        // A server that was killed while it started leaves one of them.
        let _ = fs::remove_file(place.path("run").join(stage));
        let demo = place.begin(&mut place.demo());
        wait::until(stage, || place.path("run").join(stage).exists().then_some(()));
        demo.end(Signal::TERM);
        place.is_deserted(&[]);
        assert!(place.services().is_empty());
    }
}

#[test]
fn a_signal_ends_what_installs_packages() {
    let Some(place) = Place::with_python_and_venv() else { return };
    let demo = place.begin(&mut place.demo());
    wait::until("the environment", || place.path("venv").exists().then_some(()));
    demo.end(Signal::TERM);
    let folder = place.folder.path().to_str().unwrap().to_owned();
    let about = |entry: fs::DirEntry| text(&entry.path().join("cmdline")).contains(&folder);
    wait::until("nobody to be at work", || {
        (!fs::read_dir("/proc").unwrap().filter_map(Result::ok).any(about)).then_some(())
    });
}

#[test]
fn what_a_killed_m2sh_has_left_is_taken_over() {
    let Some(place) = Place::with_python() else { return };
    let mut demo = place.start();
    let processes = place.processes();
    demo.signal(Signal::KILL);
    demo.process.wait();
    assert_eq!(demo.ask("GET /web/").status, 200, "everything goes on");
    let other = (place.address.port() % 65535 + 1).to_string();
    let texts = ["the server of an m2sh that was killed runs on ", " --all` takes over what runs there"];
    place.refuses(&mut place.m2sh(&["demo", "--all", "--port", &other]), &texts);

    let demo = place.begin(&mut place.m2sh(&["demo", "--all"]));
    demo.is_ready();
    assert_eq!(place.processes(), processes, "nothing was started again");
    assert!(demo.printed().contains(&format!("http://localhost:{}/", place.address.port())));
    let said = demo.end(Signal::INT);
    assert!(said.contains("what it has left running is taken over"), "{said}");
    place.is_deserted(&processes);
}

#[test]
fn what_runs_without_procer_is_taken_over_as_well() {
    let Some(place) = Place::with_python() else { return };
    let mut demo = place.start();
    let processes = place.processes();
    demo.signal(Signal::KILL);
    demo.process.wait();
    let (procer, services) = processes.split_last().unwrap();
    kill_process(*procer, Signal::KILL).unwrap();
    wait::until("procer's end", || (!runs(*procer)).then_some(()));

    let demo = place.start();
    assert_eq!(place.processes().split_last().unwrap().1, services, "nothing was started again");
    demo.end(Signal::INT);
    place.is_deserted(&processes);
}

#[test]
fn a_service_that_procer_does_not_know_yet_is_started_too() {
    let Some(place) = Place::with_python() else { return };
    let mut demo = place.start();
    demo.signal(Signal::KILL);
    demo.process.wait();
    // As if the m2sh that was killed had been an older one.
    fs::remove_dir_all(place.path("profiles/pinned")).unwrap();
    assert!(place.told(&["procer", "reload", "--profiles", "demo-all/profiles"]).status.success());
    wait::until("it to go", || place.process("pinned").is_none().then_some(()));
    let demo = place.begin(&mut place.m2sh(&["demo", "--all"]));
    demo.is_ready();
    assert_eq!(demo.ask("GET /pinned/who").status, 200);
    demo.end(Signal::INT);
}

#[test]
fn an_end_of_procer_is_told() {
    let Some(place) = Place::with_python() else { return };
    let mut demo = place.start();
    assert!(place.told(&["procer", "quit", "--profiles", "demo-all/profiles"]).status.success());
    assert_eq!(demo.process.wait().code(), Some(1));
    demo.process.wait_for_stderr("m2sh: cannot go on: procer has ended, and what it has started goes on");
    demo.process.wait_for_stderr("takes it over; Ctrl-C stops it then");
    place.start().end(Signal::INT);
}

#[test]
fn a_second_run_in_the_folder_is_refused_while_the_first_runs() {
    let Some(place) = Place::with_python() else { return };
    let demo = place.start();
    let texts = ["cannot run the demos in `demo-all`: they are running already, by process", "hint: Ctrl-C there"];
    place.refuses(&mut place.m2sh(&["demo", "--all"]), &texts);
    assert_eq!(demo.ask("GET /web/").status, 200);
    demo.end(Signal::INT);
}

#[test]
fn a_second_run_uses_what_was_changed() {
    let Some(place) = Place::with_python() else { return };
    place.start().end(Signal::INT);
    let script = fs::read_to_string(place.path("config.rhai")).unwrap();
    fs::write(place.path("config.rhai"), script.replace("\"/web/\": web,", "")).unwrap();
    fs::write(place.path("static/index.html"), "mine").unwrap();
    fs::write(place.path("examples/pinned/records.py"), "raise SystemExit('not today')\n").unwrap();
    let demo = place.begin(&mut place.demo());
    demo.is_ready();
    assert_eq!(demo.ask("GET /").text(), "mine");
    let printed = demo.printed();
    assert!(printed.contains("  web:\n    `config.rhai` has no Proxy for /web/form\n"), "{printed}");
    assert!(printed.contains("/pinned/  (does not answer yet)\n"), "{printed}");
    let log = place.path("profiles/pinned/log/current");
    wait::until("its last word", || text(&log).contains("not today").then_some(()));
    demo.end(Signal::INT);
}

#[test]
fn a_port_in_use_is_told_before_anything_starts() {
    let Some(place) = Place::with_python() else { return };
    let _listener = TcpListener::bind(place.address).unwrap();
    let texts = ["m2sh: cannot listen on 127.0.0.1:", "hint: take another port: `", " --all --port "];
    place.refuses(&mut place.demo(), &texts);
    assert!(!place.path("run/procer.pid").exists() && !place.path("run/demo.pid").exists());
}

#[test]
fn a_faulty_script_is_told() {
    let Some(place) = Place::with_python() else { return };
    place.start().end(Signal::INT);
    fs::write(place.path("config.rhai"), "commit([Servr(#{})]);").unwrap();
    place.refuses(&mut place.demo(), &["config.rhai:1:", "Server"]);
    assert!(!place.path("run/procer.pid").exists());
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let place = Place::bare();
    fs::write(place.folder.path().join("thesis.txt"), "").unwrap();
    let refused = |command: &mut Command| {
        place
            .refuses(command, &["m2sh: cannot use the folder `.`: it has other things in it and no `static/demo.css`"]);
    };
    refused(&mut place.m2sh(&["demo", "--all", "."]));
    assert!(!place.folder.path().join("config.rhai").exists());
}

#[test]
fn a_path_that_is_long_and_strange() {
    let Some(mut place) = Place::with_python() else { return };
    place.name = format!("it's \"far\" {}/away", "x".repeat(150));
    let demo = place.begin(place.demo().arg(&place.name));
    demo.is_ready();
    assert_eq!(demo.ask("GET /web/").status, 200);
    let printed = demo.printed();
    assert!(printed.contains(r#" -db 'it'\''s "far" "#), "the path is quoted: {printed}");
    demo.end(Signal::INT);
}
