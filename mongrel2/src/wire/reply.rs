//! What a handler sends: `UUID SIZE:ID ID ID, BODY` (the manual, section 5.3).

use thiserror::Error;

use super::extended::{self, Extended};
use super::netstring::{self, NetstringError};

/// A reply message, split but not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The first word: the UUID of the server that the reply is for.
    pub sender: &'a [u8],
    /// Whether the body is for the server, an [extended](mod@extended) reply, and not bytes for the clients (the
    /// id list starts with `X`).
    pub extended: bool,
    /// The connections it is for.
    pub ids: Vec<u64>,
    /// What they get.  Empty: close them.
    pub body: &'a [u8],
}

/// Why a message is no reply; fits after "cannot use a reply:".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplyError {
    /// No blank ends the first word.
    #[error("it has no blank behind the UUID")]
    Sender,
    /// The id list is no netstring.
    #[error("its id list is not a netstring: {0}")]
    Frame(#[from] NetstringError),
    /// An id is no decimal number.
    #[error("`{}` is not a connection id", .0.escape_ascii())]
    Id(Vec<u8>),
    /// The id list is empty.
    #[error("its id list is empty")]
    NoIds,
    /// There are more ids than the limit.
    #[error("it has more than {0} ids (limits.handler_targets)")]
    TooManyIds(usize),
    /// No blank stands between the id list and the body.
    #[error("it has no blank before its body")]
    Body,
}

/// Appends a reply for `ids`.
pub fn render(out: &mut Vec<u8>, sender: &[u8], ids: &[u64], body: &[u8]) {
    frame(out, sender, &list(ids), body);
}

/// Appends an extended reply about `ids`.
pub fn render_extended(out: &mut Vec<u8>, sender: &[u8], ids: &[u64], extended: &Extended) {
    let mut body = Vec::new();
    extended::render(&mut body, extended);
    frame(out, sender, &[b"X ", &list(ids)[..]].concat(), &body);
}

fn list(ids: &[u64]) -> Vec<u8> {
    let mut list = Vec::with_capacity(ids.len() * 11);
    for (index, id) in ids.iter().enumerate() {
        if index > 0 {
            list.push(b' ');
        }
        netstring::number(&mut list, *id);
    }
    list
}

fn frame(out: &mut Vec<u8>, sender: &[u8], list: &[u8], body: &[u8]) {
    out.reserve(sender.len() + list.len() + body.len() + 16);
    out.extend_from_slice(sender);
    out.push(b' ');
    netstring::render(out, list);
    out.push(b' ');
    out.extend_from_slice(body);
}

/// Splits a reply with at most `max_ids` ids.
///
/// The blank before an empty body may be missing.
///
/// # Errors
/// What is wrong with the message.
pub fn parse(message: &[u8], max_ids: usize) -> Result<Reply<'_>, ReplyError> {
    let blank = message.iter().position(|byte| *byte == b' ').ok_or(ReplyError::Sender)?;
    let (list, rest) = netstring::parse(&message[blank + 1..])?;
    let body = match rest.split_first() {
        Some((b' ', body)) => body,
        None => rest,
        Some(_) => return Err(ReplyError::Body),
    };
    let mut words = list.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).peekable();
    let extended = words.next_if_eq(&&b"X"[..]).is_some();
    let mut ids = Vec::new();
    for word in words {
        if ids.len() == max_ids {
            return Err(ReplyError::TooManyIds(max_ids));
        }
        ids.push(id(word)?);
    }
    if ids.is_empty() {
        return Err(ReplyError::NoIds);
    }
    Ok(Reply { sender: &message[..blank], extended, ids, body })
}

fn id(word: &[u8]) -> Result<u64, ReplyError> {
    let fault = || ReplyError::Id(word[..word.len().min(24)].to_vec());
    if !word.iter().all(u8::is_ascii_digit) {
        return Err(fault());
    }
    std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()).ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shapes() {
        let reply = parse(b"uuid 5:1 2 3, hello", 128).unwrap();
        assert_eq!(reply, Reply { sender: b"uuid", extended: false, ids: vec![1, 2, 3], body: b"hello" });
        assert!(parse(b"uuid 1:7, ", 128).unwrap().body.is_empty());
        assert!(parse(b"uuid 1:7,", 128).unwrap().body.is_empty());
        assert!(parse(b"uuid 3:X 7, 2:ab,", 128).unwrap().extended);
        assert_eq!(parse(b" 1:7, x", 128).unwrap().sender, b"");
    }

    #[test]
    fn extended() {
        let mut message = Vec::new();
        render_extended(&mut message, b"uuid", &[7, 10], &Extended::SendFile(b"a".to_vec()));
        assert_eq!(message, b"uuid 6:X 7 10, 15:8:sendfile,1:a,]");
        let reply = parse(&message, 128).unwrap();
        assert_eq!((reply.extended, reply.ids), (true, vec![7, 10]));
        assert_eq!(extended::parse(reply.body), Ok(Extended::SendFile(b"a".to_vec())));
    }

    #[test]
    fn faults() {
        for (message, expected) in [
            (&b""[..], ReplyError::Sender),
            (b"uuid", ReplyError::Sender),
            (b"uuid 1:7", ReplyError::Frame(NetstringError::Short)),
            (b"uuid x:7, a", ReplyError::Frame(NetstringError::Size)),
            (b"uuid 0:, a", ReplyError::NoIds),
            (b"uuid 1:X, a", ReplyError::NoIds),
            (b"uuid 1:7,a", ReplyError::Body),
            (b"uuid 2:-7, a", ReplyError::Id(b"-7".to_vec())),
            (b"uuid 21:999999999999999999999, a", ReplyError::Id(b"999999999999999999999".to_vec())),
            (b"uuid 7:1 2 3 4, a", ReplyError::TooManyIds(3)),
        ] {
            assert_eq!(parse(message, 3), Err(expected), "{}", message.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn there_and_back(ids in prop::collection::vec(any::<u64>(), 1..128), body in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut message = Vec::new();
            render(&mut message, b"f400bf85", &ids, &body);
            let reply = parse(&message, 128).unwrap();
            prop_assert_eq!((reply.ids, reply.body, reply.extended), (ids, &body[..], false));
        }

        #[test]
        fn never_panics(message in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse(&message, 128);
        }
    }
}
