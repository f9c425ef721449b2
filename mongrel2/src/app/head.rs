//! The head of a response, and what it says of the body.  Pure.

use ::http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use ::http::{HeaderMap, StatusCode};

use super::WriteError;

/// A status and headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status; never an interim one (1xx).
    pub status: StatusCode,
    /// The headers, without `Transfer-Encoding`, which is the host's.
    pub headers: HeaderMap,
}

/// What may follow a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Nothing, by the method or the status.
    None,
    /// So many bytes.
    Exactly(u64),
    /// Any number.
    Any,
}

impl Head {
    /// The length that the application has set.
    pub fn length(&self) -> Option<u64> {
        self.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// Whether a response with this status has no body, whatever was asked (RFC 9110, section 6.4.1).
    pub fn is_bodiless(&self) -> bool {
        matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    }

    /// What may follow it, in answer to HEAD or not.
    ///
    /// # Errors
    /// It can't be sent as it is meant.
    pub(super) fn room(&self, is_head: bool) -> Result<Room, WriteError> {
        if self.status.is_informational() {
            return Err(WriteError::Status);
        }
        if self.headers.contains_key(TRANSFER_ENCODING) {
            return Err(WriteError::Framing(TRANSFER_ENCODING));
        }
        let length = self.length();
        let lengths = self.headers.get_all(CONTENT_LENGTH).iter().count();
        // RFC 9110, section 8.6: not in a 204.
        if lengths > 1 || (lengths == 1 && (length.is_none() || self.status == StatusCode::NO_CONTENT)) {
            return Err(WriteError::Framing(CONTENT_LENGTH));
        }
        Ok(match length {
            _ if is_head || self.is_bodiless() => Room::None,
            Some(length) => Room::Exactly(length),
            None => Room::Any,
        })
    }
}

/// What headers can be given as: pairs of a name and a value, a map, or `()` for none.
pub trait Headers {
    /// All of them.
    ///
    /// # Errors
    /// [`WriteError::Header`] for a name or a value that HTTP doesn't have.
    fn into_map(self) -> Result<HeaderMap, WriteError>;
}

impl Headers for HeaderMap {
    fn into_map(self) -> Result<HeaderMap, WriteError> {
        Ok(self)
    }
}

impl Headers for () {
    fn into_map(self) -> Result<HeaderMap, WriteError> {
        Ok(HeaderMap::new())
    }
}

impl<Name: AsRef<str>, Value: AsRef<str>, const N: usize> Headers for [(Name, Value); N] {
    fn into_map(self) -> Result<HeaderMap, WriteError> {
        map(&self)
    }
}

impl<Name: AsRef<str>, Value: AsRef<str>> Headers for &[(Name, Value)] {
    fn into_map(self) -> Result<HeaderMap, WriteError> {
        map(self)
    }
}

fn map(pairs: &[(impl AsRef<str>, impl AsRef<str>)]) -> Result<HeaderMap, WriteError> {
    let pair = |(name, value): &(_, _)| header(AsRef::as_ref(name), AsRef::as_ref(value));
    // `extend` of a map replaces; what comes twice is meant twice.
    pairs.iter().map(pair).try_fold(HeaderMap::new(), |mut map, header| {
        let (name, value) = header?;
        map.append(name, value);
        Ok(map)
    })
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), WriteError> {
    let fault = || WriteError::Header(name.to_owned());
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| fault())?;
    Ok((HeaderName::from_bytes(name.as_bytes()).map_err(|_| fault())?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(status: u16, headers: &[(&str, &str)], is_head: bool) -> Result<Room, String> {
        let head = Head { status: StatusCode::from_u16(status).unwrap(), headers: map(headers).unwrap() };
        head.room(is_head).map_err(|error| error.to_string())
    }

    #[test]
    fn rooms() {
        for (status, headers, is_head, expected) in [
            (200, &[][..], false, Room::Any),
            (200, &[], true, Room::None),
            (200, &[("Content-Length", "5")], false, Room::Exactly(5)),
            (200, &[("content-length", "5")], true, Room::None),
            (304, &[("content-length", "5")], false, Room::None),
            (204, &[], false, Room::None),
            (500, &[("content-length", "0")], false, Room::Exactly(0)),
        ] {
            assert_eq!(room(status, headers, is_head), Ok(expected), "{status} {headers:?}");
        }
        for (status, headers) in [
            (101, &[][..]),
            (100, &[]),
            (200, &[("Transfer-Encoding", "chunked")]),
            (200, &[("Content-Length", "-1")]),
            (200, &[("Content-Length", "1, 1")]),
            (200, &[("Content-Length", "1"), ("content-length", "1")]),
            (204, &[("Content-Length", "0")]),
        ] {
            assert!(room(status, headers, false).is_err(), "{status} {headers:?}");
        }
    }

    #[test]
    fn headers() {
        let cookies = [("Set-Cookie", "a=1"), ("set-cookie", "b=2")].into_map().unwrap();
        assert_eq!(cookies.get_all("set-cookie").iter().count(), 2);
        for (name, value) in [("a b", "c"), ("", "c"), ("a", "b\r\nc: d"), ("a\r\nb", "c"), ("a", "\0")] {
            assert!(matches!([(name, value)].into_map(), Err(WriteError::Header(found)) if found == name), "{name:?}");
        }
    }
}
