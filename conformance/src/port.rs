//! Ports of this machine that are free, and stay so until somebody binds them.
//!
//! A port of the system's choice may be given to somebody's outgoing connection in between.  These lie below the range
//! that the system chooses from (`net.ipv4.ip_local_port_range`), and none comes twice in a process.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 30_000;
const COUNT: u16 = 2_700;

/// A free address of this machine.
///
/// # Errors
/// All ports are taken.
pub fn free_address() -> io::Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run at the same time start at different places.
    let offset = (std::process::id().wrapping_mul(7919) % u32::from(COUNT)) as u16;
    let next = || FIRST + (NEXT.fetch_add(1, Ordering::Relaxed) % COUNT + offset) % COUNT;
    let mut all = std::iter::repeat_with(next).take(COUNT.into()).map(|port| (Ipv4Addr::LOCALHOST, port).into());
    let is_free = |address: &SocketAddr| TcpListener::bind(address).is_ok();
    all.find(is_free).ok_or_else(|| io::ErrorKind::AddrInUse.into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn none_comes_twice() {
        let found: BTreeSet<_> = (0..50).map(|_| free_address().unwrap()).collect();
        assert_eq!(found.len(), 50);
        assert!(found.iter().all(|address| (FIRST..FIRST + COUNT).contains(&address.port())));
    }
}
