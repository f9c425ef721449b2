//! What a backend wants to be sent, out of the form that it has POSTed.  Pure.
//!
//! Whatever isn't understood is refused as a whole: a misspelt `except` would otherwise reach those that it excepts.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use mongrel2::app::Message;
use mongrel2::wire::websocket::may_close_with;
use percent_encoding::percent_decode;
use thiserror::Error;

use crate::id::Id;

/// The longest message, in bytes.
pub(crate) const LONGEST: usize = 1024 * 1024;

/// The longest reason of a close, in bytes (RFC 6455, section 5.5).
const LONGEST_REASON: usize = 123;

/// An order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Who is meant.
    pub(crate) to: To,
    /// What they get.
    pub(crate) letter: Letter,
}

/// Who is meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// One.
    One(Id),
    /// All that have this URI, but for some.
    All { uri: String, except: HashSet<Id> },
}

/// What a socket gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Letter {
    /// A text.
    Text(Arc<str>),
    /// Bytes.
    Binary(Bytes),
    /// Its end, with a code and a reason.
    Close { code: u16, reason: Arc<str> },
}

/// Why a form is no order.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum OrderError {
    /// A field that there isn't, or not with this verb.
    #[error("there is no field `{0}` here")]
    Unknown(String),
    /// A field that came more than once.
    #[error("`{0}` came more than once")]
    Twice(&'static str),
    /// Nobody is meant, or two kinds.
    #[error("either `id` or `uri` says who is meant")]
    Whom,
    /// `except` without a `uri`.
    #[error("`except` is for `uri` only")]
    Except,
    /// Not what we call a socket.
    #[error("`{0}` is not 32 hexadecimal digits")]
    Id(&'static str),
    /// A word that the field doesn't take.
    #[error("`{0}` can't be that")]
    Word(&'static str),
    /// A message without `data`, which may be empty.
    #[error("a message has `data`")]
    NoData,
    /// A text has to be UTF-8.
    #[error("`{0}` is not UTF-8")]
    Text(&'static str),
    /// A question for those that have a URI has nothing else.
    #[error("the query is `uri=` and a URI")]
    Query,
    /// Too much for a socket.
    #[error("`data` has more than {LONGEST} bytes")]
    Long,
}

/// The fields of a form, as they came.
#[derive(Debug, Default)]
struct Fields<'a> {
    id: Option<Cow<'a, [u8]>>,
    uri: Option<Cow<'a, [u8]>>,
    except: Vec<Cow<'a, [u8]>>,
    verb: Option<Cow<'a, [u8]>>,
    kind: Option<Cow<'a, [u8]>>,
    data: Option<Cow<'a, [u8]>>,
    code: Option<Cow<'a, [u8]>>,
    reason: Option<Cow<'a, [u8]>>,
}

impl Order {
    /// Reads a form.
    ///
    /// # Errors
    /// What can't be understood.
    pub(crate) fn parse(form: &[u8]) -> Result<Self, OrderError> {
        let mut fields = Fields::parse(form)?;
        let letter = match fields.verb.take().as_deref() {
            None | Some(b"message") => fields.message()?,
            Some(b"close") => fields.close()?,
            Some(_) => return Err(OrderError::Word("verb")),
        };
        Ok(Self { to: fields.to()?, letter })
    }
}

impl<'a> Fields<'a> {
    fn parse(form: &'a [u8]) -> Result<Self, OrderError> {
        let mut fields = Self::default();
        for (name, value) in pairs(form) {
            let (name, slot) = match &*name {
                b"id" => ("id", &mut fields.id),
                b"uri" => ("uri", &mut fields.uri),
                b"verb" => ("verb", &mut fields.verb),
                b"type" => ("type", &mut fields.kind),
                b"data" => ("data", &mut fields.data),
                b"code" => ("code", &mut fields.code),
                b"reason" => ("reason", &mut fields.reason),
                b"except" => {
                    fields.except.push(value);
                    continue;
                }
                other => return Err(unknown(other)),
            };
            if slot.replace(value).is_some() {
                return Err(OrderError::Twice(name));
            }
        }
        Ok(fields)
    }

    fn message(&mut self) -> Result<Letter, OrderError> {
        if self.code.is_some() || self.reason.is_some() {
            return Err(unknown(if self.code.is_some() { b"code" } else { b"reason" }));
        }
        let data = self.data.take().ok_or(OrderError::NoData)?;
        if data.len() > LONGEST {
            return Err(OrderError::Long);
        }
        match self.kind.as_deref() {
            None | Some(b"text") => Ok(Letter::Text(text(&data, "data")?.into())),
            Some(b"binary") => Ok(Letter::Binary(data.into_owned().into())),
            Some(_) => Err(OrderError::Word("type")),
        }
    }

    fn close(&mut self) -> Result<Letter, OrderError> {
        if self.data.is_some() || self.kind.is_some() {
            return Err(unknown(if self.data.is_some() { b"data" } else { b"type" }));
        }
        let reason = text(self.reason.as_deref().unwrap_or_default(), "reason")?;
        if reason.len() > LONGEST_REASON {
            return Err(OrderError::Word("reason"));
        }
        let code = match &self.code {
            None => Some(1000),
            Some(code) => text(code, "code")?.parse().ok(),
        };
        let code = code.filter(|code| may_close_with(*code)).ok_or(OrderError::Word("code"))?;
        Ok(Letter::Close { code, reason: reason.into() })
    }

    fn to(self) -> Result<To, OrderError> {
        match (self.id, self.uri) {
            (Some(_), None) if !self.except.is_empty() => Err(OrderError::Except),
            (Some(one), None) => Ok(To::One(id(&one, "id")?)),
            (None, Some(uri)) => {
                let except: Result<_, _> = self.except.iter().map(|except| id(except, "except")).collect();
                Ok(To::All { uri: text(&uri, "uri")?.to_owned(), except: except? })
            }
            _ => Err(OrderError::Whom),
        }
    }
}

impl Letter {
    /// The message that it is, if it is one.
    pub(crate) fn message(&self) -> Option<Message> {
        match self {
            Self::Text(text) => Some(Message::Text((**text).to_owned())),
            Self::Binary(bytes) => Some(Message::Binary(bytes.clone())),
            Self::Close { .. } => None,
        }
    }

    /// What it takes while it waits, in bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::Close { reason, .. } => reason.len(),
        }
    }
}

