//! Handlers: requests, replies, and what happens when either side leaves.

use std::net::SocketAddr;

use mongrel2::config::Target;
use testkit::wait;

use crate::harness::{Client, Peer, Running, Site, get, handler};

fn site() -> Site {
    Site::new().route("/one", Target::Handler(handler("one"))).route("/two", Target::Handler(handler("two")))
}

fn start() -> (Running, Peer) {
    let running = site().start();
    let peer = Peer::connect(running.site.path(), "one");
    (running, peer)
}

#[test]
fn one_reply_reaches_many_connections() {
    let (running, peer) = start();
    let mut clients: Vec<Client> = (0..128).map(|_| running.connect()).collect();
    let ids: Vec<u64> = clients
        .iter_mut()
        .map(|client| {
            client.send(get("/one"));
            peer.request().id
        })
        .collect();
    peer.answer(&ids, "for all of you");
    for client in &mut clients {
        assert_eq!(client.answer().text(), "for all of you");
    }
}

#[test]
fn an_answer_may_come_in_pieces_and_the_connection_goes_on() {
    let (running, peer) = start();
    let mut client = running.connect();
    for _ in 0..3 {
        client.send(get("/one"));
        let id = peer.request().id;
        for piece in ["HTTP/1.1 200 OK\r\nContent-", "Length: 5\r\n\r", "\nhel", "lo"] {
            peer.reply(&[id], piece);
        }
        assert_eq!(client.answer().text(), "hello");
    }
}

#[test]
fn a_chunked_answer_ends_with_its_last_chunk() {
    let (running, peer) = start();
    let mut client = running.connect();
    client.send([get("/one"), get("/one")].concat());
    let id = peer.request().id;
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    peer.reply(&[id], answer);
    assert_eq!(client.take(answer.len()), answer.as_bytes());
    assert_eq!(peer.request().id, id, "the second request comes behind the first answer");
}

#[test]
fn a_pipelined_request_waits_for_the_answer_before_it() {
    let (running, peer) = start();
    let mut client = running.connect();
    client.send([get("/one?first"), get("/one?second")].concat());
    let first = peer.request();
    assert_eq!(first.header("QUERY"), Some("first"));
    // Another connection's request comes next, not the second of this one.
    let mut other = running.connect();
    other.send(get("/one?other"));
    assert_eq!(peer.request().header("QUERY"), Some("other"));
    peer.answer(&[first.id], "1");
    assert_eq!(client.answer().text(), "1");
    assert_eq!(peer.request().header("QUERY"), Some("second"));
}

#[test]
fn an_empty_reply_closes_behind_what_was_sent() {
    let (running, peer) = start();
    let mut client = running.connect();
    client.send(get("/one"));
    let id = peer.request().id;
    peer.reply(&[id], "ICY 200 OK\r\n\r\nmusic");
    peer.reply(&[id], "");
    assert_eq!(client.rest(), b"ICY 200 OK\r\n\r\nmusic");
    assert!(peer.request().is_disconnect());
}

#[test]
fn a_close_behind_an_answer_ends_pipelined_requests_too() {
    let (running, peer) = start();
    for _ in 0..20 {
        let mut client = running.connect();
        client.send([get("/one"), get("/one")].concat());
        let id = peer.request().id;
        peer.answer(&[id], "ok");
        peer.reply(&[id], "");
        assert_eq!(client.answer().text(), "ok");
        assert!(client.is_closed());
        // The second request may have been passed on before the wish to close came.
        while !peer.request().is_disconnect() {}
    }
}

