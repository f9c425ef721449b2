//! Addresses that nobody else takes before a test's server binds them.
//!
//! A port of the system's choice may be given to somebody's outgoing connection in between.  These lie below the range
//! that the system chooses from (`net.ipv4.ip_local_port_range`) and those that m2sh itself chooses from, and no two tests of a
//! process get the same.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

/// Browsers open no page at port 10080, the last of those that they refuse ("bad port" of the Fetch Standard).
const FIRST: u16 = 10_081;
const COUNT: u16 = 9_919;

/// A free address of this machine.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run at the same time start at different places.
    let offset = (std::process::id().wrapping_mul(7919) % u32::from(COUNT)) as u16;
    loop {
        let number = (NEXT.fetch_add(1, Ordering::Relaxed) % COUNT + offset) % COUNT;
        let address = SocketAddr::from(([127, 0, 0, 1], FIRST + number));
        if is_free(address) {
            return address;
        }
    }
}

/// Whether nobody listens there.  This doesn't listen itself: a program that another test starts at the same moment has the
/// socket until it has begun, and then nobody else could.
fn is_free(address: SocketAddr) -> bool {
    let socket =
        socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).expect("there are sockets");
    set_socket_reuseaddr(&socket, true).is_ok() && bind(&socket, &address).is_ok()
}
