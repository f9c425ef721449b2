//! Follows the bytes of a handler's answer just far enough to know when it is complete.
//!
//! A handler may send whatever it likes in as many messages as it likes, and the bytes go to the client as
//! they are.  To answer the next request of a connection, to close where the client asked for it, and to
//! write the access log, the server has to know status, size and end.  What isn't HTTP/1.x (ICY, raw
//! streams) simply has no end until the handler closes the connection.

use std::borrow::Cow;

use super::chunked::{Decoder, Step};
use super::token::{decimal, has_token};

/// A head longer than this is not looked at any more.
const MAX_HEAD: usize = 64 * 1024;

/// An answer being followed.
#[derive(Debug)]
pub(crate) struct Tracker {
    state: State,
    to_head_request: bool,
    /// The status of the final head, once it has come.
    pub(crate) status: Option<u16>,
    /// Bytes of the body so far.
    pub(crate) bytes: u64,
    /// Whether the answer says that the connection closes behind it.
    pub(crate) says_close: bool,
}

#[derive(Debug)]
enum State {
    /// In the head; these are its bytes.
    Head(Vec<u8>),
    /// That many bytes are still to come.
    Length(u64),
    Chunked(Decoder),
    /// Only the handler knows the end.
    Endless,
    Complete,
}

impl Tracker {
    /// Starts before the first byte; `to_head_request` says that the answer has no body whatever its head says.
    pub(crate) fn new(to_head_request: bool) -> Self {
        Self { state: State::Head(Vec::new()), to_head_request, status: None, bytes: 0, says_close: false }
    }

