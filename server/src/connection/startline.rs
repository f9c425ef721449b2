//! The first line of a request: method, target and version (RFC 9112, section 3).

use super::bad::BadHead;
use super::token::{is_token, is_token_byte};

/// A method longer than this is one that nobody knows: 501, as RFC 9112, section 3, advises.
const LONGEST_METHOD: usize = 32;

/// A request line, split; the target isn't looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StartLine<'a> {
    /// Any token: whether it is served depends on the route's target.  Methods are case-sensitive (RFC 9110,
    /// section 9.1).
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub(super) minor: u8,
}

impl<'a> StartLine<'a> {
    /// Splits a line without its end.  There is exactly one blank between the parts: the leniency that RFC 9112
    /// allows here is how two servers come to read two requests.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, BadHead> {
        let (method, rest) = at_blank(line).ok_or(BadHead::RequestLine)?;
        let (target, version) = at_blank(rest).ok_or(BadHead::RequestLine)?;
        if !is_token(method) {
            return Err(BadHead::Method);
        }
        let minor = minor(version)?;
        if method.len() > LONGEST_METHOD {
            return Err(BadHead::MethodTooLong);
        }
        if target.is_empty() { Err(BadHead::RequestLine) } else { Ok(Self { method, target, minor }) }
    }

    /// Whether a line may start with that byte: what isn't HTTP at all need not be waited for to its end.
    pub(super) fn may_start_with(byte: u8) -> bool {
        is_token_byte(byte)
    }
}

fn at_blank(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b' ', line)?;
    Some((&line[..at], &line[at + 1..]))
}

/// The minor version as it is served: a higher one than 1 is 1 (RFC 9110, section 2.5).
fn minor(version: &[u8]) -> Result<u8, BadHead> {
    match version {
        b"HTTP/1.1" => Ok(1),
        b"HTTP/1.0" => Ok(0),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9'] => Ok(1),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(BadHead::Version),
        _ => Err(BadHead::VersionForm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let long = format!("{} / HTTP/1.1", "M".repeat(33));
        for (line, expected) in [
            ("GET / HTTP/1.1", Ok(("GET", "/", 1))),
            ("get-x! * HTTP/1.0", Ok(("get-x!", "*", 0))),
            ("GET / HTTP/1.9", Ok(("GET", "/", 1))),
            ("GET /\u{1} HTTP/1.1", Ok(("GET", "/\u{1}", 1))),
            ("GET / HTTP/2.0", Err(BadHead::Version)),
            ("GET / HTTP/0.9", Err(BadHead::Version)),
            ("PRI * HTTP/2.0", Err(BadHead::Version)),
            ("GET / http/1.1", Err(BadHead::VersionForm)),
            ("GET / HTTP/01.1", Err(BadHead::VersionForm)),
            ("GET / HTTP/1.10", Err(BadHead::VersionForm)),
            ("GET / HTTP/1.", Err(BadHead::VersionForm)),
            ("GET / HTTP/1.1 ", Err(BadHead::VersionForm)),
            ("GET / x HTTP/1.1", Err(BadHead::VersionForm)),
            ("GET / HTTP/1.1\r", Err(BadHead::VersionForm)),
            ("GET  / HTTP/1.1", Err(BadHead::VersionForm)),
            ("GET  HTTP/1.1", Err(BadHead::RequestLine)),
            ("GET /", Err(BadHead::RequestLine)),
            ("GET", Err(BadHead::RequestLine)),
            ("GET\t/ HTTP/1.1", Err(BadHead::RequestLine)),
            ("GET\t / HTTP/1.1", Err(BadHead::Method)),
            ("GE\tT / HTTP/1.1", Err(BadHead::Method)),
            (" GET / HTTP/1.1", Err(BadHead::Method)),
            ("G(T / HTTP/1.1", Err(BadHead::Method)),
            (long.as_str(), Err(BadHead::MethodTooLong)),
        ] {
            let expected = expected.map(|(method, target, minor)| StartLine {
                method: str::as_bytes(method),
                target: str::as_bytes(target),
                minor,
            });
            assert_eq!(StartLine::parse(line.as_bytes()), expected, "{line:?}");
        }
    }
}
