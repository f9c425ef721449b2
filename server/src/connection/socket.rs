//! A client's socket: bytes as they are on the wire, and when there are more.
//!
//! Reads tell tokio when nothing is left, so that it need not be asked; what is left in the kernel on purpose is
//! remembered here.  Every byte is counted in the connection's [`Vitals`], and every wait is one of their phases.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::SendFlags;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::vitals::{Phase, Vitals};

/// How much one call of sendfile(2) may take before other connections get their turn.  Filling a socket's buffers to
/// the brim costs a third of the throughput: the client reads what has left the cache meanwhile.
const FILE_PIECE: usize = 320 * 1024;

/// How long a closed connection may go on sending before it is cut off.
const LINGER: Duration = Duration::from_secs(2);

/// How much is read at once of what nobody is interested in.
const DRAIN: usize = 64 * 1024;

/// A client's socket.
pub(super) struct Socket {
    tcp: TcpStream,
    vitals: Rc<Vitals>,
    /// Whether bytes wait in the kernel that tokio has been told to forget.
    unread: bool,
    /// Whether the client has closed its sending half, as far as that is known.
    finished: bool,
    /// Whether a silent client has been asked for a sign of life.
    probed: bool,
}

/// The socket as one that never waits.
pub(super) struct Now<'a>(&'a TcpStream);

impl Socket {
    pub(super) fn new(tcp: TcpStream, vitals: Rc<Vitals>) -> Self {
        // It only costs speed if this fails.
        let _ = tcp.set_nodelay(true);
        Self { tcp, vitals, unread: false, finished: false, probed: false }
    }

    pub(super) fn vitals(&self) -> &Rc<Vitals> {
        &self.vitals
    }

    /// Whether bytes were left in the kernel.
    pub(super) fn has_unread(&self) -> bool {
        self.unread
    }

    /// Waits until something can be read; gives whether the socket still works.
    ///
    /// Only the connection's own task ever waits here, so that the waker's one place in the socket will do: an
    /// idle connection's future is a hundred bytes smaller for it.
    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<bool> {
        self.tcp.poll_read_ready(context).map(|ready| ready.is_ok())
    }

    /// Waits until the client has closed its sending half, or the whole connection; nothing is read.
    pub(super) fn poll_finished(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.finished {
            if ready!(self.tcp.poll_read_ready(context)).is_err() || has_hung_up(&self.tcp) {
                self.finished = true;
            } else {
                self.leave_unread();
            }
        }
        Poll::Ready(())
    }

    /// Whether [`poll_finished`](Self::poll_finished) has found the end.
    pub(super) fn has_finished(&self) -> bool {
        self.finished
    }

