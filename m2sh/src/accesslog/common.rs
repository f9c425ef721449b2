//! Apache's Common Log Format, and the combined one: `%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"`.
//!
//! Other servers write it too, so that more is understood than ours writes: any time zone, and `\"` in quotes.

use chrono::DateTime;

use super::Entry;

/// Reads a line.
pub(super) fn parse(line: &[u8]) -> Option<Entry> {
    let line = String::from_utf8_lossy(line);
    let (address, rest) = line.split_once(' ')?;
    let (_, rest) = rest.split_once(" [")?;
    let (time, rest) = rest.split_once("] ")?;
    let (request, rest) = quoted(rest)?;
    let mut words = rest.strip_prefix(' ')?.splitn(3, ' ');
    let (status, bytes, rest) = (words.next()?, words.next()?, words.next());
    let (referer, user_agent) = rest.map_or(Some((None, None)), clients)?;
    let [method, uri, version] = asked(&request)?;
    Some(Entry {
        time: DateTime::parse_from_str(time, "%d/%b/%Y:%H:%M:%S %z").ok()?.timestamp(),
        address: address.to_owned(),
        method,
        uri,
        version,
        status: status.parse().ok()?,
        bytes: if bytes == "-" { 0 } else { bytes.parse().ok()? },
        referer,
        user_agent,
        ..Entry::default()
    })
}

/// `"Referer" "User-agent"`; `-` is none.
fn clients(text: &str) -> Option<(Option<String>, Option<String>)> {
    let (referer, rest) = quoted(text)?;
    let (user_agent, rest) = quoted(rest.strip_prefix(' ')?)?;
    let said = |text: String| Some(text).filter(|text| text != "-");
    rest.is_empty().then(|| (said(referer), said(user_agent)))
}

/// The parts of `GET /x HTTP/1.1`; `-` is a request that could not be read.
fn asked(request: &str) -> Option<[Option<String>; 3]> {
    if request == "-" {
        return Some([None, None, None]);
    }
    let (method, rest) = request.split_once(' ')?;
    let (uri, version) = rest.rsplit_once(' ')?;
    Some([method, uri, version].map(|part| Some(part.to_owned())))
}

/// What is in the quotes with which a text begins, and what is behind them.
fn quoted(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('"')?;
    let mut is_escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })?;
    Some((plain(&text[..end]), &text[end + 1..]))
}

/// A text without its escapes `\xHH`, `\"` and `\\`.
fn plain(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let (byte, behind) = if byte == b'\\' { escaped(behind) } else { (byte, behind) };
        bytes.push(byte);
        rest = behind;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The byte that is meant by what is behind a backslash, which otherwise stands for itself.
fn escaped(behind: &[u8]) -> (u8, &[u8]) {
    match behind {
        [b'x', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            (digit(*high).unwrap_or_default() << 4 | digit(*low).unwrap_or_default(), rest)
        }
        [byte @ (b'"' | b'\\'), rest @ ..] => (*byte, rest),
        rest => (b'\\', rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &str, end: &str, expected: Option<[Option<&str>; 5]>) {
        let line = format!("192.0.2.7 - joe [20/Nov/2026:09:01:11 +0100] \"{request}\" 200 {end}");
        let read = parse(line.as_bytes());
        let words = read.as_ref().map(|entry| {
            let Entry { method, uri, version, referer, user_agent, .. } = entry;
            [method, uri, version, referer, user_agent].map(Option::as_deref)
        });
        assert_eq!(words, expected, "{line}");
        if let Some(entry) = read {
            assert_eq!((entry.time, &entry.address[..], entry.status), (1_795_161_671, "192.0.2.7", 200));
        }
    }

    #[test]
    fn both_forms() {
        let get = [Some("GET"), Some("/x?a=b"), Some("HTTP/1.1"), None, None];
        check("GET /x?a=b HTTP/1.1", "-", Some(get));
        check("GET /x?a=b HTTP/1.1", "12 \"-\" \"-\"", Some(get));
        let [method, uri, version, ..] = get;
        check("GET /x?a=b HTTP/1.1", "12 \"http://y/\" \"a \\x22b\\x22\"", {
            Some([method, uri, version, Some("http://y/"), Some("a \"b\"")])
        });
        check("-", "12", Some([None; 5]));
    }

    #[test]
    fn escapes() {
        let uri = |uri| Some([Some("GET"), Some(uri), Some("HTTP/1.1"), None, None]);
        check(r"GET /\x22\x5C\x0A\xC3\xA4 HTTP/1.1", "1", uri("/\"\\\nä"));
        check(r#"GET /\"\\\q\x4 HTTP/1.1"#, "1", uri(r#"/"\\q\x4"#));
        check("GET /a b HTTP/1.1", "1", uri("/a b"));
    }

    #[test]
    fn what_is_none() {
        for end in ["", "x", "1 ", "1 \"-\"", "1 \"-\" \"-\" more", "1 \"-\" \"-"] {
            check("GET / HTTP/1.1", end, None);
        }
        check("GET", "1", None);
        assert_eq!(parse(b"::1 - - [20/Nov/2026:08:01:11] \"-\" 200 1"), None);
        assert_eq!(parse("ä".as_bytes()), None);
    }
}
