//! Messages as bytes, as cheaply as can be: nothing is copied, and headers are searched, not parsed.

use memchr::{memchr, memmem};
use mongrel2::wire::netstring;

/// A request, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request<'a> {
    sender: &'a [u8],
    /// The connection, as it came.
    pub(super) id: &'a [u8],
    path: &'a [u8],
    headers: &'a [u8],
    pub(super) body: &'a [u8],
}

impl<'a> Request<'a> {
    /// Takes a message apart whose headers are JSON; `None` if it is none.
    pub(super) fn parse(message: &'a [u8]) -> Option<Self> {
        let (sender, rest) = word(message)?;
        let (id, rest) = word(rest)?;
        let (path, rest) = word(rest)?;
        let (headers, rest) = netstring::parse(rest).ok()?;
        let (body, _) = netstring::parse(rest).ok()?;
        Some(Self { sender, id, path, headers, body })
    }

    /// The path behind its last slash.
    pub(super) fn last_word(&self) -> &'a [u8] {
        self.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    /// The value of a header that has nothing in it which JSON escapes; `start` is `"NAME":"`.
    pub(super) fn behind(&self, start: &[u8]) -> Option<&'a [u8]> {
        let value = &self.headers[memmem::find(self.headers, start)? + start.len()..];
        Some(&value[..memchr(b'"', value)?])
    }

    /// Makes `out` a reply to some connections, their ids with blanks between them; what they get is to be appended.
    pub(super) fn reply_to(&self, out: &mut Vec<u8>, ids: &[u8]) {
        out.clear();
        out.extend_from_slice(self.sender);
        out.push(b' ');
        netstring::render(out, ids);
        out.push(b' ');
    }
}

fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = memchr(b' ', bytes)?;
    Some((&bytes[..blank], &bytes[blank + 1..]))
}

/// Appends an unmasked WebSocket frame (RFC 6455, section 5.2); `first` has FIN and the opcode.
pub(super) fn frame(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    out.push(first);
    let size = (payload.len() as u64).to_be_bytes();
    match payload.len() {
        0..=125 => out.push(size[7]),
        126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&size[6..]);
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&size);
        }
    }
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_apart() {
        let message = br#"uuid 77 /handler/echo 35:{"METHOD":"WEBSOCKET","FLAGS":"0x"},2:hi,"#;
        let request = Request::parse(message).unwrap();
        assert_eq!((request.id, request.last_word(), request.body), (&b"77"[..], &b"echo"[..], &b"hi"[..]));
        assert_eq!(request.behind(b"\"METHOD\":\""), Some(&b"WEBSOCKET"[..]));
        assert_eq!(request.behind(b"\"QUERY\":\""), None);
        let mut out = b"old".to_vec();
        request.reply_to(&mut out, b"77 78");
        assert_eq!(out, b"uuid 5:77 78, ");
        assert_eq!(Request::parse(&message[..40]), None);
    }

    #[test]
    fn frames_have_three_sizes() {
        for (size, head) in
            [(125, &b"\x81\x7d"[..]), (126, b"\x81\x7e\0\x7e"), (0x1_0000, b"\x81\x7f\0\0\0\0\0\x01\0\0")]
        {
            let mut out = Vec::new();
            frame(&mut out, 0x81, &vec![b'x'; size]);
            assert_eq!((out.len(), &out[..head.len()]), (size + head.len(), head));
        }
    }
}
