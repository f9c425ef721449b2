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
    Err(Problem::Wrong(format!("{what} is {}, wanted {}", plain(&format!("{found:?}")), plain(&format!("{wanted:?}")))))
}

/// Nobody who reads it needs to know of `Option`.
fn plain(text: &str) -> String {
    let inner = text.strip_prefix("Some(").and_then(|text| text.strip_suffix(')'));
    shown(if text == "None" { "missing" } else { inner.unwrap_or(text) })
}

/// The same for bytes, which are told as text as far as they are.
///
/// # Errors
/// They differ.
pub fn same(what: impl Display, found: impl AsRef<[u8]>, wanted: impl AsRef<[u8]>) -> Verdict {
    let (found, wanted) = (found.as_ref(), wanted.as_ref());
    if found == wanted {
        return Ok(());
    }
    if found.len().max(wanted.len()) <= MAX_SHOWN {
        return Err(Problem::Wrong(format!("{what} is `{}`, wanted `{}`", escaped(found), escaped(wanted))));
    }
    let place = found.iter().zip(wanted).take_while(|(found, wanted)| found == wanted).count();
    let there = |bytes: &[u8]| {
        let part = &bytes[place..];
        if part.is_empty() { "its end".to_owned() } else { format!("`{}`", escaped(&part[..part.len().min(40)])) }
    };
    Err(Problem::Wrong(format!(
        "{what} has {} bytes, wanted {}; at byte {place} is {}, wanted {}",
        found.len(),
        wanted.len(),
        there(found),
        there(wanted)
    )))
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
    fn what_is_long_is_told_where_it_differs() {
        let told = |found: &str, wanted: &str| same("it", found, wanted).unwrap_err();
        let long = "x".repeat(1000);
        let differs = Problem::Wrong("it has 1001 bytes, wanted 1002; at byte 1000 is `a`, wanted `bc`".into());
        assert_eq!(told(&format!("{long}a"), &format!("{long}bc")), differs);
        let short = Problem::Wrong("it has 1000 bytes, wanted 1001; at byte 1000 is its end, wanted `a`".into());
        assert_eq!(told(&long, &format!("{long}a")), short);
    }

    #[test]
    fn what_may_be_missing_is_told_plainly() {
        let Err(Problem::Wrong(told)) = equal("`QUERY`", Some("a"), None::<&str>) else { panic!("they differ") };
        assert_eq!(told, "`QUERY` is \"a\", wanted missing");
    }

    #[test]
    fn what_is_long_is_cut() {
        let Err(Problem::Wrong(told)) = equal("it", "ä".repeat(1000), "") else { panic!("they differ") };
        assert!(told.len() < 700 && told.contains("… (2002 bytes)"), "{told}");
    }
}
