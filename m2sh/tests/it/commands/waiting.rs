//! What takes long says so on a terminal and nowhere else; colours are for terminals whose owner wants them.

use std::process::Stdio;

use super::bench::{Bench, server};
use super::planning::script;
use super::terminal::Person;

/// A bench whose database is being changed by somebody who takes time, until the connection goes.
fn busy() -> (Bench, rusqlite::Connection) {
    let bench = Bench::with(vec![server("a", "1", 6767)]);
    let connection = rusqlite::Connection::open(bench.path("config.sqlite")).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    (bench, connection)
}

#[test]
fn a_terminal_sees_that_it_goes_on_and_a_pipe_does_not() {
    let (bench, connection) = busy();
    let mut m2sh = bench.m2sh("commit -what x -why y");
    let piped = m2sh.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It has waited longer than this one does, when this one says that it waits.
    let mut person = Person::at(&bench, "commit -what x -why y");
    person.sees(" write to the log (");
    connection.execute_batch("ROLLBACK").unwrap();
    let (_, seen) = person.ends_having_seen();
    let (_, behind) = seen.rsplit_once(" write to the log (").unwrap();
    assert!(behind.contains(")\u{1b}[K\r\u{1b}[K"), "the line is emptied: {seen:?}");
    let output = piped.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(!text.contains(&b'\r') && !text.contains(&0x1b), "{}", String::from_utf8_lossy(&text));
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let bench = Bench::with(vec![server("a", "1", 6767)]);
    bench.script("config.rhai", &script("", "", ""));
    for (words, code) in [("frob", 2), ("plan", 2), ("--help", 0), ("start -frob", 2)] {
        for (variable, value, is_coloured) in [("LANG", "C", true), ("NO_COLOR", "1", false), ("TERM", "dumb", false)] {
            let person = Person::with(&bench, words, |command| {
                command.env(variable, value);
            });
            let (ended, seen) = person.ends_having_seen();
            assert_eq!(
                (ended, seen.contains("\u{1b}[")),
                (Some(code), is_coloured),
                "{variable} m2sh {words}: {seen:?}"
            );
        }
        let piped = bench.m2sh(words).exits(code);
        assert!(!format!("{}{}", piped.stdout, piped.stderr).contains("\u{1b}["), "m2sh {words}");
    }
}
