//! What a handler gets: `UUID ID PATH SIZE:HEADERS,SIZE:BODY,` (the manual, section 5.3).
//!
//! The headers are a JSON object in a netstring or a tnetstring dictionary.  Names that a client sent are in
//! lower case, names in upper case are the server's own: no client can send one.

use serde_json::Value as Json;
use thiserror::Error;

use super::netstring::{self, NetstringError};
use super::tnetstring::{self, TnetstringError, Value};
use super::websocket::{self, Frame, FrameError};
use crate::config::Protocol;

/// The path of a notice from the server itself.
pub const NOTICE_PATH: &str = "@*";

/// The body of the notice that a connection is gone.
pub const DISCONNECT: &[u8] = br#"{"type":"disconnect"}"#;

/// The body of the notice that bytes have been written to the client.
pub const CREDITS: &[u8] = br#"{"type":"credits"}"#;

/// The header that tells how many bytes a handler may send.
const DOWNLOAD_CREDITS: &str = "DOWNLOAD_CREDITS";

/// What comes before the headers.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The handler's `send_ident`.
    pub sender: &'a str,
    /// The connection.
    pub id: u64,
    /// The path without its query; it has no blanks.
    pub path: &'a [u8],
}

/// The headers of a message to be rendered.
///
/// Pairs with the same name are merged into a list, at the place of the first.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    /// The client's; names are rendered in lower case.
    pub client: &'a [(&'a [u8], &'a [u8])],
    /// The server's own, rendered as they are, behind the client's; `PATH` is rendered first of all.
    pub server: &'a [(&'a str, &'a [u8])],
}

/// Renders a whole message.
pub fn render(protocol: Protocol, envelope: &Envelope<'_>, headers: Headers<'_>, body: &[u8]) -> Vec<u8> {
    let mut dict = Vec::with_capacity(512);
    let close = match protocol {
        Protocol::Json => {
            json_headers(&mut dict, envelope.path, headers);
            b','
        }
        Protocol::Tnetstring => {
            tnetstring_headers(&mut dict, envelope.path, headers);
            b'}'
        }
    };
    frame(envelope, &dict, close, body)
}

/// Renders the notice that a connection is gone.
pub fn render_disconnect(protocol: Protocol, sender: &str, id: u64) -> Vec<u8> {
    let envelope = Envelope { sender, id, path: NOTICE_PATH.as_bytes() };
    match protocol {
        Protocol::Json => frame(&envelope, br#"{"METHOD":"JSON"}"#, b',', DISCONNECT),
        Protocol::Tnetstring => frame(&envelope, b"6:METHOD,4:JSON,", b'}', DISCONNECT),
    }
}

/// Renders the notice that `credits` more bytes have been written to the client.
pub fn render_credits(protocol: Protocol, sender: &str, id: u64, credits: u64) -> Vec<u8> {
    let envelope = Envelope { sender, id, path: NOTICE_PATH.as_bytes() };
    let mut digits = Vec::with_capacity(20);
    netstring::number(&mut digits, credits);
    render_piece(protocol, &envelope, &[("METHOD", b"JSON"), (DOWNLOAD_CREDITS, &digits)], CREDITS)
}

/// Renders a further piece of a body, which has no headers but these.
pub fn render_piece(protocol: Protocol, envelope: &Envelope<'_>, headers: &[(&str, &[u8])], body: &[u8]) -> Vec<u8> {
    let mut dict = Vec::with_capacity(64);
    let close = match protocol {
        Protocol::Json => {
            for (index, (name, value)) in headers.iter().enumerate() {
                dict.push(if index == 0 { b'{' } else { b',' });
                json_string(&mut dict, name.as_bytes());
                dict.push(b':');
                json_string(&mut dict, value);
            }
            dict.push(b'}');
            b','
        }
        Protocol::Tnetstring => {
            for (name, value) in headers {
                tnetstring::string(&mut dict, name.as_bytes());
                tnetstring::string(&mut dict, value);
            }
            b'}'
        }
    };
    frame(envelope, &dict, close, body)
}

/// Headers that are rendered once for many messages, which differ only in `FLAGS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    dict: Box<[u8]>,
    close: u8,
    /// Where the value of `FLAGS` is.
    flags: usize,
}

