//! The head of an upstream's answer (RFC 9112, sections 4 to 6): complete, incomplete or bad; and as the client gets it.
//!
//! Pure.  What two readers might read differently is refused, and nothing of it reaches a client.

use smallvec::SmallVec;
use thiserror::Error;

use super::fields::{Name, Nominated, name};
use super::request::header;
use crate::connection::decimal;

/// The longest head, in bytes.
pub(crate) const LONGEST: usize = 64 * 1024;

/// How many fields a head may have.
const MOST_FIELDS: usize = 256;

/// What mostly suffices.
const FEW_FIELDS: usize = 32;

/// Why an answer can't be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum BadAnswer {
    #[error("its head is no answer of HTTP/1.x")]
    Head,
    #[error("its head is longer than {LONGEST} bytes")]
    TooLong,
    #[error("its head has more than {MOST_FIELDS} fields")]
    TooManyFields,
    #[error("it has both Content-Length and Transfer-Encoding")]
    BothFramings,
    #[error("its Content-Length is not one number")]
    Length,
    #[error("its Transfer-Encoding is something else than chunked")]
    Coding,
    #[error("it switches protocols, which nobody has asked for")]
    Switch,
    #[error("it has too many interim answers")]
    Interim,
    #[error("a chunk of it is malformed: {0}")]
    Chunk(#[from] crate::connection::ChunkError),
    #[error("bytes follow its end")]
    Excess,
    #[error("it ends before its time")]
    Short,
}

/// How the body is framed (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    Nothing,
    Length(u64),
    Chunked,
    /// Up to the end of the connection.
    UntilClose,
}

/// What the request was, as far as answers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) to_head: bool,
    /// Whether the request asked for another protocol.
    pub(crate) upgrades: bool,
}

/// Where the fields of a head are put; it lies beside the head, since it is large.
#[derive(Debug)]
pub(crate) struct Room<'a>(SmallVec<[httparse::Header<'a>; FEW_FIELDS]>);

impl Room<'_> {
    pub(crate) fn new() -> Self {
        Self(SmallVec::from_buf([httparse::EMPTY_HEADER; FEW_FIELDS]))
    }
}

/// An answer's head.
#[derive(Debug)]
pub(crate) struct Head<'r, 'a> {
    /// Its length in bytes.
    pub(crate) length: usize,
    pub(crate) status: u16,
    pub(crate) framing: Framing,
    /// Whether the upstream keeps the connection open behind it.
    pub(crate) keep_alive: bool,
    reason: &'a [u8],
    fields: &'r [httparse::Header<'a>],
}

/// How the client gets the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Onward<'a> {
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub(crate) minor: u8,
    /// Whether the client wants the connection to stay open.
    pub(crate) keep_alive: bool,
    /// For an answer that has no Date.
    pub(crate) date: &'a str,
    /// Further lines, with their line ends.
    pub(crate) lines: &'a str,
    /// The cookie that only this server gives out.
    pub(crate) own_cookie: &'a str,
}

/// Reads the head at the start of `bytes`; `None` if more has to come.
///
/// # Errors
/// It can't be passed on, whatever comes behind it.
pub(crate) fn read<'r, 'a>(
    bytes: &'a [u8],
    expected: Expected,
    room: &'r mut Room<'a>,
) -> Result<Option<Head<'r, 'a>>, BadAnswer> {
    let start = match start(bytes, room) {
        Err(BadAnswer::TooManyFields) => {
            room.0.resize(MOST_FIELDS, httparse::EMPTY_HEADER);
            start(bytes, room)?
        }
        result => result?,
    };
    let Some(Start { length, status, minor, reason, count }) = start else { return Ok(None) };
    let fields = &room.0[..count];
    let nominated = Nominated::of(pairs(fields));
    Ok(Some(Head {
        length,
        status,
        framing: framing(status, minor, fields, expected)?,
        keep_alive: !nominated.says("close") && (minor == 1 || nominated.says("keep-alive")),
        reason,
        fields,
    }))
}

/// What of a head isn't fields.
struct Start<'a> {
    length: usize,
    status: u16,
    minor: u8,
    reason: &'a [u8],
    /// How many fields there are.
    count: usize,
}

