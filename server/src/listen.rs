//! Listening sockets: one per worker on the same port, so that the kernel shares out the connections.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted, per worker.
const BACKLOG: i32 = 4096;

/// Binds `count` listeners to an address.
///
/// # Errors
/// The address is in use, or can't be bound.
pub(crate) fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    probe(address)?;
    (0..count).map(|_| listener(address)).collect()
}

/// Fails if anyone listens already.  With SO_REUSEPORT a second server of the same user could bind the port
/// of the first and take half of its connections.
fn probe(address: SocketAddr) -> io::Result<()> {
    let socket = socket(address)?;
    socket.bind(&address.into())?;
    socket.listen(1)
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn all_listeners_share_the_port_and_nobody_else_gets_it() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listeners = bind(free, 3).unwrap();
        assert!(listeners.iter().all(|listener| listener.local_addr().unwrap() == free));
        TcpStream::connect(free).unwrap();
        assert_eq!(bind(free, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
