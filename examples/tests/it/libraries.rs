//! The libraries in Python, JavaScript and PHP as `m2sh conformance handler` tries them.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::{example, python};

/// What may be skipped: there is `replyHttp`, and a value as its body takes no call of its own.
const SKIPPED: [&str; 1] = ["http/json"];

#[test]
fn python_does_what_a_library_has_to() {
    passes(python("python/conformance.py"));
}

#[test]
fn javascript_does_what_a_library_has_to() {
    passes(testkit::node().map(|node| node.module(&example("javascript/conformance.js"))));
}

#[test]
fn php_does_what_a_library_has_to() {
    passes(testkit::php().map(|mut php| {
        php.arg(example("php/conformance.php"));
        php
    }));
}

/// Has m2sh start a handler and try it.
fn passes(handler: Option<Command>) {
    let Some(handler) = handler else { return };
    let mut m2sh = Command::new(testkit::program("m2sh"));
    m2sh.args(["conformance", "handler", "-json", "-patience", "30", "--"]);
    m2sh.arg(handler.get_program()).args(handler.get_args());
    for (name, value) in handler.get_envs() {
        m2sh.env(name, value.expect("nothing is taken away"));
    }
    let output = m2sh.stdin(Stdio::null()).output().expect("m2sh runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON is printed");
    let others: Vec<&Value> = rows.iter().filter(|row| row["outcome"] != "passed").collect();
    let names: Vec<_> = others.iter().map(|row| (row["case"].as_str(), row["outcome"].as_str())).collect();
    assert_eq!(names, SKIPPED.map(|name| (Some(name), Some("skipped"))), "{others:#?}{said}");
    assert!(output.status.success() && rows.len() > 100, "{} cases: {said}", rows.len());
}
