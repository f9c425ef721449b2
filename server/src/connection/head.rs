//! The head of a request, parsed by a pure function (RFC 9112, sections 2 to 6): complete, incomplete or bad.
//!
//! What is ambiguous is refused: two readers that disagree about where a request ends are how requests are
//! smuggled.  Nothing is copied; a [`Head`] holds places in the bytes that it was parsed from.

use mongrel2::config::Settings;
use thiserror::Error;

/// A place in the bytes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr() as usize - whole.as_ptr() as usize;
        let place = |at: usize| u32::try_from(at).expect("a head is shorter than limits.buffer_size allows");
        Self { start: place(start), end: place(start + part.len()) }
    }

    /// The bytes at this place.
    pub(crate) fn of(self, whole: &[u8]) -> &[u8] {
        &whole[self.start as usize..self.end as usize]
    }
}

/// How the body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// That many bytes; without Content-Length none.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
}

/// A request's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// Number of bytes, the empty line included.
    pub(crate) length: usize,
    pub(crate) method: Span,
    /// The request target as it came.
    pub(crate) uri: Span,
    /// The target without its query.
    pub(crate) path: Span,
    /// The query without its `?`.
    pub(crate) query: Option<Span>,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub(crate) minor: u8,
    /// Names and values.
    pub(crate) headers: Vec<(Span, Span)>,
    /// The `Host:` header without its port.
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

/// Why bytes are refused, with the status that says so to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum BadHead {
    #[error("the head is longer than limits.buffer_size")]
    TooLong,
    #[error("there are more headers than limits.header_count")]
    TooManyHeaders,
    #[error("the path is longer than limits.url_path")]
    PathTooLong,
    #[error("a line ends without carriage return and line feed")]
    LineEnd,
    #[error("the request line is malformed")]
    RequestLine,
    #[error("the HTTP version is not 1.0 or 1.1")]
    Version,
    #[error("a header is malformed")]
    Header,
    #[error("the request target does not start with a slash")]
    Target,
    #[error("there is not exactly one Host header")]
    HostCount,
    #[error("the Host header is malformed")]
    Host,
    #[error("Content-Length is not a single number")]
    ContentLength,
    #[error("there are both Content-Length and Transfer-Encoding")]
    BothFramings,
    #[error("the transfer coding is not chunked")]
    TransferCoding,
    #[error("the expectation is not 100-continue")]
    Expectation,
}

impl BadHead {
    /// The status for the client (RFC 9110, section 15; RFC 6585 for 431).
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::TooLong | Self::TooManyHeaders => 431,
            Self::PathTooLong => 414,
            Self::Version => 505,
            Self::TransferCoding => 501,
            Self::Expectation => 417,
            _ => 400,
        }
    }
}

/// Parses the head at the start of `bytes`.
///
/// # Errors
/// The bytes can't become a head that is accepted, whatever comes behind them.
pub(crate) fn parse(bytes: &[u8], settings: &Settings) -> Result<Parsed, BadHead> {
    let Some(length) = end_of_head(bytes, settings.buffer_size)? else {
        return Ok(Parsed::Incomplete);
    };
    let head = &bytes[..length];
    line_ends(head)?;
    // Almost every request fits the small array; the large one is for whoever raised the limit.
    let mut small = [httparse::EMPTY_HEADER; 32];
    match split(head, &mut small, settings) {
        Err(BadHead::TooManyHeaders) => {
            let mut large = vec![httparse::EMPTY_HEADER; settings.header_count];
            split(head, &mut large, settings)
        }
        result => result,
    }
    .map(Parsed::Complete)
}

/// The number of bytes up to and with the empty line.
fn end_of_head(bytes: &[u8], limit: usize) -> Result<Option<usize>, BadHead> {
    match memchr::memmem::find(&bytes[..bytes.len().min(limit)], b"\r\n\r\n") {
        Some(at) => Ok(Some(at + 4)),
        None if bytes.len() >= limit => Err(BadHead::TooLong),
        // Without this a head whose lines end in bare line feeds would wait for ever.
        None if memchr::memmem::find(bytes, b"\n\n").is_some() => Err(BadHead::LineEnd),
        None => Ok(None),
    }
}

