//! The answers of control ports, as they are shown, and why there is none.

use mongrel2::wire::control::{Command, Failure, Selector, Table};
use mongrel2::wire::tnetstring::Value;

use crate::error::{Error, say};
use crate::found::Found;
use crate::port::PortError;
use crate::session::Session;
use crate::show::{Cell, escape};

pub(super) fn closed(doing: &str, error: &PortError) -> Error {
    let refusal = Error::cannot(doing, error);
    match error {
        PortError::Client(_) => {
            refusal.hint("is it your server?  `sudo` helps if not.  After `control stop` only a restart opens the port")
        }
        _ => refusal,
    }
}

/// Why a server refuses, in words for who has typed.
pub(super) fn reason(command: &Command, failure: &Failure) -> String {
    match command {
        Command::Kill(Selector::Id(_)) if *failure == Failure::INVALID_ARGUMENT => "there is no such connection".into(),
        Command::KillSession(_) if *failure == Failure::INVALID_ARGUMENT => "there is no such session".into(),
        _ => failure.to_string(),
    }
}

/// Shows answers as one table, of several servers with their UUIDs first.
pub(super) fn show(told: Vec<(&Found, Table)>, several: bool, session: &mut Session) -> Result<(), Error> {
    let columns = told.first().map(|(_, table)| table.headers.clone()).unwrap_or_default();
    let mut rows = Vec::new();
    for (found, table) in told {
        table.note.iter().for_each(|note| say(&format!("m2sh: {}: {}", found.title(), escape(note))));
        let server = several.then(|| Cell::from(found.server.uuid.as_str()));
        rows.extend(table.rows.iter().map(|row| server.iter().cloned().chain(row.iter().map(cell)).collect()));
    }
    let columns: Vec<&str> =
        several.then_some("server").into_iter().chain(columns.iter().map(String::as_str)).collect();
    Ok(session.show.table(&columns, rows)?)
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::String(text) => Cell::from(&*String::from_utf8_lossy(text)),
        Value::Integer(number) => Cell::from(*number),
        Value::Float(number) => Cell::value((*number).into()),
        Value::Bool(truth) => Cell::from(*truth),
        Value::Null => Cell::value(serde_json::Value::Null),
        Value::List(values) => Cell::list(values.iter().map(text)),
        Value::Dict(pairs) => Cell::list(pairs.iter().map(|pair| format!("{pair:?}"))),
    }
}

/// What stands for an element of a list.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => String::from_utf8_lossy(text).into_owned(),
        value => format!("{value:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_in_a_list_are_texts() {
        assert_eq!([text(&"cannot read it".into()), text(&Value::Integer(1))], ["cannot read it", "Integer(1)"]);
    }
}
