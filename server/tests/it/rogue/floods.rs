//! Handlers that send too much: what waits is bounded, one connection pays for it, and memory comes back.

use mongrel2::wire::extended::Extended;
use testkit::wait;

use super::{Scene, asked};
use crate::websocket;

const MIB: usize = 1 << 20;

/// Waits until the server has given back what it had for a while.
fn freed(scene: &Scene, before: usize) {
    wait::until("the memory to be freed", || (scene.running.memory() < before + 24 * MIB).then_some(()));
}

#[test]
fn a_large_reply_is_held_once_and_then_freed() {
    let mut scene = Scene::start(&[]);
    scene.check("the beginning");
    let before = scene.running.memory();
    // To a client that reads nothing.
    let (slow, slow_id) = asked(&scene.running, &scene.peer, "/one");
    let body = [b"HTTP/1.1 200 OK\r\n\r\n", &vec![b'x'; 100 * MIB][..]].concat();
    scene.peer.reply(&[slow_id], &body);
    scene.check("a large reply");
    let held = scene.running.memory();
    assert!(held < before + 130 * MIB, "{} MiB", (held - before) / MIB);
    drop(slow);
    scene.is_gone(slow_id);
    scene.check("a client that left");
    freed(&scene, before);
    // To a client that reads all.
    let (mut quick, quick_id) = asked(&scene.running, &scene.peer, "/one");
    scene.peer.reply(&[quick_id], &body);
    scene.peer.reply(&[quick_id], "");
    assert!(quick.rest() == body);
    // To nobody.
    scene.peer.reply(&[quick_id], &body);
    scene.check("a large reply to nobody");
    freed(&scene, before);
    scene.end();
}

#[test]
fn gigabytes_for_one_client_end_its_connection() {
    let mut scene = Scene::start(&[]);
    scene.check("the beginning");
    let before = scene.running.memory();
    let (_slow, slow_id) = asked(&scene.running, &scene.peer, "/one");
    scene.peer.reply(&[slow_id], "HTTP/1.1 200 OK\r\n\r\n");
    let body = vec![b'x'; 64 * MIB];
    let mut most = 0;
    for _ in 0..32 {
        scene.peer.reply(&[slow_id], &body);
        scene.check("64 MiB more");
        most = most.max(scene.running.memory());
    }
    // One is being written, one waits, and one comes.
    assert!(most < before + 220 * MIB, "{} MiB", (most - before) / MIB);
    freed(&scene, before);
    scene.end();
}

#[test]
fn short_replies_that_wait_cost_no_more_than_their_bytes() {
    let mut scene = Scene::start(&[]);
    let (mut slow, slow_id) = websocket::open(&scene.running, &scene.peer, "/one");
    // What the kernel doesn't take keeps the others waiting.
    let first = vec![b'x'; 20 * MIB];
    scene.peer.reply(&[slow_id], &first);
    scene.check("the first");
    let before = scene.running.memory();
    for _ in 0..500 {
        for _ in 0..1000 {
            scene.peer.reply(&[slow_id], "y");
        }
        // ZeroMQ keeps what the server hasn't taken.
        scene.check("a thousand");
    }
    let held = scene.running.memory();
    assert!(held < before + 16 * MIB, "{} MiB for half a MiB", (held - before) / MIB);
    assert!(slow.take(first.len()) == first);
    assert!(slow.take(500_000).iter().all(|byte| *byte == b'y'));
    drop(slow);
    scene.is_gone(slow_id);
    scene.end();
}

#[test]
fn a_hundred_thousand_replies_to_a_client_that_reads_nothing() {
    let mut scene = Scene::start(&[("limits.reply_queue", "65536")]);
    let (_slow, slow_id) = websocket::open(&scene.running, &scene.peer, "/one");
    let before = scene.running.memory();
    let body = [b'x'; 500];
    let mut notices = Vec::new();
    for _ in 0..100 {
        (0..1000).for_each(|_| scene.peer.reply(&[slow_id], body));
        notices.extend(scene.check("a thousand replies"));
    }
    assert_eq!(notices, [slow_id], "it is closed, and told once");
    let held = scene.running.memory();
    assert!(held < before + 24 * MIB, "{} MiB", (held - before) / MIB);
    scene.end();
}

#[test]
fn closing_again_and_again_costs_nothing() {
    let mut scene = Scene::start(&[]);
    let (mut slow, slow_id) = websocket::open(&scene.running, &scene.peer, "/one");
    let first = vec![b'x'; 20 * MIB];
    scene.peer.reply(&[slow_id], &first);
    scene.check("the first");
    let before = scene.running.memory();
    for _ in 0..200 {
        (0..1000).for_each(|_| scene.peer.reply(&[slow_id], ""));
        scene.check("a thousand ends");
    }
    let held = scene.running.memory();
    assert!(held < before + 8 * MIB, "{} MiB", held.saturating_sub(before) / MIB);
    assert!(slow.rest() == first);
    assert_eq!(scene.check("it is closed"), [slow_id]);
    scene.end();
}

#[test]
fn files_that_wait_keep_no_descriptors() {
    let mut scene = Scene::start(&[]);
    let file = Extended::SendFile(b"file".to_vec());
    for (count, is_too_much) in [(500, false), (2000, true)] {
        let (mut slow, slow_id) = websocket::open(&scene.running, &scene.peer, "/one");
        let before = scene.running.descriptors();
        let first = vec![b'x'; 20 * MIB];
        scene.peer.reply(&[slow_id], &first);
        scene.check("the first");
        (0..count).for_each(|_| scene.peer.extended(&[slow_id], &file));
        let notices = scene.check("files that wait");
        assert!(scene.running.descriptors() <= before);
        assert_eq!(notices, if is_too_much { vec![slow_id] } else { Vec::new() });
        if !is_too_much {
            assert!(slow.take(first.len()) == first);
            assert!(slow.take(4 * count) == b"file".repeat(count));
            drop(slow);
            scene.is_gone(slow_id);
        }
    }
    scene.end();
}
