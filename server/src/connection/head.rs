//! The head of a request, parsed by a pure function (RFC 9112, sections 2 to 6): complete, incomplete or bad.
//!
//! What is ambiguous is refused: two readers that disagree about where a request ends are how requests are
//! smuggled.  Nothing is copied; a [`Head`] holds places in the bytes that it was parsed from.  Here the parts
//! are put together; each has its own file: `ending`, `startline`, `target`, `fields`, `host`.

use mongrel2::config::Settings;

use super::bad::BadHead;
use super::fields::{Fields, Framing, Single};
use super::span::Span;
use super::startline::StartLine;
use super::target::Target;
use super::{ending, host};

/// A request's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// Number of bytes, empty lines before it and the one behind it included.
    pub(crate) length: usize,
    pub(crate) method: Span,
    /// The request target as it came.
    pub(crate) uri: Span,
    /// The target without host and query; `*` stands for the server as a whole.
    pub(crate) path: Span,
    /// The query without its `?`.
    pub(crate) query: Option<Span>,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub(crate) minor: u8,
    /// Names and values.  Where the target names a host, that is the value of Host (RFC 9112, section 3.2.2).
    pub(crate) headers: Vec<(Span, Span)>,
    /// The host that is meant, without its port.
    pub(crate) host: Option<Span>,
    pub(crate) framing: Framing,
    /// Whether the client wants the connection to stay open behind the answer.
    pub(crate) keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
}

impl Head {
    /// The first value of a header; `name` in any case.
    pub(crate) fn header<'a>(&self, bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
        let found = self.headers.iter().find(|header| header.0.of(bytes).eq_ignore_ascii_case(name.as_bytes()))?;
        Some(found.1.of(bytes))
    }
}

/// What became of the bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A head.
    Complete(Head),
    /// More bytes have to come.
    Incomplete,
}

/// Parses the head at the start of `bytes`.  The request line is judged as soon as it is there.
///
/// # Errors
/// The bytes can't become a head that is accepted, whatever comes behind them.
pub(crate) fn parse(bytes: &[u8], settings: &Settings) -> Result<Parsed, BadHead> {
    let Some(start) = ending::skip_empty(bytes, settings.relaxed)? else {
        return Ok(Parsed::Incomplete);
    };
    let more = |too_long| if bytes.len() < settings.buffer_size { Ok(Parsed::Incomplete) } else { Err(too_long) };
    let bounded = &bytes[..bytes.len().min(settings.buffer_size)];
    if !StartLine::may_start_with(bytes[start]) {
        return Err(BadHead::Method);
    }
    let Some(length) = memchr::memchr(b'\n', &bounded[start..]) else {
        return more(BadHead::LineTooLong);
    };
    let line_end = start + length;
    let line = StartLine::parse(ending::content(&bounded[start..=line_end], settings.relaxed)?)?;
    let target = Target::parse(line.method, line.target, settings.url_path)?;
    match ending::end_of_head(bounded, line_end, settings.relaxed)? {
        Some(end) => Lines { head: &bytes[..end], line, target }.parse(line_end + 1, settings).map(Parsed::Complete),
        None => more(BadHead::TooLong),
    }
}

/// A whole head whose request line has been read.
struct Lines<'a> {
    head: &'a [u8],
    line: StartLine<'a>,
    target: Target<'a>,
}

impl<'a> Lines<'a> {
    /// Reads the headers, which start at `start`.
    fn parse(&self, start: usize, settings: &Settings) -> Result<Head, BadHead> {
        // Almost every request fits the small array; the large one is for whoever raised the limit.
        let mut small = [httparse::EMPTY_HEADER; 32];
        let few = settings.header_count.min(small.len());
        match self.headers(start, &mut small[..few]) {
            Err(BadHead::TooManyHeaders) if few < settings.header_count => {
                self.headers(start, &mut vec![httparse::EMPTY_HEADER; settings.header_count])
            }
            result => result,
        }
    }

