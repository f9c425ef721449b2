//! The Range header (RFC 9110, section 14): which parts of a file a client wants.  Pure.

use std::ops::Range;

/// More parts than this are more likely an attack than a wish; the whole file is cheaper.
const MAX_PARTS: usize = 16;

/// What a Range header comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The whole: there is no header, or one that may be ignored.
    Whole,
    /// These parts, in the order in which they were asked for; at least one.
    Parts(Vec<Range<u64>>),
    /// 416: no part of what was asked for exists.
    Nothing,
}

/// Reads a Range header for a file of that size.
///
/// Other units, malformed sets, too many parts, and parts that together are larger than the file are ignored,
/// as section 14.2 allows.
pub(crate) fn parse(header: Option<&[u8]>, size: u64) -> Wanted {
    let Some(parts) = header.and_then(|header| parts(header, size)) else {
        return Wanted::Whole;
    };
    let parts: Vec<Range<u64>> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Wanted::Nothing;
    }
    let total = parts.iter().map(|part| part.end - part.start).sum::<u64>();
    let excessive = parts.len() > MAX_PARTS || (parts.len() > 1 && total > size);
    if excessive { Wanted::Whole } else { Wanted::Parts(parts) }
}

/// The parts, empty where they lie behind the end; `None` if the header is malformed.
fn parts(header: &[u8], size: u64) -> Option<Vec<Range<u64>>> {
    let text = std::str::from_utf8(header).ok()?;
    let (unit, set) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let parts: Option<Vec<_>> =
        set.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|text| part(text, size)).collect();
    parts.filter(|parts| !parts.is_empty())
}

fn part(text: &str, size: u64) -> Option<Range<u64>> {
    match text.split_once('-')? {
        ("", suffix) => {
            let length = number(suffix)?.min(size);
            Some(size - length..size)
        }
        (first, "") => {
            let first = number(first)?;
            Some(first.min(size)..size)
        }
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| first.min(size)..last.saturating_add(1).min(size))
        }
    }
}

fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // A number that is too large for us lies behind the end of every file.
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(header: &str, expected: Wanted) {
        assert_eq!(parse(Some(header.as_bytes()), 10), expected, "{header}");
    }

    fn one(part: Range<u64>) -> Wanted {
        Wanted::Parts(vec![part])
    }

    #[test]
    fn single_parts() {
        check("bytes=0-4", one(0..5));
        check("bytes=5-", one(5..10));
        check("bytes=-3", one(7..10));
        check("bytes=-30", one(0..10));
        check("bytes=0-99999999999999999999999", one(0..10));
        check("Bytes = 0-0", one(0..1));
        check("bytes=9-9", one(9..10));
        check("bytes=10-", Wanted::Nothing);
        check("bytes=10-20", Wanted::Nothing);
        check("bytes=-0", Wanted::Nothing);
        check("bytes=99999999999999999999999-", Wanted::Nothing);
    }

    #[test]
    fn several_parts() {
        check("bytes=0-0, -1", Wanted::Parts(vec![0..1, 9..10]));
        check("bytes=8-9,0-1", Wanted::Parts(vec![8..10, 0..2]));
        check("bytes=0-0,,20-30", one(0..1));
        check("bytes=20-30,40-50", Wanted::Nothing);
        check("bytes=0-,0-,0-", Wanted::Whole);
        check(&format!("bytes={}", ["0-0"; 17].join(",")), Wanted::Whole);
    }

    #[test]
    fn what_is_ignored() {
        assert_eq!(parse(None, 10), Wanted::Whole);
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=x",
            "bytes=4-2",
            "bytes=1-2-3",
            "bytes=+1-2",
            "lines=1-2",
            "bytes=-",
            "bytes=0x1-2",
        ] {
            check(header, Wanted::Whole);
        }
    }

    #[test]
    fn an_empty_file_has_no_parts() {
        assert_eq!(parse(Some(b"bytes=0-"), 0), Wanted::Nothing);
    }

    proptest! {
        #[test]
        fn parts_lie_within_and_never_exceed_the_whole(header in "bytes=[0-9,-]{0,40}", size in 0u64..1000) {
            if let Wanted::Parts(parts) = parse(Some(header.as_bytes()), size) {
                prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= size));
                prop_assert!(parts.len() == 1 || parts.iter().map(|part| part.end - part.start).sum::<u64>() <= size);
            }
        }

        #[test]
        fn never_panics(header in prop::collection::vec(any::<u8>(), 0..60), size in any::<u64>()) {
            parse(Some(&header), size);
        }
    }
}
