//! The audit log: who changed what, when and why.  It lies in the database beside the configuration and is
//! never emptied, neither by `m2sh init` nor by `m2sh load`.

mod seal;

use rusqlite::{Transaction, params};
use serde::Serialize;

use super::store::{Database, StoreError};

pub(in crate::config) use self::seal::seal;
pub use self::seal::{Fault, Verdict};

/// What is to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The user's name.
    pub who: String,
    /// What was done: the name of a command, or what a `commit` is about.
    pub what: String,
    /// The machine's name.
    pub location: String,
    /// The command line.
    pub how: String,
    /// The reason; `command` for a command that was given none.
    pub why: String,
}

/// What has been written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Logged {
    /// Number of the entry.
    pub id: i64,
    /// The user's name.
    pub who: String,
    /// What was done.
    pub what: String,
    /// The machine's name.
    pub location: String,
    /// UTC, as SQLite writes it: `2010-07-18 04:14:53`.
    pub happened_at: String,
    /// The command line.
    pub how: String,
    /// The reason.
    pub why: String,
    /// The seal, see [`Database::verify`]; empty if it has none of its own.
    pub seal: String,
}

/// Which entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this time on, as SQLite writes it, or the beginning of it.
    pub since: Option<String>,
    /// Of this user.
    pub who: Option<String>,
    /// About this.
    pub what: Option<String>,
    /// Behind the entry of this number.
    pub after: i64,
    /// No more than that many, the newest ones.
    pub last: Option<u32>,
}

/// Writes an entry, now.
///
/// # Errors
/// What SQLite says.
pub fn record(transaction: &Transaction<'_>, entry: &Entry) -> Result<(), StoreError> {
    let Entry { who, what, location, how, why } = entry;
    transaction.execute(
        "INSERT INTO log (who, what, location, how, why) VALUES (?, ?, ?, ?, ?)",
        params![who, what, location, how, why],
    )?;
    Ok(())
}

impl Database {
    /// All entries, the oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn log(&self) -> Result<Vec<Logged>, StoreError> {
        self.log_of(&Filter::default())
    }

    /// Some entries, the oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn log_of(&self, filter: &Filter) -> Result<Vec<Logged>, StoreError> {
        let text = |column| format!("coalesce(CAST({column} AS TEXT), '')");
        let columns = ["who", "what", "location", "happened_at", "how", "why"].map(text).join(", ");
        let seal = if self.connection().column_exists(None, "log", "seal")? { text("seal") } else { "''".into() };
        let mut statement = self.connection().prepare(&format!(
            "SELECT * FROM (SELECT id, {columns}, {seal} FROM log
             WHERE id > ?1 AND (?2 IS NULL OR happened_at >= ?2) AND (?3 IS NULL OR who = ?3) AND (?4 IS NULL OR what = ?4)
             ORDER BY id DESC LIMIT ?5) ORDER BY id"
        ))?;
        let Filter { since, who, what, after, last } = filter;
        // A negative limit is none.
        let rows = statement.query_map(params![after, since, who, what, last.map_or(-1, i64::from)], |row| {
            Ok(Logged {
                id: row.get(0)?,
                who: row.get(1)?,
                what: row.get(2)?,
                location: row.get(3)?,
                happened_at: row.get(4)?,
                how: row.get(5)?,
                why: row.get(6)?,
                seal: row.get(7)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
