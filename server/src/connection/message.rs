//! Messages of JSON and XML sockets, and Flash's policy request: what a connection carries whose first byte is
//! `@` or `<`.
//!
//! Pure.  A [`Parser`] is shown the bytes from the start of a message to what has come of it so far, and says what
//! they begin with; other messages may follow.  It remembers only how far it has looked, so that a message that
//! comes byte by byte costs no more than one that comes at once.  [`encode`] makes bytes for the client of a
//! handler's reply.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::span::Span;

/// What Flash gets for a policy request: everybody may connect, to every port.
pub(crate) const POLICY: &[u8] = b"<?xml version=\"1.0\"?><!DOCTYPE cross-domain-policy SYSTEM \
\"http://www.macromedia.com/xml/dtds/cross-domain-policy.dtd\"><cross-domain-policy> <allow-access-from domain=\"*\" \
to-ports=\"*\" /></cross-domain-policy>\0";

/// The name of Flash's policy request.
const POLICY_NAME: &[u8] = b"<policy-file-request";

/// The server's own path: handlers get its notices there, and clients must not forge them.
const OWN_PATH: &[u8] = b"@*";

/// What a message may be at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of a message, name and NUL included.
    pub(crate) message: usize,
    /// Bytes of its name, the `@` or `<` included.
    pub(crate) path: usize,
}

/// What the bytes begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A part of a message.
    Incomplete,
    /// A message for a handler.  `length` is that of all of it, its NUL included, as below.
    Message { kind: Kind, path: Span, body: Span, length: usize },
    /// A sign of life, which concerns nobody but the server.
    Ping { length: usize },
    /// Flash asks whether it may connect: it gets [`POLICY`], and nothing follows.
    Policy { length: usize },
}

/// Which kind of socket a message is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    Xml,
}

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum BadMessage {
    #[error("the message is longer than {0} bytes")]
    TooLong(usize),
    #[error("the name of the message is longer than limits.url_path")]
    NameTooLong,
    #[error("the name of the message is malformed")]
    Name,
    #[error("there is nothing behind the name of the message")]
    Empty,
    #[error("the path `@*` is the server's own")]
    OwnPath,
}

/// Whether a connection that starts with that byte is a JSON or XML socket.
pub(crate) fn may_start_with(byte: u8) -> bool {
    matches!(byte, b'@' | b'<')
}

/// How far a message has been looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Parser {
    /// So many bytes have no NUL among them.
    searched: usize,
    /// The length of the name, once its end has been seen.
    name: Option<usize>,
}

impl Parser {
    /// Looks at `bytes`, which start where a message starts, and have more at the end than at the last call if that
    /// found them incomplete.
    ///
    /// # Errors
    /// The bytes can't become a message, whatever comes behind them; nothing may follow.
    pub(crate) fn next(&mut self, bytes: &[u8], limits: Limits) -> Result<Parsed, BadMessage> {
        let parsed = self.parse(bytes, limits)?;
        match parsed {
            Parsed::Incomplete => self.searched = bytes.len(),
            _ => *self = Self::default(),
        }
        Ok(parsed)
    }

    fn parse(&mut self, bytes: &[u8], limits: Limits) -> Result<Parsed, BadMessage> {
        let kind = match bytes.first() {
            None => return Ok(Parsed::Incomplete),
            Some(b'@') => Kind::Json,
            Some(b'<') => Kind::Xml,
            Some(_) => return Err(BadMessage::Name),
        };
        if self.name.is_none() {
            self.name = name(kind, bytes, self.searched.max(1), limits.path)?;
        }
        let Some(name) = self.name else {
            return Ok(Parsed::Incomplete);
        };
        if let Some(length) = bare_policy(bytes) {
            return Ok(Parsed::Policy { length });
        }
        let bounded = &bytes[..bytes.len().min(limits.message)];
        match bounded.get(self.searched..).and_then(|new| memchr::memchr(0, new)) {
            Some(at) => whole(kind, &bytes[..self.searched + at], name),
            None if bytes.len() < limits.message => Ok(Parsed::Incomplete),
            None => Err(BadMessage::TooLong(limits.message)),
        }
    }
}

