//! What is POSTed to the bridge reaches those that are meant, and nothing else does anything.

use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;

use testkit::http::{Client, ask};
use testkit::wait;

use super::backend::{Backend, OK};
use super::{Running, TOKEN, status};
use crate::socket::Socket;

/// The ids of the sockets that a backend has been told of, in order.
fn ids(backend: &Backend) -> Vec<String> {
    let opened = backend.events().into_iter().filter(|event| event.field("verb") == "open");
    opened.map(|event| event.field("id")).collect()
}

#[test]
fn to_one_or_to_all_but_some() {
    let backend = Backend::start(|_| OK);
    let running = Running::of(&backend, &[]);
    let [mut ann, mut bob, mut cy] = [0; 3].map(|_| running.open("/php/socket?room=1"));
    let mut dora = running.open("/php/socket?room=2");
    let [a, b, c, d] = &ids(&backend)[..] else { panic!("there are four") };

    assert_eq!(running.post(&format!("id={a}&data=for+you%26%C3%BC")), (200, "1".into()));
    assert_eq!(ann.recv(), Some((0x81, "for you&ü".into())));
    assert_eq!(running.post("uri=%2Fphp%2Fsocket%3Froom%3D1&data=all"), (200, "3".into()));
    for socket in [&mut ann, &mut bob, &mut cy] {
        assert_eq!(socket.recv(), Some((0x81, b"all".to_vec())));
    }
    let form = format!("uri=/php/socket?room=1&except={a}&except={c}&data=%00%ff%80&type=binary");
    assert_eq!(running.post(&form), (200, "1".into()));
    assert_eq!(bob.recv(), Some((0x82, vec![0, 0xff, 0x80])));
    assert_eq!(running.post("uri=/php/socket&data=nobody"), (200, "0".into()));

    let answer = running.list("uri=/php/socket?room=1");
    assert_eq!(running.list("uri=/php/socket"), "");
    let mut listed: Vec<_> = answer.lines().collect();
    listed.sort_unstable();
    let mut expected = [a, b, c].map(String::as_str);
    expected.sort_unstable();
    assert_eq!(listed, expected);

    assert_eq!(running.post(&format!("id={b}&verb=close&code=4001&reason=out")), (200, "1".into()));
    bob.is_closed_with(4001);
    wait::until("the end of the socket", || (running.post(&format!("id={b}&data=x")).0 == 404).then_some(()));
    assert_eq!(running.post("uri=/php/socket?room=1&data=last"), (200, "2".into()));
    for socket in [&mut ann, &mut cy] {
        assert_eq!(socket.recv(), Some((0x81, b"last".to_vec())), "nothing else has come");
    }
    assert_eq!(running.post(&format!("id={d}&data=still+here")), (200, "1".into()));
    assert_eq!(dora.recv(), Some((0x81, b"still here".to_vec())));
}

#[test]
fn a_long_message_arrives_whole() {
    let backend = Backend::start(|_| OK);
    let running = Running::of(&backend, &[]);
    let mut socket = running.open("/php/socket");
    let id = &ids(&backend)[0];
    let form = format!("id={id}&type=binary&data={}", "%00".repeat(1024 * 1024));
    assert_eq!(running.post(&form), (200, "1".into()));
    assert_eq!(socket.recv(), Some((0x82, vec![0; 1024 * 1024])));
    assert_eq!(running.post(&format!("{form}x")), (413, "`data` has more than 1048576 bytes".into()));
    let mut client = Client::connect(running.bridge);
    let kind = "Content-Type: application/x-www-form-urlencoded";
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n{kind}\r\nContent-Length: 5000000000\r\n\r\n"
    ));
    assert_eq!(client.answer().status, 413, "it is not waited for what would be too long");
    assert_eq!(running.post(&format!("id={id}&data=x")), (200, "1".into()));
    assert_eq!(socket.recv(), Some((0x81, b"x".to_vec())));
}

#[test]
fn what_is_sent_before_a_socket_is_ready_waits() {
    let (backend, gate) = Backend::gated();
    let running = Running::of(&backend, &[]);
    let socket = Socket::begin(running.address(), "/php/socket", "");
    backend.wait_for(1);
    let id = &ids(&backend)[0];
    assert_eq!(running.post(&format!("id={id}&data=one")), (200, "1".into()));
    assert_eq!(running.post("uri=/php/socket&data=two"), (200, "1".into()));
    gate.open();
    let (mut socket, head) = socket.answered();
    assert_eq!(status(&head), 101);
    assert_eq!(socket.recv(), Some((0x81, b"one".to_vec())));
    assert_eq!(socket.recv(), Some((0x81, b"two".to_vec())));
}

#[test]
fn a_message_that_comes_with_the_handshake_waits() {
    let (backend, gate) = Backend::gated();
    let running = Running::of(&backend, &[]);
    let mut socket = Socket::begin(running.address(), "/php/socket", "");
    socket.send(0x81, b"early");
    backend.wait_for(1);
    gate.open();
    assert_eq!(status(&socket.answered().1), 101);
    assert_eq!(backend.wait_for(2)[..2], ["0 open", "1 message early"]);
}

