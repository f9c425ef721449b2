//! Extended replies: what a handler tells the server instead of its clients (the id list starts with `X`).
//!
//! The body of such a reply is a tnetstring list of exactly a name and its data.

use thiserror::Error;

use super::tnetstring::{self, TnetstringError, Value};

const CONTROL: &[u8] = b"ctl";
const SEND_FILE: &[u8] = b"sendfile";

/// What the server is told to do with connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extended {
    /// `ctl`, with a dictionary.  Keys that aren't known are ignored.
    Control {
        /// `keep-alive`, with any value: the connection is alive, however quiet it is.
        keep_alive: bool,
        /// `credits`: so many more bytes of a streamed upload may come.
        credits: Option<u64>,
        /// `cancel`, with any value: the connection is dropped at once, and nobody is told.
        cancel: bool,
    },
    /// `sendfile`, with a path, which is any bytes: the bytes of that file are sent.
    SendFile(Vec<u8>),
}

/// Why a body is no extended reply; fits after "cannot use a reply:".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExtendedError {
    /// The body is no tnetstring.
    #[error("its body is not a tnetstring: {0}")]
    Tnetstring(#[from] TnetstringError),
    /// The body is another tnetstring, or more than one.
    #[error("its body is not a list of exactly a name and its data")]
    Shape,
    /// The name is not known; its first bytes.
    #[error("there is no extended reply `{}`", .0.escape_ascii())]
    Name(Vec<u8>),
    /// The data of `ctl` is no dictionary.
    #[error("the data of `ctl` is not a dictionary")]
    Control,
    /// `credits` is no number of bytes.
    #[error("the `credits` of `ctl` are not an integer from 0 on")]
    Credits,
    /// The data of `sendfile` is no string.
    #[error("the path of `sendfile` is not a string")]
    Path,
}

/// Appends the body of an extended reply.
pub fn render(out: &mut Vec<u8>, extended: &Extended) {
    let (name, data) = match extended {
        Extended::Control { keep_alive, credits, cancel } => (CONTROL, control_data(*keep_alive, *credits, *cancel)),
        Extended::SendFile(path) => (SEND_FILE, Value::String(path.clone())),
    };
    tnetstring::render(out, &Value::List(vec![Value::String(name.to_vec()), data]));
}

fn control_data(keep_alive: bool, credits: Option<u64>, cancel: bool) -> Value {
    // A tnetstring's integers end where more credits than that mean no limit anyway.
    let credits = credits.map(|credits| Value::Integer(i64::try_from(credits).unwrap_or(i64::MAX)));
    let pairs = [
        ("keep-alive", keep_alive.then_some(Value::Bool(true))),
        ("credits", credits),
        ("cancel", cancel.then_some(Value::Bool(true))),
    ];
    Value::Dict(pairs.into_iter().filter_map(|(key, value)| Some((key.as_bytes().to_vec(), value?))).collect())
}

/// Parses the body of an extended reply.
///
/// # Errors
/// What is wrong with the body; nothing of it may be used.
pub fn parse(body: &[u8]) -> Result<Extended, ExtendedError> {
    let (Value::List(list), []) = tnetstring::parse(body)? else {
        return Err(ExtendedError::Shape);
    };
    let Ok([Value::String(name), data]) = <[Value; 2]>::try_from(list) else {
        return Err(ExtendedError::Shape);
    };
    match (&name[..], data) {
        (CONTROL, Value::Dict(pairs)) => parse_control(&pairs),
        (CONTROL, _) => Err(ExtendedError::Control),
        (SEND_FILE, Value::String(path)) => Ok(Extended::SendFile(path)),
        (SEND_FILE, _) => Err(ExtendedError::Path),
        _ => Err(ExtendedError::Name(name[..name.len().min(24)].to_vec())),
    }
}