impl Prepared {
    /// Renders headers; `FLAGS` is added behind them.
    pub fn new(protocol: Protocol, path: &[u8], headers: Headers<'_>) -> Self {
        let server = [headers.server, &[("FLAGS", b"0x00")]].concat();
        let headers = Headers { client: headers.client, server: &server };
        let mut dict = Vec::with_capacity(512);
        let (close, behind) = match protocol {
            Protocol::Json => {
                json_headers(&mut dict, path, headers);
                (b',', "\"}".len())
            }
            Protocol::Tnetstring => {
                tnetstring_headers(&mut dict, path, headers);
                (b'}', ",".len())
            }
        };
        Self { flags: dict.len() - behind - "0x00".len(), dict: dict.into_boxed_slice(), close }
    }

    /// Renders a message: `FLAGS` is `flags` as `0x8A`.
    pub fn render(&self, envelope: &Envelope<'_>, flags: u8, body: &[u8]) -> Vec<u8> {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        let mut message = frame(envelope, &self.dict, self.close, body);
        // Behind the headers come their closing byte and the body's netstring.
        let digits = body.len().checked_ilog10().unwrap_or(0) as usize + 1;
        let headers_end = message.len() - (digits + 1 + body.len() + 1) - 1;
        let at = headers_end - self.dict.len() + self.flags + "0x".len();
        message[at] = HEX[usize::from(flags >> 4)];
        message[at + 1] = HEX[usize::from(flags & 15)];
        message
    }
}

fn frame(envelope: &Envelope<'_>, dict: &[u8], close: u8, body: &[u8]) -> Vec<u8> {
    // Room for the id, two sizes and the punctuation, so that the buffer never grows.
    let size = envelope.sender.len() + envelope.path.len() + dict.len() + body.len() + 67;
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(envelope.sender.as_bytes());
    out.push(b' ');
    netstring::number(&mut out, envelope.id);
    out.push(b' ');
    out.extend_from_slice(envelope.path);
    out.push(b' ');
    netstring::render_closed_by(&mut out, dict, close);
    netstring::render(&mut out, body);
    out
}

/// The client's headers, each name once with its first value and whether there are more.
fn grouped<'a>(headers: &'a [(&'a [u8], &'a [u8])]) -> impl Iterator<Item = (&'a [u8], &'a [u8], bool)> {
    headers.iter().enumerate().filter_map(|(index, (name, value))| {
        let same = |other: &(&[u8], &[u8])| other.0.eq_ignore_ascii_case(name);
        if headers[..index].iter().any(same) {
            return None;
        }
        Some((*name, *value, headers[index + 1..].iter().any(same)))
    })
}

fn values_of<'a>(headers: &'a [(&'a [u8], &'a [u8])], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(move |header| header.0.eq_ignore_ascii_case(name)).map(|header| header.1)
}

fn json_headers(out: &mut Vec<u8>, path: &[u8], headers: Headers<'_>) {
    out.extend_from_slice(b"{\"PATH\":");
    json_string(out, path);
    for (name, value, repeated) in grouped(headers.client) {
        out.push(b',');
        json_string(out, &name.to_ascii_lowercase());
        out.push(b':');
        if repeated {
            for (index, value) in values_of(headers.client, name).enumerate() {
                out.push(if index == 0 { b'[' } else { b',' });
                json_string(out, value);
            }
            out.push(b']');
        } else {
            json_string(out, value);
        }
    }
    for (name, value) in headers.server {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        json_string(out, value);
    }
    out.push(b'}');
}

/// Appends a JSON string that is valid whatever the bytes are: UTF-8 stays as it is, other bytes above 127
/// become the code points of the same number (Latin-1).
fn json_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let utf8 = std::str::from_utf8(bytes).is_ok();
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 | 0x7f => json_escape(out, byte),
            0x80.. if !utf8 => json_escape(out, byte),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

fn json_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u00");
    out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

fn tnetstring_headers(out: &mut Vec<u8>, path: &[u8], headers: Headers<'_>) {
    tnetstring::string(out, b"PATH");
    tnetstring::string(out, path);
    for (name, value, repeated) in grouped(headers.client) {
        tnetstring::string(out, &name.to_ascii_lowercase());
        if repeated {
            let mut list = Vec::new();
            values_of(headers.client, name).for_each(|value| tnetstring::string(&mut list, value));
            netstring::render_closed_by(out, &list, b']');
        } else {
            tnetstring::string(out, value);
        }
    }
    for (name, value) in headers.server {
        tnetstring::string(out, name.as_bytes());
        tnetstring::string(out, value);
    }
}

