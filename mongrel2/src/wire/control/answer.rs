//! What is answered at the control port: a table, or why there is none.

use std::borrow::Cow;
use std::io;

use serde::Serialize as _;
use serde_json::ser::Formatter;
use serde_json::{Map, Value as Json};
use thiserror::Error;

use super::command::{Command, Language, Status};
use crate::wire::netstring::render_closed_by;
use crate::wire::tnetstring::{self, TnetstringError, Value};

/// The answer to a request.
pub type Answer = Result<Table, Failure>;

/// What was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The names of the columns.
    pub headers: Vec<String>,
    /// The rows; each has a value for each column.
    pub rows: Vec<Vec<Value>>,
    /// What is missing, if something is.
    pub note: Option<String>,
}

/// Why a request isn't done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{error}")]
pub struct Failure {
    /// The kind, for programs; the original gives none to one of them.
    pub code: Cow<'static, str>,
    /// The reason, for people.
    pub error: Cow<'static, str>,
}

/// Why bytes are no answer; fits after "cannot use the answer:".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AnswerError {
    /// They are no tnetstring.
    #[error(transparent)]
    Tnetstring(#[from] TnetstringError),
    /// They are something else than a table or a failure.
    #[error("it is neither a table nor an error")]
    Shape,
}

impl Table {
    /// A table with such columns.
    pub fn new(headers: &[&str], rows: Vec<Vec<Value>>) -> Self {
        Self { headers: headers.iter().map(|&header| header.to_owned()).collect(), rows, note: None }
    }

    /// A table with one row.
    pub fn row<const N: usize>(columns: [(&str, Value); N]) -> Self {
        let (headers, row): (Vec<&str>, Vec<Value>) = columns.into_iter().unzip();
        Self::new(&headers, vec![row])
    }

    /// The value of a column in a row.
    pub fn value<'a>(&self, row: &'a [Value], column: &str) -> Option<&'a Value> {
        row.get(self.headers.iter().position(|header| header == column)?)
    }
}

impl Failure {
    /// The request is no list.
    pub const INVALID_REQUEST: Self =
        Self::new("INVALID_REQUEST", "Invalid request format, must be a list with two elements in it.");
    /// The request is no tnetstring, or has something else in its list than a name and a dictionary.
    pub const INVALID_DATA: Self =
        Self::new("INVALID_DATA", "Invalid data, expecting a list with a string and a hash in it.");
    /// There is no such command.
    pub const CALLBACK_NOT_FOUND: Self = Self::new("CALLBACK_NOT_FOUND", "Callback requested was not found.");
    /// An argument is missing or wrong, or there is no such connection.
    pub const INVALID_ARGUMENT: Self = Self::new("INVALID_ARGUMENT", "Invalid argument type.");
    /// There is nothing of that name to be told of.
    pub const WHAT: Self = Self::new("", "Expected argument what=['net'|'tasks'].");

    const fn new(code: &'static str, error: &'static str) -> Self {
        Self { code: Cow::Borrowed(code), error: Cow::Borrowed(error) }
    }

    /// The old configuration goes on, for that reason.
    pub fn reload_failed(reason: String) -> Self {
        Self { code: "RELOAD_FAILED".into(), error: reason.into() }
    }
}

/// Renders the answer to a command; a request that could not be read asked for none.
pub fn render_answer(language: Language, command: Option<&Command>, answer: &Answer) -> Vec<u8> {
    match language {
        Language::Tnetstring => tnetstring(answer),
        Language::Text => {
            let object = match answer {
                Ok(table) => table.json(command),
                Err(failure) => failure.json(),
            };
            let mut out = Vec::new();
            let mut serializer = serde_json::Serializer::with_formatter(&mut out, Spaced);
            object.serialize(&mut serializer).expect("text as keys, and memory to write to");
            out
        }
    }
}