/// The length of a name, if it ends at `start` or behind it: up to there are bytes of a name.
///
/// A JSON socket's name ends at a blank, an XML socket's also where its element's name ends.
fn name(kind: Kind, bytes: &[u8], start: usize, longest: usize) -> Result<Option<usize>, BadMessage> {
    let is_name = |byte: &u8| match kind {
        Kind::Json => byte.is_ascii_graphic(),
        Kind::Xml => byte.is_ascii_alphanumeric() || b"-_.:".contains(byte),
    };
    let Some(end) = bytes.iter().skip(start).position(|byte| !is_name(byte)).map(|at| start + at) else {
        return if bytes.len() > longest { Err(BadMessage::NameTooLong) } else { Ok(None) };
    };
    match (kind, bytes[end]) {
        _ if end > longest => Err(BadMessage::NameTooLong),
        _ if end == 1 => Err(BadMessage::Name),
        (_, b' ') | (Kind::Json, 0) | (Kind::Xml, b'>' | b'/') => Ok(Some(end)),
        _ => Err(BadMessage::Name),
    }
}

/// The length of a policy request, whether a NUL follows it, as Flash has it, or not, as some that ask for it by hand.
fn bare_policy(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(POLICY_NAME)?.strip_prefix(b"/>")?;
    Some(bytes.len() - rest.len() + usize::from(rest.first() == Some(&0)))
}

/// What a message is; `text` is all of it but its NUL.
fn whole(kind: Kind, text: &[u8], name: usize) -> Result<Parsed, BadMessage> {
    let length = text.len() + 1;
    let (path, rest) = text.split_at(name);
    let message =
        |body| Parsed::Message { kind, path: Span::within(text, path), body: Span::within(text, body), length };
    if kind == Kind::Xml {
        return Ok(if path == POLICY_NAME { Parsed::Policy { length } } else { message(text) });
    }
    let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
    match (path, &rest[blanks..]) {
        (OWN_PATH, body) if is_ping(body) => Ok(Parsed::Ping { length }),
        (OWN_PATH, _) => Err(BadMessage::OwnPath),
        (_, b"") => Err(BadMessage::Empty),
        (_, body) => Ok(message(body)),
    }
}

/// Whether there is `{"type":"ping"}`, with white space wherever JSON allows it.
fn is_ping(body: &[u8]) -> bool {
    let tokens: [&[u8]; 5] = [b"{", b"\"type\"", b":", b"\"ping\"", b"}"];
    let rest = tokens.iter().try_fold(body, |rest, token| rest.trim_ascii_start().strip_prefix(*token));
    rest.is_some_and(|rest| rest.trim_ascii_start().is_empty())
}

