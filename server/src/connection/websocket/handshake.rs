//! The opening handshake (RFC 6455, section 4.2): whether a request asks for a WebSocket, and may have one.
//!
//! The server only judges and makes the Sec-WebSocket-Accept value; the 101 itself is the handler's to write.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use crate::connection::token::has_token;

/// The version that is spoken; a refusal with 426 names it in Sec-WebSocket-Version (section 4.4).
pub(crate) const VERSION: &str = "13";

/// What every key is hashed with (section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// It is ordinary HTTP.
    Not,
    /// It gets a WebSocket, and this is the Sec-WebSocket-Accept value.
    Accept(String),
    /// It is answered with a status: 400, or 426 for another version, with [`VERSION`] in Sec-WebSocket-Version and,
    /// as RFC 9110, section 15.5.22, has it, `Upgrade: websocket`.
    Bad(u16),
}

/// The fields of a head that matter here.
#[derive(Debug, Default)]
struct Fields<'a> {
    /// Whether Upgrade names `websocket`.
    asks: bool,
    /// Whether Connection names `upgrade`.
    upgrades: bool,
    key: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    /// Whether key or version came more than once (section 11.3).
    repeats: bool,
}

/// Judges a request by its method, the minor version of its HTTP and its headers, as names and values.
///
/// Without a key it is ordinary HTTP: handlers in the field speak older drafts themselves.  The body of a request
/// that is accepted, should it have one, is the caller's to refuse or to skip.
pub(crate) fn asked<'a>(method: &[u8], minor: u8, headers: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Handshake {
    let mut fields = Fields::default();
    headers.for_each(|(name, value)| fields.read(name, value));
    let (true, Some(key)) = (fields.asks, fields.key) else {
        return Handshake::Not;
    };
    if method != b"GET" || minor == 0 || !fields.upgrades || fields.repeats {
        return Handshake::Bad(400);
    }
    match fields.version {
        Some(version) if version == VERSION.as_bytes() && is_key(key) => Handshake::Accept(accept(key)),
        Some(version) if version == VERSION.as_bytes() => Handshake::Bad(400),
        _ => Handshake::Bad(426),
    }
}

impl<'a> Fields<'a> {
    fn read(&mut self, name: &[u8], value: &'a [u8]) {
        let is = |field: &[u8]| name.eq_ignore_ascii_case(field);
        match name.len() {
            7 if is(b"upgrade") => self.asks |= has_token(value, b"websocket"),
            10 if is(b"connection") => self.upgrades |= has_token(value, b"upgrade"),
            17 if is(b"sec-websocket-key") => self.repeats |= self.key.replace(value.trim_ascii()).is_some(),
            21 if is(b"sec-websocket-version") => self.repeats |= self.version.replace(value.trim_ascii()).is_some(),
            _ => {}
        }
    }
}

/// Whether there are 16 bytes in base64 (section 4.1).
fn is_key(key: &[u8]) -> bool {
    key.len() == 24 && STANDARD.decode_slice(key, &mut [0; 18]) == Ok(16)
}

