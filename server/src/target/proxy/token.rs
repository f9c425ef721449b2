//! What a client proves its pinned session with: 128 random bits.
//!
//! Whoever has it, has the session: it is in a cookie and in memory, and never in a log or an answer to operators.

use std::fmt;

/// How many characters the text has.
const LENGTH: usize = 32;

/// The secret of a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token(u128);

impl Token {
    /// A new one.
    pub(crate) fn random() -> Self {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).expect("the start of the server has drawn random numbers");
        Self(u128::from_le_bytes(bits))
    }

    /// Reads the [`text`](Self::text) of a token.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() == LENGTH)?;
        text.as_bytes().iter().all(is_digit).then(|| u128::from_str_radix(text, 16).ok().map(Self))?
    }

    /// 32 hexadecimal digits.
    pub(crate) fn text(&self) -> String {
        format!("{:0LENGTH$x}", self.0)
    }

    /// One of `count` places, the same for each copy.
    pub(crate) fn place(&self, count: usize) -> usize {
        self.0 as usize % count
    }
}

/// What may be shown.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts() {
        let zeros = "0".repeat(32);
        let long = "a".repeat(33);
        for (text, expected) in [
            (zeros.as_str(), Some(Token(0))),
            ("000000000000000000000000000000ff", Some(Token(255))),
            ("", None),
            ("ff", None),
            (long.as_str(), None),
            ("+0000000000000000000000000000001", None),
            ("000000000000000000000000000000FF", None),
            ("0000000000000000000000000000000g", None),
            ("000000000000000000000000000000\u{e4}", None),
        ] {
            assert_eq!(Token::parse(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn each_is_another_and_none_is_shown() {
        let tokens: HashSet<Token> = (0..1000).map(|_| Token::random()).collect();
        assert_eq!(tokens.len(), 1000);
        let token = Token(0x1234_5678_9abc_def0);
        assert!(!format!("{token:?}").contains("1234"));
    }

    proptest! {
        #[test]
        fn there_and_back(bits in any::<u128>()) {
            let text = Token(bits).text();
            prop_assert_eq!(text.len(), LENGTH);
            prop_assert_eq!(Token::parse(text.as_bytes()), Some(Token(bits)));
        }

        #[test]
        fn never_panics(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Token::parse(&text);
        }
    }
}