#[test]
fn who_does_not_show_the_token_is_told_nothing() {
    let backend = Backend::start(|_| OK);
    let running = Running::of(&backend, &[]);
    let mut socket = running.open("/php/socket");
    let id = &ids(&backend)[0];
    let form = format!("id={id}&data=x");
    for headers in ["", "Authorization: Bearer x\r\n", "Authorization: Basic YTpi\r\n", "Authorization: Bearer \r\n"] {
        let answer = running.post_with(headers, &form);
        assert_eq!((answer.status, answer.header("WWW-Authenticate")), (401, Some("Bearer")), "{headers}");
    }
    assert_eq!(ask(running.bridge, "GET /?uri=/php/socket", "").status, 401);
    // A page in a browser of this machine may reach the port, and a user may have been talked out of the token.
    let page = format!("Authorization: Bearer {TOKEN}\r\nOrigin: http://evil.example\r\n");
    assert_eq!(running.post_with(&page, &form).status, 403);
    assert_eq!(running.post(&format!("id={id}&data=y")), (200, "1".into()));
    assert_eq!(socket.recv(), Some((0x81, b"y".to_vec())));
    assert!(!running.process.stderr().contains(TOKEN));
}

#[test]
fn garbage_does_nothing() {
    let backend = Backend::start(|_| OK);
    let running = Running::of(&backend, &[]);
    let mut socket = running.open("/php/socket");
    let id = &ids(&backend)[0];
    for (form, status) in [
        (String::new(), 400),
        ("data=x".into(), 400),
        (format!("id={id}"), 400),
        (format!("id={id}&data=x&data=y"), 400),
        (format!("id={id}&uri=/php/socket&data=x"), 400),
        (format!("id={id}&data=%ff"), 400),
        (format!("id={id}&data=x&type=blob"), 400),
        (format!("id={id}&data=x&verb=open"), 400),
        (format!("id={id}&verb=close&code=1005"), 400),
        (format!("uri=/php/socket&expect={id}&data=x"), 400),
        ("id=0&data=x".into(), 400),
        (format!("id={}&data=x", "0".repeat(32)), 404),
        ("\0\u{1}\u{2}&&&===%%%".into(), 400),
        ("[".repeat(100_000), 400),
        ("a=&".repeat(100_000), 400),
    ] {
        assert_eq!(running.post(&form).0, status, "{form:.80}");
    }
    let authorized = format!("Host: x\r\nAuthorization: Bearer {TOKEN}\r\n");
    let form = format!("id={id}&data=x");
    for (request, status) in [
        (format!("POST /other HTTP/1.1\r\n{authorized}Content-Length: 0\r\n\r\n"), 404),
        (format!("PUT / HTTP/1.1\r\n{authorized}Content-Length: 0\r\n\r\n"), 405),
        (format!("GET / HTTP/1.1\r\n{authorized}\r\n"), 400),
        (format!("POST / HTTP/1.1\r\n{authorized}Content-Length: {}\r\n\r\n{form}", form.len()), 415),
        ("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n".into(), 400),
        ("\0\0\0\0\r\n\r\n".into(), 400),
    ] {
        let mut client = Client::connect(running.bridge);
        client.send(&request);
        assert_eq!(client.answer().status, status, "{request:.80}");
    }
    let kind = "Content-Type: application/x-www-form-urlencoded";
    let begun = format!("POST / HTTP/1.1\r\n{authorized}{kind}\r\nContent-Length: 1000\r\n\r\n{form}");
    for beginning in [begun.as_str(), "POST / HT", ""] {
        let mut client = Client::connect(running.bridge);
        client.send(beginning);
        client.close();
    }
    // A form that never ends holds up nobody.
    let mut endless = Client::connect(running.bridge);
    endless.send(&begun);

    assert_eq!(running.post(&format!("id={id}&data=at+last")), (200, "1".into()));
    assert_eq!(socket.recv(), Some((0x81, b"at last".to_vec())), "nothing else has come");
}

#[test]
fn connections_that_say_nothing_keep_no_backend_waiting() {
    let backend = Backend::start(|_| OK);
    let running = Running::of(&backend, &[]);
    let mut socket = running.open("/php/socket");
    let mut silent: Vec<_> = (0..200).map(|_| Client::connect(running.bridge)).collect();
    let unauthorized = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                        Content-Length: 10000\r\n\r\nuri=";
    silent.iter_mut().step_by(2).for_each(|client| client.send(unauthorized));
    assert_eq!(running.post("uri=/php/socket&data=hello"), (200, "1".into()));
    assert_eq!(socket.recv(), Some((0x81, b"hello".to_vec())));
    assert!(silent[1].is_closed(), "it has had its time");
}

#[test]
fn more_forms_than_are_read_at_the_same_time_wait_their_turn() {
    let backend = Backend::start(|_| OK);
    let running = Running::of(&backend, &[]);
    let mut socket = running.open("/php/socket");
    let form = "uri=/php/socket&data=hello";
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\
         Content-Length: {}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n",
        form.len()
    );
    // All ask at once: each has only so long for its head, and for its form.
    let mut clients = [(); 64].map(|()| {
        let mut client = Client::connect(running.bridge);
        client.send(&head);
        client
    });
    for client in &mut clients {
        assert_eq!(client.answer().status, 100, "it is read");
    }
    let mut next = TcpStream::connect(running.bridge).unwrap();
    next.write_all(head.as_bytes()).unwrap();
    assert_eq!(running.list("uri=/php/socket").lines().count(), 1, "a question is no form");
    next.set_nonblocking(true).unwrap();
    assert_eq!(next.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    clients[0].send(form);
    assert_eq!(clients[0].answer().status, 200);
    wait::until("its turn", || next.peek(&mut [0]).ok());
    assert_eq!(socket.recv(), Some((0x81, b"hello".to_vec())));
}
