//! The characters of tokens and of field values (RFC 9110, sections 5.5 and 5.6.2).

/// Whether a byte may be in a token.
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

/// Whether a byte may be in a field value: what is visible, blanks and tabs, and bytes above 127.
pub(super) const fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether there is a token and nothing else.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_token_byte)
}

/// Whether a comma-separated list has an element, in any case.
pub(crate) fn has_token(list: &[u8], token: &[u8]) -> bool {
    elements(list).any(|element| element.eq_ignore_ascii_case(token))
}

/// The elements of a comma-separated list (RFC 9110, section 5.6.1), empty ones included.
pub(crate) fn elements(list: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Plain digits only (RFC 9110, section 8.6), and a number that fits 63 bits.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    (number <= i64::MAX as u64).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        for (text, expected) in [
            ("GET", true),
            ("get-x.y~1", true),
            ("", false),
            ("a b", false),
            ("a:", false),
            ("ä", false),
            ("\0", false),
        ] {
            assert_eq!(is_token(text.as_bytes()), expected, "{text:?}");
        }
        assert!(has_token(b"a,, Close ,b", b"close") && !has_token(b"closed, a close", b"close"));
    }

    #[test]
    fn decimals() {
        for (text, expected) in [("0", Some(0)), ("007", Some(7)), ("9223372036854775807", Some(i64::MAX as u64))] {
            assert_eq!(decimal(text.as_bytes()), expected, "{text}");
        }
        for text in ["", "-1", "+1", "1 ", "0x1", "1e3", "1,1", "9223372036854775808", "00000000000000000001", "١"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
    }
}
