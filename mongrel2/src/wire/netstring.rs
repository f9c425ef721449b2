//! Netstrings: `SIZE:DATA,` with the size in decimal.

use thiserror::Error;

/// Why bytes are no netstring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NetstringError {
    /// The size is missing, has other bytes than digits in it, or is longer than nine digits.
    #[error("its size is not a number of at most nine digits")]
    Size,
    /// There are fewer bytes than the size says.
    #[error("it is shorter than its size says")]
    Short,
    /// Another byte stands where the closing one belongs.
    #[error("it does not end where its size says")]
    End,
}

/// Appends `data` as a netstring.
pub fn render(out: &mut Vec<u8>, data: &[u8]) {
    render_closed_by(out, data, b',');
}

/// Appends `SIZE:DATA` and a closing byte, which tells the type in a tnetstring.
pub(super) fn render_closed_by(out: &mut Vec<u8>, data: &[u8], close: u8) {
    number(out, data.len() as u64);
    out.push(b':');
    out.extend_from_slice(data);
    out.push(close);
}

/// Appends a number in decimal.
pub(super) fn number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut rest = number;
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Splits the netstring off the front of `bytes`: its data, and what follows it.
///
/// # Errors
/// What is wrong with it; nothing is guessed.
pub fn parse(bytes: &[u8]) -> Result<(&[u8], &[u8]), NetstringError> {
    let (data, close, rest) = parse_closed(bytes)?;
    if close == b',' { Ok((data, rest)) } else { Err(NetstringError::End) }
}

/// Splits `SIZE:DATA` and its closing byte off the front of `bytes`.
pub(super) fn parse_closed(bytes: &[u8]) -> Result<(&[u8], u8, &[u8]), NetstringError> {
    let digits = bytes.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 9 || bytes.get(digits) != Some(&b':') {
        return Err(NetstringError::Size);
    }
    let size = bytes[..digits].iter().fold(0, |size, digit| size * 10 + usize::from(digit - b'0'));
    let rest = &bytes[digits + 1..];
    match rest.get(size) {
        Some(close) => Ok((&rest[..size], *close, &rest[size + 1..])),
        None => Err(NetstringError::Short),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn faults() {
        for (bytes, expected) in [
            (&b""[..], NetstringError::Size),
            (b":,", NetstringError::Size),
            (b"x:,", NetstringError::Size),
            (b"-1:,", NetstringError::Size),
            (b"+1:a,", NetstringError::Size),
            (b"0x1:a,", NetstringError::Size),
            (b"3", NetstringError::Size),
            (b"9999999999:a,", NetstringError::Size),
            (b"3:ab", NetstringError::Short),
            (b"3:abc", NetstringError::Short),
            (b"999999999:abc,", NetstringError::Short),
            (b"3:abcd", NetstringError::End),
        ] {
            assert_eq!(parse(bytes), Err(expected), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn numbers() {
        for value in [0, 1, 9, 10, 4_294_967_296, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
        }
    }

    proptest! {
        #[test]
        fn there_and_back(data in prop::collection::vec(any::<u8>(), 0..200), rest in prop::collection::vec(any::<u8>(), 0..20)) {
            let mut bytes = Vec::new();
            render(&mut bytes, &data);
            bytes.extend_from_slice(&rest);
            prop_assert_eq!(parse(&bytes), Ok((&data[..], &rest[..])));
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(&bytes);
        }
    }
}
