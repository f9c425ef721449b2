//! The header fields that say how to read a request: its host, its body, and what becomes of the connection.
//!
//! They are gathered in one pass over the headers and judged together, because what is harmless alone may
//! contradict another.

use super::bad::BadHead;
use super::token::{decimal, elements, has_token};

/// How the body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// That many bytes; without Content-Length none.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
}

/// A field that may come once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Single<'a> {
    #[default]
    Absent,
    One(&'a [u8]),
    Repeated,
}

impl<'a> Single<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = if *self == Self::Absent { Self::One(value) } else { Self::Repeated };
    }
}

/// The fields of one head.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) host: Single<'a>,
    length: Single<'a>,
    coding: Single<'a>,
    says_close: bool,
    says_keep_alive: bool,
    expects_continue: bool,
    expects_else: bool,
}

impl<'a> Fields<'a> {
    /// Gathers the fields.
    pub(super) fn read(headers: &[httparse::Header<'a>]) -> Self {
        let mut fields = Self::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            match header.name.len() {
                4 if is("host") => fields.host.add(header.value),
                6 if is("expect") => fields.expect(header.value),
                10 if is("connection") => fields.connection(header.value),
                14 if is("content-length") => fields.length.add(header.value),
                17 if is("transfer-encoding") => fields.coding.add(header.value),
                _ => {}
            }
        }
        fields
    }

    fn connection(&mut self, value: &[u8]) {
        self.says_close |= has_token(value, b"close");
        self.says_keep_alive |= has_token(value, b"keep-alive");
    }

    fn expect(&mut self, value: &[u8]) {
        let only = value.eq_ignore_ascii_case(b"100-continue");
        self.expects_continue |= only;
        self.expects_else |= !only;
    }

    /// Where the body ends (RFC 9112, sections 6.1 to 6.3), refusing what two readers might read differently.
    ///
    /// Transfer-Encoding is refused beside Content-Length and in HTTP/1.0, where older servers don't know it.
    /// Codings that end with `chunked` but have others before it could be read if we knew them (501); all
    /// others leave the end open (400).
    ///
    /// # Errors
    /// What is wrong with the two fields.
    pub(super) fn framing(&self, minor: u8) -> Result<Framing, BadHead> {
        match (self.length, self.coding) {
            (Single::Absent, Single::Absent) => Ok(Framing::Length(0)),
            (Single::One(length), Single::Absent) => decimal(length).map(Framing::Length).ok_or(BadHead::ContentLength),
            (Single::Repeated, Single::Absent) => Err(BadHead::ContentLength),
            (Single::Absent, _) if minor == 0 => Err(BadHead::OldFraming),
            (Single::Absent, Single::One(coding)) => codings(coding),
            (Single::Absent, Single::Repeated) => Err(BadHead::Framing),
            _ => Err(BadHead::BothFramings),
        }
    }

    /// Whether the client wants the connection to stay open (RFC 9112, section 9.3); `close` wins.
    pub(super) fn keep_alive(&self, minor: u8) -> bool {
        !self.says_close && (minor == 1 || self.says_keep_alive)
    }

    /// Whether the client waits for an interim answer (RFC 9110, section 10.1.1).  One of HTTP/1.0 doesn't,
    /// whatever it says.
    ///
    /// # Errors
    /// The client expects something else.
    pub(super) fn expects_continue(&self, minor: u8) -> Result<bool, BadHead> {
        match self.expects_else {
            true if minor == 1 => Err(BadHead::Expectation),
            _ => Ok(minor == 1 && self.expects_continue),
        }
    }
}

