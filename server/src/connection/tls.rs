//! TLS between a connection's socket and what is spoken over it.
//!
//! Bytes of the wire come in from the [`Socket`], and what the client said goes on; the other way round for answers.
//! Everything that has come whole is taken out of rustls at each read, so that nothing waits in there while the
//! connection rests.  A connection that ends in the middle of an answer ends without a word (`close_notify`), so that
//! what was cut short does not look complete (RFC 8446, section 6.1).

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead as _, IoSlice, Write as _};
use std::ops::Range;
use std::sync::Arc;

use rustls::{ProtocolVersion, ServerConfig, ServerConnection};
use sha1::{Digest, Sha1};

use super::socket::Socket;
use super::vitals::{Phase, Secrecy};

/// How much of the wire is read at once.
const WIRE: usize = 32 * 1024;

/// How much of a file is read at once.
const FILE_PIECE: usize = 64 * 1024;

/// The first byte of a client that shakes hands (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// A certificate's SHA-1, in hexadecimal digits.
pub(super) type Fingerprint = [u8; 40];

thread_local! {
    /// Where bytes of the wire are for the moment in which they are decrypted.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(WIRE));
}

/// One client's TLS.
pub(super) struct Tls {
    session: ServerConnection,
    records: Records,
    /// Whether anything has come.
    begun: bool,
    /// Whether the client has said that nothing more will come.
    closed: bool,
    /// Whether the client has less of an answer than there is of it.
    cut_short: bool,
    /// For how long the client shall come back over TLS only, as the host of its last request wants it.
    hsts: u32,
    peer: Option<Box<Fingerprint>>,
}

