//! Where the lines of a head end (RFC 9112, section 2.2).
//!
//! A line ends with carriage return and line feed.  With `relaxed`, a lone line feed ends one too; a lone
//! carriage return never does, and is left to those who look at the line's bytes.

use super::bad::BadHead;

/// How many empty lines may come before a request.
const MAX_EMPTY_LINES: usize = 4;

/// Skips empty lines before a request, as robust servers should; gives where the request line starts.
/// Nothing means that more has to come.
pub(super) fn skip_empty(bytes: &[u8], relaxed: bool) -> Result<Option<usize>, BadHead> {
    let mut at = 0;
    for _ in 0..=MAX_EMPTY_LINES {
        at += match bytes[at..] {
            [] | [b'\r'] => return Ok(None),
            [b'\r', b'\n', ..] => 2,
            [b'\r', ..] => return Err(BadHead::LineEnd),
            [b'\n', ..] if relaxed => 1,
            [b'\n', ..] => return Err(BadHead::LineEnd),
            _ => return Ok(Some(at)),
        };
    }
    Err(BadHead::EmptyLines)
}

/// A line without its end; `line` has its line feed.
pub(super) fn content(line: &[u8], relaxed: bool) -> Result<&[u8], BadHead> {
    match line {
        [content @ .., b'\r', b'\n'] => Ok(content),
        [content @ .., b'\n'] if relaxed => Ok(content),
        _ => Err(BadHead::LineEnd),
    }
}

/// The number of bytes up to and with the empty line, looked for behind the line feed at `first`.
pub(super) fn end_of_head(bytes: &[u8], first: usize, relaxed: bool) -> Result<Option<usize>, BadHead> {
    for at in memchr::memchr_iter(b'\n', &bytes[first + 1..]).map(|at| first + 1 + at) {
        let content = content(&bytes[..=at], relaxed)?;
        if content.last() == Some(&b'\n') {
            return Ok(Some(at + 1));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines() {
        for (bytes, relaxed, expected) in [
            ("GET", false, Ok(Some(0))),
            ("\r\nGET", false, Ok(Some(2))),
            ("\r\n\r\n\r\n\r\nGET", false, Ok(Some(8))),
            ("\r\n\r\n\r\n\r\n\r\nGET", false, Err(BadHead::EmptyLines)),
            ("\r\n\r", false, Ok(None)),
            ("\r\n", false, Ok(None)),
            ("", false, Ok(None)),
            ("\rGET", false, Err(BadHead::LineEnd)),
            ("\rGET", true, Err(BadHead::LineEnd)),
            ("\nGET", false, Err(BadHead::LineEnd)),
            ("\nGET", true, Ok(Some(1))),
        ] {
            assert_eq!(skip_empty(bytes.as_bytes(), relaxed), expected, "{bytes:?} {relaxed}");
        }
    }

    #[test]
    fn ends() {
        for (bytes, relaxed, expected) in [
            ("G\r\n\r\nx", false, Ok(Some(5))),
            ("G\r\nA: b\r\n\r\nx", false, Ok(Some(11))),
            ("G\r\nA: b\r\n\r", false, Ok(None)),
            ("G\r\nA: b\r\n\r\r\n", false, Ok(None)),
            ("G\r\nA: b\n\r\n", false, Err(BadHead::LineEnd)),
            ("G\r\nA: b\r\n\n", false, Err(BadHead::LineEnd)),
            ("G\nA: b\n\nx", true, Ok(Some(8))),
            ("G\r\nA: b\n\r\nx", true, Ok(Some(10))),
            ("G\n\nx", true, Ok(Some(3))),
        ] {
            let first = bytes.find('\n').unwrap();
            assert_eq!(end_of_head(bytes.as_bytes(), first, relaxed), expected, "{bytes:?} {relaxed}");
        }
    }
}
