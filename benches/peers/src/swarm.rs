//! Many connections in one thread, by epoll: for clients that get bytes without having asked for each.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;

use crate::client::{PATIENCE, connect};

/// How many connections are listened to before the kernel is asked again.
const EVENTS: usize = 1024;

/// How many bytes are read at once.
const BYTES: usize = 64 * 1024;

/// The connections, by numbers from 0.
pub(crate) struct Swarm {
    epoll: OwnedFd,
    streams: Vec<TcpStream>,
    events: Vec<Event>,
    bytes: Vec<u8>,
}

/// Bytes that have come.
#[derive(Debug)]
pub(crate) struct Heard<'a> {
    pub(crate) number: usize,
    pub(crate) bytes: &'a [u8],
    /// Where to answer.
    pub(crate) stream: &'a TcpStream,
}

impl Swarm {
    /// No connections yet.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, streams: Vec::new(), events: Vec::with_capacity(EVENTS), bytes: vec![0; BYTES] })
    }

    /// Opens one more connection, and writes its first bytes.
    ///
    /// # Errors
    /// Nobody listens.
    pub(crate) fn join(&mut self, address: SocketAddr, first: &[u8]) -> io::Result<()> {
        let mut stream = connect(address)?;
        stream.set_nonblocking(true)?;
        let number = self.streams.len() as u64;
        epoll::add(&self.epoll, &stream, EventData::new_u64(number), EventFlags::IN)?;
        stream.write_all(first)?;
        self.streams.push(stream);
        Ok(())
    }

    /// Writes to a connection: so little that it has to fit into the socket.
    ///
    /// # Errors
    /// It doesn't, or the connection is gone.
    pub(crate) fn send(&self, number: usize, bytes: &[u8]) -> io::Result<()> {
        (&self.streams[number]).write_all(bytes)
    }

    /// Waits for bytes, and hands out what has come.
    ///
    /// # Errors
    /// Nothing comes, a connection ends, or `take` fails.
    pub(crate) fn hear(&mut self, mut take: impl FnMut(Heard<'_>) -> io::Result<()>) -> io::Result<()> {
        let patience = Timespec::try_from(PATIENCE).map_err(io::Error::other)?;
        self.events.clear();
        epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&patience))?;
        if self.events.is_empty() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        for event in &self.events {
            let number = usize::try_from(event.data.u64()).map_err(io::Error::other)?;
            let stream = &self.streams[number];
            let mut reader = stream;
            match reader.read(&mut self.bytes)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                size => take(Heard { number, bytes: &self.bytes[..size], stream })?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn bytes_come_from_whom_they_are_and_an_end_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut swarm = Swarm::new().unwrap();
        let mut others: Vec<TcpStream> = (0..2)
            .map(|_| {
                swarm.join(listener.local_addr().unwrap(), b"first").unwrap();
                listener.accept().unwrap().0
            })
            .collect();
        let mut bytes = [0; 11];
        swarm.send(1, b"second").unwrap();
        others[1].read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"firstsecond");

        others[1].write_all(b"hi").unwrap();
        let mut heard = Vec::new();
        let mut take = |what: Heard<'_>| {
            heard.push((what.number, what.bytes.to_vec()));
            Ok(())
        };
        swarm.hear(&mut take).unwrap();
        others.pop();
        assert_eq!(swarm.hear(&mut take).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(heard, [(1, b"hi".to_vec())]);
    }
}
