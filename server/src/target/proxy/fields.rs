//! The header fields that a proxy has to know by name, in both directions.
//!
//! Programs behind CGI and its kin can't tell `-` from `_` in a name: neither does this, or a client could say
//! `X_Forwarded_For` in our place.

use smallvec::SmallVec;

use crate::connection::{elements, has_token};

/// What a field is for a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Host,
    Length,
    Expect,
    Upgrade,
    Cookie,
    SetCookie,
    Date,
    Via,
    Forwarded,
    ForwardedFor,
    ForwardedHost,
    ForwardedProto,
    /// For this hop only (RFC 9110, section 7.6.1).
    HopByHop,
    Other,
}

/// What a name stands for.
pub(super) fn name(name: &[u8]) -> Name {
    let known: &[(&str, Name)] = match name.len() {
        2 => &[("te", Name::HopByHop)],
        3 => &[("via", Name::Via)],
        4 => &[("host", Name::Host), ("date", Name::Date)],
        6 => &[("cookie", Name::Cookie), ("expect", Name::Expect)],
        7 => &[("upgrade", Name::Upgrade), ("trailer", Name::HopByHop)],
        9 => &[("forwarded", Name::Forwarded)],
        10 => &[("connection", Name::HopByHop), ("keep-alive", Name::HopByHop), ("set-cookie", Name::SetCookie)],
        14 => &[("content-length", Name::Length)],
        15 => &[("x-forwarded-for", Name::ForwardedFor)],
        16 => &[("proxy-connection", Name::HopByHop), ("x-forwarded-host", Name::ForwardedHost)],
        17 => &[("transfer-encoding", Name::HopByHop), ("x-forwarded-proto", Name::ForwardedProto)],
        18 => &[("proxy-authenticate", Name::HopByHop)],
        19 => &[("proxy-authorization", Name::HopByHop)],
        _ => &[],
    };
    match known.iter().find(|(known, _)| is_like(name, known.as_bytes())) {
        // It would be counted by whoever can't tell them apart, and has been counted by nobody here.
        Some((known, Name::Length | Name::Host)) if !name.eq_ignore_ascii_case(known.as_bytes()) => Name::HopByHop,
        Some((_, name)) => *name,
        None => Name::Other,
    }
}

/// Whether a name is another in any case, with `_` for `-`.
fn is_like(name: &[u8], lower: &[u8]) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.iter().zip(lower).all(|(a, b)| plain(*a) == *b)
}

/// The fields that Connection says are for this hop only.
#[derive(Debug)]
pub(super) struct Nominated<'a>(SmallVec<[&'a [u8]; 2]>);

impl<'a> Nominated<'a> {
    /// Reads the Connection fields.
    pub(super) fn of(headers: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        Self(headers.filter(|header| header.0.eq_ignore_ascii_case(b"connection")).map(|header| header.1).collect())
    }

    /// Whether a field is one of them.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.0.iter().any(|list| has_token(list, name))
    }

    /// The elements, in any case.
    pub(super) fn says(&self, word: &str) -> bool {
        self.0.iter().flat_map(|list| elements(list)).any(|element| element.eq_ignore_ascii_case(word.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, expected) in [
            ("Host", Name::Host),
            ("content-LENGTH", Name::Length),
            ("content_length", Name::HopByHop),
            ("Keep_Alive", Name::HopByHop),
            ("X_FORWARDED_for", Name::ForwardedFor),
            ("Dates", Name::Other),
            ("x-forwarded-by", Name::Other),
            ("", Name::Other),
        ] {
            assert_eq!(name(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn nominated() {
        let headers: [(&[u8], &[u8]); 3] = [(b"Connection", b"close, X-A"), (b"connection", b"x-b"), (b"X-C", b"x-c")];
        let nominated = Nominated::of(headers.into_iter());
        let has = |name: &str| nominated.has(name.as_bytes());
        assert_eq!((has("x-a"), has("X-B"), has("X-C")), (true, true, false));
        assert!(nominated.says("Close") && !nominated.says("x"));
    }
}
