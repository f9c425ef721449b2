//! A connection at which nobody waits longer than he wants to: not for a byte, but for all that he asks for.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A connection.
#[derive(Debug)]
pub(super) struct Line {
    stream: BufReader<Timed>,
    patience: Duration,
}

impl Line {
    /// Connects; whatever is waited for may take as long as `patience`.
    pub(super) fn connect(address: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = unless_interrupted(|| TcpStream::connect_timeout(&address, patience))?;
        stream.set_write_timeout(Some(patience)).and(stream.set_nodelay(true))?;
        let timed = Timed { stream, until: Instant::now() + patience };
        Ok(Self { stream: BufReader::new(timed), patience })
    }

    /// Begins to wait: what is read from now on has to come within its patience.
    pub(super) fn wait(&mut self) -> &mut impl BufRead {
        self.stream.get_mut().until = Instant::now() + self.patience;
        self.more()
    }

    /// Goes on with that.
    pub(super) fn more(&mut self) -> &mut impl BufRead {
        &mut self.stream
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().stream.write_all(bytes)
    }

    pub(super) fn finish(&self) -> io::Result<()> {
        self.stream.get_ref().stream.shutdown(Shutdown::Write)
    }
}

/// A stream that is read up to a time.
#[derive(Debug)]
struct Timed {
    stream: TcpStream,
    until: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        unless_interrupted(|| self.stream.read(buffer))
    }
}

/// Tries again when a signal has come, which is for somebody else.
fn unless_interrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Whoever sends a byte from time to time is not waited for any longer.
    #[test]
    fn patience_is_for_all_of_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut line = Line::connect(listener.local_addr().unwrap(), Duration::from_millis(300)).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let trickle = thread::spawn(move || {
            while stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        });
        let error = line.wait().read_to_end(&mut Vec::new()).unwrap_err();
        assert!(matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock), "{error}");
        drop(line);
        trickle.join().unwrap();
    }
}
