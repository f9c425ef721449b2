//! A connection to an upstream: its socket, polled.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::net::TcpStream;

use super::upstream::{Load, Upstream};
use crate::connection::read_now;

/// A connection that belongs to no worker's event loop while nobody uses it.
#[derive(Debug)]
pub(crate) struct Parked {
    socket: std::net::TcpStream,
    upstream: Arc<Upstream>,
}

/// How sure it has to be that a connection which has rested still works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// The event loop has heard of nothing else: enough for a request that can be sent again.
    Heard,
    /// The kernel says so.
    Looked,
}

/// A connection that a request uses.
#[derive(Debug)]
pub(crate) struct Link {
    socket: TcpStream,
    load: Load,
    /// Whether it has had a request before this one.
    pub(crate) is_used: bool,
    /// How many bytes have moved for this request.
    moved: Cell<u64>,
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) async fn connect(address: SocketAddr, upstream: &Arc<Upstream>) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        // It only costs speed if this fails.
        let _ = socket.set_nodelay(true);
        Ok(Self { socket, load: upstream.take_on(), is_used: false, moved: Cell::new(0) })
    }

    /// Goes on with a connection that has rested; `None` if the upstream has closed it, or has sent something that
    /// nobody asked for.
    pub(crate) fn resume(socket: TcpStream, upstream: &Arc<Upstream>, care: Care) -> Option<Self> {
        // A poll would also be pending when the task has had its share of polls.
        let is_silent = care == Care::Heard && socket.try_io(Interest::READABLE, || Ok(())).is_err();
        (is_silent || is_quiet(&socket)).then(|| Self {
            socket,
            load: upstream.take_on(),
            is_used: true,
            moved: Cell::new(0),
        })
    }

    /// Goes on with a connection that was parked, in the event loop of this worker.
    ///
    /// # Errors
    /// Where it led to, if [`resume`](Self::resume) gives none.
    pub(crate) fn unpark(parked: Parked) -> Result<Self, Arc<Upstream>> {
        let Parked { socket, upstream } = parked;
        let socket = TcpStream::from_std(socket).ok();
        socket.and_then(|socket| Self::resume(socket, &upstream, Care::Looked)).ok_or(upstream)
    }

    /// Takes the connection out of the event loop; `None` if that is not possible.
    pub(crate) fn park(self) -> Option<Parked> {
        let upstream = Arc::clone(self.upstream());
        Some(Parked { socket: self.socket.into_std().ok()?, upstream })
    }

    /// The address that it leads to.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.socket.peer_addr().ok()
    }

    pub(crate) fn upstream(&self) -> &Arc<Upstream> {
        self.load.upstream()
    }

    /// How many bytes have moved for this request, in both directions.
    pub(crate) fn moved(&self) -> u64 {
        self.moved.get()
    }

    fn count(&self, bytes: &io::Result<usize>) {
        self.moved.set(self.moved.get() + bytes.as_ref().map_or(0, |bytes| *bytes as u64));
    }

    /// Gives the socket back, to rest.
    pub(crate) fn into_socket(self) -> TcpStream {
        self.socket
    }

    /// Waits until something can be read.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_read_ready(context)
    }

    /// Reads what is there behind the bytes of `buffer`; 0 is the end.
    pub(crate) fn poll_read(&self, context: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        loop {
            match read_now(&self.socket, buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_read_ready(context))?;
                }
                result => {
                    self.count(&result);
                    return Poll::Ready(result);
                }
            }
        }
    }

    /// Writes what the upstream takes.
    pub(crate) fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.socket.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_write_ready(context))?;
                }
                result => {
                    self.count(&result);
                    return Poll::Ready(result);
                }
            }
        }
    }

    /// Says that nothing more will come.
    pub(crate) fn finish(&self) {
        // It may be gone.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Write);
    }
}

/// Whether a resting connection is still there, and silent.
pub(super) fn is_quiet(socket: &TcpStream) -> bool {
    // Tokio need not have heard of it yet.
    let peeked = rustix::net::recv(socket, &mut [0], rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT);
    matches!(peeked, Err(rustix::io::Errno::WOULDBLOCK))
}