fn start<'a>(bytes: &'a [u8], room: &mut Room<'a>) -> Result<Option<Start<'a>>, BadAnswer> {
    let bounded = &bytes[..bytes.len().min(LONGEST)];
    let mut response = httparse::Response::new(&mut room.0);
    match response.parse(bounded) {
        Ok(httparse::Status::Complete(length)) => Ok(Some(Start {
            length,
            status: response.code.unwrap_or_default(),
            minor: response.version.unwrap_or_default(),
            reason: response.reason.unwrap_or_default().as_bytes(),
            count: response.headers.len(),
        })),
        Ok(httparse::Status::Partial) if bytes.len() < LONGEST => Ok(None),
        Ok(httparse::Status::Partial) => Err(BadAnswer::TooLong),
        Err(httparse::Error::TooManyHeaders) => Err(BadAnswer::TooManyFields),
        Err(_) => Err(BadAnswer::Head),
    }
}

fn pairs<'a>(fields: &[httparse::Header<'a>]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    fields.iter().map(|field| (field.name.as_bytes(), field.value))
}

/// Where the body ends; Content-Length beside Transfer-Encoding is how answers are smuggled (RFC 9112, section 6.1).
fn framing(status: u16, minor: u8, fields: &[httparse::Header<'_>], expected: Expected) -> Result<Framing, BadAnswer> {
    let value = |name: &str| {
        let mut values = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        (values.next().map(|field| field.value), values.next().is_some())
    };
    let framing = match (value("transfer-encoding"), value("content-length")) {
        ((None, _), (None, _)) => Framing::UntilClose,
        ((None, _), (Some(length), false)) => Framing::Length(decimal(length).ok_or(BadAnswer::Length)?),
        ((None, _), (Some(_), true)) => return Err(BadAnswer::Length),
        ((Some(_), _), (Some(_), _)) => return Err(BadAnswer::BothFramings),
        ((Some(coding), false), (None, _)) if minor == 1 && coding.eq_ignore_ascii_case(b"chunked") => Framing::Chunked,
        ((Some(_), _), (None, _)) => return Err(BadAnswer::Coding),
    };
    match status {
        101 if !expected.upgrades => Err(BadAnswer::Switch),
        ..100 => Err(BadAnswer::Head),
        100..200 | 204 | 304 => Ok(Framing::Nothing),
        _ if expected.to_head => Ok(Framing::Nothing),
        _ => Ok(framing),
    }
}

impl Head<'_, '_> {
    /// Whether another answer follows (RFC 9110, section 15.2).
    pub(crate) fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// Whether the client can be told the end without closing.
    pub(crate) fn has_end(&self, minor: u8) -> bool {
        minor == 1 || matches!(self.framing, Framing::Nothing | Framing::Length(_))
    }

    /// Whether the client gets the body in chunks.
    pub(crate) fn goes_in_chunks(&self, minor: u8) -> bool {
        minor == 1 && matches!(self.framing, Framing::Chunked | Framing::UntilClose)
    }

    /// Renders an interim answer, which has no length (RFC 9110, section 8.6) and does not set `own_cookie`.
    pub(crate) fn render_interim(&self, out: &mut Vec<u8>, own_cookie: &str) {
        self.start(out);
        self.pass_fields(out, |name, value| match name {
            Name::Length => false,
            Name::SetCookie => !sets(value, own_cookie),
            _ => true,
        });
        out.extend_from_slice(b"\r\n");
    }

    /// Renders a final answer, or 101.
    pub(crate) fn render(&self, out: &mut Vec<u8>, onward: &Onward<'_>) {
        self.start(out);
        let mut has_date = false;
        self.pass_fields(out, |name, value| {
            has_date |= name == Name::Date;
            match name {
                // RFC 9110, section 8.6.
                Name::Length => self.status != 204 && self.status != 101,
                Name::SetCookie => !sets(value, onward.own_cookie),
                _ => true,
            }
        });
        if !has_date {
            header(out, b"Date", onward.date.as_bytes());
        }
        out.extend_from_slice(onward.lines.as_bytes());
        if self.goes_in_chunks(onward.minor) {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        out.extend_from_slice(match (self.status, onward.keep_alive, onward.minor) {
            (101, ..) => b"Connection: Upgrade\r\n\r\n",
            (_, false, _) => b"Connection: close\r\n\r\n",
            (_, true, 0) => b"Connection: keep-alive\r\n\r\n",
            (_, true, _) => b"\r\n",
        });
    }

    fn start(&self, out: &mut Vec<u8>) {
        let digit = |of: u16| b'0' + u8::try_from(self.status / of % 10).expect("one digit");
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(&[digit(100), digit(10), digit(1), b' ']);
        out.extend_from_slice(self.reason);
        out.extend_from_slice(b"\r\n");
    }

    /// Renders the fields that are not for this hop only, and that `keeps` says.
    fn pass_fields(&self, out: &mut Vec<u8>, mut keeps: impl FnMut(Name, &[u8]) -> bool) {
        let nominated = Nominated::of(pairs(self.fields));
        for (field, value) in pairs(self.fields) {
            let kept = match name(field) {
                Name::HopByHop => false,
                Name::Upgrade => self.status == 101 || self.status == 426,
                Name::Length => keeps(Name::Length, value),
                _ if nominated.has(field) => false,
                other => keeps(other, value),
            };
            if kept {
                header(out, field, value);
            }
        }
    }
}

/// Whether a Set-Cookie field is about the cookie of that name.
fn sets(value: &[u8], cookie: &str) -> bool {
    let name = value.split(|byte| *byte == b'=').next().unwrap_or_default();
    !cookie.is_empty() && name.trim_ascii() == cookie.as_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GET: Expected = Expected { to_head: false, upgrades: false };

    fn head(text: &str, expected: Expected) -> Result<Option<(u16, Framing, bool)>, BadAnswer> {
        let mut room = Room::new();
        let head = read(text.as_bytes(), expected, &mut room)?;
        Ok(head.map(|head| (head.status, head.framing, head.keep_alive)))
    }

    fn head_of(bytes: &[u8]) -> bool {
        read(bytes, GET, &mut Room::new()).is_ok()
    }

    #[test]
    fn framings() {
        let (nothing, length) = (Framing::Nothing, Framing::Length);
        for (lines, expected) in [
            ("1.1 200 OK\r\nContent-Length: 5", (200, length(5), true)),
            ("1.1 200 \r\nContent-Length: 0", (200, length(0), true)),
            ("1.1 200\r\nContent-Length: 0", (200, length(0), true)),
            ("1.1 200 OK\r\nTransfer-Encoding: Chunked", (200, Framing::Chunked, true)),
            ("1.1 200 OK", (200, Framing::UntilClose, true)),
            ("1.1 200 OK\r\nConnection: a, Close", (200, Framing::UntilClose, false)),
            ("1.0 200 OK\r\nContent-Length: 5", (200, length(5), false)),
            ("1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive", (200, length(5), true)),
            ("1.1 204 No Content\r\nContent-Length: 5", (204, nothing, true)),
            ("1.1 304 Not Modified\r\nContent-Length: 5", (304, nothing, true)),
            ("1.1 100 Continue", (100, nothing, true)),
            ("1.1 999 Odd\r\nContent-Length: 1", (999, length(1), true)),
        ] {
            assert_eq!(head(&format!("HTTP/{lines}\r\n\r\n"), GET), Ok(Some(expected)), "{lines}");
        }
        let to_head = Expected { to_head: true, ..GET };
        assert_eq!(head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", to_head), Ok(Some((200, nothing, true))));
        let upgrades = Expected { upgrades: true, ..GET };
        assert_eq!(head("HTTP/1.1 101 Switching\r\n\r\n", upgrades), Ok(Some((101, nothing, true))));
    }

    #[test]
    fn what_is_refused() {
        let fields = |count: usize| (0..count).map(|n| format!("X-{n}: y\r\n")).collect::<String>();
        for (text, expected) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
                BadAnswer::BothFramings,
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n".into(), BadAnswer::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n".into(), BadAnswer::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".into(), BadAnswer::Length),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".into(), BadAnswer::Coding),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".into(), BadAnswer::Coding),
            ("HTTP/1.1 101 Switching\r\n\r\n".into(), BadAnswer::Switch),
            ("HTTP/1.1 099 Odd\r\n\r\n".into(), BadAnswer::Head),
            ("HTTP/2.0 200 OK\r\n\r\n".into(), BadAnswer::Head),
            ("SSH-2.0-OpenSSH\r\n".into(), BadAnswer::Head),
            ("HTTP/1.1 200 OK\r\nA b\r\n\r\n".into(), BadAnswer::Head),
            ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n".into(), BadAnswer::Head),
            ("HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n".into(), BadAnswer::Head),
            (format!("HTTP/1.1 200 OK\r\n{}\r\n", fields(257)), BadAnswer::TooManyFields),
            (format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(LONGEST)), BadAnswer::TooLong),
        ] {
            assert_eq!(head(&text, GET), Err(expected), "{text:.60}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", fields(256));
        assert!(head(&many, GET).is_ok_and(|head| head.is_some()));
        assert_eq!(head("HTTP/1.1 200 OK\r\nA:", GET), Ok(None));
        assert_eq!(head("", GET), Ok(None));
    }

    /// Checks what the client gets of an answer's head.
    fn check(text: &str, onward: Onward<'_>, expected: &str) {
        let text = text.replace('\n', "\r\n");
        let mut room = Room::new();
        let head = read(text.as_bytes(), Expected { upgrades: true, ..GET }, &mut room).unwrap().unwrap();
        let mut out = Vec::new();
        head.render(&mut out, &onward);
        assert_eq!(String::from_utf8(out).unwrap(), expected.replace('\n', "\r\n"));
    }

    #[test]
    fn what_the_client_gets() {
        let onward = Onward { minor: 1, keep_alive: true, date: "now", lines: "", own_cookie: "" };
        check(
            "HTTP/1.0 200 Fine\nDate: then\nContent-Length: 5\n\n",
            onward,
            "HTTP/1.1 200 Fine\nDate: then\nContent-Length: 5\n\n",
        );
        check(
            "HTTP/1.1 200 OK\nConnection: close, X\nx: y\nKeep-Alive: 5\nTrailer: A\n\n",
            onward,
            "HTTP/1.1 200 OK\nDate: now\nTransfer-Encoding: chunked\n\n",
        );
        check(
            "HTTP/1.1 204 No Content\nContent-Length: 5\nDate: d\n\n",
            onward,
            "HTTP/1.1 204 No Content\nDate: d\n\n",
        );
        check(
            "HTTP/1.1 101 Switching\nUpgrade: websocket\nConnection: upgrade\nDate: d\n\n",
            onward,
            "HTTP/1.1 101 Switching\nUpgrade: websocket\nDate: d\nConnection: Upgrade\n\n",
        );
        let old = Onward { minor: 0, ..onward };
        check(
            "HTTP/1.1 200 OK\nDate: d\nContent-Length: 1\n\n",
            old,
            "HTTP/1.1 200 OK\nDate: d\nContent-Length: 1\nConnection: keep-alive\n\n",
        );
        check(
            "HTTP/1.1 200 OK\nDate: d\nTransfer-Encoding: chunked\n\n",
            Onward { keep_alive: false, ..old },
            "HTTP/1.1 200 OK\nDate: d\nConnection: close\n\n",
        );
        let own = Onward { own_cookie: "sid", lines: "Set-Cookie: sid=1\r\n", ..onward };
        check(
            "HTTP/1.1 200 OK\nDate: d\nSet-Cookie: sid=evil\nSet-Cookie: sid2=b\nContent-Length: 0\n\n",
            own,
            "HTTP/1.1 200 OK\nDate: d\nSet-Cookie: sid2=b\nContent-Length: 0\nSet-Cookie: sid=1\n\n",
        );
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = head_of(&bytes);
            let _ = head_of(&[b"HTTP/1.1 200 OK\r\n", &bytes[..]].concat());
        }
    }
}