/// Each carriage return has its line feed and the other way round.
fn line_ends(head: &[u8]) -> Result<(), BadHead> {
    for at in memchr::memchr2_iter(b'\r', b'\n', head) {
        let paired = match head[at] {
            b'\r' => head.get(at + 1) == Some(&b'\n'),
            _ => at > 0 && head[at - 1] == b'\r',
        };
        if !paired {
            return Err(BadHead::LineEnd);
        }
    }
    Ok(())
}

fn split<'a>(head: &'a [u8], storage: &mut [httparse::Header<'a>], settings: &Settings) -> Result<Head, BadHead> {
    let limit = storage.len().min(settings.header_count);
    let mut request = httparse::Request::new(&mut storage[..limit]);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(BadHead::RequestLine),
        Err(httparse::Error::TooManyHeaders) => return Err(BadHead::TooManyHeaders),
        Err(httparse::Error::Version) => return Err(BadHead::Version),
        Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => return Err(BadHead::Header),
        Err(_) => return Err(BadHead::RequestLine),
    }
    let uri = request.path.ok_or(BadHead::RequestLine)?.as_bytes();
    let (path, query) = split_target(uri, settings.url_path)?;
    let fields = Fields::read(request.headers)?;
    let minor = request.version.ok_or(BadHead::Version)?;
    let span = |part: &[u8]| Span::within(head, part);
    Ok(Head {
        length: head.len(),
        method: span(request.method.ok_or(BadHead::RequestLine)?.as_bytes()),
        uri: span(uri),
        path: span(path),
        query: query.map(span),
        minor,
        headers: request.headers.iter().map(|header| (span(header.name.as_bytes()), span(header.value))).collect(),
        host: fields.host(minor)?.map(|host| span(host_name(host))),
        framing: fields.framing(minor)?,
        keep_alive: fields.keep_alive(minor),
        expects_continue: fields.expects_continue(minor)?,
    })
}

fn split_target(uri: &[u8], longest: usize) -> Result<(&[u8], Option<&[u8]>), BadHead> {
    if uri.first() != Some(&b'/') || uri.contains(&b'#') || uri.iter().any(|byte| *byte >= 0x7f) {
        return Err(BadHead::Target);
    }
    let (path, query) = match memchr::memchr(b'?', uri) {
        Some(at) => (&uri[..at], Some(&uri[at + 1..])),
        None => (uri, None),
    };
    if path.len() > longest { Err(BadHead::PathTooLong) } else { Ok((path, query)) }
}

