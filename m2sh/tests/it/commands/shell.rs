//! `m2sh shell`: typed at a terminal, and read as a script.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;

use super::bench::{Bench, M2sh, server};
use super::controlling::bare;
use super::terminal::{END, INTERRUPT, Person};

/// m2sh that reads these lines.
fn script(bench: &Bench, words: &str, lines: &str) -> M2sh {
    fs::write(bench.path("lines"), lines).unwrap();
    let mut m2sh = bench.m2sh(words);
    m2sh.command.stdin(File::open(bench.path("lines")).unwrap());
    m2sh
}

#[test]
fn lines_are_completed_with_names_of_the_database() {
    let bench = Bench::with(vec![server("alpha", "uuid-1", 6767), server("beta", "uuid-2", 6768)]);
    fs::write(bench.path("my config.rhai"), "").unwrap();
    let mut person = Person::at(&bench, "shell");
    person.sees("m2sh> ");
    for (typed, shown) in [
        ("hos\t-na\tal\t", "hosts -name alpha "),
        ("routes --uu\tuuid-2\t", "routes --uuid uuid-2 "),
        ("show \t", "show 1 "),
        ("help -on relo\t", "help -on reload "),
        ("load -config my\t", "load -config my\\ config.rhai "),
        ("load -config 'my c\t", "load -config my\\ config.rhai "),
    ] {
        person.types(typed);
        person.sees(shown);
        person.types(INTERRUPT);
        person.sees("m2sh> ");
    }
    person.types("hosts -name alpha\r");
    person.sees("localhost");
    person.sees("m2sh> ");
    person.types("hosts -name gamma\r");
    person.sees("no server in `config.sqlite` has the name `gamma`");
    person.sees("m2sh> ");
    person.types("hosts 'x\r");
    person.sees("cannot do `hosts 'x`: it ends within quotes");
    person.sees("m2sh> ");
    person.types(END);
    assert_eq!(person.ends(), Some(0));
}

#[test]
fn an_interrupt_stops_the_server_and_not_the_shell() {
    let bench = Bench::with(vec![bare("a", "1")]);
    bench.sql("INSERT OR REPLACE INTO setting (key, value) VALUES ('server.daemonize', '0')");
    let mut person = Person::at(&bench, "shell");
    person.sees("m2sh> ");
    person.types("start\r");
    person.sees("a listens on");
    person.types(INTERRUPT);
    person.sees("stopped");
    person.sees("m2sh> ");
    person.types("log -f -n 1\r");
    person.sees("start] m2sh start");
    person.types(INTERRUPT);
    person.sees("m2sh> ");
    person.types("version\r");
    person.sees(env!("CARGO_PKG_VERSION"));
    person.types("exit\r");
    assert_eq!(person.ends(), Some(0));
    assert_eq!(bench.log().pop().unwrap().how, "m2sh start");
}

#[test]
fn lines_are_remembered_for_nobody_else() {
    let bench = Bench::empty();
    let mut person = Person::at(&bench, "shell");
    person.sees("m2sh> ");
    person.types("version\r");
    person.sees(env!("CARGO_PKG_VERSION"));
    person.types(" help\r");
    person.sees("Exit codes");
    person.sees("m2sh> ");
    person.types(END);
    assert_eq!(person.ends(), Some(0));
    let mode = |name: &str| bench.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("home/.local/state/m2sh"), mode("home/.local/state/m2sh/shell-history")), (0o700, 0o600));
    let mut person = Person::at(&bench, "shell");
    person.sees("m2sh> ");
    let up = "\u{1b}[A";
    person.types(up);
    // What has a blank in front is not remembered.
    person.sees("m2sh> version");
    person.types("\r");
    person.sees(env!("CARGO_PKG_VERSION"));
    person.sees("m2sh> ");
    person.types(END);
    assert_eq!(person.ends(), Some(0));
}

#[test]
fn without_a_home_nothing_is_remembered() {
    let bench = Bench::empty();
    let mut person = Person::with(&bench, "shell", |command| {
        command.env_remove("HOME");
    });
    person.sees("m2sh: note: lines are not remembered: there is no home folder");
    person.sees("m2sh> ");
    person.types(END);
    assert_eq!(person.ends(), Some(0));
    fs::write(bench.path("file"), "").unwrap();
    let state = bench.path("file");
    let mut person = Person::with(&bench, "shell", |command| {
        command.env("XDG_STATE_HOME", state);
    });
    person.sees("m2sh: note: lines are not remembered: cannot use `");
    person.sees("m2sh> ");
    person.types(END);
    assert_eq!(person.ends(), Some(0));
}

#[test]
fn a_script_goes_on_and_ends_with_the_last_failure() {
    let bench = Bench::with(vec![server("a", "1", 6767)]);
    let lines =
        "# comment\nservers -db missing\nm2sh commit -what 'two words' --why \"it's\"\nrunning\ncontrol\nversion\n";
    let output = script(&bench, "shell", lines).exits(3);
    assert_eq!(output.stdout.lines().next(), Some("PID file run/1.pid not found for server a 1"));
    assert!(output.stdout.ends_with(&format!("m2sh {}\n", env!("CARGO_PKG_VERSION"))), "`control` has read the script");
    assert!(output.stderr.starts_with("m2sh: cannot use the database: there is no database `missing`"));
    let entry = bench.log().pop().unwrap();
    assert_eq!((&entry.what[..], &entry.how[..]), ("two words", r"m2sh commit -what 'two words' --why 'it'\''s'"));
    assert_eq!(script(&bench, "shell", "nonsense\nexit\nfrob\n").exits(2).stdout, "");
    assert_eq!(script(&bench, "shell", "version\nquit\nfrob").prints(), bench.m2sh("version").prints());
    script(&bench, "shell", "shell\n").exits(2).complains(&["cannot do `shell`: this is one already"]);
}

#[test]
fn a_database_is_named_once_and_otherwise_where_it_is_another() {
    let bench = Bench::with(vec![server("a", "1", 6767)]);
    bench.m2sh("init -db other").exits(0);
    let output = script(&bench, "-db other shell -json", "commit -what x -why y\nservers\nservers -db config.sqlite\n");
    let output = output.prints();
    let mut answers = serde_json::Deserializer::from_str(&output).into_iter::<serde_json::Value>().map(Result::unwrap);
    assert_eq!(answers.by_ref().find(|answer| answer.is_array()), Some(serde_json::json!([])));
    assert_eq!(answers.next().unwrap()[0]["name"], "a");
    let log = bench.m2sh("log -db other").json();
    assert_eq!(log[1]["how"], "m2sh -db other -json commit -what x -why y");
}
