//! The program `ws2http` as it is typed.  What it does with servers, clients and backends is in `examples/tests/it/ws2http`.

#![cfg(test)]

use std::process::{Command, Output};

fn told(words: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_ws2http")).args(words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn it_says_what_it_is() {
    let (code, stdout, stderr) = told(&["--version"]);
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (Some(0), concat!("ws2http ", env!("CARGO_PKG_VERSION"), "\n"), "")
    );
}

#[test]
fn words_that_cannot_be_meant_are_refused() {
    let (code, stdout, stderr) = told(&["--frob"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert!(stderr.contains("--frob"), "{stderr}");
}