/// Reads an answer in tnetstrings.
///
/// # Errors
/// What is wrong with it.
pub fn parse_answer(answer: &[u8]) -> Result<Answer, AnswerError> {
    let (Value::Dict(dict), b"") = tnetstring::parse(answer)? else {
        return Err(AnswerError::Shape);
    };
    let get = |name: &str| dict.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value);
    match (get("headers"), get("rows"), get("error")) {
        (Some(Value::List(headers)), Some(Value::List(rows)), _) => {
            let headers = headers.iter().map(text).collect::<Option<_>>();
            let rows = rows.iter().map(|row| if let Value::List(row) = row { Some(row.clone()) } else { None });
            let (headers, rows) = headers.zip(rows.collect()).ok_or(AnswerError::Shape)?;
            Ok(Ok(Table { headers, rows, note: get("note").and_then(text) }))
        }
        (None, None, Some(error)) => {
            let error = text(error).ok_or(AnswerError::Shape)?.into();
            Ok(Err(Failure { code: get("code").and_then(text).unwrap_or_default().into(), error }))
        }
        _ => Err(AnswerError::Shape),
    }
}

fn text(value: &Value) -> Option<String> {
    if let Value::String(text) = value { Some(String::from_utf8_lossy(text).into_owned()) } else { None }
}

/// The answer as a dictionary; a table may have very many rows, which are not copied.
fn tnetstring(answer: &Answer) -> Vec<u8> {
    let mut dict = Vec::new();
    let mut put = |key: &str, value: &dyn Fn(&mut Vec<u8>)| {
        tnetstring::string(&mut dict, key.as_bytes());
        value(&mut dict);
    };
    match answer {
        Ok(Table { headers, rows, note }) => {
            put("headers", &|out| list(out, headers, |out, header| tnetstring::string(out, header.as_bytes())));
            put("rows", &|out| list(out, rows, |out, row| list(out, row, tnetstring::render)));
            note.iter().for_each(|note| put("note", &|out| tnetstring::string(out, note.as_bytes())));
        }
        Err(Failure { code, error }) => {
            if !code.is_empty() {
                put("code", &|out| tnetstring::string(out, code.as_bytes()));
            }
            put("error", &|out| tnetstring::string(out, error.as_bytes()));
        }
    }
    let mut out = Vec::with_capacity(dict.len() + 16);
    render_closed_by(&mut out, &dict, b'}');
    out
}

fn list<T>(out: &mut Vec<u8>, elements: &[T], render: impl Fn(&mut Vec<u8>, &T)) {
    let mut inner = Vec::new();
    elements.iter().for_each(|element| render(&mut inner, element));
    render_closed_by(out, &inner, b']');
}

impl Table {
    /// As an object: of the one row, or with a key for each row.
    fn json(&self, command: Option<&Command>) -> Json {
        let mut object = match command {
            Some(Command::Help) => self.keyed(|row| row.get(1).map_or(Json::Null, json)),
            Some(Command::Status(status)) => {
                let rows = match status {
                    Status::Net => self.keyed(|row| self.value(row, "last_ping").map_or(Json::Null, json)),
                    Status::Tasks | Status::Sessions => {
                        self.keyed(|row| Json::Object(self.object(row).skip(1).collect()))
                    }
                };
                std::iter::once(("total".to_owned(), self.rows.len().into())).chain(rows).collect()
            }
            Some(Command::Time) => self.rows.iter().flat_map(|row| self.object(row)).map(as_number).collect(),
            _ => self.rows.iter().flat_map(|row| self.object(row)).collect::<Map<_, _>>(),
        };
        object.extend(self.note.iter().map(|note| ("note".to_owned(), note.as_str().into())));
        Json::Object(object)
    }

    fn keyed(&self, value: impl Fn(&[Value]) -> Json) -> Map<String, Json> {
        let key = |row: &[Value]| match row.first().map(json) {
            Some(Json::String(text)) => text,
            other => other.unwrap_or_default().to_string(),
        };
        self.rows.iter().map(|row| (key(row), value(row))).collect()
    }

    fn object<'a>(&'a self, row: &'a [Value]) -> impl Iterator<Item = (String, Json)> + 'a {
        self.headers.iter().cloned().zip(row.iter().map(json))
    }
}

impl Failure {
    fn json(&self) -> Json {
        let mut object = Map::from_iter([("error".to_owned(), (&*self.error).into())]);
        if !self.code.is_empty() {
            object.insert("code".to_owned(), (&*self.code).into());
        }
        Json::Object(object)
    }
}