/// What a client gets of a handler's reply, unless the handler has `raw_payload`: base64 and a NUL.
pub(crate) fn encode(body: &[u8]) -> Vec<u8> {
    let mut text = String::with_capacity(body.len().div_ceil(3) * 4 + 1);
    STANDARD.encode_string(body, &mut text);
    text.push('\0');
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use mongrel2::wire::request;
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { message: 40, path: 16 };

    /// What a parse says, with the parts of a message as text.
    fn told(bytes: &[u8], parsed: Result<Parsed, BadMessage>) -> Result<String, BadMessage> {
        let text = |span: Span| span.of(bytes).escape_ascii().to_string();
        Ok(match parsed? {
            Parsed::Message { kind, path, body, length } => format!("{kind:?} {} {} {length}", text(path), text(body)),
            other => format!("{other:?}"),
        })
    }

    fn check(bytes: &str, expected: Result<&str, BadMessage>) {
        let (bytes, mut parser) = (bytes.as_bytes(), Parser::default());
        let got = told(bytes, parser.next(bytes, LIMITS));
        assert_eq!(got, expected.map(str::to_owned), "{}", bytes.escape_ascii());
    }

    #[test]
    fn messages() {
        for (bytes, expected) in [
            ("@chat {\"a\":1}\0", r#"Json @chat {\"a\":1} 14"#),
            ("@chat   {}\0@chat {}\0", "Json @chat {} 11"),
            ("@a/b?c no JSON\n \0", r"Json @a/b?c no JSON\n  17"),
            ("@chat \u{e4}\0", r"Json @chat \xc3\xa4 9"),
            ("@*x {}\0", "Json @*x {} 7"),
            ("@0123456789abcde {}\0", "Json @0123456789abcde {} 20"),
            ("<test a=\"1\">x</test>\0more", r#"Xml <test <test a=\"1\">x</test> 21"#),
            ("<test/>\0", "Xml <test <test/> 8"),
            ("<t>\0", "Xml <t <t> 4"),
            ("<a-b_c.d:1 \0", "Xml <a-b_c.d:1 <a-b_c.d:1  12"),
            ("@* {\"type\":\"ping\"}\0", "Ping { length: 19 }"),
            ("@*  { \"type\" : \"ping\" }\n\0@", "Ping { length: 25 }"),
            ("<policy>\0", "Xml <policy <policy> 9"),
        ] {
            check(bytes, Ok(expected));
        }
    }

    #[test]
    fn first_bytes() {
        let socket: Vec<u8> = (0..=255).filter(|byte| may_start_with(*byte)).collect();
        assert_eq!(socket, b"<@");
    }

    #[test]
    fn parts_of_messages() {
        for bytes in ["", "@", "<", "@chat", "@chat ", "@chat {}", "<test", "<test>", "@0123456789abcde", "@*", "@* x"]
        {
            check(bytes, Ok("Incomplete"));
        }
        let thirty_nine = format!("@chat {}", "x".repeat(33));
        check(&thirty_nine, Ok("Incomplete"));
        check(&format!("{thirty_nine}\0"), Ok(&format!("Json @chat {} 40", "x".repeat(33))));
    }

    #[test]
    fn faults() {
        for (bytes, expected) in [
            ("x", BadMessage::Name),
            ("\0", BadMessage::Name),
            ("@ x\0", BadMessage::Name),
            ("@\0", BadMessage::Name),
            ("@a\tb", BadMessage::Name),
            ("@a\u{7f}", BadMessage::Name),
            ("@\u{e4} {}\0", BadMessage::Name),
            ("@a\n", BadMessage::Name),
            ("<>", BadMessage::Name),
            ("</test>", BadMessage::Name),
            ("<?xml", BadMessage::Name),
            ("<!--", BadMessage::Name),
            ("<test\0", BadMessage::Name),
            ("<test\n>", BadMessage::Name),
            ("<@*>", BadMessage::Name),
            ("@0123456789abcdef", BadMessage::NameTooLong),
            ("@0123456789abcdef {}\0", BadMessage::NameTooLong),
            ("<0123456789abcdef>\0", BadMessage::NameTooLong),
            ("@chat\0", BadMessage::Empty),
            ("@chat  \0", BadMessage::Empty),
            ("@*\0", BadMessage::OwnPath),
            ("@* \0", BadMessage::OwnPath),
            ("@* {\"type\":\"disconnect\"}\0", BadMessage::OwnPath),
            ("@* {\"type\":\"ping\",\"a\":1}\0", BadMessage::OwnPath),
            ("@* {\"type\":\"pi ng\"}\0", BadMessage::OwnPath),
            ("@* {\"type\":\"ping\"} x\0", BadMessage::OwnPath),
            ("@chat 7890123456789012345678901234567890", BadMessage::TooLong(40)),
            ("@chat 7890123456789012345678901234567890\0", BadMessage::TooLong(40)),
            ("<test>7890123456789012345678901234567890\0", BadMessage::TooLong(40)),
        ] {
            check(bytes, Err(expected));
        }
    }

    #[test]
    fn policy_requests() {
        for (bytes, length) in [
            ("<policy-file-request/>\0", 23),
            ("<policy-file-request/>", 22),
            ("<policy-file-request/>@", 22),
            ("<policy-file-request />\0", 24),
            ("<policy-file-request>\0", 22),
        ] {
            let limits = Limits { path: 256, ..LIMITS };
            assert_eq!(Parser::default().next(bytes.as_bytes(), limits), Ok(Parsed::Policy { length }), "{bytes}");
        }
        let limits = Limits { path: 256, ..LIMITS };
        let other = Parser::default().next(b"<policy-file-requests/>\0", limits);
        assert!(matches!(other, Ok(Parsed::Message { .. })), "{other:?}");
    }

    #[test]
    fn what_the_original_got_and_sent() {
        let limits = Limits { message: 1024, path: 256 };
        let policy = include_bytes!("../../tests/recorded/flash-policy.client");
        assert_eq!(Parser::default().next(policy, limits), Ok(Parsed::Policy { length: policy.len() }));
        assert_eq!(POLICY, include_bytes!("../../tests/recorded/flash-policy.answer"));
        for (kind, bytes, handler) in [
            (
                Kind::Json,
                &include_bytes!("../../tests/recorded/jssocket.client")[..],
                &include_bytes!("../../tests/recorded/jssocket.handler.0")[..],
            ),
            (
                Kind::Json,
                include_bytes!("../../tests/recorded/jssocket-tnet.client"),
                include_bytes!("../../tests/recorded/jssocket-tnet.handler.0"),
            ),
            (
                Kind::Xml,
                include_bytes!("../../tests/recorded/xmlsocket.client"),
                include_bytes!("../../tests/recorded/xmlsocket.handler.0"),
            ),
        ] {
            let Parsed::Message { kind: got, path, body, length } = Parser::default().next(bytes, limits).unwrap()
            else {
                panic!("{}", bytes.escape_ascii());
            };
            let request = request::parse(handler).unwrap();
            let expected = (kind, request.path.as_bytes(), &request.body[..], bytes.len());
            assert_eq!((got, path.of(bytes), body.of(bytes), length), expected);
        }
    }

    #[test]
    fn replies() {
        for (body, expected) in [("", "\0"), ("a", "YQ==\0"), ("ab", "YWI=\0"), ("\u{fb}\u{fff}", "w7vgv78=\0")] {
            assert_eq!(encode(body.as_bytes()), expected.as_bytes(), "{body}");
        }
        // The recorded server left the NUL out, so that clients that read up to it never saw a message.
        let recorded = include_bytes!("../../tests/recorded/jssocket.answer");
        assert_eq!(encode(br#"{"type":"joined"}"#), [&recorded[..], b"\0"].concat());
    }

    /// What comes of bytes that arrive in pieces, up to the first fault.
    fn read(pieces: &[&[u8]]) -> Vec<Result<String, BadMessage>> {
        let (mut parser, mut bytes, mut all) = (Parser::default(), Vec::new(), Vec::new());
        for piece in pieces {
            bytes.extend_from_slice(piece);
            loop {
                let parsed = parser.next(&bytes, LIMITS);
                if parsed == Ok(Parsed::Incomplete) {
                    break;
                }
                all.push(told(&bytes, parsed));
                match parsed {
                    Ok(Parsed::Message { length, .. } | Parsed::Ping { length }) => drop(bytes.drain(..length)),
                    _ => return all,
                }
            }
        }
        all
    }

    proptest! {
        #[test]
        fn splitting_changes_nothing(
            parts in prop::collection::vec(prop_oneof![
                Just("@chat {}\0"), Just("@* {\"type\":\"ping\"}\0"), Just("<a>b</a>\0"), Just("@"), Just("<"), Just(" "),
                Just("\0"), Just("name"), Just("/"), Just("@0123456789abcde"), Just("<0123456789abcde"),
            ], 0..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes = parts.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(read(&pieces), read(&[&bytes]));
            prop_assert_eq!(read(&single), read(&[&bytes]));
        }

        #[test]
        fn any_message_comes_through(name in "@[!-~]{1,15}", body in "[^\0 ][^\0]{0,40}", rest in any::<Vec<u8>>()) {
            prop_assume!(name != "@*");
            let bytes = [name.as_bytes(), b" ", body.as_bytes(), b"\0", &rest[..]].concat();
            let limits = Limits { message: 1024, path: 16 };
            let Ok(Parsed::Message { kind: Kind::Json, path, body: got, length }) = Parser::default().next(&bytes, limits)
            else { panic!() };
            prop_assert_eq!((path.of(&bytes), got.of(&bytes)), (name.as_bytes(), body.as_bytes()));
            prop_assert_eq!(length, bytes.len() - rest.len());
        }

        #[test]
        fn never_panics(
            first in prop_oneof![Just(b'@'), Just(b'<'), any::<u8>()],
            rest in prop::collection::vec(prop_oneof![Just(0), Just(b' '), Just(b'>'), any::<u8>()], 0..60),
        ) {
            let bytes = [&[first], &rest[..]].concat();
            let mut parser = Parser::default();
            for end in 0..=bytes.len() {
                if parser.next(&bytes[..end], LIMITS) != Ok(Parsed::Incomplete) {
                    break;
                }
            }
        }
    }
}
