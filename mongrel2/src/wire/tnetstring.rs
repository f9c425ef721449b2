//! Typed netstrings: `SIZE:DATA` and a byte that tells the type.
//!
//! | byte | type |
//! | --- | --- |
//! | `,` | string |
//! | `#` | integer |
//! | `^` | floating-point number |
//! | `!` | `true` or `false` |
//! | `~` | null, with no data |
//! | `]` | list: its elements one after the other |
//! | `}` | dictionary: key, value, key, value; keys are strings |

use thiserror::Error;

use super::netstring::{self, NetstringError, render_closed_by};

/// How deep lists and dictionaries may nest.
const MAX_DEPTH: usize = 32;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any bytes.
    String(Vec<u8>),
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Nothing.
    Null,
    /// Values in order.
    List(Vec<Value>),
    /// Values by name, in the order in which they came.
    Dict(Vec<(Vec<u8>, Value)>),
}

/// Why bytes are no tnetstring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TnetstringError {
    /// Its frame is wrong.
    #[error(transparent)]
    Frame(#[from] NetstringError),
    /// Its last byte names no type.
    #[error("`{}` is not a type of tnetstring", .0.escape_ascii())]
    Type(u8),
    /// Its data doesn't fit its type.
    #[error("its data does not fit its type `{}`", .0.escape_ascii())]
    Data(u8),
    /// A key of a dictionary is no string.
    #[error("a key of a dictionary is not a string")]
    Key,
    /// It nests too deep.
    #[error("it nests deeper than {MAX_DEPTH}")]
    Depth,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.as_bytes().to_vec())
    }
}

impl From<u64> for Value {
    /// A number that is too large for an [`Integer`](Self::Integer) becomes the largest one.
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// Appends a value.
pub fn render(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(data) => string(out, data),
        Value::Integer(number) => render_closed_by(out, number.to_string().as_bytes(), b'#'),
        Value::Float(number) => render_closed_by(out, number.to_string().as_bytes(), b'^'),
        Value::Bool(truth) => render_closed_by(out, truth.to_string().as_bytes(), b'!'),
        Value::Null => out.extend_from_slice(b"0:~"),
        Value::List(values) => {
            let mut inner = Vec::new();
            values.iter().for_each(|value| render(&mut inner, value));
            render_closed_by(out, &inner, b']');
        }
        Value::Dict(pairs) => {
            let mut inner = Vec::new();
            for (key, value) in pairs {
                string(&mut inner, key);
                render(&mut inner, value);
            }
            render_closed_by(out, &inner, b'}');
        }
    }
}

/// Appends a string.
pub fn string(out: &mut Vec<u8>, data: &[u8]) {
    netstring::render(out, data);
}

/// Appends an integer that isn't negative.
pub fn integer(out: &mut Vec<u8>, value: u64) {
    let mut digits = Vec::with_capacity(20);
    netstring::number(&mut digits, value);
    render_closed_by(out, &digits, b'#');
}

/// Splits the value off the front of `bytes`, and what follows it.
///
/// # Errors
/// What is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<(Value, &[u8]), TnetstringError> {
    parse_at(bytes, 0)
}

fn parse_at(bytes: &[u8], depth: usize) -> Result<(Value, &[u8]), TnetstringError> {
    if depth > MAX_DEPTH {
        return Err(TnetstringError::Depth);
    }
    let (data, kind, rest) = netstring::parse_closed(bytes)?;
    let text = || std::str::from_utf8(data).map_err(|_| TnetstringError::Data(kind));
    let value = match kind {
        b',' => Value::String(data.to_vec()),
        b'#' => Value::Integer(text()?.parse().map_err(|_| TnetstringError::Data(kind))?),
        b'^' => Value::Float(text()?.parse().map_err(|_| TnetstringError::Data(kind))?),
        b'!' => Value::Bool(text()?.parse().map_err(|_| TnetstringError::Data(kind))?),
        b'~' if data.is_empty() => Value::Null,
        b'~' => return Err(TnetstringError::Data(kind)),
        b']' => Value::List(list(data, depth)?),
        b'}' => Value::Dict(dict(data, depth)?),
        other => return Err(TnetstringError::Type(other)),
    };
    Ok((value, rest))
}

fn list(mut data: &[u8], depth: usize) -> Result<Vec<Value>, TnetstringError> {
    let mut values = Vec::new();
    while !data.is_empty() {
        let (value, rest) = parse_at(data, depth + 1)?;
        values.push(value);
        data = rest;
    }
    Ok(values)
}

fn dict(mut data: &[u8], depth: usize) -> Result<Vec<(Vec<u8>, Value)>, TnetstringError> {
    let mut pairs = Vec::new();
    while !data.is_empty() {
        let (key, rest) = parse_at(data, depth + 1)?;
        let Value::String(key) = key else {
            return Err(TnetstringError::Key);
        };
        let (value, rest) = parse_at(rest, depth + 1)?;
        pairs.push((key, value));
        data = rest;
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn faults() {
        for (bytes, expected) in [
            (&b"3:abc"[..], TnetstringError::Frame(NetstringError::Short)),
            (b"3:abc?", TnetstringError::Type(b'?')),
            (b"3:abc#", TnetstringError::Data(b'#')),
            (b"1:x~", TnetstringError::Data(b'~')),
            (b"3:yes!", TnetstringError::Data(b'!')),
            (b"8:1:1#1:a,}", TnetstringError::Key),
        ] {
            assert_eq!(parse(bytes).map(|(value, _)| value), Err(expected), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn depth_is_bounded() {
        let mut bytes = b"0:]".to_vec();
        for _ in 0..1000 {
            let mut outer = Vec::new();
            render_closed_by(&mut outer, &bytes, b']');
            bytes = outer;
        }
        assert_eq!(parse(&bytes), Err(TnetstringError::Depth));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..12).prop_map(Value::String),
            any::<i64>().prop_map(Value::Integer),
            (-1e12..1e12).prop_map(Value::Float),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
                prop::collection::vec((prop::collection::vec(any::<u8>(), 0..6), inner), 0..6).prop_map(Value::Dict),
            ]
        })
    }

    proptest! {
        #[test]
        fn there_and_back(value in values()) {
            let mut bytes = Vec::new();
            render(&mut bytes, &value);
            prop_assert_eq!(parse(&bytes), Ok((value, &[][..])));
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse(&bytes);
        }
    }
}
