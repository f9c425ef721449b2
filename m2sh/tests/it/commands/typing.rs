//! What is typed: both option styles, help, version, mistakes, and a reader that goes away.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::bench::{Bench, server};

#[test]
fn both_option_styles_are_the_same() {
    let bench = Bench::with(vec![server("a", "1", 6767), server("b", "2", 6768)]);
    let expected = bench.m2sh("hosts --db config.sqlite --name b").prints();
    for words in [
        "hosts -db config.sqlite -name b",
        "hosts -db=config.sqlite -name=b",
        "-db config.sqlite hosts -name b",
        "hosts -name b",
        "hosts -every -name b",
    ] {
        assert_eq!(bench.m2sh(words).prints(), expected, "{words}");
    }
}

#[test]
fn help_is_there_in_every_spelling() {
    let bench = Bench::empty();
    let all = bench.m2sh("help").prints();
    for command in ["init", "load", "dump", "servers", "hosts", "routes", "route", "uuid", "start", "stop", "reload"] {
        assert!(all.contains(&format!("\n  {command} ")), "{command} in:\n{all}");
    }
    let load = bench.m2sh("help load").prints();
    assert!(load.contains("--config"), "{load}");
    for words in ["help -on load", "help -for load", "help --for load", "help config"] {
        assert_eq!(bench.m2sh(words).prints(), load, "{words}");
    }
    assert!(bench.m2sh("load -help").prints().contains("--config"));
    assert!(bench.m2sh("--help").prints().contains("servers"));
    bench.m2sh("help -on laod").exits(2).complains(&["`laod`", "hint: did you mean `m2sh help load`?"]);
}

#[test]
fn the_help_of_a_command_says_what_it_does() {
    let bench = Bench::empty();
    for (command, text) in [
        ("init", "Make a database"),
        ("hosts", "List the hosts"),
        ("stop", "Stop a server"),
        ("reload", "Let a server"),
        ("commit", "Write a line"),
    ] {
        assert!(bench.m2sh(&format!("help {command}")).prints().starts_with(text), "{command}");
    }
}

#[test]
fn version_and_uuid() {
    let bench = Bench::empty();
    let version = format!("m2sh {}\n", env!("CARGO_PKG_VERSION"));
    for words in ["version", "--version", "-version", "-V"] {
        assert_eq!(bench.m2sh(words).prints(), version);
    }
    assert_eq!(bench.m2sh("version").json()["version"], env!("CARGO_PKG_VERSION"));
    let uuid = bench.m2sh("uuid").prints();
    assert_eq!((uuid.len(), &uuid[14..15]), (37, "4"), "{uuid}");
    assert_ne!(uuid, bench.m2sh("uuid").prints());
}

#[test]
fn mistakes_are_usage() {
    let bench = Bench::empty();
    for words in ["", "frobnicate", "servers -frob", "commit -what x", "start extra"] {
        bench.m2sh(words).exits(2).complains(&["Usage"]);
    }
}

#[test]
fn a_misspelt_option_is_told_what_it_might_be() {
    let bench = Bench::empty();
    bench.m2sh("start -evry").exits(2).complains(&["'--evry'", "'--every'"]);
    bench.m2sh("stop -db x -murdr").exits(2).complains(&["'--murdr'", "'--murder'"]);
}

#[test]
fn a_reader_may_go_away() {
    let bench = Bench::empty();
    bench.m2sh("init").prints();
    let mut m2sh = bench.m2sh("dump");
    let mut child = m2sh.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::with_capacity(64, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.success());
    assert!(line.starts_with("generation\t1\t"), "{line}");
}
