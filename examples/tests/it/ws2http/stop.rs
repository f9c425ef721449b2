//! A bridge that is told to stop closes its sockets, and tells backends.

use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use testkit::http::Client;

use super::backend::{Answer, Backend, OK};
use super::{Running, TOKEN};
use crate::socket::Socket;

fn terminate(running: &Running) {
    let id = i32::try_from(running.process.id()).ok().and_then(Pid::from_raw).expect("it is a process");
    kill_process(id, Signal::TERM).expect("it is ours");
}

#[test]
fn sockets_are_closed_and_what_waits_is_told() {
    // Between the first message and its second try the signal comes.
    let tries = AtomicU16::new(0);
    let backend = Backend::start(move |event| match event.field("data").as_str() {
        "one" if tries.fetch_add(1, Ordering::SeqCst) < 2 => Answer::Status(500),
        _ => OK,
    });
    let mut running = Running::of(&backend, &["--patience", "60"]);
    let mut sockets = [0; 3].map(|_| running.open("/php/socket"));
    sockets[0].send(0x81, b"one");
    sockets[0].send(0x81, b"two");
    // What is answered was behind the message.
    sockets[0].send(0x89, b"?");
    assert_eq!(sockets[0].recv(), Some((0x8a, b"?".to_vec())));
    running.process.wait_for_stderr("again in");
    terminate(&running);
    for socket in &mut sockets {
        socket.is_closed_with(1001);
    }
    assert!(running.process.wait().success());
    let told = backend.told();
    let count = |what: &str| told.iter().filter(|told| *told == what).count();
    assert_eq!([count("0 open"), count("1 close"), count("3 close")], [3, 2, 1], "{told:?}");
    assert_eq!([count("1 message one"), count("2 message two")], [3, 1], "{told:?}");
}

#[test]
fn backends_may_send_until_the_last_of_them_is_told() {
    let asked = std::sync::Arc::new(std::sync::Mutex::new(None));
    let bridge = std::sync::Arc::clone(&asked);
    let (answer, answered) = std::sync::mpsc::channel();
    let backend = Backend::start(move |event| {
        if event.field("verb") == "close" {
            let mut client = Client::connect(bridge.lock().unwrap().expect("it was told where"));
            client.send(format!("GET /?uri=/php/socket HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"));
            answer.send(client.answer().status).unwrap();
        }
        OK
    });
    let mut running = Running::of(&backend, &["--patience", "60"]);
    *asked.lock().unwrap() = Some(running.bridge);
    let mut socket = running.open("/php/socket");
    terminate(&running);
    socket.is_closed_with(1001);
    assert_eq!(answered.recv_timeout(testkit::wait::DEADLINE), Ok(200));
    assert!(running.process.wait().success());
}

#[test]
fn a_backend_that_hangs_does_not_keep_it() {
    let backend = Backend::start(|event| if event.field("verb") == "message" { Answer::Hang } else { OK });
    let mut running = Running::of(&backend, &["--patience", "1"]);
    let mut socket = running.open("/php/socket");
    socket.send(0x81, b"hang");
    backend.wait_for(2);
    terminate(&running);
    socket.is_closed_with(1001);
    assert!(running.process.wait().success());
    running.process.wait_for_stderr("2 events of /php/socket");
}

#[test]
fn an_open_that_is_being_told_is_counted() {
    let backend = Backend::start(|_| Answer::Hang);
    let mut running = Running::of(&backend, &["--patience", "0"]);
    let _socket = Socket::begin(running.address(), "/php/socket?secret", "");
    backend.wait_for(1);
    terminate(&running);
    assert!(running.process.wait().success());
    running.process.wait_for_stderr("1 event of /php/socket ");
}

#[test]
fn the_close_behind_an_open_that_was_given_up_is_counted() {
    let backend = Backend::start(|event| if event.field("verb") == "open" { Answer::Cut } else { Answer::Hang });
    let mut running = Running::of(&backend, &["--patience", "0", "--tries", "1", "--timeout", "3600"]);
    assert_eq!(running.refused("/php/socket", ""), 503);
    backend.wait_for(2);
    terminate(&running);
    assert!(running.process.wait().success());
    running.process.wait_for_stderr("1 event of /php/socket ");
}

#[test]
fn without_patience_sockets_are_closed_all_the_same() {
    // One that takes the close at once might be told of it even so.
    let backend = Backend::start(|event| if event.field("verb") == "close" { Answer::Hang } else { OK });
    let mut running = Running::of(&backend, &["--patience", "0"]);
    let mut socket = running.open("/php/socket");
    terminate(&running);
    socket.is_closed_with(1001);
    assert!(running.process.wait().success());
    running.process.wait_for_stderr("1 event of /php/socket ");
}

#[test]
fn a_second_signal_skips_the_wait() {
    let backend = Backend::start(|event| if event.field("verb") == "message" { Answer::Hang } else { OK });
    let mut running = Running::of(&backend, &["--patience", "3600", "--timeout", "3600"]);
    let mut socket = running.open("/php/socket");
    socket.send(0x81, b"hang");
    backend.wait_for(2);
    terminate(&running);
    running.process.wait_for_stderr("a second signal skips the wait");
    terminate(&running);
    assert!(running.process.wait().success());
}