/// Reads the dictionary of `ctl`; a key that comes twice counts as it came last.
fn parse_control(pairs: &[(Vec<u8>, Value)]) -> Result<Extended, ExtendedError> {
    let value = |key: &[u8]| pairs.iter().rev().find(|pair| pair.0 == key).map(|pair| &pair.1);
    let credits = match value(b"credits") {
        None => None,
        Some(Value::Integer(credits)) => Some(u64::try_from(*credits).map_err(|_| ExtendedError::Credits)?),
        Some(_) => return Err(ExtendedError::Credits),
    };
    let (keep_alive, cancel) = (value(b"keep-alive").is_some(), value(b"cancel").is_some());
    Ok(Extended::Control { keep_alive, credits, cancel })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::netstring::NetstringError;

    fn control(keep_alive: bool, credits: Option<u64>, cancel: bool) -> Extended {
        Extended::Control { keep_alive, credits, cancel }
    }

    #[test]
    fn parsed() {
        for (body, expected) in [
            ("9:3:ctl,0:}]", control(false, None, false)),
            ("27:3:ctl,17:10:keep-alive,0:,}]", control(true, None, false)),
            ("27:3:ctl,17:10:keep-alive,0:~}]", control(true, None, false)),
            ("32:3:ctl,22:10:keep-alive,5:false!}]", control(true, None, false)),
            ("26:3:ctl,16:7:credits,3:100#}]", control(false, Some(100), false)),
            ("24:3:ctl,14:7:credits,1:0#}]", control(false, Some(0), false)),
            ("43:3:ctl,33:7:credits,19:9223372036854775807#}]", control(false, Some(i64::MAX as u64), false)),
            ("22:3:ctl,12:6:cancel,0:,}]", control(false, None, true)),
            ("35:3:ctl,25:7:unknown,0:~6:cancel,0:,}]", control(false, None, true)),
            ("38:3:ctl,28:7:credits,1:1#7:credits,1:2#}]", control(false, Some(2), false)),
            ("20:8:sendfile,6:/a/b c,]", Extended::SendFile(b"/a/b c".to_vec())),
            ("14:8:sendfile,0:,]", Extended::SendFile(vec![])),
        ] {
            assert_eq!(parse(body.as_bytes()), Ok(expected), "{body}");
        }
    }

    #[test]
    fn faults() {
        for (body, expected) in [
            ("", ExtendedError::Tnetstring(NetstringError::Size.into())),
            ("9:3:ctl,0:}", ExtendedError::Tnetstring(NetstringError::Short.into())),
            ("9:3:ctl,0:}?", ExtendedError::Tnetstring(TnetstringError::Type(b'?'))),
            ("3:ctl,", ExtendedError::Shape),
            ("9:3:ctl,0:}}", ExtendedError::Shape),
            ("0:]", ExtendedError::Shape),
            ("6:3:ctl,]", ExtendedError::Shape),
            ("12:3:ctl,0:}0:~]", ExtendedError::Shape),
            ("18:3:ctl,0:}3:ctl,0:}]", ExtendedError::Shape),
            ("9:3:ctl,0:}]9:3:ctl,0:}]", ExtendedError::Shape),
            ("9:3:ctl,0:}]\n", ExtendedError::Shape),
            ("7:1:1#0:}]", ExtendedError::Shape),
            ("9:3:CTL,0:}]", ExtendedError::Name(b"CTL".to_vec())),
            ("6:0:,0:}]", ExtendedError::Name(vec![])),
            ("9:3:ctl,0:]]", ExtendedError::Control),
            ("9:3:ctl,0:,]", ExtendedError::Control),
            ("25:3:ctl,15:7:credits,2:-1#}]", ExtendedError::Credits),
            ("25:3:ctl,15:7:credits,2:12,}]", ExtendedError::Credits),
            ("26:3:ctl,16:7:credits,3:1.5^}]", ExtendedError::Credits),
            ("14:8:sendfile,0:}]", ExtendedError::Path),
            ("15:8:sendfile,1:1#]", ExtendedError::Path),
        ] {
            assert_eq!(parse(body.as_bytes()), Err(expected), "{body}");
        }
    }

    #[test]
    fn errors_are_short() {
        let name = "x".repeat(1000);
        let mut body = Vec::new();
        tnetstring::render(&mut body, &Value::List(vec![Value::from(name.as_str()), Value::Null]));
        assert_eq!(parse(&body).unwrap_err().to_string(), format!("there is no extended reply `{}`", &name[..24]));
    }

    proptest! {
        #[test]
        fn there_and_back(extended in prop_oneof![
            (any::<bool>(), prop::option::of(0..=i64::MAX as u64), any::<bool>())
                .prop_map(|(keep_alive, credits, cancel)| control(keep_alive, credits, cancel)),
            any::<Vec<u8>>().prop_map(Extended::SendFile),
        ]) {
            let mut body = Vec::new();
            render(&mut body, &extended);
            prop_assert_eq!(parse(&body), Ok(extended));
        }

        #[test]
        fn never_panics(body in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse(&body);
        }

        #[test]
        fn one_wrong_byte_never_panics(
            credits in prop::option::of(any::<u64>()), place: prop::sample::Index, byte: u8,
        ) {
            let mut body = Vec::new();
            render(&mut body, &control(true, credits, true));
            let place = place.index(body.len());
            body[place] = byte;
            let _ = parse(&body);
        }
    }
}
