//! Connections over TLS that are made, used once and lost, several at a time.

use std::ops::Add as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Count;
use crate::running::Running;
use crate::tls;

/// Handshakes per second, the CPU time of one, and how many failed.
pub(super) fn measure(running: &Running, connections: usize, turn: Duration) -> Vec<f64> {
    let (cpu, began) = (running.cpu(), Instant::now());
    let end = began + turn;
    let count = thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(|| shake(running, end))).collect();
        let counts = threads.into_iter().map(|thread| thread.join().expect("it doesn't panic"));
        counts.fold(Count::default(), Count::add)
    });
    let lasted = began.elapsed().as_secs_f64();
    let cpu = running.cpu().saturating_sub(cpu).as_secs_f64();
    let answered = count.answered as f64;
    vec![answered / lasted, cpu / answered, count.failed as f64]
}

fn shake(running: &Running, end: Instant) -> Count {
    let path = running.path("1k.txt");
    let mut count = Count::default();
    while Instant::now() < end {
        match tls::client(running.site.address).and_then(|mut client| client.get(&path)) {
            Ok(_) => count.answered += 1,
            Err(_) => count.failed += 1,
        }
    }
    count
}
