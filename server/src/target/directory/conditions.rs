//! Whether a client wants a file at all: the preconditions of RFC 9110, section 13, in their full order.
//!
//! Pure: header values and the file's validators come in, a verdict goes out.

use std::time::SystemTime;

/// What to do with a request for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Send it; `ranges` says whether a Range header counts.
    Send { ranges: bool },
    /// 304: the client's copy is still good.
    NotModified,
    /// 412: it isn't what the client expected.
    Failed,
}

/// The validators of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validators<'a> {
    /// The entity tag in its quotes; it is a strong one.
    pub(crate) etag: &'a str,
    /// In whole seconds, as HTTP has them.
    pub(crate) modified: SystemTime,
}

/// The values of one header, as many as came.
type Values<'a> = &'a [&'a [u8]];

/// The conditional headers of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions<'a> {
    pub(crate) if_match: Vec<&'a [u8]>,
    pub(crate) if_none_match: Vec<&'a [u8]>,
    pub(crate) if_modified_since: Option<&'a [u8]>,
    pub(crate) if_unmodified_since: Option<&'a [u8]>,
    pub(crate) if_range: Option<&'a [u8]>,
}

impl<'a> Conditions<'a> {
    /// Takes the conditional headers out of all of a request's.
    pub(crate) fn read(headers: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut conditions = Self::default();
        for (name, value) in headers.filter(|(name, _)| name.len() > 7 && name[..3].eq_ignore_ascii_case(b"if-")) {
            match name[3..].to_ascii_lowercase().as_slice() {
                b"match" => conditions.if_match.push(value),
                b"none-match" => conditions.if_none_match.push(value),
                b"modified-since" => conditions.if_modified_since = Some(value),
                b"unmodified-since" => conditions.if_unmodified_since = Some(value),
                b"range" => conditions.if_range = Some(value),
                _ => {}
            }
        }
        conditions
    }

    /// Decides in the order of RFC 9110, section 13.2.2, for GET and HEAD.
    pub(crate) fn evaluate(&self, file: Validators<'_>) -> Verdict {
        let expected = if self.if_match.is_empty() {
            self.if_unmodified_since.and_then(date).is_none_or(|date| file.modified <= date)
        } else {
            has_tag(&self.if_match, file.etag, Comparison::Strong)
        };
        if !expected {
            return Verdict::Failed;
        }
        let unchanged = if self.if_none_match.is_empty() {
            self.if_modified_since.and_then(date).is_some_and(|date| file.modified <= date)
        } else {
            has_tag(&self.if_none_match, file.etag, Comparison::Weak)
        };
        if unchanged { Verdict::NotModified } else { Verdict::Send { ranges: self.allows_ranges(file) } }
    }

    /// Whether If-Range lets a Range header count (RFC 9110, section 13.1.5): an entity tag has to be strong
    /// and the same, a date exactly the file's.
    fn allows_ranges(&self, file: Validators<'_>) -> bool {
        match self.if_range {
            None => true,
            Some(tag) if tag.starts_with(b"\"") => tag == file.etag.as_bytes(),
            Some(value) => date(value) == Some(file.modified),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether a list of entity tags has this one, or is `*`.
fn has_tag(lists: Values<'_>, etag: &str, comparison: Comparison) -> bool {
    let elements = lists.iter().flat_map(|list| list.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    elements.into_iter().any(|tag| match tag.strip_prefix(b"W/") {
        _ if tag == b"*" => true,
        Some(weak) => comparison == Comparison::Weak && weak == etag.as_bytes(),
        None => tag == etag.as_bytes(),
    })
}

/// A date in one of HTTP's three formats; one that isn't counts as absent.
fn date(value: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(value).ok()?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const SEND: Verdict = Verdict::Send { ranges: true };

    fn check(headers: &[(&str, &str)], expected: Verdict) {
        let bytes = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let file = Validators { etag: "\"a-1\"", modified: UNIX_EPOCH + Duration::from_secs(784_111_777) };
        assert_eq!(Conditions::read(bytes).evaluate(file), expected, "{headers:?}");
    }

    #[test]
    fn one_condition() {
        check(&[], SEND);
        check(&[("If-Match", "\"a-1\"")], SEND);
        check(&[("If-Match", "\"b\", \"a-1\"")], SEND);
        check(&[("If-Match", "*")], SEND);
        check(&[("If-Match", "W/\"a-1\"")], Verdict::Failed);
        check(&[("If-Match", "\"b\"")], Verdict::Failed);
        check(&[("If-Unmodified-Since", SAME)], SEND);
        check(&[("If-Unmodified-Since", AFTER)], SEND);
        check(&[("If-Unmodified-Since", BEFORE)], Verdict::Failed);
        check(&[("If-Unmodified-Since", "yesterday")], SEND);
        check(&[("if-none-match", "\"a-1\"")], Verdict::NotModified);
        check(&[("If-None-Match", "W/\"a-1\"")], Verdict::NotModified);
        check(&[("If-None-Match", "\"x\""), ("If-None-Match", "\"a-1\"")], Verdict::NotModified);
        check(&[("If-None-Match", "*")], Verdict::NotModified);
        check(&[("If-None-Match", "a-1")], SEND);
        check(&[("If-Modified-Since", SAME)], Verdict::NotModified);
        check(&[("If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT")], Verdict::NotModified);
        check(&[("If-Modified-Since", BEFORE)], SEND);
        check(&[("If-Modified-Since", "0")], SEND);
    }

    #[test]
    fn several_conditions_in_their_order() {
        check(&[("If-Match", "\"a-1\""), ("If-Unmodified-Since", BEFORE)], SEND);
        check(&[("If-None-Match", "\"x\""), ("If-Modified-Since", SAME)], SEND);
        check(&[("If-Match", "\"x\""), ("If-None-Match", "\"a-1\"")], Verdict::Failed);
        check(&[("If-Match", "\"a-1\""), ("If-None-Match", "\"a-1\"")], Verdict::NotModified);
        check(&[("If-Unmodified-Since", SAME), ("If-Modified-Since", SAME)], Verdict::NotModified);
    }

    #[test]
    fn if_range() {
        check(&[("If-Range", "\"a-1\"")], SEND);
        check(&[("If-Range", SAME)], SEND);
        for value in ["\"b\"", "W/\"a-1\"", BEFORE, AFTER, "nonsense"] {
            check(&[("If-Range", value)], Verdict::Send { ranges: false });
        }
    }
}
