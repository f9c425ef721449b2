//! The extensions behind a chunk's size (RFC 9112, section 7.1.1), checked byte by byte and ignored.
//!
//! `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`.  What follows the grammar in one reader
//! only is how a chunk's end is hidden, so nothing else is let through.

use super::token::{is_token_byte, is_value_byte};

/// Where in the extensions the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extension {
    /// Behind blanks that only a semicolon may follow.
    Blank,
    /// Behind a semicolon.
    Start,
    Name,
    /// Behind a name and blanks.
    NameEnd,
    /// Behind an equals sign.
    Equals,
    Token,
    Quoted,
    /// Behind a backslash in a quoted string.
    Escaped,
    /// Behind a quoted string.
    QuotedEnd,
}

impl Extension {
    /// Behind the first byte after the size.
    pub(super) fn new(byte: u8) -> Option<Self> {
        Self::Blank.after(byte)
    }

    /// Behind one more byte; nothing if it can't be there.
    pub(super) fn after(self, byte: u8) -> Option<Self> {
        let is_blank = byte == b' ' || byte == b'\t';
        Some(match self {
            Self::Quoted if byte == b'"' => Self::QuotedEnd,
            Self::Quoted if byte == b'\\' => Self::Escaped,
            Self::Quoted | Self::Escaped if is_value_byte(byte) => Self::Quoted,
            Self::Quoted | Self::Escaped => return None,
            Self::Start | Self::Name if is_token_byte(byte) => Self::Name,
            Self::Equals | Self::Token if is_token_byte(byte) => Self::Token,
            Self::Equals if byte == b'"' => Self::Quoted,
            Self::Start | Self::Equals if is_blank => self,
            Self::Start | Self::Equals => return None,
            Self::Name | Self::NameEnd if byte == b'=' => Self::Equals,
            Self::Name | Self::NameEnd if is_blank => Self::NameEnd,
            _ if byte == b';' => Self::Start,
            _ if is_blank => Self::Blank,
            _ => return None,
        })
    }

    /// Whether the line may end here: blanks are only for what follows them.
    pub(super) fn may_end(self) -> bool {
        matches!(self, Self::Name | Self::Token | Self::QuotedEnd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions() {
        let is_valid =
            |text: &str| text.bytes().try_fold(Extension::Blank, Extension::after).is_some_and(Extension::may_end);
        for text in [";a", ";a=b", " ; a\t= b", ";a;b=c", ";a=\"b;c\\\"\" ;d", ";a=\"\"", ";a=\"ä\""] {
            assert!(is_valid(text), "{text:?}");
        }
        for text in [
            "",
            " ",
            ";",
            ";;",
            ";a;",
            ";a=",
            ";=b",
            ";a b",
            ";a=b c",
            ";a=\"b",
            ";a=\"b\"c",
            "x",
            ";a=\"\r\"",
            ";a=\"\\\n\"",
            ";a ",
            ";a\0",
            ";\u{b}a",
            ";a=b\"c\"",
        ] {
            assert!(!is_valid(text), "{text:?}");
        }
    }
}
