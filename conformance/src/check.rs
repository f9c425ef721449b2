//! What a case finds beside what it wants, in words that somebody understands who hasn't read the case.

use std::fmt::{Debug, Display};
use std::io;

/// Longer ones are cut when they are told.
const MAX_SHOWN: usize = 300;

/// What comes of a case, or of a part of it.
pub type Verdict<T = ()> = Result<T, Problem>;

/// Why a case did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The promise is not kept.
    Wrong(String),
    /// The subject lacks what the case is about, and promises nothing then.
    Missing(String),
}

impl Problem {
    /// What isn't as promised.
    pub fn wrong(what: impl Display) -> Self {
        Self::Wrong(shown(&what.to_string()))
    }

    /// Says first when it was found.
    #[must_use]
    pub fn when(self, doing: impl Display) -> Self {
        match self {
            Self::Wrong(what) => Self::Wrong(format!("{doing}: {what}")),
            missing @ Self::Missing(_) => missing,
        }
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::wrong("nothing comes in time"),
            io::ErrorKind::UnexpectedEof => Self::wrong("the connection ends early"),
            _ => Self::wrong(error),
        }
    }
}

impl From<zmq::Error> for Problem {
    fn from(error: zmq::Error) -> Self {
        Self::wrong(format!("ZeroMQ: {error}"))
    }
}

/// That something is what it is wanted to be.
///
/// # Errors
/// It isn't; both are told.
pub fn equal<T: PartialEq<U> + Debug, U: Debug>(what: impl Display, found: T, wanted: U) -> Verdict {
    if found == wanted {
        return Ok(());
    }
    Err(Problem::Wrong(format!("{what} is {}, wanted {}", shown(&format!("{found:?}")), shown(&format!("{wanted:?}")))))
}

/// The same for bytes, which are told as text as far as they are.
///
/// # Errors
/// They differ.
pub fn same(what: impl Display, found: impl AsRef<[u8]>, wanted: impl AsRef<[u8]>) -> Verdict {
    if found.as_ref() == wanted.as_ref() {
        return Ok(());
    }
    Err(Problem::Wrong(format!("{what} is `{}`, wanted `{}`", escaped(found.as_ref()), escaped(wanted.as_ref()))))
}

/// That something holds.
///
/// # Errors
/// It doesn't; `else_` says what is the case instead.
pub fn holds(truth: bool, else_: impl FnOnce() -> String) -> Verdict {
    if truth { Ok(()) } else { Err(Problem::wrong(else_())) }
}

/// Bytes as text for people: quotes stay, as messages are full of them.
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'"' | b'\'' => text.push(byte.into()),
            byte => text.extend(byte.escape_ascii().map(char::from)),
        }
    }
    shown(&text)
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told() {
        assert_eq!(same("the body", "a\n", b"a\n"), Ok(()));
        let Err(Problem::Wrong(told)) = same("the body", "a\n\"", "é") else { panic!("they differ") };
        assert_eq!(told, r#"the body is `a\n"`, wanted `\xc3\xa9`"#);
    }

    #[test]
    fn what_is_long_is_cut() {
        let Err(Problem::Wrong(told)) = equal("it", "ä".repeat(1000), "") else { panic!("they differ") };
        assert!(told.len() < 700 && told.contains("… (2002 bytes)"), "{told}");
    }
}
