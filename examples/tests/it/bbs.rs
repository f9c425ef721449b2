//! The board: its terminal, driven line by line, and clients that mean no good.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use testkit::{Deployment, Process, wait};

use super::{example, python};

/// A server with its board.
struct Running {
    deployment: Deployment,
    board: Process,
    _server: Process,
}

impl Running {
    /// `None` without a Python.
    fn start() -> Option<Self> {
        let mut board = python("bbs/bbs.py")?;
        let deployment = Deployment::of(example("bbs/config.rhai"), &["6767", "9969", "9968"]);
        let _server = deployment.start();
        board.current_dir(deployment.path()).args(["bbs.sqlite", &deployment.endpoint(1), &deployment.endpoint(2)]);
        Some(Self { board: Process::start(&mut board), deployment, _server })
    }

    fn terminal(&self, lines: &[&str]) -> String {
        terminal(self.deployment.address(0), self.deployment.path(), lines)
    }

    fn socket(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(self.deployment.address(0)).unwrap();
        stream.set_read_timeout(Some(wait::DEADLINE)).unwrap();
        BufReader::new(stream)
    }
}

/// What the terminal shows to somebody who types these lines, which are kept in the folder.
fn terminal(address: SocketAddr, folder: &Path, lines: &[&str]) -> String {
    let typed = folder.join("typed");
    fs::write(&typed, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let mut client = python("bbs/client.py").expect("the test has asked for it");
    client.args([address.ip().to_string(), address.port().to_string()]);
    let output = client.stdin(File::open(&typed).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Ann posts, and Bob reads it, wherever the board is.
pub(crate) fn post_and_read(address: SocketAddr, folder: &Path) {
    let shown = terminal(address, folder, &["Ann", "secret123", "p", "Grüße \u{1b}[31m", "second line", "", "q"]);
    assert!(shown.starts_with("Welcome to the board.\nname: You are new here."), "{shown}");
    assert!(shown.ends_with("Goodbye, Ann.\n"), "{shown}");

    let shown = terminal(address, folder, &["Bob", "secret456", "r", "w"]);
    assert!(shown.contains("\n  Grüße [31m\n  second line\n"), "{shown}");
    assert!(shown.contains(">   Bob\n\n[R]"), "only Bob is here: {shown}");
}

#[test]
fn the_board_and_its_users() {
    let Some(mut tests) = python("bbs/test_bbs.py") else { return };
    assert!(Process::start(&mut tests).wait().success());
}

#[test]
fn users_register_post_and_read_at_a_terminal() {
    let Some(running) = Running::start() else { return };
    post_and_read(running.deployment.address(0), running.deployment.path());
    let shown = running.terminal(&["Ann", "wrong", "Ann", "secret456", "Ann", ""]);
    assert!(shown.ends_with("Goodbye.\n") && !shown.contains("Hello"), "{shown}");
    assert!(running.terminal(&["Ann", "secret123"]).contains("Hello, Ann."));
    let kept = fs::read(running.deployment.path().join("bbs.sqlite")).unwrap();
    assert!(!kept.windows(9).any(|bytes| bytes == b"secret123"), "no password is kept");
    assert_eq!(running.board.stderr(), "");
}

#[test]
fn what_is_no_line_ends_its_own_session_only() {
    let Some(running) = Running::start() else { return };
    let mut ann = running.socket();
    let say = |socket: &mut BufReader<TcpStream>, line: &str| {
        write!(socket.get_mut(), "@bbs {{\"type\": \"msg\", \"msg\": \"{line}\"}}\0").unwrap();
        let mut answer = Vec::new();
        socket.read_until(0, &mut answer).unwrap();
        answer.len()
    };
    assert!(say(&mut ann, "") > 1 && say(&mut ann, "Ann") > 1);
    for word in [
        "null",
        "7",
        "[]",
        "{}",
        r#"{"type": "msg"}"#,
        r#"{"type": "msg", "msg": [1]}"#,
        r#"{"type": "exit", "msg": ""}"#,
    ] {
        let mut socket = running.socket();
        write!(socket.get_mut(), "@bbs {word}\0").unwrap();
        // An answer, or none at all; but an end.
        socket.read_to_end(&mut Vec::new()).unwrap();
    }
    // Half of a message, no name at all, and what is no UTF-8.
    for word in ["\"\\ud800\\u0000\\u202e\"", "\"", "{"] {
        let mut socket = running.socket();
        write!(socket.get_mut(), "@bbs {{\"type\": \"msg\", \"msg\": {word}}}\0").unwrap();
    }
    assert!(say(&mut ann, "secret123") > 1 && say(&mut ann, "r") > 1);
    assert!(running.terminal(&["Ann", "secret123", "q"]).contains("Hello, Ann."));
}

#[test]
fn the_terminal_trusts_no_server() {
    let Some(mut client) = python("bbs/client.py") else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    client.args(["127.0.0.1", &listener.local_addr().unwrap().port().to_string()]);
    client.stdout(std::process::Stdio::piped()).stdin(std::process::Stdio::null());
    let client = client.spawn().unwrap();
    let (mut server, _) = listener.accept().unwrap();
    // {"type": "exit", "msg": "\u001b[2Jbye\n"}
    server.write_all(b"eyJ0eXBlIjogImV4aXQiLCAibXNnIjogIlx1MDAxYlsySmJ5ZVxuIn0=\0").unwrap();
    assert_eq!(client.wait_with_output().unwrap().stdout, b"?[2Jbye\n");
}
