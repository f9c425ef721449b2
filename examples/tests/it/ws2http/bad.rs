//! Backends and clients that mean no good are nobody else's problem.

use testkit::wait;

use super::Running;
use super::backend::{Answer, Backend, Gate, OK};
use crate::socket::Socket;

/// How much of an answer may have been on its way before the bridge left it: what it reads, and what systems buffer.
const WASTED: usize = 32 * 1024 * 1024;

#[test]
fn a_backend_that_hangs_holds_up_its_own_sockets_only() {
    let gate = Gate::default();
    let hanging = {
        let gate = gate.clone();
        Backend::start(move |event| {
            if event.field("data").starts_with("hang") {
                gate.wait();
            }
            OK
        })
    };
    let other = Backend::start(|_| OK);
    let running = Running::start(&hanging, &other, &["--timeout", "3600", "--at-a-time", "2"]);
    let mut stuck = [0, 1, 2, 3].map(|number| (number, running.open("/php/socket")));
    for (number, socket) in &mut stuck {
        socket.send(0x81, format!("hang {number}").as_bytes());
        socket.send(0x81, format!("next {number}").as_bytes());
    }
    hanging.wait_for(4 + 2);
    let mut socket = running.open("/cgi/socket");
    for number in 0..20 {
        socket.send(0x81, number.to_string().as_bytes());
    }
    other.wait_for(21);
    // Its sockets get messages all the time, and their other events when their turn has come.
    assert_eq!(running.post("uri=/php/socket&data=hello"), (200, "4".into()));
    for (_, socket) in &mut stuck {
        assert_eq!(socket.recv(), Some((0x81, b"hello".to_vec())));
    }
    assert_eq!(hanging.told().len(), 4 + 2, "no more at the same time");
    gate.open();
    let told = hanging.wait_for(4 + 4 * 2);
    for number in 0..4 {
        let place = |what: &str| told.iter().position(|event| event == what).expect("it was told");
        let (first, second) = (place(&format!("1 message hang {number}")), place(&format!("2 message next {number}")));
        assert!(first < second, "{told:?}");
    }
}

#[test]
fn a_backend_that_hangs_is_given_up() {
    let backend = Backend::start(|event| if event.field("data") == "hang" { Answer::Hang } else { OK });
    let running = Running::of(&backend, &["--timeout", "5", "--tries", "2"]);
    let mut socket = running.open("/php/socket");
    socket.send(0x81, b"hang");
    socket.send(0x81, b"next");
    running.process.wait_for_stderr("there was no whole answer within 5s; given up after 2 tries");
    wait::until("the next", || backend.told().contains(&"2 message next".into()).then_some(()));
    let tries = backend.told().iter().filter(|event| *event == "1 message hang").count();
    // On a busy machine the time of one may be over before it has been sent.
    assert!((1..=2).contains(&tries), "{tries} tries");
}

#[test]
fn a_backend_that_answers_with_gigabytes_is_not_listened_to() {
    let backend = Backend::start(|event| match event.field("data").as_str() {
        "body" => Answer::Endless,
        "head" => Answer::EndlessHead,
        _ => OK,
    });
    let running = Running::of(&backend, &["--tries", "1"]);
    let mut socket = running.open("/php/socket");
    for data in ["body", "head", "next"] {
        socket.send(0x81, data.as_bytes());
    }
    assert_eq!(backend.wait_for(4), ["0 open", "1 message body", "2 message head", "3 message next"]);
    let wasted = wait::until("the end of both answers", || Some(backend.wasted()).filter(|all| all.len() == 2));
    assert!(wasted.iter().all(|size| *size < WASTED), "{wasted:?}");
    running.process.wait_for_stderr("of message 2");
    let log = running.process.stderr();
    // With its head the one has said that it has taken the event; the other hasn't got so far.
    assert!(!log.contains("of message 1"), "{log}");
}

#[test]
fn a_client_that_sends_without_end_waits_and_then_is_closed() {
    let hanging = Backend::start(|event| if event.field("verb") == "message" { Answer::Hang } else { OK });
    let other = Backend::start(|_| OK);
    let running = Running::start(&hanging, &other, &["--tries", "1"]);
    let mut flood = running.open("/php/socket");
    let message = vec![b'x'; 60 * 1024];
    // 256 KiB are taken from it, and 1 MiB waits before them.
    // It may be closed before it has sent all of that.
    let _ = (0..30).all(|_| flood.offer(0x82, &message));
    flood.is_closed_with(1013);
    let mut socket = running.open("/cgi/socket");
    socket.send(0x81, b"hi");
    assert_eq!(other.wait_for(2), ["0 open", "1 message hi"]);
}

#[test]
fn a_client_that_breaks_the_protocol_is_an_error_and_a_close() {
    let backend = Backend::start(|_| OK);
    let running = Running::of(&backend, &[]);
    let mut good = running.open("/cgi/socket");
    let bad: [(&[u8], u16); 5] = [
        (b"\x81\x02hi", 1002),                 // not masked
        (b"\xf1\x80\0\0\0\0", 1002),           // reserved bits
        (b"\x83\x80\0\0\0\0", 1002),           // an opcode that there isn't
        (b"\x81\x82\0\0\0\0\xff\xff", 1007),   // no UTF-8
        (b"\x82\xff\x7f\0\0\0\0\0\0\0", 1009), // much too long
    ];
    for (frame, code) in bad {
        let mut socket = running.open("/php/socket");
        socket.send_raw(frame);
        socket.is_closed_with(code);
    }
    drop(Socket::begin(running.address(), "/php/socket", ""));
    let count = |verb: &str| backend.events().iter().filter(|event| event.field("verb") == verb).count();
    wait::until("all to be closed", || (count("close") == 6 && count("open") == 7).then_some(()));
    good.send(0x81, b"hi");
    wait::until("the message", || backend.told().contains(&"1 message hi".into()).then_some(()));
}