fn codings(list: &[u8]) -> Result<Framing, BadHead> {
    if list.eq_ignore_ascii_case(b"chunked") {
        return Ok(Framing::Chunked);
    }
    let mut codings = elements(list).rev();
    let ends_chunked = codings.next().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
    let plain = |coding: &[u8]| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"chunked");
    Err(if ends_chunked && codings.all(plain) { BadHead::TransferCoding } else { BadHead::Framing })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads fields given as `Name: value` lines.
    fn with<T>(lines: &str, check: impl FnOnce(&Fields<'_>) -> T) -> T {
        let text = format!("{lines}\r\n");
        let mut storage = [httparse::EMPTY_HEADER; 8];
        let httparse::Status::Complete((_, headers)) = httparse::parse_headers(text.as_bytes(), &mut storage).unwrap()
        else {
            panic!("{lines:?} is incomplete");
        };
        check(&Fields::read(headers))
    }

    #[test]
    fn framing() {
        let chunked = "Transfer-Encoding: chunked\r\n";
        for (lines, expected) in [
            ("", Ok(Framing::Length(0))),
            ("Content-Length: 5\r\n", Ok(Framing::Length(5))),
            ("content-length:\t 005 \t\r\n", Ok(Framing::Length(5))),
            (chunked, Ok(Framing::Chunked)),
            ("TRANSFER-ENCODING:  Chunked\t\r\n", Ok(Framing::Chunked)),
            ("Content-Length:\r\n", Err(BadHead::ContentLength)),
            ("Content-Length: 5 5\r\n", Err(BadHead::ContentLength)),
            ("Content-Length: 5, 5\r\n", Err(BadHead::ContentLength)),
            ("Content-Length: 5\r\nContent-length: 5\r\n", Err(BadHead::ContentLength)),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Err(BadHead::BothFramings)),
            ("Content-Length: 5\r\nTransfer-Encoding: x\r\n", Err(BadHead::BothFramings)),
            ("Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n", Err(BadHead::Framing)),
            ("Transfer-Encoding:\r\n", Err(BadHead::Framing)),
            ("Transfer-Encoding: gzip\r\n", Err(BadHead::Framing)),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(BadHead::TransferCoding)),
            ("Transfer-Encoding: chunked, chunked\r\n", Err(BadHead::Framing)),
            ("Transfer-Encoding: chunked, gzip\r\n", Err(BadHead::Framing)),
            ("Transfer-Encoding: chunked,\r\n", Err(BadHead::Framing)),
            ("Transfer-Encoding: ,chunked\r\n", Err(BadHead::Framing)),
            ("Transfer-Encoding: chunked;q=1\r\n", Err(BadHead::Framing)),
            ("Transfer-Encoding: \"chunked\"\r\n", Err(BadHead::Framing)),
            ("Transfer-Encoding: xchunked\r\n", Err(BadHead::Framing)),
        ] {
            assert_eq!(with(lines, |fields| fields.framing(1)), expected, "{lines:?}");
        }
        assert_eq!(with(chunked, |fields| fields.framing(0)), Err(BadHead::OldFraming));
    }

    #[test]
    fn keep_alive() {
        for (minor, lines, expected) in [
            (1, "", true),
            (1, "Connection: close\r\n", false),
            (1, "Connection: foo, Close\r\n", false),
            (1, "Connection: keep-alive\r\nConnection: close\r\n", false),
            (1, "Connection: closed\r\n", true),
            (0, "", false),
            (0, "Connection: Keep-Alive\r\n", true),
            (0, "Connection: keep-alive, close\r\n", false),
        ] {
            assert_eq!(with(lines, |fields| fields.keep_alive(minor)), expected, "{minor} {lines:?}");
        }
    }

    #[test]
    fn expectations() {
        for (minor, lines, expected) in [
            (1, "", Ok(false)),
            (1, "Expect: 100-Continue\r\n", Ok(true)),
            (0, "Expect: 100-continue\r\n", Ok(false)),
            (0, "Expect: miracles\r\n", Ok(false)),
            (1, "Expect: miracles\r\n", Err(BadHead::Expectation)),
            (1, "Expect:\r\n", Err(BadHead::Expectation)),
            (1, "Expect: 100-continue\r\nExpect: miracles\r\n", Err(BadHead::Expectation)),
        ] {
            assert_eq!(with(lines, |fields| fields.expects_continue(minor)), expected, "{minor} {lines:?}");
        }
    }
}