    /// Whether the last byte has come.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete)
    }

    /// Whether nothing has come yet.
    pub(crate) fn is_untouched(&self) -> bool {
        matches!(&self.state, State::Head(head) if head.is_empty()) && self.status.is_none()
    }

    /// Whether a part of the answer is missing without which the client can't know that it has all.
    pub(crate) fn is_cut_short(&self) -> bool {
        match &self.state {
            State::Head(head) => !head.is_empty(),
            State::Length(_) | State::Chunked(_) => true,
            State::Endless | State::Complete => false,
        }
    }

    /// Looks at the next bytes; gives the number of them that belong to the answer, which is all of them until
    /// it is complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut used = 0;
        while used < bytes.len() && !self.is_complete() {
            used += self.step(&bytes[used..]);
        }
        used
    }

    /// Takes note of so many bytes that can't be looked at; gives whether that was possible, since they are all
    /// part of the body.
    pub(crate) fn skip(&mut self, count: u64) -> bool {
        match &mut self.state {
            State::Length(left) if *left >= count => {
                *left -= count;
                if *left == 0 {
                    self.state = State::Complete;
                }
            }
            State::Endless => {}
            _ => return false,
        }
        self.bytes += count;
        true
    }

    fn step(&mut self, bytes: &[u8]) -> usize {
        match &mut self.state {
            State::Head(head) => {
                let (before, mut head) = (head.len(), std::mem::take(head));
                // What is behind a head may be very long, and is not copied.
                let (head, taken) = if before == 0 {
                    (Cow::Borrowed(bytes), bytes.len())
                } else {
                    let taken = bytes.len().min(MAX_HEAD);
                    head.extend_from_slice(&bytes[..taken]);
                    (Cow::Owned(head), taken)
                };
                self.head(head).map_or(taken, |length| length - before)
            }
            State::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= here as u64;
                self.bytes += here as u64;
                if *left == 0 {
                    self.state = State::Complete;
                }
                here
            }
            State::Chunked(decoder) => match decoder.next(bytes, 0) {
                Ok(Step::Data(range)) => {
                    self.bytes += range.len() as u64;
                    range.end
                }
                Ok(Step::More) => bytes.len(),
                Ok(Step::End(at)) => {
                    self.state = State::Complete;
                    at
                }
                Err(_) => {
                    self.state = State::Endless;
                    0
                }
            },
            State::Endless => {
                self.bytes += bytes.len() as u64;
                bytes.len()
            }
            State::Complete => 0,
        }
    }

    /// Looks at the head so far; gives its length once it is complete.
    fn head(&mut self, head: Cow<'_, [u8]>) -> Option<usize> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(&head) {
            Ok(httparse::Status::Complete(length)) => {
                let status = response.code.expect("complete");
                self.state = self.behind_head(status, response.headers);
                Some(length)
            }
            Ok(httparse::Status::Partial) if head.len() < MAX_HEAD => {
                self.state = State::Head(head.into_owned());
                None
            }
            _ => {
                self.bytes += head.len() as u64;
                self.state = State::Endless;
                None
            }
        }
    }

    /// How the body is framed (RFC 9112, section 6.3).
    fn behind_head(&mut self, status: u16, headers: &[httparse::Header<'_>]) -> State {
        if status == 101 {
            self.status = Some(status);
            return State::Endless;
        }
        if status < 200 {
            return State::Head(Vec::new());
        }
        let value = |name: &str| {
            headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
        };
        self.status = Some(status);
        self.says_close = value("connection").is_some_and(|value| has_token(value, b"close"));
        if self.to_head_request || status == 204 || status == 304 {
            State::Complete
        } else if value("transfer-encoding").is_some_and(|coding| has_token(coding, b"chunked")) {
            State::Chunked(Decoder::new())
        } else {
            match value("content-length").map(decimal) {
                Some(Some(0)) => State::Complete,
                Some(Some(length)) => State::Length(length),
                _ => State::Endless,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds pieces; gives status, body size, whether complete, and how many bytes belonged to the answer.
    fn follow(pieces: &[&[u8]], to_head_request: bool) -> (Option<u16>, u64, bool, usize) {
        let mut tracker = Tracker::new(to_head_request);
        let used = pieces.iter().map(|piece| tracker.feed(piece)).sum();
        (tracker.status, tracker.bytes, tracker.is_complete(), used)
    }

    fn check(answer: &str, expected: (Option<u16>, u64, bool, usize)) {
        assert_eq!(follow(&[answer.as_bytes()], false), expected, "{answer:?}");
    }

    #[test]
    fn answers() {
        let ok = "HTTP/1.1 200 OK\r\n";
        check(&format!("{ok}Content-Length: 2\r\n\r\nok"), (Some(200), 2, true, 40));
        check(&format!("{ok}Content-Length: 2\r\n\r\nok, more"), (Some(200), 2, true, 40));
        check(&format!("{ok}Content-Length: 3\r\n\r\nok"), (Some(200), 2, false, 40));
        check(&format!("{ok}Content-Length: 0\r\n\r\n"), (Some(200), 0, true, 38));
        check(&format!("{ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), (Some(200), 2, true, 59));
        check(&format!("{ok}Transfer-Encoding: chunked\r\n\r\nnonsense"), (Some(200), 8, false, 55));
        check(&format!("{ok}\r\nstream"), (Some(200), 6, false, 25));
        check("HTTP/1.1 204 No Content\r\n\r\n", (Some(204), 0, true, 27));
        check("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (Some(304), 0, true, 48));
        check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", (Some(204), 0, true, 52));
        check("HTTP/1.1 101 Switching Protocols\r\n\r\n\x01\x02", (Some(101), 2, false, 38));
        check("ICY 200 OK\r\n\r\nmusic", (None, 19, false, 19));
        check("HTTP/1.1 200", (None, 0, false, 12));
    }

    #[test]
    fn what_is_skipped_counts() {
        let mut tracker = Tracker::new(false);
        assert!(!tracker.skip(1), "in the head");
        tracker.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nh");
        assert!(!tracker.skip(5), "beyond the end");
        assert!(tracker.skip(4) && tracker.is_complete());
        assert_eq!(tracker.bytes, 5);
    }

    #[test]
    fn an_answer_to_head_has_no_body() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        assert_eq!(follow(&[answer], true), (Some(200), 0, true, answer.len()));
    }

    proptest! {
        #[test]
        fn splitting_changes_nothing(
            answer in prop_oneof![
                Just("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more"),
                Just("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\nmore"),
                Just("HTTP/1.0 200 OK\r\n\r\nhello"),
                Just("not HTTP at all"),
            ],
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let bytes = answer.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let (status, size, complete, used) = follow(&pieces, false);
            let whole = follow(&[bytes], false);
            prop_assert_eq!((status, complete, used), (whole.0, whole.2, whole.3));
            prop_assert_eq!(size, whole.1);
        }
    }
}