/// The headers that say how to read the request, each with how often it came.
#[derive(Default)]
struct Fields<'a> {
    hosts: Vec<&'a [u8]>,
    content_lengths: Vec<&'a [u8]>,
    transfer_encodings: Vec<&'a [u8]>,
    connections: Vec<&'a [u8]>,
    expect: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn read(headers: &[httparse::Header<'a>]) -> Result<Self, BadHead> {
        let mut fields = Self::default();
        for header in headers {
            let name = header.name.as_bytes();
            // httparse lets bytes above 127 pass in values, which is what RFC 9110, section 5.5, asks for.
            match name.len() {
                4 if name.eq_ignore_ascii_case(b"host") => fields.hosts.push(header.value),
                6 if name.eq_ignore_ascii_case(b"expect") => fields.expect = Some(header.value),
                10 if name.eq_ignore_ascii_case(b"connection") => fields.connections.push(header.value),
                14 if name.eq_ignore_ascii_case(b"content-length") => fields.content_lengths.push(header.value),
                17 if name.eq_ignore_ascii_case(b"transfer-encoding") => fields.transfer_encodings.push(header.value),
                0 => return Err(BadHead::Header),
                _ => {}
            }
        }
        Ok(fields)
    }

    fn host(&self, minor: u8) -> Result<Option<&'a [u8]>, BadHead> {
        match self.hosts[..] {
            [] if minor == 0 => Ok(None),
            [host] if is_host(host) => Ok(Some(host)),
            [_] => Err(BadHead::Host),
            _ => Err(BadHead::HostCount),
        }
    }

    fn framing(&self, minor: u8) -> Result<Framing, BadHead> {
        match (&self.content_lengths[..], &self.transfer_encodings[..]) {
            ([], []) => Ok(Framing::Length(0)),
            ([length], []) => decimal(length).map(Framing::Length).ok_or(BadHead::ContentLength),
            ([], [coding]) if minor == 1 && coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
            ([], _) => Err(BadHead::TransferCoding),
            (_, []) => Err(BadHead::ContentLength),
            _ => Err(BadHead::BothFramings),
        }
    }

    fn keep_alive(&self, minor: u8) -> bool {
        let says = |option: &[u8]| self.connections.iter().any(|value| has_token(value, option));
        if minor == 0 { says(b"keep-alive") && !says(b"close") } else { !says(b"close") }
    }

    fn expects_continue(&self, minor: u8) -> Result<bool, BadHead> {
        match self.expect {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case(b"100-continue") => Ok(minor == 1),
            Some(_) => Err(BadHead::Expectation),
        }
    }
}

/// Whether a comma-separated list has an element, in any case.
pub(crate) fn has_token(list: &[u8], token: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|element| element.trim_ascii().eq_ignore_ascii_case(token))
}

/// Plain digits only, at most nineteen of them.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// `uri-host [ ":" port ]` (RFC 9110, section 7.2), by its characters.
fn is_host(host: &[u8]) -> bool {
    let name = host_name(host);
    let port = &host[name.len()..];
    let bracketed = name.len() > 2 && name.starts_with(b"[") && name.ends_with(b"]");
    let address = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
    let label = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte);
    let named = !name.is_empty() && name.iter().all(label);
    let valid_name = if bracketed { name[1..name.len() - 1].iter().all(address) } else { named };
    valid_name && (port.is_empty() || port[1..].iter().all(u8::is_ascii_digit))
}

