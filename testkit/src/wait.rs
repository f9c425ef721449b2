//! Waiting for a thing instead of for a length of time.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long anything may take before its test fails; generous, for a loaded machine.
pub const DEADLINE: Duration = Duration::from_secs(120);

const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `condition` gives something.
///
/// # Panics
/// When it hasn't by the deadline; `what` says what was waited for.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "waited {} s for {what}", DEADLINE.as_secs());
        std::thread::sleep(PAUSE);
    }
}

/// Waits until something accepts connections at `address`.
///
/// # Panics
/// When nothing has by the deadline.
pub fn port(address: SocketAddr) {
    until(&format!("`{address}` to accept"), || TcpStream::connect_timeout(&address, DEADLINE).ok());
}
