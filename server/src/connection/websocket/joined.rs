//! A data message whose fragments are being joined (RFC 6455, section 5.4).

use std::mem;
use std::ops::Range;

use super::frame::{Frame, Kind};
use super::utf8::Utf8;
use super::{Fault, Payload};

/// What has come of a message in earlier frames and earlier inputs.
#[derive(Debug)]
pub(super) struct Joined {
    /// How long a message may be.
    limit: usize,
    /// The message that has begun and not ended.
    open: Option<Kind>,
    /// Its payload so far.  An empty fragment leaves no trace here, so that any number of them costs nothing.
    bytes: Vec<u8>,
    utf8: Utf8,
}

impl Joined {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, open: None, bytes: Vec::new(), utf8: Utf8::default() }
    }

    /// The message that the next data frame has to continue.
    pub(super) fn open(&self) -> Option<Kind> {
        self.open
    }

    /// How many bytes the next data frame may have.
    pub(super) fn room(&self) -> usize {
        self.limit - self.bytes.len()
    }

    /// Takes a piece of a data frame's payload, already unmasked; gives the payload of the message that ends with it.
    ///
    /// # Errors
    /// The message is a text and not UTF-8 (section 8.1), which is told as soon as nothing could make it so.
    pub(super) fn take(&mut self, frame: &Frame, input: &[u8], piece: Range<usize>) -> Result<Option<Payload>, Fault> {
        let bytes = &input[piece.clone()];
        if frame.kind == Kind::Text && !self.utf8.feed(bytes) {
            return Err(Fault::Text);
        }
        if frame.left > 0 || !frame.is_last {
            self.keep(bytes);
            self.open = Some(frame.kind);
            return Ok(None);
        }
        if !self.utf8.is_complete() {
            return Err(Fault::Text);
        }
        self.open = None;
        if self.bytes.is_empty() {
            return Ok(Some(Payload::Here(piece)));
        }
        self.keep(bytes);
        Ok(Some(Payload::Kept(mem::take(&mut self.bytes))))
    }

    /// Adds bytes.  The room grows with what has come, not with what a header announces, and never beyond the limit.
    fn keep(&mut self, bytes: &[u8]) {
        let needed = self.bytes.len() + bytes.len();
        if needed > self.bytes.capacity() {
            let capacity = needed.max(self.limit.min(2 * self.bytes.capacity()));
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_what_has_come() {
        let mut joined = Joined::new(1000);
        joined.keep(b"");
        assert_eq!(joined.bytes.capacity(), 0);
        let mut grown = 0;
        for length in 1..=1000 {
            let before = joined.bytes.capacity();
            joined.keep(b"x");
            let after = joined.bytes.capacity();
            assert!(after <= 1000.min(2 * length), "{after} for {length}");
            grown += usize::from(after != before);
        }
        assert!(grown <= 11, "moved {grown} times");
        assert_eq!(joined.room(), 0);
    }
}
