//! Somebody at a terminal is asked before a load removes something, and sees colours.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use super::bench::Bench;
use super::planning::{bench, script};
use super::terminal::terminal;

/// Runs m2sh with what somebody types; gives its exit code, stdout and stderr.
fn typed(bench: &Bench, words: &str, typed: &str) -> (i32, String, String) {
    let (mut person, program) = terminal();
    person.write_all(typed.as_bytes()).unwrap();
    let mut m2sh = bench.m2sh(words);
    let output = m2sh.command.stdin(program).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A folder where a load would remove a route.
fn removing() -> Bench {
    bench(&script("", "\"/x\": Dir(#{base: \"x/\"})", ""), &script("", "", ""))
}

const GONE: &str = "- server hello, host localhost, route /x\n";
const LOADED: &str = "Loaded 1 server, 1 host, 1 route from config.rhai into config.sqlite\n";

#[test]
fn a_yes_removes() {
    for yes in ["y\n", "yes\n", "Y\n"] {
        let (code, stdout, stderr) = typed(&removing(), "load", yes);
        assert_eq!((code, stdout, &stderr[..]), (0, format!("{GONE}{LOADED}"), "Remove these? [y/N] "), "{yes}");
    }
}

#[test]
fn anything_else_removes_nothing() {
    for no in ["n\n", "\n", "yeah\n", "\u{4}"] {
        let bench = removing();
        let before = std::fs::read(bench.path("config.sqlite")).unwrap();
        let (code, stdout, stderr) = typed(&bench, "load", no);
        assert_eq!((code, &stdout[..]), (1, GONE), "{no:?}");
        assert!(stderr.contains("m2sh: cannot load `config.rhai`: nobody has said yes"), "{stderr}");
        assert!(stderr.contains("hint: `-yes` loads without asking"), "{stderr}");
        assert_eq!(std::fs::read(bench.path("config.sqlite")).unwrap(), before);
    }
}

#[test]
fn who_says_yes_before_is_not_asked() {
    for words in ["load -yes", "load --yes"] {
        assert_eq!(typed(&removing(), words, ""), (0, format!("{GONE}{LOADED}"), String::new()));
    }
    assert_eq!(removing().m2sh("load").prints(), format!("{GONE}{LOADED}"), "nobody is there");
}

#[test]
fn what_removes_no_server_host_or_route_is_not_asked_about() {
    let bench = bench(&script("", "", "\"limits.min_ping\": 60"), &script("", "", ""));
    let expected = format!("- setting limits.min_ping\n{LOADED}");
    assert_eq!(typed(&bench, "load", ""), (0, expected, String::new()));
}

#[test]
fn programs_get_json_whoever_is_asked() {
    let (code, stdout, stderr) = typed(&removing(), "load --json", "y\n");
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &json["changes"][0]["change"]), (0, &"removed".into()));
    assert_eq!(stderr, format!("{GONE}Remove these? [y/N] "));
}

#[test]
fn a_plan_is_asked_about_too() {
    let bench = removing();
    bench.m2sh("plan -o plan.json").exits(2);
    assert_eq!(typed(&bench, "load -plan plan.json", "n\n").0, 1);
    assert_eq!(typed(&bench, "load -plan plan.json", "y\n").0, 0);
    let (code, stdout, stderr) = typed(&bench, "load -plan plan.json", "y\n");
    assert_eq!((code, &stdout[..]), (1, ""), "the base has moved");
    assert!(!stderr.contains("Remove these?"), "{stderr}");
}

#[test]
fn only_what_was_asked_about_is_done() {
    let bench = removing();
    let (mut person, program) = terminal();
    let mut m2sh = bench.m2sh("load");
    let mut child = m2sh.command.stdin(program).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_exact(&mut [0; "Remove these? [y/N] ".len()]).unwrap();
    bench.m2sh("init").prints();
    person.write_all(b"y\n").unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(rest.contains("has been changed meanwhile; the last init was by "), "{rest}");
    assert_eq!(bench.m2sh("servers").prints(), "");
}

/// What m2sh writes to a terminal.
fn seen(command: &mut Command) -> String {
    let (mut person, program) = terminal();
    let mut child = command.stdout(program).stderr(Stdio::null()).spawn().unwrap();
    command.stdout(Stdio::null());
    let mut seen = Vec::new();
    // A terminal that nobody writes to any more is an error.
    let _ = person.read_to_end(&mut seen);
    child.wait().unwrap();
    String::from_utf8(seen).unwrap()
}

#[test]
fn marks_have_colours_on_a_terminal() {
    let bench = removing();
    let coloured = "\u{1b}[31m-\u{1b}[0m server hello";
    let mut m2sh = bench.m2sh("plan");
    assert!(seen(m2sh.command.env_remove("NO_COLOR")).starts_with(coloured));
    assert!(seen(m2sh.command.env("NO_COLOR", "1")).starts_with("- server hello"));
    assert!(!bench.m2sh("plan").exits(2).stdout.contains('\u{1b}'));
}
