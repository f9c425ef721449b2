//! WebSockets between the handshake and the end: early frames, silence, stops, floods and slow readers.

use mongrel2::wire::control::Status;
use mongrel2::wire::extended::Extended;
use mongrel2::wire::tnetstring::Value;
use testkit::wait;

use super::{ACCEPTED, close_frame, frame, handshake, open, start, start_with};
use crate::harness::{Client, Operator, Peer, get};

#[test]
fn frames_that_come_before_the_answer_are_not_lost() {
    let (running, peer) = start();
    let mut client = running.connect();
    // More than one read takes; nothing more comes that would wake the server.
    let frames: Vec<u8> = (0..100).flat_map(|n| frame(0x82, &[n; 1000])).collect();
    client.send(handshake("/ws"));
    client.send(&frames);
    let id = peer.request().id;
    peer.reply(&[id], ACCEPTED);
    for n in 0..100 {
        assert_eq!(peer.request().body, [n; 1000]);
    }
    assert_eq!(client.take(ACCEPTED.len()), ACCEPTED.as_bytes());
}

#[test]
fn the_first_frame_may_come_with_the_answer() {
    let (running, peer) = start();
    let mut client = running.connect();
    client.send([handshake("/ws").into_bytes(), frame(0x81, b"early")].concat());
    let id = peer.request().id;
    let answer = [ACCEPTED.as_bytes(), b"\x81\x02hi"].concat();
    peer.reply(&[id], &answer);
    assert_eq!(client.take(answer.len()), answer);
    assert_eq!(peer.request().body, b"early");
}

#[test]
fn a_client_that_gets_no_answer_may_leave() {
    let (running, peer) = start();
    let mut client = running.connect();
    client.send(handshake("/ws"));
    let id = peer.request().id;
    drop(client);
    let notice = peer.request();
    assert!(notice.is_disconnect() && notice.id == id);
}

#[test]
fn the_silent_are_told_that_they_are_dropped_and_others_stay() {
    let limits = [("limits.min_ping", "10"), ("limits.tick_timer", "1"), ("limits.kill_limit", "1")];
    let (running, peer) = start_with(&limits);
    let (mut talking, talking_id) = open(&running, &peer, "/ws");
    let (mut kept, kept_id) = open(&running, &peer, "/ws");
    let (mut silent, silent_id) = open(&running, &peer, "/ws");
    let keep_alive = Extended::Control { keep_alive: true, credits: None, cancel: false };
    let notice = loop {
        peer.extended(&[kept_id], &keep_alive);
        talking.send(frame(0x89, b""));
        let news = std::iter::from_fn(|| peer.request_soon()).find(|got| got.header("FLAGS") != Some("0x89"));
        if let Some(notice) = news {
            break notice;
        }
    };
    assert!(notice.is_disconnect() && notice.id == silent_id);
    assert_eq!(silent.take(4), close_frame(1001));
    assert!(silent.is_closed());
    peer.reply(&[talking_id, kept_id], b"\x81\x02ok");
    assert_eq!((talking.take(4), kept.take(4)), (b"\x81\x02ok".to_vec(), b"\x81\x02ok".to_vec()));
}

#[test]
fn a_stop_is_told() {
    let (mut running, peer) = start_with(&[("server.drain_timeout", "3600")]);
    let (mut client, id) = open(&running, &peer, "/ws");
    let mut late = running.connect();
    late.send(handshake("/ws"));
    let late_id = peer.request().id;
    running.signal("-TERM");
    assert_eq!(client.take(4), close_frame(1001));
    assert!(client.is_closed());
    let notice = peer.request();
    assert!(notice.is_disconnect() && notice.id == id);
    // One that opens while the server waits for answers is not waited for.
    peer.reply(&[late_id], ACCEPTED);
    late.take(ACCEPTED.len());
    assert_eq!(late.take(4), close_frame(1001));
    assert!(late.is_closed());
    assert!(running.process.wait().success());
}

#[test]
fn the_handler_ends_it_behind_its_last_frame() {
    let (running, peer) = start();
    let (mut client, id) = open(&running, &peer, "/ws");
    client.send(frame(0x88, b"\x03\xe8"));
    assert_eq!(peer.request().header("FLAGS"), Some("0x88"));
    peer.reply(&[id], close_frame(1000));
    peer.reply(&[id], "");
    assert_eq!(client.rest(), close_frame(1000));
    assert!(peer.request().is_disconnect());
}

