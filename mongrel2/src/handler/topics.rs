//! What is subscribed to at a socket for replies.  Pure.

use std::collections::HashSet;

/// The prefixes that are subscribed to.
///
/// ZeroMQ tells of the first subscriber to a prefix and of the last one's leaving, so this is a set and not a count,
/// however many servers there are.
#[derive(Debug, Default)]
pub(super) struct Topics(HashSet<Vec<u8>>);

impl Topics {
    /// Takes what an XPUB socket has heard: a byte 1 or 0, then the prefix.
    pub(super) fn note(&mut self, notice: &[u8]) {
        match notice.split_first() {
            Some((1, topic)) => {
                self.0.insert(topic.to_vec());
            }
            Some((0, topic)) => {
                self.0.remove(topic);
            }
            _ => {}
        }
    }

    /// Whether somebody would get the message.
    pub(super) fn want(&self, message: &[u8]) -> bool {
        self.0.iter().any(|topic| message.starts_with(topic))
    }
}

/// The UUID that a message is for.
pub(super) fn first_word(message: &[u8]) -> String {
    let word = message.split(|byte| *byte == b' ').next().unwrap_or(message);
    String::from_utf8_lossy(word).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_come_and_go() {
        let mut topics = Topics::default();
        assert!(!topics.want(b"a 1:1, "));
        for (notice, wanted) in
            [(&b"\x01b"[..], false), (b"\x01a ", true), (b"\0a ", false), (b"\x01", true), (b"", true), (b"\x02", true)]
        {
            topics.note(notice);
            assert_eq!(topics.want(b"a 1:1, "), wanted, "{}", notice.escape_ascii());
        }
        assert_eq!((first_word(b"a 1:1, "), first_word(b"a")), ("a".to_owned(), "a".to_owned()));
    }
}
