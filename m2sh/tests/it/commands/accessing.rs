//! `m2sh access`: what servers log of requests, in every form, while the log is rotated, and in the original's log.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::{Value, json};
use testkit::{http, wait};

use super::bench::{Bench, M2sh, server};
use super::controlling::{bare, start_in};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/tests/recorded/c-access.log");

/// A bench whose server `a` has this in its access log.
fn logged(text: &str) -> Bench {
    let bench = Bench::with(vec![server("a", "1", 6767)]);
    fs::create_dir(bench.path("logs")).unwrap();
    fs::write(bench.path("logs/access.log"), text).unwrap();
    bench
}

fn line(time: u32, uri: &str, status: u16) -> String {
    format!(r#"{{"time":{time},"host":"www","address":"::1","port":1,"method":"GET","uri":"{uri}","status":{status}}}"#)
        + "\n"
}

#[test]
fn a_server_is_read_in_whatever_form_it_writes() {
    let bench = Bench::with(vec![bare("a", "1")]);
    let process = start_in(&bench, "a");
    let port = bench.m2sh("servers").json()[0]["port"].as_u64().unwrap();
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    for form in ["tnetstring", "common", "combined", "json"] {
        bench.sql(&format!("INSERT OR REPLACE INTO setting (key, value) VALUES ('access_log.format', '{form}')"));
        bench.m2sh("reload").exits(0);
        http::ask(address, &format!("GET /{form}?x"), "");
        let row = wait::until("the line", || match bench.m2sh("access").word(&format!("-path=/{form}")).json() {
            Value::Array(mut rows) => rows.pop(),
            other => panic!("{other}"),
        });
        assert_eq!(
            (&row["method"], &row["status"], &row["address"]),
            (&json!("GET"), &json!(404), &json!("127.0.0.1"))
        );
        assert!(row["uri"].as_str().unwrap().starts_with(&format!("/{form}")), "{row}");
    }
    assert_eq!(bench.m2sh("access -status 404 -method GET -client 127.0.0.1").prints().lines().count(), 4);
    assert_eq!(bench.m2sh("access -status 5xx").prints(), "");
    assert_eq!(bench.m2sh("access -vhost localhost").prints().lines().count(), 2, "two forms name the host");
    drop(process);
}

#[test]
fn the_originals_log_is_read() {
    let bench = Bench::empty();
    let printed = bench.m2sh("access -log").word(RECORDED).prints();
    assert_eq!(printed.lines().count(), fs::read_to_string(RECORDED).unwrap().lines().count());
    let first = "2026-11-20 08:01:10\tlocalhost\t127.0.0.1\t43696\tGET\t/json\tHTTP/1.1\t200\t0\t\t";
    assert_eq!(printed.lines().next(), Some(first));
}

#[test]
fn requests_are_chosen() {
    let log = [line(0, "/old", 200), line(1_795_161_671, "/a", 404), line(1_795_161_672, "/b", 503)].concat();
    let bench = logged(&log);
    let uris = |words: &str| -> Vec<String> {
        let rows = bench.m2sh(words).json();
        rows.as_array().unwrap().iter().map(|row| row["uri"].as_str().unwrap().to_owned()).collect()
    };
    for (words, expected) in [
        ("access", &["/old", "/a", "/b"][..]),
        ("access -since 2026-11-20", &["/a", "/b"]),
        ("access -since 2026-11-20T08:01:12", &["/b"]),
        ("access -status 5xx", &["/b"]),
        ("access -status 404,200", &["/old", "/a"]),
        ("access -n 2", &["/a", "/b"]),
        ("access -n 1 -status 4xx", &["/a"]),
        ("access -last 0", &[]),
        ("access --path /o --vhost www", &["/old"]),
        ("access -vhost other", &[]),
        ("access -client ::1 -method GET -name a", &["/old", "/a", "/b"]),
        ("access -method POST", &[]),
    ] {
        assert_eq!(uris(words), expected, "{words}");
    }
    bench.m2sh("access -since never").exits(2).complains(&["cannot read -since: `never` is no time"]);
    bench.m2sh("access -status 5x").exits(2).complains(&["cannot read -status: `5x` is no status"]);
    bench.m2sh("access -log x -name a").exits(2).complains(&["cannot be used with"]);
}

#[test]
fn what_is_no_request_is_shown_as_it_is() {
    let bench = logged(&format!("odd\u{1b}[2J\tline\n{}\nhalf", line(0, "/\\u001b[2J", 200)));
    let output = bench.m2sh("access").exits(0);
    let row = "1970-01-01 00:00:00\twww\t::1\t1\tGET\t/\\u{1b}[2J\t\t200\t0\t\t";
    assert_eq!(output.stdout, format!("odd\\u{{1b}}[2J\\tline\n{row}\n\nhalf\n"));
    assert_eq!(output.stderr, "m2sh: 3 lines of `logs/access.log` are not those of an access log\n");
    let rows: Value = serde_json::from_str(&bench.m2sh("access -json -n 2").exits(0).stdout).unwrap();
    assert_eq!(rows, json!([{"line": ""}, {"line": "half"}]));
    assert_eq!(bench.m2sh("access -status 200").exits(0).stdout, format!("{row}\n"));
}

#[test]
fn several_logs_are_told_apart_and_one_that_is_missing_is_told() {
    let mut second = server("b", "2", 6768);
    second.access_log = "/logs/b.log".into();
    let bench = Bench::with(vec![server("a", "1", 6767), second]);
    bench.m2sh("access").exits(1).complains(&["Not sure which server to read the access log of"]);
    fs::create_dir(bench.path("logs")).unwrap();
    fs::write(bench.path("logs/b.log"), line(0, "/x", 200)).unwrap();
    let output = bench.m2sh("access -every").exits(1);
    assert_eq!(output.stdout, "2\t1970-01-01 00:00:00\twww\t::1\t1\tGET\t/x\t\t200\t0\t\t\n");
    assert!(output.stderr.contains("cannot read the access log `logs/access.log`: No such file"), "{}", output.stderr);
    assert_eq!(bench.m2sh("access -name b").json()[0]["uri"], "/x");
    assert_eq!(bench.m2sh("access -host localhost -uuid 2").json()[0].get("server"), None);
}

#[test]
fn a_log_may_come_through_a_pipe() {
    let bench = logged(&line(0, "/x", 200));
    for words in ["access -log -", "access -log /dev/stdin", "access -f -log -", "access -n 3 -log -"] {
        let mut cat = std::process::Command::new("cat");
        let mut cat = cat.arg(bench.path("logs/access.log")).stdout(Stdio::piped()).spawn().unwrap();
        let mut m2sh = bench.m2sh(words);
        m2sh.command.stdin(cat.stdout.take().unwrap());
        assert!(m2sh.prints().contains("\t/x\t"), "{words}");
        cat.wait().unwrap();
    }
}

/// m2sh that follows, and what it prints.
fn following(mut m2sh: M2sh) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = m2sh.command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

#[test]
fn a_log_is_followed_across_its_rotation() {
    let bench = logged(&[line(0, "/0", 200), line(1, "/1", 200)].concat());
    let log = bench.path("logs/access.log");
    let append = |uri: &str| {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&log).unwrap();
        file.write_all(line(2, uri, 200).as_bytes()).unwrap();
    };
    let (mut child, mut lines) = following(bench.m2sh("access -f -n 1 -json"));
    let mut next = || {
        let value: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        value["uri"].as_str().unwrap().to_owned()
    };
    assert_eq!(next(), "/1");
    append("/2");
    assert_eq!(next(), "/2");
    fs::rename(&log, bench.path("logs/access.log.1")).unwrap();
    append("/3");
    assert_eq!(next(), "/3");
    child.kill().unwrap();
    child.wait().unwrap();
}