/// Sends a frame through the handler and back.
fn round_trip(client: &mut Client, peer: &Peer, id: u64) {
    client.send(frame(0x81, b"ping"));
    let got = peer.request();
    assert_eq!((got.id, &got.body[..]), (id, &b"ping"[..]));
    peer.reply(&[id], b"\x81\x04pong");
    assert_eq!(client.take(6), b"\x81\x04pong");
}

#[test]
fn a_client_that_stops_reading_loses_its_connection_and_slows_nobody() {
    let (running, peer) = start_with(&[("limits.reply_queue", "65536")]);
    let (mut slow, slow_id) = open(&running, &peer, "/ws");
    let (mut quick, quick_id) = open(&running, &peer, "/ws");
    let flood = [&[0x82, 126, 0xff, 0xff][..], &[b'x'; 65_535]].concat();
    // More than the kernel's buffers and the queue can hold together.
    for _ in 0..20 {
        for _ in 0..50 {
            peer.reply(&[slow_id], &flood);
        }
        quick.send(frame(0x81, b"ping"));
        let got = std::iter::from_fn(|| Some(peer.request())).find(|got| !got.is_disconnect()).unwrap();
        assert_eq!((got.id, &got.body[..]), (quick_id, &b"ping"[..]));
        peer.reply(&[quick_id], b"\x81\x04pong");
        assert_eq!(quick.take(6), b"\x81\x04pong");
    }
    running.process.wait_for_stderr("reads too slowly");
    // What it would read now ends somewhere, and nobody knows of it any more.
    slow.rest();
    round_trip(&mut quick, &peer, quick_id);
}

/// Clients that send more than the handler takes have to wait, and each gets its turn.
#[test]
fn many_that_send_too_much_share_a_full_queue() {
    let (running, peer) = start_with(&[("limits.handler_queue", "1"), ("handler.wait", "3600")]);
    let clients: Vec<Client> = (0..20).map(|_| open(&running, &peer, "/ws").0).collect();
    // 20 times 500 messages are more than ZeroMQ keeps.
    let frames: Vec<u8> = (0..500).flat_map(|_| frame(0x82, &[b'x'; 100])).collect();
    let senders: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            let frames = frames.clone();
            std::thread::spawn(move || {
                client.send(frames);
                client
            })
        })
        .collect();
    for _ in 0..20 * 500 {
        assert_eq!(peer.request().body.len(), 100);
    }
    senders.into_iter().for_each(|sender| drop(sender.join().unwrap()));
    for _ in 0..20 {
        assert!(peer.request().is_disconnect());
    }
}

/// A handler that has stopped takes nothing for a while.  One client floods it; others are not refused for that, and
/// what becomes of them is not lost.
#[test]
fn a_flood_leaves_room_for_requests_and_for_the_ends_of_others() {
    let (running, peer) = start_with(&[("limits.handler_queue", "60"), ("handler.wait", "3600")]);
    let (mut flooding, flooding_id) = open(&running, &peer, "/ws");
    let others: Vec<(Client, u64)> = (0..100).map(|_| open(&running, &peer, "/ws")).collect();
    let sender = std::thread::spawn(move || {
        // More than ZeroMQ keeps, and the kernel.
        let frames: Vec<u8> = (0..20_000).flat_map(|_| frame(0x82, b"x")).collect();
        flooding.send(frames);
    });
    let operator = Operator::connect(running.site.path());
    let mut full = 0;
    wait::until("the queue to be full for a while", || {
        full = if longest_queue(&operator) >= 60 { full + 1 } else { 0 };
        (full >= 20).then_some(())
    });
    let mut asking = running.connect();
    asking.send(get("/ws"));
    let mut ends: Vec<u64> = others.iter().map(|(_, id)| *id).collect();
    drop(others);
    wait::until("the ends", || (operator.status(Status::Net).len() == 2).then_some(()));
    let (mut frames, mut asked) = (0, None);
    while frames < 20_000 || asked.is_none() || !ends.is_empty() {
        let got = peer.request();
        if got.is_disconnect() {
            let place = ends.iter().position(|id| *id == got.id).expect("each end is told once");
            ends.swap_remove(place);
        } else if got.header("METHOD") == Some("GET") {
            asked = Some(got.id);
        } else {
            assert_eq!(got.id, flooding_id);
            frames += 1;
        }
    }
    peer.answer(&[asked.unwrap()], "at last");
    assert_eq!(asking.answer().text(), "at last");
    sender.join().unwrap();
}

/// How many messages wait for a handler.
fn longest_queue(operator: &Operator) -> i64 {
    let number = |value: &Value| if let Value::Integer(number) = value { *number } else { 0 };
    operator.status(Status::Tasks).iter().map(|task| number(&task["queue"])).max().unwrap()
}
