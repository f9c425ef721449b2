//! Which servers: by name, host and UUID, all of them, and what is said when it isn't clear.

use super::bench::{Bench, server};

fn bench() -> Bench {
    Bench::with(vec![server("localhost", "3d815ade", 6767), server("second", "9f0cbd7d", 6768)])
}

#[test]
fn one_by_any_of_its_names() {
    let bench = bench();
    for words in ["-name second", "-uuid 9f0cbd7d", "-host localhost -name second"] {
        let hosts = bench.m2sh(&format!("hosts {words}")).prints();
        assert!(hosts.lines().all(|line| line.starts_with("second\t")), "{words}: {hosts}");
    }
    assert_eq!(bench.m2sh("hosts -every").prints().lines().count(), 4);
}

#[test]
fn several_are_listed_and_nothing_is_done() {
    let bench = bench();
    let list = |verb: &str| {
        format!(
            "Not sure which server to {verb}, what I found:\nNAME HOST UUID\n--------------\n\
             localhost localhost 3d815ade\nsecond localhost 9f0cbd7d\n* Use -every to {verb} them all.\n"
        )
    };
    for (words, verb) in [
        ("start", "run"),
        ("start -host localhost", "run"),
        ("start -host localhost -background", "run"),
        ("stop", "stop"),
        ("stop -murder", "stop"),
        ("reload", "reload"),
        ("control uuid", "control"),
        ("control stop", "control"),
        ("running", "look for"),
        ("running -long", "look for"),
        ("hosts", "show"),
        ("routes", "show"),
        ("route /", "ask"),
        ("cert", "show"),
        ("cert -new", "make a certificate for"),
        ("diff", "compare"),
    ] {
        let output = bench.m2sh(words).exits(1);
        assert_eq!(output.stderr, list(verb), "{words}");
        assert_eq!(output.stdout, "");
    }
    assert_eq!(bench.log().len(), 1);
}

#[test]
fn a_name_that_nobody_has() {
    let bench = bench();
    bench.m2sh("start -name secnd").exits(1).complains(&[
        "m2sh: cannot tell which server to run: no server in `config.sqlite` has the name `secnd`",
        "hint: did you mean `second`?",
        "hint: every name that there is: `localhost`, `second`",
    ]);
    bench.m2sh("stop -uuid zzz -every").exits(1).complains(&["the uuid `zzz`", "`3d815ade`, `9f0cbd7d`"]);
}

#[test]
fn a_database_without_servers() {
    let bench = Bench::empty();
    bench.m2sh("init").prints();
    let hint = "hint: load a configuration with `m2sh load -db config.sqlite`";
    for words in ["hosts", "running -every", "stop -name x"] {
        bench.m2sh(words).exits(1).complains(&["there is none in `config.sqlite`", hint]);
    }
    assert_eq!(bench.m2sh("servers").prints(), "");
}