/// A parsed message, as a handler sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Names the sending server: its `send_ident`, to be put first into replies.
    pub sender: String,
    /// The connection.
    pub id: u64,
    /// The path without its query, or the name of a socket route, or `@*` for a notice.
    pub path: String,
    /// Names and values in the order in which they came; a name with several values comes several times.
    /// Values that are no UTF-8 in a tnetstring have replacement characters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The first value of a header; the name in the case in which it comes: `METHOD`, `user-agent`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }

    /// Whether the message says that the connection is gone.
    pub fn is_disconnect(&self) -> bool {
        self.path == NOTICE_PATH
            && serde_json::from_slice::<Json>(&self.body).is_ok_and(|body| body["type"] == "disconnect")
    }

    /// How many more bytes the client has room for, where the server has `download.flow_control`.
    ///
    /// A connection's first request tells how many there may be to begin with; each notice, how many have been
    /// written since the one before.  A message that has credits and is a [notice](Self::is_notice) needs no answer.
    pub fn credits(&self) -> Option<u64> {
        self.header(DOWNLOAD_CREDITS)?.parse().ok()
    }

    /// Whether the message is from the server itself, about the connection, and no request.
    pub fn is_notice(&self) -> bool {
        self.path == NOTICE_PATH
    }

    /// Which part of a long body the message is about; `None` if the body is here, whole.
    pub fn upload(&self) -> Option<Upload<'_>> {
        if let Some(offset) = self.header("UPLOAD_STREAM") {
            let is_last = self.header("UPLOAD_STREAM_DONE").is_some();
            return Some(offset.parse().map_or(Upload::Malformed, |offset| Upload::Piece { offset, is_last }));
        }
        match (self.header("x-mongrel2-upload-start"), self.header("x-mongrel2-upload-done")) {
            (None, None) => None,
            (Some(path), None) => Some(Upload::Started(path)),
            (Some(start), Some(done)) if start == done => Some(Upload::Done(done)),
            _ => Some(Upload::Malformed),
        }
    }

    /// Whether a client asks for a WebSocket: to be accepted, or answered with an HTTP response.
    pub fn is_handshake(&self) -> bool {
        self.header("METHOD") == Some("WEBSOCKET_HANDSHAKE")
    }

    /// The frame that a client has sent on its WebSocket; `None` for any other message.
    pub fn frame(&self) -> Option<Result<Frame<'_>, FrameError>> {
        if self.header("METHOD") != Some("WEBSOCKET") {
            return None;
        }
        let flags = self.header("FLAGS").and_then(|flags| u8::from_str_radix(flags.strip_prefix("0x")?, 16).ok());
        Some(websocket::parse(flags.unwrap_or_default(), &self.body))
    }
}

