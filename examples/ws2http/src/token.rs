//! The secret that backends show to the bridge, and the bridge to backends.  It is never logged.

use std::fmt;

use http::HeaderValue;
use subtle::ConstantTimeEq as _;
use thiserror::Error;

/// How many characters can't be guessed.
const SHORTEST: usize = 16;

/// A token.
#[derive(Clone)]
pub(crate) struct Token(HeaderValue);

/// Why a text is no token; fits after "cannot use the token:".
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum TokenError {
    /// It could be guessed.
    #[error("it has fewer than {SHORTEST} characters")]
    Short,
    /// A header can't have it.
    #[error("it has other characters than letters, digits and signs of ASCII")]
    Characters,
}

impl Token {
    /// Reads a token; white space around it, such as the end of a line, is no part of it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.len() < SHORTEST {
            return Err(TokenError::Short);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Characters);
        }
        let mut value = HeaderValue::try_from(format!("Bearer {text}")).map_err(|_| TokenError::Characters)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// The value of an `Authorization` that shows it.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Whether an `Authorization` shows it; how long the answer takes tells nothing about it but its length.
    pub(crate) fn is_shown(&self, shown: Option<&HeaderValue>) -> bool {
        shown.is_some_and(|shown| shown.as_bytes().ct_eq(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_is_shown() {
        let token = Token::parse("0123456789abcdef\n").unwrap();
        let is_shown = |value: &str| token.is_shown(Some(&HeaderValue::try_from(value).unwrap()));
        assert!(is_shown("Bearer 0123456789abcdef"));
        for wrong in ["", "Bearer", "Bearer 0123456789abcdeF", "bearer 0123456789abcdef", "0123456789abcdef"] {
            assert!(!is_shown(wrong), "{wrong}");
        }
        assert!(!token.is_shown(None));
        assert!(!format!("{token:?} {:?}", token.header()).contains("0123"));
    }

    #[test]
    fn what_is_no_token() {
        assert_eq!(Token::parse("  short \n").err(), Some(TokenError::Short));
        assert_eq!(Token::parse("0123456789 abcdef").err(), Some(TokenError::Characters));
        assert_eq!(Token::parse("0123456789abcdé").err(), Some(TokenError::Characters));
        assert_eq!(Token::parse("0123456789\r\nabcdef").err(), Some(TokenError::Characters));
    }
}
