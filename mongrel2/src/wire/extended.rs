//! Extended replies (to be replaced).

use thiserror::Error;

use super::tnetstring::{self, TnetstringError, Value};

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extended {
    /// ctl
    Control {
        /// a
        keep_alive: bool,
        /// b
        credits: Option<u64>,
        /// c
        cancel: bool,
    },
    /// sendfile
    SendFile(Vec<u8>),
}

/// Why not.
#[derive(Debug, Error)]
pub enum ExtendedError {
    /// x
    #[error("{0}")]
    Frame(#[from] TnetstringError),
    /// y
    #[error("malformed")]
    Malformed,
}

/// Parses.
///
/// # Errors
/// x
pub fn parse(body: &[u8]) -> Result<Extended, ExtendedError> {
    let (Value::List(list), _) = tnetstring::parse(body)? else { return Err(ExtendedError::Malformed) };
    match &list[..] {
        [Value::String(name), Value::String(path)] if name == b"sendfile" => Ok(Extended::SendFile(path.clone())),
        [Value::String(name), Value::Dict(dict)] if name == b"ctl" => {
            let get = |key: &[u8]| dict.iter().find(|pair| pair.0 == key).map(|pair| &pair.1);
            let credits = match get(b"credits") {
                Some(Value::Integer(n)) => u64::try_from(*n).ok(),
                _ => None,
            };
            Ok(Extended::Control {
                keep_alive: get(b"keep-alive").is_some(),
                credits,
                cancel: get(b"cancel").is_some(),
            })
        }
        _ => Err(ExtendedError::Malformed),
    }
}
