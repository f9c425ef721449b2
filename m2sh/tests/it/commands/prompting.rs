//! The prompt of `m2sh control`, with real servers and somebody at a terminal.

use std::net::TcpStream;

use testkit::wait;

use super::bench::Bench;
use super::controlling::{bare, start, start_in};
use super::terminal::{END, INTERRUPT, Person};

#[test]
fn what_is_said_is_completed_and_done() {
    let (bench, process) = start();
    let mut person = Person::at(&bench, "control -name a -why tried");
    person.sees("m2 [a]> ");
    person.types("sta\tta\t\r");
    person.sees("status tasks ");
    person.sees("│ 1    no       main ");
    person.sees("m2 [a]> ");
    person.types("frob\r");
    person.sees("cannot do `frob`: there is no such command");
    person.sees("m2 [a]> ");
    person.types("reload\r");
    person.sees("generation");
    person.sees("m2 [a]> ");
    person.types(END);
    assert_eq!(person.ends(), Some(1), "one of the lines could not be done");
    let logged = bench.log().pop().unwrap();
    let how = "m2sh -db=config.sqlite control -name=a -why=tried -- reload";
    assert_eq!((&logged.what[..], &logged.why[..], &logged.how[..]), ("reload", "tried", how));
    drop(process);
}

#[test]
fn ids_and_addresses_are_those_of_the_connections() {
    let (bench, _process) = start();
    let port = bench.m2sh("control info").json()[0]["port"].as_u64().unwrap();
    let _client = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let id = wait::until("the connection", || {
        let output = bench.m2sh("control status net --json").exits(0).stdout;
        serde_json::from_str::<serde_json::Value>(&output).unwrap()[0]["id"].as_u64()
    });
    let mut person = Person::at(&bench, "control");
    person.sees("m2 [a]> ");
    person.types("kill address 1\t");
    person.sees("kill address 127.0.0.1 ");
    person.types(INTERRUPT);
    person.sees("m2 [a]> ");
    person.types(&format!("kill {}\t\r", &id.to_string()[..1]));
    person.sees(&format!("kill {id} "));
    person.sees("OK");
    person.sees("m2 [a]> ");
    person.types("quit\r");
    assert_eq!(person.ends(), Some(0));
    assert_eq!(bench.log().pop().unwrap().what, "kill");
}

#[test]
fn what_is_watched_ends_with_an_interrupt() {
    let (bench, _process) = start();
    let mut person = Person::at(&bench, "control");
    person.sees("m2 [a]> ");
    person.types("watch 0.1 uuid\r");
    for _ in 0..3 {
        person.sees("\u{1b}[H\u{1b}[2JEvery 0.1 s: uuid ");
        person.sees("│ 1 ");
    }
    person.types(INTERRUPT);
    person.sees("m2 [a]> ");
    person.types("time\r");
    person.sees("│ time ");
    person.sees("m2 [a]> ");
    person.types(END);
    assert_eq!(person.ends(), Some(0), "that is how it ends");
}

#[test]
fn several_servers_are_told_the_same() {
    let bench = Bench::with(vec![bare("a", "1"), bare("b", "2")]);
    let _processes = ["a", "b"].map(|name| start_in(&bench, name));
    let mut person = Person::at(&bench, "control -every");
    person.sees("m2 [a, b]> ");
    person.types("uuid\r");
    person.sees("│ server   uuid │");
    person.sees("│ 1        1    │");
    person.sees("│ 2        2    │");
    person.sees("m2 [a, b]> ");
    person.types(END);
    assert_eq!(person.ends(), Some(0));
}

#[test]
fn nothing_runs_and_nothing_is_asked() {
    let bench = Bench::with(vec![bare("a", "1")]);
    let mut person = Person::at(&bench, "control");
    person.sees("1.pid not found for server a 1");
    assert_eq!(person.ends(), Some(3));
}