/// The proof that the handshake was understood (section 4.2.2).
fn accept(key: &[u8]) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a client sends (section 1.3).
    const HEADERS: [&str; 6] = [
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Origin: http://example.com",
        "Sec-WebSocket-Version: 13",
    ];

    fn ask(method: &str, minor: u8, headers: &[&str]) -> Handshake {
        let headers = headers.iter().map(|line| line.split_once(": ").unwrap());
        asked(method.as_bytes(), minor, headers.map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }

    /// The headers, with those changed, added or (without a value) removed whose lines are given.
    fn with(lines: &[&'static str]) -> Vec<&'static str> {
        let name = |line: &'static str| line.split(": ").next();
        let kept = HEADERS.into_iter().filter(|line| lines.iter().all(|changed| name(changed) != name(line)));
        kept.chain(lines.iter().copied().filter(|line| line.contains(": "))).collect()
    }

    #[test]
    fn accepted() {
        // Section 1.3 has the value.
        let accepted = Handshake::Accept("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into());
        for lines in [
            &[][..],
            &["Upgrade: WebSocket"],
            &["Upgrade: h2c, websocket"],
            &["Connection: keep-alive, upgrade"],
            &["Connection: keep-alive", "Connection: Upgrade"],
            &["Sec-WebSocket-Key:  dGhlIHNhbXBsZSBub25jZQ== "],
            &["Sec-WebSocket-Protocol: chat, superchat", "Sec-WebSocket-Extensions: permessage-deflate"],
        ] {
            assert_eq!(ask("GET", 1, &with(lines)), accepted, "{lines:?}");
        }
        let lower: Vec<String> =
            HEADERS.iter().map(|line| line.replacen("Sec-WebSocket", "sec-websocket", 1)).collect();
        assert_eq!(ask("GET", 1, &lower.iter().map(String::as_str).collect::<Vec<_>>()), accepted);
    }

    #[test]
    fn ordinary_http() {
        for lines in [
            &["Upgrade"][..],
            &["Upgrade: h2c"],
            &["Upgrade: websockets"],
            &["Sec-WebSocket-Key"],
            &["Sec-WebSocket-Key", "Sec-WebSocket-Version: 8", "Connection"],
        ] {
            assert_eq!(ask("GET", 1, &with(lines)), Handshake::Not, "{lines:?}");
            assert_eq!(ask("POST", 0, &with(lines)), Handshake::Not, "{lines:?}");
        }
    }

    #[test]
    fn refused() {
        for (method, minor, lines, status) in [
            // Section 4.2.1: 1.
            ("POST", 1, &[][..], 400),
            ("get", 1, &[], 400),
            ("GET", 0, &[], 400),
            // 4.
            ("GET", 1, &["Connection"], 400),
            ("GET", 1, &["Connection: keep-alive"], 400),
            // 5.
            ("GET", 1, &["Sec-WebSocket-Key: "], 400),
            ("GET", 1, &["Sec-WebSocket-Key: abc"], 400),
            ("GET", 1, &["Sec-WebSocket-Key: SGVsbG8sIHdvcmxkIQ=="], 400),
            ("GET", 1, &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE="], 400),
            ("GET", 1, &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSEh"], 400),
            ("GET", 1, &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"], 400),
            ("GET", 1, &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j-_=="], 400),
            ("GET", 1, &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: "], 400),
            // 6, and section 4.4.
            ("GET", 1, &["Sec-WebSocket-Version: 8"], 426),
            ("GET", 1, &["Sec-WebSocket-Version: 14"], 426),
            ("GET", 1, &["Sec-WebSocket-Version: 013"], 426),
            ("GET", 1, &["Sec-WebSocket-Version: 13, 8"], 426),
            ("GET", 1, &["Sec-WebSocket-Version"], 426),
            ("GET", 1, &["Sec-WebSocket-Version: 8", "Sec-WebSocket-Key: another kind of key"], 426),
            // Section 11.3.5.
            ("GET", 1, &["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"], 400),
        ] {
            assert_eq!(ask(method, minor, &with(lines)), Handshake::Bad(status), "{method} {minor} {lines:?}");
        }
    }

    proptest! {
        #[test]
        fn every_key_of_16_bytes_is_accepted(key: [u8; 16]) {
            let line = format!("Sec-WebSocket-Key: {}", STANDARD.encode(key));
            let headers = ["Upgrade: websocket", "Connection: upgrade", &line, "Sec-WebSocket-Version: 13"];
            prop_assert!(matches!(ask("GET", 1, &headers), Handshake::Accept(value) if value.len() == 28));
        }

        #[test]
        fn never_panics(key: Vec<u8>, version: Vec<u8>, upgrade: Vec<u8>) {
            let headers: [(&[u8], &[u8]); 5] = [
                (b"Upgrade", b"websocket"),
                (b"Upgrade", &upgrade),
                (b"Connection", b"upgrade"),
                (b"Sec-WebSocket-Key", &key),
                (b"Sec-WebSocket-Version", &version),
            ];
            let _ = asked(b"GET", 1, headers.into_iter());
        }
    }
}
