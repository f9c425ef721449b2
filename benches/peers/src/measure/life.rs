//! A server that reloads, and one that rests.

use std::thread;
use std::time::{Duration, Instant};

use crate::client::ask_all;
use crate::running::Running;

/// How many requests fail, and how many don't.
pub(super) fn reload(running: &Running, every: Duration, lasting: Duration, connections: usize) -> Vec<f64> {
    let end = Instant::now() + lasting;
    let path = running.path("1k.txt");
    let count = thread::scope(|scope| {
        let asking = scope.spawn(|| ask_all(running.site.address, &path, connections, end));
        while Instant::now() + every < end {
            thread::sleep(every);
            running.reload();
        }
        asking.join().expect("it doesn't panic")
    });
    vec![count.failed as f64, count.answered as f64]
}

/// The CPU time.
pub(super) fn rest(running: &Running, lasting: Duration) -> Vec<f64> {
    let before = running.cpu();
    thread::sleep(lasting);
    vec![running.cpu().saturating_sub(before).as_secs_f64()]
}
