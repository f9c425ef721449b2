//! Which pages may open a socket.  Pure.
//!
//! A browser sends a site's cookies with a WebSocket that any page opens, so a page of somebody else could speak in the
//! user's name.  It says which page it is for in `Origin`; other clients say nothing there, and have no cookies to abuse.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};

use crate::error::Error;

/// The pages that may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// Those of the host that is asked, and those with one of these origins.
    Own { others: Vec<String> },
    /// All.
    Any,
}

impl Pages {
    /// Reads the words of the command line.
    ///
    /// # Errors
    /// The first that is no origin.
    pub(crate) fn parse(words: &[String]) -> Result<Self, Error> {
        if words.iter().any(|word| word == "any") {
            return Ok(Self::Any);
        }
        let others: Result<_, _> = words.iter().map(|word| origin(word)).collect();
        Ok(Self::Own { others: others? })
    }

    /// Whether the page may that a handshake with these headers is for.
    pub(crate) fn may_open(&self, headers: &HeaderMap) -> bool {
        let Self::Own { others } = self else { return true };
        let mut origins = headers.get_all(ORIGIN).iter();
        let (first, second) = (origins.next(), origins.next());
        match (first.map(|origin| origin.to_str()), second) {
            (None, _) => true,
            (Some(Ok(origin)), None) => {
                is_of(origin, headers) || others.iter().any(|other| other.eq_ignore_ascii_case(origin))
            }
            _ => false,
        }
    }
}

/// Whether an origin is the host that is asked.  Before the server may be something else that speaks TLS.
fn is_of(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let name = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    matches!((name, host), (Some(name), Some(host)) if name.eq_ignore_ascii_case(host))
}

fn origin(word: &str) -> Result<String, Error> {
    let fault = || Error::Origin(word.to_owned());
    let uri: Uri = word.parse().map_err(|_| fault())?;
    let is_origin = uri.authority().is_some() && matches!(uri.scheme_str(), Some("http" | "https"));
    // What `Uri` shows has a slash behind it.
    if is_origin && uri.to_string() == format!("{word}/") { Ok(word.to_owned()) } else { Err(fault()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_open(words: &[&str], headers: &[(&str, &str)]) -> bool {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        Pages::parse(&words).unwrap().may_open(&map)
    }

    #[test]
    fn own_pages_and_those_that_are_named() {
        let host = ("host", "x:81");
        for (origin, expected) in [
            ("http://x:81", true),
            ("https://X:81", true),
            ("http://x", false),
            ("http://evil.example", false),
            ("http://x:81.evil.example", false),
            ("http://evil.example/x:81", false),
            ("null", false),
            ("", false),
            ("x:81", false),
            ("https://friend.example", true),
            ("http://friend.example", false),
        ] {
            assert_eq!(may_open(&["https://friend.example"], &[host, ("origin", origin)]), expected, "{origin}");
        }
    }

    #[test]
    fn who_is_no_page_may_and_who_is_two_may_not() {
        assert!(may_open(&[], &[("host", "x")]));
        assert!(!may_open(&[], &[("host", "x"), ("origin", "http://x"), ("origin", "http://evil.example")]));
        assert!(!may_open(&[], &[("origin", "http://x")]));
        assert!(may_open(&["any"], &[("host", "x"), ("origin", "null")]));
    }

    #[test]
    fn what_is_no_origin() {
        for wrong in ["", "x", "null", "*", "https://x/", "https://x/path", "ftp://x", "https://"] {
            assert!(Pages::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
