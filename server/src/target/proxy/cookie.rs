//! The cookie of pinned sessions, among those of a request and in an answer (RFC 6265).
//!
//! Pure: values of header fields come in, and what is in them or what becomes of them goes out.  What a value means is
//! left to `token`.

use std::borrow::Cow;

use super::token::Token;

/// The values of the cookie `name` in the values of all Cookie headers, in their order.
///
/// Names differ by case.  Blanks around names and values, and quotes around values, don't count.  Values with bytes
/// that none may have (section 4.1.1) are left out.
pub(crate) fn values<'a>(headers: impl Iterator<Item = &'a [u8]>, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let pairs = headers.flat_map(pairs);
    pairs.filter(move |pair| named(pair, name)).filter_map(value)
}

/// What a Cookie header says without the cookie `name`; `None` if that is nothing.
///
/// Everything else stays as it is, even if it is no cookie.
pub(crate) fn without<'a>(header: &'a [u8], name: &str) -> Option<Cow<'a, [u8]>> {
    if !pairs(header).any(|pair| named(pair, name)) {
        return Some(Cow::Borrowed(header));
    }
    let others: Vec<&[u8]> = pairs(header).map(<[u8]>::trim_ascii).filter(|pair| !named(pair, name)).collect();
    let is_something = others.iter().any(|pair| !pair.is_empty());
    is_something.then(|| Cow::Owned(others.join(&b"; "[..])))
}

/// The value of the Set-Cookie header that gives a client its token.
///
/// The cookie is for the whole host, as long as the browser runs; scripts can't read it, and other sites can't have
/// it sent with what they post.
pub(crate) fn set(name: &str, token: &Token, is_tls: bool) -> String {
    let secure = if is_tls { "; Secure" } else { "" };
    format!("{name}={}; Path=/; HttpOnly; SameSite=Lax{secure}", token.text())
}

fn pairs(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    header.split(|byte| *byte == b';')
}

fn named(pair: &[u8], name: &str) -> bool {
    let end = memchr::memchr(b'=', pair);
    end.is_some_and(|end| pair[..end].trim_ascii() == name.as_bytes())
}

fn value(pair: &[u8]) -> Option<&[u8]> {
    let value = pair[memchr::memchr(b'=', pair)? + 1..].trim_ascii();
    let bare = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    bare.iter().all(|byte| is_cookie_byte(*byte)).then_some(bare)
}

/// Whether a byte may be in the value of a cookie: what is visible in ASCII but `"`, `,`, `;` and `\`.
fn is_cookie_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_found() {
        for (headers, expected) in [
            (&[][..], &[][..]),
            (&["sid=1"], &["1"]),
            (&["a=2; sid=1; b=3"], &["1"]),
            (&["a=2;sid=1;b=3"], &["1"]),
            (&[" sid =\t1 ;"], &["1"]),
            (&["sid=\"1\""], &["1"]),
            (&["sid=a=b"], &["a=b"]),
            (&["sid="], &[""]),
            (&["sid=1; sid=2"], &["1", "2"]),
            (&["sid=1", "a=b", "b=c; sid=2"], &["1", "2"]),
            // Another name.
            (&["SID=1; xsid=2; sidx=3; si=4; x sid=5"], &[]),
            (&["a=sid=1"], &[]),
            // No pair, or none that may be.
            (&["sid"], &[]),
            (&["sid; =1; ;; =; sid=2"], &["2"]),
            (&["sid=\"1"], &[]),
            (&["sid=1\""], &[]),
            (&["sid=\""], &[]),
            (&["sid=1 2"], &[]),
            (&["sid=1,2"], &[]),
            (&["sid=\u{e4}; sid=3"], &["3"]),
            // Quotes don't hide a semicolon.
            (&["a=\"x; sid=1; y\""], &["1"]),
        ] {
            let found: Vec<&[u8]> = values(headers.iter().map(|header| header.as_bytes()), "sid").collect();
            let expected: Vec<&[u8]> = expected.iter().map(|value| value.as_bytes()).collect();
            assert_eq!(found, expected, "{headers:?}");
        }
    }

    #[test]
    fn what_is_left() {
        for (header, expected) in [
            ("a=1", Some("a=1")),
            ("a=1;  b", Some("a=1;  b")),
            ("", Some("")),
            ("sid", Some("sid")),
            ("SID=1; xsid=2", Some("SID=1; xsid=2")),
            ("sid=1", None),
            (" sid = 1 ; ", None),
            ("sid=1;;sid=2", None),
            ("sid=1; a=2", Some("a=2")),
            ("a=2; sid=1", Some("a=2")),
            ("a=2;sid=1;b=\"3 4\"", Some("a=2; b=\"3 4\"")),
            ("a; sid=1; =; b=3; sid=4", Some("a; =; b=3")),
            // Whatever is in it.
            ("sid=\"1; a=2", Some("a=2")),
            ("sid=\u{e4}; a=2", Some("a=2")),
        ] {
            let left = without(header.as_bytes(), "sid");
            assert_eq!(left.as_deref(), expected.map(str::as_bytes), "{header:?}");
        }
    }

    #[test]
    fn what_is_given() {
        let token = Token::random();
        let text = token.text();
        let plain = format!("sid={text}; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(set("sid", &token, false), plain);
        assert_eq!(set("sid", &token, true), format!("{plain}; Secure"));
        let sent = format!("sid={text}");
        let back: Vec<_> = values([sent.as_bytes()].into_iter(), "sid").map(Token::parse).collect();
        assert_eq!(back, [Some(token)]);
    }

    proptest! {
        #[test]
        fn what_is_left_has_none_of_it(header in "[ \t;=\"sidx1ä,]{0,40}") {
            let left = without(header.as_bytes(), "sid").unwrap_or_default();
            prop_assert!(!pairs(&left).any(|pair| named(pair, "sid")), "{left:?}");
        }

        #[test]
        fn other_cookies_stay(header in "([abs]=[1-9]; ?|sid=[1-9];){0,8}") {
            let left = without(header.as_bytes(), "sid").unwrap_or_default();
            for name in ["a", "b", "s"] {
                let of = |header: &[u8]| -> Vec<Vec<u8>> {
                    values([header].into_iter(), name).map(<[u8]>::to_vec).collect()
                };
                prop_assert_eq!(of(header.as_bytes()), of(&left));
            }
        }
    }
}