/// The time is a text among the columns, and a number in JSON.
fn as_number((name, value): (String, Json)) -> (String, Json) {
    let number = value.as_str().and_then(|text| text.parse::<u64>().ok());
    (name, number.map_or(value, Json::from))
}

fn json(value: &Value) -> Json {
    match value {
        Value::String(text) => String::from_utf8_lossy(text).into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Bool(truth) => (*truth).into(),
        Value::Null => Json::Null,
        Value::List(values) => values.iter().map(json).collect(),
        Value::Dict(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| (String::from_utf8_lossy(key).into_owned(), json(value)));
            Json::Object(pairs.collect())
        }
    }
}

/// Puts a blank behind colons and commas, as the original does.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_text(command: Command, answer: Answer, expected: &str) {
        let rendered = render_answer(Language::Text, Some(&command), &answer);
        assert_eq!(String::from_utf8(rendered).unwrap(), expected, "{command:?}");
    }

    #[test]
    fn json_for_those_who_type() {
        let net = |rows| Table::new(&["id", "type", "last_ping"], rows);
        check_text(Command::Status(Status::Net), Ok(net(vec![])), r#"{"total": 0}"#);
        let two = vec![vec![19.into(), 1.into(), 3.into()], vec![20.into(), 1.into(), 0.into()]];
        check_text(Command::Status(Status::Net), Ok(net(two)), r#"{"total": 2, "19": 3, "20": 0}"#);
        let time = Table::row([("time", "1282980306".into())]);
        check_text(Command::Time, Ok(time), r#"{"time": 1282980306}"#);
        let tasks = Table::new(&["id", "system", "name"], vec![vec![1.into(), Value::Bool(true), "main".into()]]);
        let expected = r#"{"total": 1, "1": {"system": true, "name": "main"}}"#;
        check_text(Command::Status(Status::Tasks), Ok(tasks), expected);
        let help = Table::new(&["name", "help"], vec![vec!["stop".into(), "stops".into()]]);
        check_text(Command::Help, Ok(help), r#"{"stop": "stops"}"#);
        let failure = Failure::reload_failed("a \"b\"\n".into());
        check_text(Command::Reload, Err(failure), r#"{"error": "a \"b\"\n", "code": "RELOAD_FAILED"}"#);
        check_text(Command::Help, Err(Failure::WHAT), r#"{"error": "Expected argument what=['net'|'tasks']."}"#);
        let note = Table { note: Some("late".into()), ..net(vec![]) };
        check_text(Command::Status(Status::Net), Ok(note), r#"{"total": 0, "note": "late"}"#);
    }

    #[test]
    fn what_is_no_answer() {
        for bytes in ["", "3:abc,", "0:}", "0:]", "24:7:headers,0:]4:rows,3:abc,}", "13:5:error,2:12#}"] {
            assert!(parse_answer(bytes.as_bytes()).is_err(), "{bytes}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::Integer),
            any::<bool>().prop_map(Value::Bool),
            ".{0,8}".prop_map(|text| text.as_str().into()),
        ]
    }

    fn answers() -> impl Strategy<Value = Answer> {
        let rows = prop::collection::vec(prop::collection::vec(values(), 0..4), 0..4);
        let table = (prop::collection::vec("[a-z]{1,6}", 0..4), rows, prop::option::of(".{1,8}"));
        prop_oneof![
            table.prop_map(|(headers, rows, note)| Ok(Table { headers, rows, note })),
            ("[A-Z]{0,6}", ".{0,8}").prop_map(|(code, error)| Err(Failure { code: code.into(), error: error.into() })),
        ]
    }

    proptest! {
        #[test]
        fn there_and_back(answer in answers()) {
            let bytes = render_answer(Language::Tnetstring, None, &answer);
            prop_assert_eq!(parse_answer(&bytes), Ok(answer));
        }

        #[test]
        fn text_is_json(answer in answers()) {
            for command in [None, Some(Command::Help), Some(Command::Time), Some(Command::Status(Status::Net))] {
                let bytes = render_answer(Language::Text, command.as_ref(), &answer);
                prop_assert!(serde_json::from_slice::<Map<String, Json>>(&bytes).is_ok());
            }
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse_answer(&bytes);
        }
    }
}
