//! `m2sh log -stats`: what servers have counted under each generation, and which generation made things worse.

use std::io::Read as _;

use mongrel2::config::store::statistics::{Batch, Sample, Subject, name};
use mongrel2::config::{Config, Database};
use mongrel2::summary::Summary;

use super::bench::{Bench, server};
use super::terminal::terminal;

/// What a server counts: so many requests of about that many seconds, some of which end in errors.
fn count(bench: &Bench, uuid: &str, generation: i64, requests: u64, seconds: f64, errors: u64) {
    let mut latency = Summary::repeated(seconds * 0.5, requests / 2);
    latency.merge(&Summary::repeated(seconds * 1.5, requests - requests / 2));
    let mut shares = Summary::repeated(1.0, errors);
    shares.merge(&Summary::repeated(0.0, requests - errors));
    let id = if uuid == "u-a" { 1 } else { 2 };
    let sample = |name, summary| Sample { generation, subject: Subject::Server, id, name, summary };
    let samples = vec![
        sample(name::LATENCY, latency),
        sample(name::ERRORS, shares),
        sample(name::BYTES, Summary::repeated(1000.0, requests)),
        sample(name::STARTS, Summary::repeated(1.0, 1)),
    ];
    let mut database = Database::open_to_change(&bench.path("config.sqlite")).unwrap();
    database.add_statistics(&Batch { server: uuid.into(), generation, samples }).unwrap();
}

/// Four generations: the second is slow at server `a`, the third has errors there, the fourth nobody has served.
fn bench() -> Bench {
    let bench = Bench::empty();
    for (generation, seconds, errors) in [(1, 0.010, 0), (2, 0.050, 1), (3, 0.045, 500), (4, 0.0, 0)] {
        let servers = vec![server("a", "u-a", 7000 + generation), server("b", "u-b", 6768)];
        bench.save(&Config { servers, ..Config::fresh() });
        if generation < 4 {
            count(&bench, "u-a", generation.into(), 1000, seconds, errors);
            count(&bench, "u-b", generation.into(), 10, 0.001, 0);
        }
    }
    bench
}

#[test]
fn each_deployment_has_what_came_of_it() {
    let bench = bench();
    let told = bench.m2sh("log -stats").json();
    let told = told.as_array().unwrap();
    assert_eq!(told.iter().map(|row| row["generation"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let a = |index: usize| &told[index]["served"][0];
    assert_eq!((&a(0)["server"], &a(0)["uuid"], &a(0)["requests"]), (&"a".into(), &"u-a".into(), &1000.into()));
    assert_eq!((&a(2)["errors"], &a(2)["error_rate"], &a(2)["starts"]), (&500.into(), &0.5.into(), &1.into()));
    assert_eq!((&a(0)["bytes"], &a(0)["latency"]["max"]), (&1_000_000.into(), &0.015.into()));
    assert!((a(1)["latency"]["mean"].as_f64().unwrap() - 0.05).abs() < 1e-9);
    let worse: Vec<_> = (0..3).map(|index| a(index)["worse"].to_string()).collect();
    assert_eq!(worse, ["[]", r#"["latency"]"#, r#"["errors"]"#]);
    assert_eq!((&told[1]["what"], &told[3]["served"]), (&"test".into(), &serde_json::json!([])));
}

#[test]
fn what_is_left_out_is_compared_with_nevertheless() {
    let bench = bench();
    let lines = bench.m2sh("log -stats -server a -n 3").prints();
    let lines: Vec<Vec<&str>> = lines.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.iter().map(|line| (line[0], line[4])).collect::<Vec<_>>(), [("2", "a"), ("3", "a"), ("4", "")]);
    assert_eq!((lines[0][5], lines[0][6], lines[0][13]), ("1000", "1", "latency"));
    assert!(lines.iter().all(|line| line.len() == 14), "{lines:?}");
    let count = |words: &str| bench.m2sh(words).prints().lines().count();
    assert_eq!((count("log -stats"), count("log -stats -server u-b"), count("log -stats -since 1h")), (7, 3, 7));
    assert_eq!((count("log -stats -what load"), count("log -stats -since 2100-01-01")), (0, 0));
    bench.m2sh("log -stats -f").exits(2);
}

#[test]
fn a_terminal_gets_a_plot() {
    let bench = bench();
    let (mut person, program) = terminal();
    let mut m2sh = bench.m2sh("log -stats");
    let mut child = m2sh.command.env_remove("NO_COLOR").stdout(program).spawn().unwrap();
    drop(m2sh);
    // The terminal ends, with an error, when nobody has it open any more.
    let mut told = Vec::new();
    let _ = person.read_to_end(&mut told);
    assert!(child.wait().unwrap().success());
    let told = String::from_utf8(told).unwrap();
    for text in [
        "a, generations 1 to 4",
        "errors ",
        "latency  ▂\u{1b}[31m█\u{1b}[0m▇   10.0 ms to 50.0 ms",
        "0.00 % to 50.00 %",
        "Worse since generation 2: latency of a  [20",
    ] {
        assert!(told.contains(text), "no `{text}` in:\n{told}");
    }
}

#[test]
fn a_database_without_statistics() {
    let bench = Bench::with(vec![server("a", "u-a", 6767)]);
    bench.sql("DROP TABLE statistic; DROP TABLE past_statistic; DROP TABLE generation");
    assert_eq!(bench.m2sh("log -stats").prints(), "");
}