    /// Names are tokens with their colon right behind them, values have no control bytes but tabs, and no line
    /// is folded (RFC 9112, section 5): httparse sees to all of it.
    fn headers(&self, start: usize, storage: &mut [httparse::Header<'a>]) -> Result<Head, BadHead> {
        match httparse::parse_headers(&self.head[start..], storage) {
            Ok(httparse::Status::Complete((end, headers))) if start + end == self.head.len() => self.head(headers),
            Err(httparse::Error::TooManyHeaders) => Err(BadHead::TooManyHeaders),
            _ => Err(BadHead::Header),
        }
    }

    fn head(&self, headers: &[httparse::Header<'a>]) -> Result<Head, BadHead> {
        let fields = Fields::read(headers);
        let (line, target) = (&self.line, &self.target);
        let span = |part: &[u8]| Span::within(self.head, part);
        Ok(Head {
            length: self.head.len(),
            method: span(line.method),
            uri: span(line.target),
            path: span(target.path),
            query: target.query.map(span),
            minor: line.minor,
            headers: headers.iter().map(|header| (span(header.name.as_bytes()), span(self.value(header)))).collect(),
            host: self.host(fields.host)?.map(span),
            framing: fields.framing(line.minor)?,
            keep_alive: fields.keep_alive(line.minor),
            expects_continue: fields.expects_continue(line.minor)?,
        })
    }

    /// The value of a header, as the rest of the server is to see it.
    fn value(&self, header: &httparse::Header<'a>) -> &'a [u8] {
        match self.target.authority {
            Some(authority) if header.name.eq_ignore_ascii_case("host") => authority.whole,
            _ => header.value,
        }
    }

    /// The host that is meant (RFC 9112, section 3.2): there is one Host header, except in HTTP/1.0, and it
    /// is well-formed even where the target overrules it.  An empty one is for targets without an authority
    /// of their own; with the origin form it would make an `http` URI without a host, which RFC 9110, section
    /// 4.2.1, has us reject.
    fn host(&self, header: Single<'a>) -> Result<Option<&'a [u8]>, BadHead> {
        let named = match header {
            Single::Absent if self.line.minor == 0 => None,
            Single::One(b"") if self.target.is_hostless() => None,
            Single::One(value) => Some(host::name(value).ok_or(BadHead::Host)?),
            Single::Absent | Single::Repeated => return Err(BadHead::HostCount),
        };
        Ok(self.target.authority.map(|authority| authority.host).or(named))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn settings() -> Settings {
        Settings::new(&BTreeMap::new())
    }

    fn relaxed() -> Settings {
        Settings { relaxed: true, ..settings() }
    }

    fn complete(text: &str, settings: &Settings) -> Head {
        match parse(text.as_bytes(), settings) {
            Ok(Parsed::Complete(head)) => head,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn a_plain_request() {
        let text = "GET /a/b?c=d HTTP/1.1\r\nHost: example.com:80\r\nX: y\r\n\r\nbody";
        let head = complete(text, &settings());
        let part = |span: Span| std::str::from_utf8(span.of(text.as_bytes())).unwrap();
        assert_eq!((part(head.method), part(head.uri), part(head.path)), ("GET", "/a/b?c=d", "/a/b"));
        assert_eq!((head.query.map(part), head.host.map(part)), (Some("c=d"), Some("example.com")));
        assert_eq!((head.length, head.minor, head.framing), (text.len() - 4, 1, Framing::Length(0)));
        assert_eq!(head.header(text.as_bytes(), "x"), Some(&b"y"[..]));
        assert!(head.keep_alive && !head.expects_continue);
    }

    #[test]
    fn hosts() {
        for (text, expected, header) in [
            ("GET / HTTP/1.1\r\nHost: x:80\r\n\r\n", Some("x"), Some("x:80")),
            ("GET / HTTP/1.0\r\n\r\n", None, None),
            ("GET http://y:81/ HTTP/1.1\r\nHost: x\r\n\r\n", Some("y"), Some("y:81")),
            ("GET http://y/ HTTP/1.1\r\nHost:\r\n\r\n", Some("y"), Some("y")),
            ("GET http://y/ HTTP/1.0\r\n\r\n", Some("y"), None),
            ("OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", None, Some("")),
            ("\r\nOPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", Some("x"), Some("x")),
        ] {
            let head = complete(text, &settings());
            let bytes = text.as_bytes();
            assert_eq!(head.host.map(|host| host.of(bytes)), expected.map(str::as_bytes), "{text:?}");
            assert_eq!(head.header(bytes, "Host"), header.map(str::as_bytes), "{text:?}");
        }
    }

    #[test]
    fn what_is_refused() {
        let get = |headers: &str| format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
        for (text, expected) in [
            ("GET / HTTP/1.1\nHost: x\n\n".into(), BadHead::LineEnd),
            ("GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n".into(), BadHead::LineEnd),
            ("GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n".into(), BadHead::Header),
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\r\nA: b\r\n\r\n".into(), BadHead::Header),
            ("\x16\x03\x01".into(), BadHead::Method),
            ("GET /\r\n".into(), BadHead::RequestLine),
            ("GET / HTTP/2.0\r\n".into(), BadHead::Version),
            ("GET x HTTP/1.1\r\n".into(), BadHead::Target),
            ("GET / HTTP/1.1\r\n\r\n".into(), BadHead::HostCount),
            (get("Host: y\r\n"), BadHead::HostCount),
            (get("Host:\r\n"), BadHead::HostCount),
            ("GET / HTTP/1.1\r\nHost: x y\r\n\r\n".into(), BadHead::Host),
            ("GET / HTTP/1.1\r\nHost:\r\n\r\n".into(), BadHead::Host),
            ("GET http://x/ HTTP/1.1\r\nHost: x y\r\n\r\n".into(), BadHead::Host),
            ("GET http://x/ HTTP/1.1\r\n\r\n".into(), BadHead::HostCount),
            (get(" folded: x\r\n"), BadHead::Header),
            (get("A: b\r\n c\r\n"), BadHead::Header),
            (get("A: b\r\n\tc\r\n"), BadHead::Header),
            (get("A : b\r\n"), BadHead::Header),
            (get("A\t: b\r\n"), BadHead::Header),
            (get("A\r\n"), BadHead::Header),
            (get(": b\r\n"), BadHead::Header),
            (get("A\0: b\r\n"), BadHead::Header),
            (get("A\u{7f}: b\r\n"), BadHead::Header),
            (get("Ä: b\r\n"), BadHead::Header),
            (get("A: b\0\r\n"), BadHead::Header),
            (get("A: b\u{7f}\r\n"), BadHead::Header),
            (get("A: b\u{b}\r\n"), BadHead::Header),
            (get("A: b\u{1b}[m, and so on, longer than a vector of SIMD\r\n"), BadHead::Header),
            (get("A: a value that is longer than a vector of SIMD is, in whatever way\u{7f}\r\n"), BadHead::Header),
            (get("Content-Length: x\r\n"), BadHead::ContentLength),
            (get("Transfer-Encoding: chunked\u{b}\r\n"), BadHead::Header),
            (get("Expect: the worst\r\n"), BadHead::Expectation),
            (get(&many), BadHead::TooManyHeaders),
            (get(&format!("A: {}\r\n", "x".repeat(20_000))), BadHead::TooLong),
            (format!("GET /{}", "x".repeat(20_000)), BadHead::LineTooLong),
            (format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(300)), BadHead::PathTooLong),
        ] {
            assert_eq!(parse(text.as_bytes(), &settings()), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn bytes_above_127_in_values_are_opaque() {
        let text = "GET / HTTP/1.1\r\nHost: x\r\nA: \u{85}ä\r\n\r\n";
        assert_eq!(complete(text, &settings()).header(text.as_bytes(), "A"), Some("\u{85}ä".as_bytes()));
    }

    #[test]
    fn a_relaxed_server_takes_line_feeds_but_no_carriage_returns() {
        for text in ["\nGET / HTTP/1.1\nHost: x\n\n", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\n", "GET / HTTP/1.0\n\r\n"] {
            assert_eq!(complete(text, &relaxed()).length, text.len());
        }
        for (text, expected) in [
            ("GET / HTTP/1.1\rHost: x\r\r", None),
            ("GET / HTTP/1.1\r\r\nHost: x\n\n", Some(BadHead::VersionForm)),
            ("GET / HTTP/1.1\nHost: x\rA: b\n\n", Some(BadHead::Header)),
            ("GET / HTTP/1.1\nHost: x\r\r\n\n", Some(BadHead::Header)),
            ("GET / HTTP/1.1\nHost: x\n folded\n\n", Some(BadHead::Header)),
        ] {
            assert_eq!(parse(text.as_bytes(), &relaxed()), expected.map_or(Ok(Parsed::Incomplete), Err), "{text:?}");
        }
    }

    #[test]
    fn many_headers_are_fine_up_to_the_limit() {
        let with = |count: usize| {
            let many: String = (1..count).map(|n| format!("X-{n}: y\r\n")).collect();
            parse(format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n").as_bytes(), &settings())
        };
        for count in [1, 31, 32, 33, 127, 128] {
            assert!(matches!(with(count), Ok(Parsed::Complete(head)) if head.headers.len() == count), "{count}");
        }
        assert_eq!(with(129), Err(BadHead::TooManyHeaders));
    }

    /// What a connection makes of bytes that come in pieces.
    fn in_pieces(bytes: &[u8], cuts: &[prop::sample::Index], settings: &Settings) -> Result<Parsed, BadHead> {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut parts = cuts.into_iter().map(|cut| parse(&bytes[..cut], settings));
        parts.find(|part| *part != Ok(Parsed::Incomplete)).unwrap_or_else(|| parse(bytes, settings))
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), relaxed: bool) {
            let _ = parse(&bytes, &Settings { relaxed, ..settings() });
        }

        #[test]
        fn splitting_changes_nothing(
            garbage in prop_oneof!["[ -~\r\n]{0,6}", "[\r\n\t :]{0,4}", "\\PC{0,3}"],
            place in any::<prop::sample::Index>(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            relaxed: bool,
            absolute: bool,
            size in prop_oneof![Just(16), Just(64), Just(16 * 1024)],
        ) {
            let target = if absolute { "http://h/a?b" } else { "/a?b" };
            let mut text = format!("GET {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nA: b\r\n\r\nabc");
            text.insert_str(place.index(text.len()), &garbage);
            let settings = Settings { relaxed, buffer_size: size, ..settings() };
            prop_assert_eq!(in_pieces(text.as_bytes(), &cuts, &settings), parse(text.as_bytes(), &settings));
        }
    }
}