#[test]
fn a_body_comes_whole_and_unchanged() {
    let (running, peer) = start();
    let body: Vec<u8> = (0..20_000).map(|n| (n % 256) as u8).collect();
    let mut client = running.connect();
    client.send(format!("PUT /one HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()));
    client.send(&body);
    assert_eq!(peer.request().body, body);
    let mut client = running.connect();
    client.send(
        "PUT /one HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    );
    assert_eq!(peer.request().body, b"hello world");
}

#[test]
fn a_client_that_leaves_while_it_waits_is_told_of_at_once() {
    let (running, peer) = start();
    let mut client = running.connect();
    client.send(get("/one"));
    let id = peer.request().id;
    drop(client);
    let notice = peer.request();
    assert_eq!((notice.id, notice.is_disconnect()), (id, true));
}

#[test]
fn a_client_that_only_closes_its_sending_half_gets_its_answer() {
    let (running, peer) = start();
    for version in ["1.0", "1.1"] {
        let mut client = running.connect();
        client.send(format!("GET /one HTTP/{version}\r\nHost: x\r\n\r\n"));
        client.finish();
        let id = peer.request().id;
        peer.answer(&[id], "here you are");
        let mut answer = client.answer();
        if answer.status == 100 {
            answer = client.answer();
        }
        assert_eq!(answer.text(), "here you are", "{version}");
        assert!(client.is_closed());
        assert!(peer.request().is_disconnect());
    }
}

#[test]
fn handlers_reach_only_connections_that_they_have_heard_of() {
    let (running, peer) = start();
    let stranger = Peer::connect(running.site.path(), "two");
    let mut client = running.connect();
    client.send(get("/one"));
    let id = peer.request().id;
    stranger.answer(&[id], "evil");
    running.process.wait_for_stderr("of which it has had no request");
    peer.answer(&[id], "good");
    assert_eq!(client.answer().text(), "good");
}

#[test]
fn garbage_from_a_handler_is_logged_and_skipped() {
    let (running, peer) = start();
    let mut client = running.connect();
    client.send(get("/one"));
    let id = peer.request().id;
    for garbage in ["", " ", "x", "uuid 5:1,", "uuid 1:x, hi", "uuid 0:, hi", "\0\u{1}\u{2}", "uuid 3:X 1, 2:hi,"] {
        peer.send(garbage);
    }
    peer.send(format!("uuid {}:{}, hi", 200 * 2, "7 ".repeat(200)));
    peer.answer(&[id], "sane");
    assert_eq!(client.answer().text(), "sane");
    let complaints = || running.process.stderr().matches("cannot use a").count();
    wait::until("nine complaints", || (complaints() == 9).then_some(()));
}

#[test]
fn more_bytes_than_the_answer_has_never_reach_the_next_one() {
    let (running, peer) = start();
    let mut client = running.connect();
    client.send([get("/one"), get("/one")].concat());
    let id = peer.request().id;
    peer.reply(&[id], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    assert_eq!(client.rest(), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

#[test]
fn without_a_handler_a_request_waits_and_gets_503() {
    let running = site().setting("handler.wait", "0").start();
    let answer = running.get("/one");
    assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true));
}

#[test]
fn a_request_waits_for_a_handler_that_comes_late() {
    let running = site().setting("handler.wait", "3600").start();
    let mut client = running.connect();
    client.send(get("/one"));
    let peer = Peer::connect(running.site.path(), "one");
    peer.answer(&[peer.request().id], "late");
    assert_eq!(client.answer().text(), "late");
}

#[test]
fn a_full_queue_answers_at_once() {
    let running = site().setting("handler.wait", "3600").setting("limits.handler_queue", "1").start();
    // The task that sends takes some from the queue; the others find it full.
    let mut clients: Vec<Client> = (0..100).map(|_| running.connect()).collect();
    clients.iter_mut().for_each(|client| client.send(get("/one")));
    wait::until("a 503", || running.log("access.log").contains("HTTP/1.1,3:503#").then_some(()));
}

#[test]
fn a_reader_that_is_too_slow_loses_its_connection_and_slows_nobody() {
    let running = site().setting("limits.reply_queue", "65536").start();
    let peer = Peer::connect(running.site.path(), "one");
    let mut slow = running.connect();
    slow.send(get("/one"));
    let slow_id = peer.request().id;
    let mut quick = running.connect();
    quick.send(get("/one"));
    let quick_id = peer.request().id;
    peer.reply(&[slow_id], "HTTP/1.1 200 OK\r\n\r\n");
    let piece = vec![b'x'; 1024 * 1024];
    // More than the kernel's buffers and the queue can hold together.
    for _ in 0..64 {
        peer.reply(&[slow_id], &piece);
    }
    peer.answer(&[quick_id], "still here");
    assert_eq!(quick.answer().text(), "still here");
    let notice = peer.request();
    assert_eq!((notice.id, notice.is_disconnect()), (slow_id, true));
}

#[test]
fn stopping_gives_answers_in_progress_their_time() {
    let (mut running, peer) = start();
    let mut client = running.connect();
    client.send(get("/one"));
    let id = peer.request().id;
    let mut idle = running.connect();
    idle.send(get("/nowhere"));
    idle.answer();
    running.signal("-TERM");
    assert!(idle.is_closed());
    peer.answer(&[id], "just in time");
    assert_eq!(client.answer().text(), "just in time");
    assert!(running.process.wait().success());
    assert!(!running.site.path().join("run/mongrel2.pid").exists());
}

#[test]
fn a_second_signal_stops_at_once_and_handlers_are_told() {
    let (mut running, peer) = start();
    let mut client = running.connect();
    client.send(get("/one"));
    let id = peer.request().id;
    running.signal("-TERM");
    running.process.wait_for_stderr("stopping");
    running.signal("-INT");
    assert!(client.is_closed());
    let notice = peer.request();
    assert_eq!((notice.id, notice.is_disconnect()), (id, true));
    assert!(running.process.wait().success());
    assert!(running.process.stderr().contains("1 connections were closed"));
}

#[test]
fn x_forwarded_for_is_the_peer_unless_the_setting_says_otherwise() {
    let request = "GET /one HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n";
    for (setting, expected) in [("0", "127.0.0.1"), ("1", "9.9.9.9")] {
        let running = site().setting("no_clobber_xff", setting).start();
        let peer = Peer::connect(running.site.path(), "one");
        let mut client = running.connect();
        client.send(request);
        let request = peer.request();
        assert_eq!(request.header("x-forwarded-for"), Some(expected));
        assert_eq!(request.header("REMOTE_ADDR"), Some("127.0.0.1"));
    }
}

#[test]
fn several_workers_share_the_handlers() {
    let running = site().setting("server.workers", "4").start();
    let peer = Peer::connect(running.site.path(), "one");
    let address: SocketAddr = running.address();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(move || {
                for _ in 0..20 {
                    let mut client = Client::connect(address);
                    client.send(get("/one"));
                    assert_eq!(client.answer().status, 200);
                }
            })
        })
        .collect();
    let mut answered = 0;
    while answered < 160 {
        let request = peer.request();
        if !request.is_disconnect() {
            peer.answer(&[request.id], "ok");
            answered += 1;
        }
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    wait::until("nobody to wait", || running.get("/nowhere").status.eq(&404).then_some(()));
}

#[test]
fn every_end_is_told_however_many_come_at_once() {
    let running = site().setting("limits.handler_queue", "10").start();
    let peer = Peer::connect(running.site.path(), "one");
    let mut clients: Vec<(Client, u64)> = (0..300)
        .map(|_| {
            let mut client = running.connect();
            client.send(get("/one"));
            (client, peer.request().id)
        })
        .collect();
    let mut ids: Vec<u64> = clients.drain(..).map(|(_, id)| id).collect();
    let mut told: Vec<u64> = ids.iter().map(|_| peer.request()).map(|notice| notice.id).collect();
    ids.sort_unstable();
    told.sort_unstable();
    assert!(told == ids);
}