/// The URI out of the query of a request that asks who has it.
///
/// # Errors
/// There is none, or something else.
pub(crate) fn uri(query: &str) -> Result<String, OrderError> {
    match pairs(query.as_bytes()).collect::<Vec<_>>().as_slice() {
        [(name, uri)] if **name == *b"uri" => Ok(text(uri, "uri")?.to_owned()),
        _ => Err(OrderError::Query),
    }
}

/// The names and values of a form, in which bytes need not be text.
fn pairs(form: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    let fields = form.split(|byte| *byte == b'&').filter(|field| !field.is_empty());
    fields.map(|field| {
        let end = field.iter().position(|byte| *byte == b'=').unwrap_or(field.len());
        (decoded(&field[..end]), decoded(field.get(end + 1..).unwrap_or_default()))
    })
}

fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'+') {
        return percent_decode(text).into();
    }
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(percent_decode(&spaced).collect())
}

fn text<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, OrderError> {
    std::str::from_utf8(bytes).map_err(|_| OrderError::Text(field))
}

fn id(bytes: &[u8], field: &'static str) -> Result<Id, OrderError> {
    std::str::from_utf8(bytes).ok().and_then(Id::parse).ok_or(OrderError::Id(field))
}

/// The name is somebody else's bytes: no more of it is repeated than can be read.
fn unknown(name: &[u8]) -> OrderError {
    OrderError::Unknown(name[..name.len().min(32)].escape_ascii().to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "0123456789abcdef0123456789abcdef";
    const B: &str = "fedcba9876543210fedcba9876543210";

    fn parsed(form: &str) -> Result<Order, OrderError> {
        Order::parse(form.as_bytes())
    }

    fn to_a(letter: Letter) -> Result<Order, OrderError> {
        Ok(Order { to: To::One(Id::parse(A).unwrap()), letter })
    }

    #[test]
    fn to_one() {
        assert_eq!(parsed(&format!("id={A}&data=a+b%26%C3%BC")), to_a(Letter::Text("a b&ü".into())));
        assert_eq!(parsed(&format!("data=&verb=message&&type=text&id={A}")), to_a(Letter::Text("".into())));
        let bytes = Bytes::from_static(b"\0\xff+ ");
        assert_eq!(parsed(&format!("id={A}&type=binary&data=%00%ff%2B+")), to_a(Letter::Binary(bytes)));
        let close = Letter::Close { code: 1000, reason: "".into() };
        assert_eq!(parsed(&format!("id={A}&verb=close")), to_a(close));
        let close = Letter::Close { code: 4001, reason: "out of here".into() };
        assert_eq!(parsed(&format!("id={A}&verb=close&code=4001&reason=out+of+here")), to_a(close));
    }

    #[test]
    fn to_all_but_some() {
        let form = format!("uri=%2Fchat%3Fa%3Db&except={A}&except={B}&data=x");
        let Ok(Order { to: To::All { uri, except }, .. }) = parsed(&form) else { panic!("{form}") };
        assert_eq!(uri, "/chat?a=b");
        assert_eq!(except, [A, B].map(|id| Id::parse(id).unwrap()).into());
        assert!(matches!(parsed("uri=/x&data="), Ok(Order { to: To::All { except, .. }, .. }) if except.is_empty()));
    }

    #[test]
    fn what_is_no_order() {
        for (form, expected) in [
            (String::new(), OrderError::NoData),
            ("data=x".into(), OrderError::Whom),
            (format!("id={A}&uri=/&data=x"), OrderError::Whom),
            (format!("id={A}&except={B}&data=x"), OrderError::Except),
            (format!("uri=/&expect={B}&data=x"), OrderError::Unknown("expect".into())),
            (format!("{}=&data=x", "\n".repeat(99)), OrderError::Unknown(r"\n".repeat(32))),
            ("id=7&data=x".into(), OrderError::Id("id")),
            ("uri=/&except=&data=x".into(), OrderError::Id("except")),
            (format!("id={A}&id={A}&data=x"), OrderError::Twice("id")),
            (format!("id={A}&data=x&data=y"), OrderError::Twice("data")),
            (format!("id={A}&data=%ff"), OrderError::Text("data")),
            ("uri=%ff&data=x".into(), OrderError::Text("uri")),
            (format!("id={A}&data=x&type=blob"), OrderError::Word("type")),
            (format!("id={A}&data=x&verb=open"), OrderError::Word("verb")),
            (format!("id={A}&verb=close&data=x"), OrderError::Unknown("data".into())),
            (format!("id={A}&data=x&code=1000"), OrderError::Unknown("code".into())),
            (format!("id={A}&verb=close&code=1005"), OrderError::Word("code")),
            (format!("id={A}&verb=close&code=70000"), OrderError::Word("code")),
            (format!("id={A}&verb=close&reason={}", "x".repeat(124)), OrderError::Word("reason")),
            (format!("id={A}&data={}", "x".repeat(LONGEST + 1)), OrderError::Long),
        ] {
            assert_eq!(parsed(&form).err(), Some(expected), "{form:.80}");
        }
    }

    #[test]
    fn who_has_a_uri() {
        assert_eq!(uri("uri=%2Fchat"), Ok("/chat".into()));
        for wrong in ["", "id=x", "uri=/&data=x", "uri=/&uri=/", "url=/"] {
            assert_eq!(uri(wrong), Err(OrderError::Query), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(form in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Order::parse(&form);
        }

        #[test]
        fn what_events_encode_orders_decode(data in prop::collection::vec(any::<u8>(), 0..200)) {
            let event = crate::event::Event::Message(Message::Binary(data.clone().into()));
            let form = event.form(Id::parse(A).unwrap(), "/", 0);
            let (_, encoded) = form.rsplit_once("&data=").unwrap();
            let order = parsed(&format!("id={A}&type=binary&data={encoded}")).unwrap();
            prop_assert_eq!(order.letter, Letter::Binary(data.into()));
        }
    }
}
