//! What `schema.sql` asks for against what a database has.
//!
//! `schema.sql` is the only list of tables, columns and defaults: a database made of it in memory is asked what
//! they are.  A database of the original tool lacks some of them; it is read as if they had their defaults, and
//! gets them when it is changed.

use std::collections::BTreeSet;

use rusqlite::{Connection, Result};

use crate::config::history;

const SCHEMA: &str = include_str!("../../../../schema.sql");

/// These outlive the configuration.
const KEPT: [&str; 6] = ["log", "statistic", "past_statistic", "generation", "source", "collected"];

/// The schema, as an empty database.
pub(super) struct Schema(Connection);

/// A column of a table.
struct Column {
    name: String,
    kind: String,
    /// As SQL.
    default: Option<String>,
}

impl Schema {
    /// Reads `schema.sql`.
    pub(super) fn read() -> Result<Self> {
        let model = Connection::open_in_memory()?;
        model.execute_batch(SCHEMA)?;
        Ok(Self(model))
    }

    /// The tables that the configuration is made of; the log, the statistics and the generations aren't.
    pub(super) fn config_tables(&self) -> Result<Vec<String>> {
        Ok(self.tables()?.into_iter().filter(|table| !KEPT.contains(&table.as_str())).collect())
    }

    /// Makes the tables and the columns that a database lacks.
    pub(super) fn complete(&self, connection: &Connection) -> Result<()> {
        self.tables()?.iter().try_for_each(|table| self.complete_table(connection, table))
    }

    /// Makes a table, or the columns that it lacks.
    pub(super) fn complete_table(&self, connection: &Connection, table: &str) -> Result<()> {
        let known = names(connection, table)?;
        if known.is_empty() {
            return connection.execute_batch(&self.definition(table)?);
        }
        for column in columns(&self.0, table)?.into_iter().filter(|column| !known.contains(&column.name)) {
            connection.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {}", column.definition()))?;
        }
        Ok(())
    }

    fn definition(&self, table: &str) -> Result<String> {
        self.0.query_row("SELECT sql FROM sqlite_master WHERE name = ?", [table], |row| row.get(0))
    }

    fn tables(&self) -> Result<Vec<String>> {
        let mut statement = self.0.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")?;
        statement.query_map([], |row| row.get(0))?.collect()
    }

    fn default(&self, table: &str, name: &str) -> Result<Option<String>> {
        let column = columns(&self.0, table)?.into_iter().find(|column| column.name == name);
        Ok(column.and_then(|column| column.default))
    }
}

impl Column {
    fn definition(&self) -> String {
        let default = self.default.as_ref().map_or_else(String::new, |default| format!(" DEFAULT {default}"));
        format!("\"{}\" {}{default}", self.name, self.kind)
    }
}

/// The query for `id` and columns of a table by `id`; a column that is missing has its default.  `None` if the
/// table is missing.
pub(super) fn select(connection: &Connection, table: &str, wanted: &str) -> Result<Option<String>> {
    let known = names(connection, table)?;
    if known.is_empty() {
        return Ok(None);
    }
    let mut terms = vec!["id".to_owned()];
    for name in wanted.split(", ") {
        // Without its table a name that doesn't exist would be a string for SQLite.
        let column = || format!("{table}.\"{name}\"");
        let default = if known.contains(name) { None } else { Schema::read()?.default(table, name)? };
        terms.push(format!("{} AS \"{name}\"", default.unwrap_or_else(column)));
    }
    Ok(Some(format!("SELECT {} FROM {table} ORDER BY id", terms.join(", "))))
}

/// Makes the columns of the log that a database of the original tool, or of an earlier version, lacks.
pub(super) fn complete_log(connection: &Connection) -> Result<()> {
    for column in history::LATER {
        if !connection.column_exists(None, "log", column)? {
            return Schema::read()?.complete_table(connection, "log");
        }
    }
    Ok(())
}

/// The columns of a table; none if it is missing.
pub(super) fn names(connection: &Connection, table: &str) -> Result<BTreeSet<String>> {
    Ok(columns(connection, table)?.into_iter().map(|column| column.name).collect())
}

fn columns(connection: &Connection, table: &str) -> Result<Vec<Column>> {
    let mut statement = connection.prepare("SELECT name, type, dflt_value FROM pragma_table_info(?)")?;
    let column = |row: &rusqlite::Row<'_>| Ok(Column { name: row.get(0)?, kind: row.get(1)?, default: row.get(2)? });
    statement.query_map([table], column)?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with one row, whose table lacks what came later.
    fn old() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE directory (id INTEGER PRIMARY KEY, base TEXT)").unwrap();
        connection.execute_batch("INSERT INTO directory (base) VALUES ('static/')").unwrap();
        connection
    }

    fn listing(connection: &Connection) -> i64 {
        let query = select(connection, "directory", "base, listing").unwrap().unwrap();
        connection.query_row(&query, [], |row| row.get("listing")).unwrap()
    }

    #[test]
    fn what_is_missing_has_its_default() {
        let connection = old();
        assert_eq!(listing(&connection), 0);
        assert_eq!(select(&connection, "redirect", "to").unwrap(), None);
        assert!(connection.prepare(&select(&connection, "directory", "nonsense").unwrap().unwrap()).is_err());
    }

    #[test]
    fn what_is_missing_is_made_once() {
        let (connection, schema) = (old(), Schema::read().unwrap());
        for _ in 0..2 {
            schema.complete(&connection).unwrap();
            assert_eq!(listing(&connection), 0);
        }
        for table in schema.tables().unwrap() {
            assert_eq!(names(&connection, &table).unwrap(), names(&schema.0, &table).unwrap(), "{table}");
        }
    }

    #[test]
    fn a_new_column_has_a_default() {
        let schema = Schema::read().unwrap();
        assert_eq!(schema.default("directory", "listing").unwrap().as_deref(), Some("0"));
        assert_eq!(schema.default("redirect", "status").unwrap().as_deref(), Some("301"));
    }
}
