//! `m2sh dump`: every table of the database with its rows, those of other programs included.
//!
//! In a pipe each line begins with the name of its table.

use serde_json::{Map, Value};

use mongrel2::config::store::Table;

use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;
use crate::show::{Cell, Form, objects, tabbed};

pub(super) fn run(session: &mut Session) -> Result<Exit, Error> {
    let tables = session.database()?.dump().map_err(|error| session.cannot("read the database", error))?;
    match session.show.form() {
        Form::Json => session.show.json(&tables.into_iter().map(as_json).collect::<Map<_, _>>())?,
        Form::Lines => tables.into_iter().flat_map(as_lines).try_for_each(|line| session.show.line(&line))?,
        Form::Terminal => tables.into_iter().try_for_each(|table| draw(table, session))?,
    }
    Ok(Exit::Success)
}

fn cells(rows: Vec<Vec<Value>>) -> impl Iterator<Item = Vec<Cell>> {
    rows.into_iter().map(|row| row.into_iter().map(Cell::value).collect())
}

fn as_json(table: Table) -> (String, Value) {
    let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
    (table.name, objects(&columns, cells(table.rows).collect()).into())
}

fn as_lines(table: Table) -> impl Iterator<Item = String> {
    cells(table.rows).map(move |row| format!("{}\t{}", table.name, tabbed(&row)))
}

fn draw(table: Table, session: &mut Session) -> Result<(), Error> {
    let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
    session.show.line(&format!("{}: {} rows", table.name, table.rows.len()))?;
    Ok(session.show.table(&columns, cells(table.rows))?)
}
