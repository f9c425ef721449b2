//! What the command line can't mean is said, with what to do about it.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use testkit::http::Client;
use testkit::{Process, program};

use super::backend::listen;

const SOCKETS: [&str; 2] = ["tcp://127.0.0.1:1", "tcp://127.0.0.1:1"];

/// The exit code, and what was said.
fn run(options: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(program("ws2http")).args(options).env_remove("WS2HTTP_TOKEN").output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn check(options: &[&str], code: i32, expected: &[&str]) {
    let (found, text) = run(&[&SOCKETS[..], options].concat());
    assert_eq!(found, Some(code), "{options:?}: {text}");
    for expected in expected {
        assert!(text.contains(expected), "{options:?}: {expected} is not in {text}");
    }
}

#[test]
fn help_is_complete() {
    let (code, help) = run(&["--help"]);
    assert_eq!(code, Some(0));
    let options = [
        "--route",
        "--listen",
        "--token-file",
        "--origin",
        "--tries",
        "--timeout",
        "--at-a-time",
        "--sockets",
        "--ping",
        "--patience",
        "--log",
        "WS2HTTP_TOKEN",
        "<REQUESTS_FROM>",
        "<REPLIES_TO>",
    ];
    for option in options {
        assert!(help.contains(option), "{option} is not in {help}");
        assert!(
            fs::read_to_string(crate::example("ws2http/README.md")).unwrap().contains(option.trim_matches(['<', '>']))
        );
    }
    assert_eq!(run(&["--version"]).0, Some(0));
}

#[test]
fn what_cannot_be_meant() {
    let route = ["--route", "/a", "http://127.0.0.1:1/"];
    check(&[], 2, &["--route"]);
    check(
        &["--route", "/a", "https://x/"],
        2,
        &["cannot use the backend `https://x/`", "hint: ask a backend without TLS"],
    );
    check(&["--route", "/a", "event.php"], 2, &["it is not a URL", "hint: as in --route"]);
    check(&["--route", "/(a", "http://x/"], 2, &["cannot use the pattern `/(a`: its `(` has no `)`", "hint:"]);
    check(&["--route", "a", "http://x/"], 2, &["it does not begin with a slash"]);
    check(&[&route[..], &["--origin", "example.org"]].concat(), 2, &["cannot use the origin", "hint:"]);
    check(&[&route[..], &["--listen", "0.0.0.0:1"]].concat(), 2, &["there is no token", "hint: `--token-file FILE`"]);
    check(&[&route[..], &["--token-file", "/nowhere"]].concat(), 1, &["cannot read the token in `/nowhere`", "hint:"]);
    let (code, text) = run(&[&["nonsense", "tcp://127.0.0.1:1", "--listen", "127.0.0.1:0"], &route[..]].concat());
    assert!(code == Some(2) && text.contains("`nonsense`") && text.contains("hint: the addresses are"), "{text}");
}

#[test]
fn a_port_that_is_taken() {
    let taken = listen(testkit::free_address());
    let address = taken.local_addr().unwrap().to_string();
    let options = ["--route", "/a", "http://127.0.0.1:1/", "--listen", &address];
    check(&options, 1, &[&format!("cannot listen on {address}"), "hint: `--listen 127.0.0.1:PORT` takes another one"]);
}

#[test]
fn a_token_that_could_be_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "short\n").unwrap();
    let options = ["--route", "/a", "http://127.0.0.1:1/", "--token-file", file.to_str().unwrap()];
    check(
        &options,
        1,
        &["cannot use the token: it has fewer than 16 characters", "hint: `openssl rand -hex 32 > token`"],
    );
}

#[test]
fn a_token_is_read_from_a_file_and_there_need_not_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "0123456789abcdef\n").unwrap();
    let route = ["--route", "/a", "http://127.0.0.1:1/"];
    let guarded = serve(&[&route[..], &["--token-file", file.to_str().unwrap()]].concat());
    let shown = "Authorization: Bearer 0123456789abcdef\r\n";
    assert_eq!([asked(guarded.1, "x", ""), asked(guarded.1, "x", shown)], [401, 200]);
    let open = serve(&route);
    assert_eq!([asked(open.1, "x", ""), asked(open.1, "127.0.0.1", "")], [403, 200], "a page may have named it `x`");
}

/// A bridge without a server, and its port.
fn serve(options: &[&str]) -> (Process, SocketAddr) {
    let address = testkit::free_address();
    let mut command = Command::new(program("ws2http"));
    command.args(SOCKETS).args(options).args(["--listen", &address.to_string()]).env_remove("WS2HTTP_TOKEN");
    let process = Process::start(&mut command);
    process.wait_for_stderr("orders at");
    (process, address)
}

/// The status of its answer to who asks for that host, with these headers.
fn asked(address: SocketAddr, host: &str, headers: &str) -> u16 {
    let mut client = Client::connect(address);
    client.send(format!("GET /?uri=/a HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"));
    client.answer().status
}