    /// Waits until the client has closed its sending half; gives whether the socket still works.
    pub(super) async fn finished(&mut self) -> bool {
        loop {
            match self.tcp.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => self.leave_unread(),
                Ok(_) => {
                    self.unread = true;
                    return true;
                }
                Err(_) => return false,
            }
        }
    }

    /// Whether a silent client may be asked for a sign of life, which is done once.
    pub(super) fn may_probe(&mut self) -> bool {
        !std::mem::replace(&mut self.probed, true)
    }

    /// Waits until the socket works no longer.
    pub(super) async fn failed(&self) {
        let _ = self.tcp.ready(Interest::ERROR).await;
    }

    /// Leaves what is there where it is, and waits for the next event instead.
    fn leave_unread(&mut self) {
        self.unread = true;
        let _ = self.tcp.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }

    /// Reads what is there into the room that a buffer has; gives how much that was.
    ///
    /// # Errors
    /// Nothing is there (`WouldBlock`), or the client has left.
    pub(super) fn read_now(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let read = match std::mem::take(&mut self.unread) {
            true => self.read_unread(buffer),
            false => read_now(&self.tcp, buffer),
        };
        match read? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            size => {
                self.vitals.read(size);
                Ok(size)
            }
        }
    }

    /// Reads what is there, or waits for it.
    ///
    /// # Errors
    /// The client has left.
    pub(super) async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let mut waited = false;
        loop {
            match self.read_now(buffer) {
                Ok(size) => {
                    if waited {
                        self.vitals.moved(size);
                    }
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    waited = true;
                    self.readable().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits, as one that reads, until there is something.
    ///
    /// # Errors
    /// The client has left.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.vitals.enter(Phase::Reading);
        self.tcp.readable().await
    }

    /// Reads once what tokio has been told to forget.  More may be left behind, of which it will not tell either.
    fn read_unread(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let size = rustix::io::read(&self.tcp, rustix::buffer::spare_capacity(buffer))?;
        self.unread = buffer.len() == buffer.capacity();
        Ok(size)
    }

    /// Where to write what the client takes at once.
    pub(super) fn now(&self) -> Now<'_> {
        Now(&self.tcp)
    }

    /// Counts what was written, or waits until something can be; gives how much was.
    ///
    /// # Errors
    /// The client takes nothing any more.
    pub(super) async fn wrote(&self, result: io::Result<usize>, waited: &mut bool) -> io::Result<usize> {
        match result {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                self.vitals.wrote(written);
                if *waited {
                    self.vitals.moved(written);
                }
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                *waited = true;
                self.vitals.enter(Phase::Writing);
                self.tcp.writable().await?;
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    /// The same as [`wrote`](Self::wrote) where nobody waits: writes again until something comes of it.  Which phase it
    /// is to wait for that, is left to the caller.
    pub(super) fn poll_write(
        &self,
        context: &mut Context<'_>,
        mut write: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write() {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(written) => {
                    self.vitals.wrote(written);
                    self.vitals.moved_in(Phase::Writing, written);
                    return Poll::Ready(Ok(written));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.tcp.poll_write_ready(context))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Whether the connection is broken, as it is when one that has left was sent something.
    pub(super) fn is_broken(&self) -> bool {
        let mut polled = [PollFd::new(&self.tcp, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
    }

    /// Has the kernel reset the connection when it is dropped.
    pub(super) fn abort(&self) {
        // Without it the client can't tell an answer without a length from a part of it.
        let _ = socket2::SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO));
    }

    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        let mut waited = false;
        while !bytes.is_empty() {
            let written = self.wrote(self.tcp.try_write(bytes), &mut waited).await?;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Writes two pieces, in one system call if the client takes them.
    pub(super) async fn write_both(&self, first: &[u8], second: &[u8]) -> io::Result<()> {
        match self.tcp.try_write_vectored(&[IoSlice::new(first), IoSlice::new(second)]) {
            Ok(written) if written >= first.len() => {
                self.vitals.wrote(written);
                self.write_all(&second[written - first.len()..]).await
            }
            Ok(written) => {
                self.vitals.wrote(written);
                self.write_all(&first[written..]).await?;
                self.write_all(second).await
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.write_all(first).await?;
                self.write_all(second).await
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a head, and lets the kernel send a part of a file behind it.
    pub(super) async fn write_and_send_file(&self, head: &[u8], file: &File, part: Range<u64>) -> io::Result<()> {
        self.vitals.enter(Phase::Writing);
        self.write_more(head).await?;
        let mut offset = part.start;
        while offset < part.end {
            let piece = usize::try_from(part.end - offset).unwrap_or(FILE_PIECE).min(FILE_PIECE);
            let send = || Ok(rustix::fs::sendfile(&self.tcp, file, Some(&mut offset), piece)?);
            match self.tcp.async_io(Interest::WRITABLE, send).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                sent => {
                    self.vitals.wrote(sent);
                    self.vitals.moved(sent);
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Writes bytes that others follow at once, so that the kernel may put them into one packet.
    async fn write_more(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let send = || Ok(rustix::net::send(&self.tcp, bytes, SendFlags::MORE | SendFlags::NOSIGNAL)?);
            let written = self.tcp.async_io(Interest::WRITABLE, send).await?;
            self.vitals.wrote(written);
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Whether the client has sent more than was read.
    pub(super) fn has_waiting(&self) -> bool {
        rustix::io::ioctl_fionread(&self.tcp).is_ok_and(|count| count > 0)
    }

    /// Says that nothing more will come, and lets the client finish (RFC 9112, section 9.6).
    ///
    /// Without this the client might lose the answer: unread input makes the kernel reset the connection.
    pub(super) async fn linger(&mut self) {
        if rustix::net::shutdown(&self.tcp, rustix::net::Shutdown::Write).is_err() {
            return;
        }
        let drain = async {
            let mut bytes = Vec::with_capacity(DRAIN);
            while self.read(&mut bytes).await.is_ok() {
                bytes.clear();
            }
        };
        let _ = tokio::time::timeout(LINGER, drain).await;
    }
}

/// Reads once.  A read that leaves room has taken everything that was there, so that tokio may wait for the next event:
/// the read that would find nothing is saved.
pub(crate) fn read_now(tcp: &TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut all = None;
    let room = buffer.capacity() - buffer.len();
    let read = || match rustix::io::read(tcp, rustix::buffer::spare_capacity(buffer))? {
        size if size > 0 && size < room => {
            all = Some(size);
            Err(io::ErrorKind::WouldBlock.into())
        }
        size => Ok(size),
    };
    let result = tcp.try_io(Interest::READABLE, read);
    all.map_or(result, Ok)
}

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the other end has closed its sending half, which bytes before that would hide from a read.
fn has_hung_up(socket: &TcpStream) -> bool {
    let mut polled = [PollFd::new(socket, PollFlags::RDHUP)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    !matches!(rustix::event::poll(&mut polled, Some(&now)), Ok(0))
}