/// Why nothing can be read.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nothing is there, the client has left, or what came is not TLS.
    Io(io::Error),
    /// What came breaks the protocol, or there is nothing in common.
    Tls(rustls::Error),
    /// The client does not speak TLS: this is what it has said.
    Plain(Vec<u8>),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Fault {
    /// Whether something may come yet.
    pub(super) fn is_pause(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Tls {
    pub(super) fn new(config: Arc<ServerConfig>) -> Box<Self> {
        let session = ServerConnection::new(config).expect("the configuration leaves the size of fragments alone");
        Box::new(Self {
            session,
            records: Records::default(),
            begun: false,
            closed: false,
            cut_short: false,
            hsts: 0,
            peer: None,
        })
    }

    /// Whether nothing can be said yet.
    pub(super) fn is_handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    /// Whether the client has said that nothing more will come.
    pub(super) fn has_closed(&self) -> bool {
        self.closed
    }

    /// Whether a part of a record has come.
    pub(super) fn is_within_record(&self) -> bool {
        self.records.is_within()
    }

    /// The version that is spoken.
    pub(super) fn secrecy(&self) -> Secrecy {
        match self.session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => Secrecy::Tls13,
            Some(_) => Secrecy::Tls12,
            None => Secrecy::Clear,
        }
    }

    /// The SHA-1 of the client's certificate, if it has shown one.
    pub(super) fn peer(&self) -> Option<&Fingerprint> {
        self.peer.as_deref()
    }

    pub(super) fn hsts(&self) -> u32 {
        self.hsts
    }

    pub(super) fn set_hsts(&mut self, seconds: u32) {
        self.hsts = seconds;
    }

    /// The answer that the client is getting will not become complete.
    pub(super) fn cut_short(&mut self) {
        self.cut_short = true;
    }

    /// Reads once what is there, which may be less than the client has said something with; gives how much of the
    /// wire it was.
    ///
    /// # Errors
    /// Nothing is there, or there will be nothing any more.
    pub(super) fn read_now(&mut self, socket: &mut Socket, into: &mut Vec<u8>) -> Result<usize, Fault> {
        if self.closed {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        SCRATCH.with_borrow_mut(|wire| {
            wire.clear();
            wire.reserve(WIRE);
            let size = socket.read_now(wire)?;
            if !std::mem::replace(&mut self.begun, true) && wire[0] != HANDSHAKE {
                return Err(Fault::Plain(wire.clone()));
            }
            let before = into.len();
            let taken = self.take(wire, into);
            // To what the client says there will be an answer, which takes along what waits, unless that is an alert.
            if into.len() == before || taken.is_err() {
                self.write_now(socket);
            }
            taken.map(|()| size)
        })
    }

    /// Decrypts.
    fn take(&mut self, mut wire: &[u8], into: &mut Vec<u8>) -> Result<(), Fault> {
        self.records.follow(wire);
        while !wire.is_empty() && !self.closed {
            self.session.read_tls(&mut wire)?;
            let state =
                self.session.process_new_packets().inspect_err(|_| self.cut_short = true).map_err(Fault::Tls)?;
            self.closed = state.peer_has_closed();
            into.reserve(state.plaintext_bytes_to_read());
            let mut left = state.plaintext_bytes_to_read();
            let mut reader = self.session.reader();
            while left > 0 {
                let chunk = reader.fill_buf()?;
                let size = chunk.len();
                into.extend_from_slice(chunk);
                reader.consume(size);
                left -= size;
            }
        }
        Ok(())
    }

    /// Shakes hands; `into` gets what the client has said at once behind it.
    ///
    /// # Errors
    /// There is nothing to be said to this client.
    pub(super) async fn shake_hands(&mut self, socket: &mut Socket, into: &mut Vec<u8>) -> Result<(), Fault> {
        let mut waited = false;
        while self.session.is_handshaking() {
            match self.read_now(socket, into) {
                Ok(size) => {
                    if waited {
                        socket.vitals().moved(size);
                    }
                    if self.session.is_handshaking() {
                        self.flush(socket, &mut false).await?;
                    }
                    // Signing takes as long as many requests.
                    tokio::task::yield_now().await;
                }
                Err(fault) if fault.is_pause() => {
                    waited = true;
                    socket.readable().await?;
                }
                Err(fault) => return Err(fault),
            }
        }
        self.peer = self.session.peer_certificates().and_then(|chain| chain.first()).map(|own| fingerprint(own));
        // In TLS 1.3 what is left are tickets, which may come with an answer.
        if into.is_empty() || self.secrecy() != Secrecy::Tls13 {
            self.flush(socket, &mut false).await?;
        }
        Ok(())
    }

    /// Reads what the client says, or waits for it.
    ///
    /// # Errors
    /// The client has left.
    pub(super) async fn read(&mut self, socket: &mut Socket, into: &mut Vec<u8>) -> Result<(), Fault> {
        let before = into.len();
        let mut waited = false;
        loop {
            match self.read_now(socket, into) {
                Ok(size) => {
                    if waited {
                        socket.vitals().moved(size);
                    }
                    if into.len() > before {
                        return Ok(());
                    }
                }
                Err(fault) if fault.is_pause() => {
                    waited = true;
                    socket.readable().await?;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Says pieces one after the other: those that are short in one record.
    ///
    /// # Errors
    /// The client takes nothing any more.
    pub(super) async fn write(&mut self, socket: &Socket, pieces: &mut [IoSlice<'_>]) -> io::Result<()> {
        // Whoever drops this future in the middle has cut the answer short.
        let before = std::mem::replace(&mut self.cut_short, true);
        self.write_pieces(socket, pieces, &mut false).await?;
        self.cut_short = before;
        Ok(())
    }

    /// Says a head, and a part of a file behind it.
    ///
    /// # Errors
    /// The client takes nothing any more, or the file has become shorter.
    pub(super) async fn write_file(
        &mut self,
        socket: &Socket,
        mut head: &[u8],
        file: &File,
        part: Range<u64>,
    ) -> io::Result<()> {
        socket.vitals().enter(Phase::Writing);
        let before = std::mem::replace(&mut self.cut_short, true);
        let (mut offset, mut piece) = (part.start, vec![0; length(&part)]);
        while offset < part.end {
            let size = rustix::io::pread(file, &mut piece[..length(&(offset..part.end))], offset)?;
            if size == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            offset += size as u64;
            let head = IoSlice::new(std::mem::take(&mut head));
            self.write_pieces(socket, &mut [head, IoSlice::new(&piece[..size])], &mut true).await?;
            tokio::task::yield_now().await;
        }
        self.write_pieces(socket, &mut [IoSlice::new(head)], &mut true).await?;
        self.cut_short = before;
        Ok(())
    }

    /// Encrypts as much at a time as rustls keeps, and sends it.
    async fn write_pieces(
        &mut self,
        socket: &Socket,
        mut pieces: &mut [IoSlice<'_>],
        waited: &mut bool,
    ) -> io::Result<()> {
        IoSlice::advance_slices(&mut pieces, 0);
        while !pieces.is_empty() {
            match self.session.writer().write_vectored(pieces)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                taken => IoSlice::advance_slices(&mut pieces, taken),
            }
            self.flush(socket, waited).await?;
        }
        Ok(())
    }

    /// Sends what waits in rustls.
    async fn flush(&mut self, socket: &Socket, waited: &mut bool) -> io::Result<()> {
        while self.session.wants_write() {
            let written = self.session.write_tls(&mut socket.now());
            socket.wrote(written, waited).await?;
        }
        Ok(())
    }

    /// Sends as much of it as the client takes at once.
    fn write_now(&mut self, socket: &Socket) {
        while self.session.wants_write() {
            match self.session.write_tls(&mut socket.now()) {
                Ok(written) if written > 0 => socket.vitals().wrote(written),
                // Whoever writes next hears of it.
                _ => return,
            }
        }
    }

    /// Says the last words of a connection, as far as the client takes them at once.
    pub(super) fn write_last(&mut self, socket: &Socket, bytes: &[u8]) {
        if !self.session.is_handshaking() && self.session.writer().write_all(bytes).is_ok() {
            self.write_now(socket);
        }
    }

    /// Says that nothing more will come, unless what came is not all.
    pub(super) async fn end(&mut self, socket: &Socket) {
        if self.may_end() {
            self.session.send_close_notify();
            // A client that has left need not hear it.
            let _ = self.flush(socket, &mut false).await;
        }
    }

    /// The same, if the client takes it at once.
    pub(super) fn end_now(&mut self, socket: &Socket) {
        if self.may_end() {
            self.session.send_close_notify();
            self.write_now(socket);
        }
    }

    fn may_end(&self) -> bool {
        !self.session.is_handshaking() && !self.cut_short
    }
}

/// How much of a part of a file is read at once.
fn length(part: &Range<u64>) -> usize {
    usize::try_from(part.end - part.start).unwrap_or(FILE_PIECE).min(FILE_PIECE)
}

fn fingerprint(certificate: &[u8]) -> Box<Fingerprint> {
    let mut digits = [0; 40];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(Sha1::digest(certificate)) {
        pair.copy_from_slice(&[byte >> 4, byte & 15].map(|digit| b"0123456789ABCDEF"[usize::from(digit)]));
    }
    Box::new(digits)
}

/// Where in the records (RFC 8446, section 5.1) the bytes that have come end.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Records {
    /// How many bytes of a header have come.
    header: u8,
    /// The length of the record, as far as the header tells it.
    length: u16,
    /// How many bytes of the record have to come.
    left: u16,
}

impl Records {
    /// The bytes of a header: type, version, length.
    const HEADER: u8 = 5;

    fn follow(&mut self, mut wire: &[u8]) {
        while let [byte, rest @ ..] = wire {
            if self.left > 0 {
                let here = wire.len().min(usize::from(self.left));
                self.left -= u16::try_from(here).expect("not more than is left");
                wire = &wire[here..];
                continue;
            }
            wire = rest;
            self.length = self.length << 8 | u16::from(*byte);
            self.header += 1;
            if self.header == Self::HEADER {
                *self = Self { left: self.length, ..Self::default() };
            }
        }
    }

    fn is_within(self) -> bool {
        self.header > 0 || self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints() {
        // FIPS 180-2, appendix A.1.
        assert_eq!(fingerprint(b"abc").as_slice(), b"A9993E364706816ABA3E25717850C26C9CD0D89D");
    }

    #[test]
    fn records_are_followed_however_they_come() {
        let wire = [&[23, 3, 3, 1, 2][..], &[7; 258], &[23, 3, 3, 0, 0], &[21, 3, 3, 0, 2, 1, 0]].concat();
        let ends = [0, 263, 268, 275];
        for cut in 0..=wire.len() {
            let mut records = Records::default();
            records.follow(&wire[..cut]);
            assert_eq!(records.is_within(), !ends.contains(&cut), "{cut}");
            records.follow(&wire[cut..]);
            assert!(!records.is_within(), "{cut}");
        }
    }
}