/// A host without its port; an IPv6 address keeps its brackets.
fn host_name(host: &[u8]) -> &[u8] {
    let from = if host.first() == Some(&b'[') { memchr::memchr(b']', host).unwrap_or(0) } else { 0 };
    memchr::memchr(b':', &host[from..]).map_or(host, |colon| &host[..from + colon])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn settings() -> Settings {
        Settings::new(&BTreeMap::new())
    }

    fn complete(text: &str) -> Head {
        match parse(text.as_bytes(), &settings()) {
            Ok(Parsed::Complete(head)) => head,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn a_plain_request() {
        let text = "GET /a/b?c=d HTTP/1.1\r\nHost: example.com:80\r\nX: y\r\n\r\nbody";
        let head = complete(text);
        let part = |span: Span| std::str::from_utf8(span.of(text.as_bytes())).unwrap();
        assert_eq!((part(head.method), part(head.uri), part(head.path)), ("GET", "/a/b?c=d", "/a/b"));
        assert_eq!((head.query.map(part), head.host.map(part)), (Some("c=d"), Some("example.com")));
        assert_eq!((head.length, head.minor, head.framing), (text.len() - 4, 1, Framing::Length(0)));
        assert_eq!(head.header(text.as_bytes(), "x"), Some(&b"y"[..]));
        assert!(head.keep_alive && !head.expects_continue);
    }

    #[test]
    fn keep_alive() {
        for (version, connection, expected) in [
            ("1.1", "", true),
            ("1.1", "Connection: close\r\n", false),
            ("1.1", "Connection: foo, Close\r\n", false),
            ("1.0", "", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
        ] {
            let head = complete(&format!("GET / HTTP/{version}\r\nHost: x\r\n{connection}\r\n"));
            assert_eq!(head.keep_alive, expected, "{version} {connection}");
        }
    }

    #[test]
    fn hosts() {
        for (host, expected) in
            [("x", "x"), ("x:80", "x"), ("[::1]", "[::1]"), ("[::1]:80", "[::1]"), ("1.2.3.4:", "1.2.3.4")]
        {
            let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(complete(&text).host.unwrap().of(text.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn what_is_refused() {
        let get = |headers: &str| format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
        for (text, expected) in [
            ("GET / HTTP/1.1\nHost: x\n\n".into(), BadHead::LineEnd),
            ("GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n".into(), BadHead::LineEnd),
            ("GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n".into(), BadHead::LineEnd),
            ("GET /\r\n\r\n".into(), BadHead::RequestLine),
            ("G\u{1}T / HTTP/1.1\r\nHost: x\r\n\r\n".into(), BadHead::RequestLine),
            ("GET / HTTP/2.0\r\nHost: x\r\n\r\n".into(), BadHead::Version),
            ("GET /\u{1} HTTP/1.1\r\nHost: x\r\n\r\n".into(), BadHead::RequestLine),
            ("GET x HTTP/1.1\r\nHost: x\r\n\r\n".into(), BadHead::Target),
            ("GET /#x HTTP/1.1\r\nHost: x\r\n\r\n".into(), BadHead::Target),
            ("GET / HTTP/1.1\r\n\r\n".into(), BadHead::HostCount),
            (get("Host: y\r\n"), BadHead::HostCount),
            ("GET / HTTP/1.1\r\nHost: x y\r\n\r\n".into(), BadHead::Host),
            ("GET / HTTP/1.1\r\nHost: x:8o\r\n\r\n".into(), BadHead::Host),
            ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n".into(), BadHead::Host),
            ("GET / HTTP/1.1\r\nHost:\r\n\r\n".into(), BadHead::Host),
            (get(" folded: x\r\n"), BadHead::Header),
            (get("A: b\r\n c\r\n"), BadHead::Header),
            (get("A : b\r\n"), BadHead::Header),
            (get("A: b\0\r\n"), BadHead::Header),
            (get("Content-Length: x\r\n"), BadHead::ContentLength),
            (get("Content-Length: +1\r\n"), BadHead::ContentLength),
            (get("Content-Length: 0x1\r\n"), BadHead::ContentLength),
            (get("Content-Length: 1, 1\r\n"), BadHead::ContentLength),
            (get("Content-Length:\r\n"), BadHead::ContentLength),
            (get("Content-Length: 99999999999999999999\r\n"), BadHead::ContentLength),
            (get("Content-Length: 1\r\nContent-Length: 1\r\n"), BadHead::ContentLength),
            (get("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), BadHead::BothFramings),
            (get("Transfer-Encoding: gzip, chunked\r\n"), BadHead::TransferCoding),
            (get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), BadHead::TransferCoding),
            (get("Expect: the worst\r\n"), BadHead::Expectation),
            (get(&many), BadHead::TooManyHeaders),
            (get(&format!("A: {}\r\n", "x".repeat(20_000))), BadHead::TooLong),
            (format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(300)), BadHead::PathTooLong),
        ] {
            assert_eq!(parse(text.as_bytes(), &settings()), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn many_headers_are_fine_up_to_the_limit() {
        let many: String = (0..100).map(|n| format!("X-{n}: y\r\n")).collect();
        assert_eq!(complete(&format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n")).headers.len(), 101);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes, &settings());
        }

        #[test]
        fn a_part_is_incomplete_or_as_bad_as_the_whole(garbage in "[ -~\r\n]{0,6}", place in 0usize..60, cut in 0usize..66) {
            let mut text = "GET /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nA: b\r\n\r\n".to_owned();
            text.insert_str(place.min(text.len()), &garbage);
            let whole = parse(text.as_bytes(), &settings());
            let part = parse(&text.as_bytes()[..cut.min(text.len())], &settings());
            if part != Ok(Parsed::Incomplete) {
                prop_assert_eq!(part, whole);
            }
        }
    }
}