/// Which part of a long body a message is about (the manual, section 5.5, and "Uploads" of ours).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upload<'a> {
    /// The server has begun to write the body to the file of that path, which counts from the server's chroot.  The
    /// message has all headers and no body; it needs no answer, but may have one.
    Started(&'a str),
    /// The file of that path is whole, and the handler's to move or remove.
    Done(&'a str),
    /// The body of this message is a part of the upload; only the first message has all headers.
    Piece {
        /// How many bytes came before it.
        offset: u64,
        /// Whether nothing comes behind it.
        is_last: bool,
    },
    /// The headers contradict each other, as this server's never do: not to be believed.
    Malformed,
}

/// Why a message is no request; fits after "cannot use a request:".
#[derive(Debug, Error)]
pub enum RequestError {
    /// A blank is missing between the first three words.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// A word has bytes that don't belong there.
    #[error("its {0} is malformed")]
    Malformed(&'static str),
    /// Headers or body are no netstring.
    #[error("its {0} is not a netstring: {1}")]
    Frame(&'static str, NetstringError),
    /// Bytes follow the body.
    #[error("something follows its body")]
    Behind,
    /// The headers are no JSON object.
    #[error("its headers are not a JSON object of strings")]
    Json,
    /// The headers are no tnetstring dictionary.
    #[error("its headers are not a tnetstring dictionary of strings: {0}")]
    Tnetstring(#[from] TnetstringError),
}

/// Parses a message in either protocol.
///
/// # Errors
/// What is wrong with the message.
pub fn parse(message: &[u8]) -> Result<Request, RequestError> {
    let (sender, rest) = word(message, "UUID")?;
    let (id, rest) = word(rest, "connection id")?;
    let (path, rest) = word(rest, "path")?;
    let (dict, close, after) = netstring::parse_closed(rest).map_err(|error| RequestError::Frame("header", error))?;
    let headers = match close {
        b',' => parse_json(dict)?,
        b'}' => parse_tnetstring(&rest[..rest.len() - after.len()])?,
        _ => return Err(RequestError::Frame("header", NetstringError::End)),
    };
    let (body, behind) = netstring::parse(after).map_err(|error| RequestError::Frame("body", error))?;
    if !behind.is_empty() {
        return Err(RequestError::Behind);
    }
    Ok(Request {
        sender: sender.to_owned(),
        id: number(id).ok_or(RequestError::Malformed("connection id"))?,
        path: path.to_owned(),
        headers,
        body: body.to_vec(),
    })
}

fn word<'a>(bytes: &'a [u8], what: &'static str) -> Result<(&'a str, &'a [u8]), RequestError> {
    let blank = bytes.iter().position(|byte| *byte == b' ').ok_or(RequestError::Missing(what))?;
    let word = std::str::from_utf8(&bytes[..blank]).map_err(|_| RequestError::Malformed(what))?;
    Ok((word, &bytes[blank + 1..]))
}

/// Digits and nothing else: a sign is no part of an id.
fn number(word: &str) -> Option<u64> {
    word.parse().ok().filter(|_| word.bytes().all(|byte| byte.is_ascii_digit()))
}

fn parse_json(dict: &[u8]) -> Result<Vec<(String, String)>, RequestError> {
    let Ok(Json::Object(object)) = serde_json::from_slice(dict) else {
        return Err(RequestError::Json);
    };
    let mut headers = Vec::with_capacity(object.len());
    for (name, value) in object {
        match value {
            Json::String(value) => headers.push((name, value)),
            Json::Array(values) => {
                for value in values {
                    let Json::String(value) = value else {
                        return Err(RequestError::Json);
                    };
                    headers.push((name.clone(), value));
                }
            }
            _ => return Err(RequestError::Json),
        }
    }
    Ok(headers)
}

fn parse_tnetstring(dict: &[u8]) -> Result<Vec<(String, String)>, RequestError> {
    let fault = RequestError::Tnetstring(TnetstringError::Data(b'}'));
    let (Value::Dict(pairs), _) = tnetstring::parse(dict)? else {
        return Err(fault);
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut headers = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        let values = if let Value::List(values) = value { values } else { vec![value] };
        for value in values {
            let Value::String(value) = value else {
                return Err(fault);
            };
            headers.push((text(&name), text(&value)));
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ENVELOPE: Envelope<'_> = Envelope { sender: "54c6755b", id: 7, path: b"/json" };

    fn sample(protocol: Protocol) -> String {
        let client: [(&[u8], &[u8]); 4] =
            [(b"Host", b"localhost"), (b"X-A", b"one"), (b"METHOD", b"EVIL"), (b"x-a", b"two")];
        let headers = Headers { client: &client, server: &[("METHOD", b"GET")] };
        String::from_utf8(render(protocol, &ENVELOPE, headers, b"hi")).unwrap()
    }

    #[test]
    fn shapes() {
        assert_eq!(
            sample(Protocol::Json),
            r#"54c6755b 7 /json 86:{"PATH":"/json","host":"localhost","x-a":["one","two"],"method":"EVIL","METHOD":"GET"},2:hi,"#
        );
        assert_eq!(
            sample(Protocol::Tnetstring),
            "54c6755b 7 /json 87:4:PATH,5:/json,4:host,9:localhost,3:x-a,12:3:one,3:two,]6:method,4:EVIL,6:METHOD,3:GET,}2:hi,"
        );
        assert_eq!(
            render_disconnect(Protocol::Json, "54c6755b", 7),
            br#"54c6755b 7 @* 17:{"METHOD":"JSON"},21:{"type":"disconnect"},"#
        );
        assert_eq!(
            render_disconnect(Protocol::Tnetstring, "54c6755b", 7),
            br#"54c6755b 7 @* 16:6:METHOD,4:JSON,}21:{"type":"disconnect"},"#
        );
    }

    #[test]
    fn a_piece_of_a_body_has_only_the_headers_that_are_given() {
        let headers: [(&str, &[u8]); 2] = [("UPLOAD_STREAM", b"2500"), ("UPLOAD_STREAM_DONE", b"1")];
        assert_eq!(
            render_piece(Protocol::Json, &ENVELOPE, &headers, b"end"),
            br#"54c6755b 7 /json 49:{"UPLOAD_STREAM":"2500","UPLOAD_STREAM_DONE":"1"},3:end,"#
        );
        assert_eq!(
            render_piece(Protocol::Tnetstring, &ENVELOPE, &headers[..1], b""),
            b"54c6755b 7 /json 24:13:UPLOAD_STREAM,4:2500,}0:,"
        );
    }

    #[test]
    fn prepared_headers_differ_in_their_flags() {
        let headers = Headers { client: &[(b"host", b"x")], server: &[("METHOD", b"WEBSOCKET")] };
        for protocol in [Protocol::Json, Protocol::Tnetstring] {
            let prepared = Prepared::new(protocol, b"/json", headers);
            for (flags, text) in [(0x81, "0x81"), (0x8a, "0x8A")] {
                for body in [&b""[..], b"123456789", b"1234567890"] {
                    let expected = Headers { server: &[headers.server[0], ("FLAGS", text.as_bytes())], ..headers };
                    assert_eq!(prepared.render(&ENVELOPE, flags, body), render(protocol, &ENVELOPE, expected, body));
                }
            }
        }
    }

    #[test]
    fn credits() {
        assert_eq!(
            render_credits(Protocol::Json, "54c6755b", 7, 43),
            br#"54c6755b 7 @* 41:{"METHOD":"JSON","DOWNLOAD_CREDITS":"43"},18:{"type":"credits"},"#
        );
        assert_eq!(
            render_credits(Protocol::Tnetstring, "54c6755b", 7, 43),
            br#"54c6755b 7 @* 41:6:METHOD,4:JSON,16:DOWNLOAD_CREDITS,2:43,}18:{"type":"credits"},"#
        );
        for protocol in [Protocol::Json, Protocol::Tnetstring] {
            let notice = parse(&render_credits(protocol, "x", 7, u64::MAX)).unwrap();
            assert_eq!((notice.id, notice.credits(), notice.is_notice()), (7, Some(u64::MAX), true));
            assert!(!notice.is_disconnect());
        }
        // A client's header of that name comes in lower case.
        let headers = Headers { client: &[(b"DOWNLOAD_CREDITS", b"7")], server: &[] };
        let request = parse(&render(Protocol::Json, &ENVELOPE, headers, b"")).unwrap();
        assert_eq!((request.credits(), request.is_notice()), (None, false));
        let headers = Headers { client: &[], server: &[("DOWNLOAD_CREDITS", b"102400")] };
        assert_eq!(parse(&render(Protocol::Json, &ENVELOPE, headers, b"")).unwrap().credits(), Some(102_400));
    }

    fn with_headers(client: &[(&[u8], &[u8])], server: &[(&str, &[u8])], body: &[u8]) -> Request {
        parse(&render(Protocol::Json, &ENVELOPE, Headers { client, server }, body)).unwrap()
    }

    #[test]
    fn uploads() {
        const START: (&[u8], &[u8]) = (b"x-mongrel2-upload-start", b"tmp/a");
        let done = |path: &'static [u8]| -> (&[u8], &[u8]) { (b"x-mongrel2-upload-done", path) };
        for (headers, expected) in [
            (&[][..], None),
            (&[START], Some(Upload::Started("tmp/a"))),
            (&[START, done(b"tmp/a")], Some(Upload::Done("tmp/a"))),
            (&[START, done(b"tmp/b")], Some(Upload::Malformed)),
            (&[done(b"tmp/a")], Some(Upload::Malformed)),
            // A client's header of that name comes in lower case.
            (&[(b"UPLOAD_STREAM", b"0")], None),
        ] {
            assert_eq!(with_headers(headers, &[], b"").upload(), expected, "{headers:?}");
        }
        for (headers, expected) in [
            (&[("UPLOAD_STREAM", &b"0"[..])][..], Upload::Piece { offset: 0, is_last: false }),
            (&[("UPLOAD_STREAM", b"7"), ("UPLOAD_STREAM_DONE", b"1")], Upload::Piece { offset: 7, is_last: true }),
            (&[("UPLOAD_STREAM", b"-1")], Upload::Malformed),
        ] {
            assert_eq!(with_headers(&[], headers, b"").upload(), Some(expected), "{headers:?}");
        }
    }

    #[test]
    fn messages_of_websockets() {
        let message = |flags: &'static [u8]| with_headers(&[], &[("METHOD", b"WEBSOCKET"), ("FLAGS", flags)], b"hi");
        assert_eq!(message(b"0x81").frame(), Some(Ok(Frame::Text("hi"))));
        assert_eq!(message(b"0x8A").frame(), Some(Ok(Frame::Pong(b"hi"))));
        for wrong in [&b""[..], b"81", b"0x", b"0x181", b"0xzz"] {
            assert_eq!(message(wrong).frame(), Some(Err(FrameError::Flags(0))), "{}", wrong.escape_ascii());
        }
        let handshake = with_headers(&[], &[("METHOD", b"WEBSOCKET_HANDSHAKE")], b"key");
        assert_eq!((handshake.frame(), handshake.is_handshake()), (None, true));
        assert!(!message(b"0x81").is_handshake());
    }

    #[test]
    fn faults() {
        for (message, expected) in [
            ("uuid 7 /a 2:{},1:b,c", "something follows its body"),
            ("uuid +7 /a 2:{},1:b,", "its connection id is malformed"),
            ("uuid  /a 2:{},1:b,", "its connection id is malformed"),
            ("uuid 7 /a 2:{},1:b", "its body is not a netstring: it is shorter than its size says"),
            ("uuid 7 /a 2:[],1:b,", "its headers are not a JSON object of strings"),
        ] {
            assert_eq!(parse(message.as_bytes()).unwrap_err().to_string(), expected, "{message}");
        }
    }

    #[test]
    fn both_protocols_parse_alike() {
        let json = parse(sample(Protocol::Json).as_bytes()).unwrap();
        let tnetstring = parse(sample(Protocol::Tnetstring).as_bytes()).unwrap();
        assert_eq!(json, tnetstring);
        assert_eq!(json.header("x-a"), Some("one"));
        assert_eq!(json.header("METHOD"), Some("GET"));
        assert!(!json.is_disconnect());
        assert!(parse(&render_disconnect(Protocol::Json, "x", 1)).unwrap().is_disconnect());
    }

    #[test]
    fn bytes_that_json_has_no_words_for() {
        let client: [(&[u8], &[u8]); 3] =
            [(b"a", b"tab\tquote\"back\\"), (b"b", "gr\u{fc}n".as_bytes()), (b"c", b"gr\xfcn\x00")];
        let message = render(Protocol::Json, &ENVELOPE, Headers { client: &client, server: &[] }, b"");
        let request = parse(&message).unwrap();
        assert_eq!(request.header("a"), Some("tab\tquote\"back\\"));
        assert_eq!(request.header("b"), Some("gr\u{fc}n"));
        assert_eq!(request.header("c"), Some("gr\u{fc}n\0"));
    }

    proptest! {
        #[test]
        fn always_valid(
            protocol in prop_oneof![Just(Protocol::Json), Just(Protocol::Tnetstring)],
            pairs in prop::collection::vec(("[a-zA-Z-]{1,6}", prop::collection::vec(any::<u8>(), 0..20)), 0..20),
            body in prop::collection::vec(any::<u8>(), 0..50),
        ) {
            let client: Vec<(&[u8], &[u8])> = pairs.iter().map(|(name, value)| (name.as_bytes(), &value[..])).collect();
            let message = render(protocol, &ENVELOPE, Headers { client: &client, server: &[("METHOD", b"GET")] }, &body);
            let request = parse(&message).unwrap();
            prop_assert_eq!(request.body, body);
            prop_assert_eq!(request.headers.len(), pairs.len() + 2);
        }

        #[test]
        fn never_panics(message in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&message);
        }
    }
}
