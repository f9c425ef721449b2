//! The Python library's own tests: what goes in and out, connections with a played server, and WSGI.

use std::process::Command;

use testkit::Process;

use super::example;

fn passes(script: &str) {
    let Some(python) = testkit::python() else { return };
    let mut command = Command::new(python);
    command.arg(example(&format!("python/tests/{script}"))).env("PYTHONDONTWRITEBYTECODE", "1");
    let mut process = Process::start(&mut command);
    assert!(process.wait().success(), "{script}");
}

#[test]
fn messages_are_read_as_they_were_sent_or_refused() {
    passes("test_messages.py");
}

#[test]
fn a_connection_loses_nothing_and_skips_what_is_no_message() {
    passes("test_handler.py");
}

#[test]
fn applications_run_as_wsgi_has_it_and_broken_ones_hurt_nobody() {
    passes("test_wsgi.py");
}
