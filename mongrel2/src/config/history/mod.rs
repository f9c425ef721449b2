//! The audit log: who changed what, when and why.  It lies in the database beside the configuration and is
//! never emptied, neither by `m2sh init` nor by `m2sh load`.

mod about;
mod seal;

use rusqlite::{Transaction, params};
use serde::Serialize;

use super::store::{Database, StoreError};
use super::tree::Server;

pub use self::about::About;
pub(in crate::config) use self::seal::seal;
pub use self::seal::{Fault, Verdict};

/// What is to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The user's name: that of the one behind sudo.
    pub who: String,
    /// As whom the user logged in, if the kernel knows it.
    pub login: Option<String>,
    /// The user id of the program.
    pub uid: Option<u32>,
    /// The servers that it is about; those that a change of the configuration touches come by themselves.
    pub about: About,
    /// What was done: the name of a command, or what a `commit` is about.
    pub what: String,
    /// The machine's name.
    pub location: String,
    /// The command line.
    pub how: String,
    /// The reason; `command` for a command that was given none.
    pub why: String,
}

impl Entry {
    /// The same, about these servers.
    #[must_use]
    pub fn about<'a>(self, servers: impl IntoIterator<Item = &'a Server>) -> Self {
        Self { about: About::servers(servers), ..self }
    }
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
    /// The servers that it is about.
    pub servers: About,
    /// As whom the user logged in, if the kernel knew it.
    pub login: Option<String>,
    /// The user id of the program, if that was recorded.
    pub uid: Option<i64>,
}

/// Which entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this time on, as SQLite writes it, or the beginning of it.
    pub since: Option<String>,
    /// Of this user, or of who logged in as that.
    pub who: Option<String>,
    /// About this.
    pub what: Option<String>,
    /// About one of these servers, or all; none named: about anything.
    pub servers: Vec<String>,
    /// Those that made a generation, and no others.
    pub made_generation: bool,
    /// Behind the entry of this number.
    pub after: i64,
    /// No more than that many, the newest ones.
    pub last: Option<u32>,
}

/// The columns that came later, which a log may lack as long as nobody writes to it.
pub(in crate::config) const LATER: [&str; 4] = ["seal", "servers", "login", "uid"];

/// Writes an entry, now.
///
/// # Errors
/// What SQLite says.
pub fn record(transaction: &Transaction<'_>, entry: &Entry) -> Result<(), StoreError> {
    let Entry { who, login, uid, about, what, location, how, why } = entry;
    transaction.execute(
        "INSERT INTO log (who, what, location, how, why, servers, login, uid) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![who, what, location, how, why, about.column(), login, uid],
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
        let [seal, servers, login, uid] = self.later_columns()?;
        let text = |column| format!("coalesce(CAST({column} AS TEXT), '')");
        let columns = ["who", "what", "location", "happened_at", "how", "why", seal].map(text).join(", ");
        // The table may be missing, where there has never been any.
        let made_generation = if filter.made_generation { "AND id IN (SELECT log_id FROM generation)" } else { "" };
        let mut statement = self.connection().prepare(&format!(
            "SELECT * FROM (SELECT id, {columns}, CAST({servers} AS TEXT), CAST({login} AS TEXT), CAST({uid} AS INTEGER)
             FROM log
             WHERE id > ?1 AND (?2 IS NULL OR happened_at >= ?2) AND (?3 IS NULL OR ?3 IN (who, {login}))
             AND (?4 IS NULL OR what = ?4) AND (?6 IS NULL OR {}) {made_generation}
             ORDER BY id DESC LIMIT ?5) ORDER BY id",
            about::is_one_of(servers, "?6")
        ))?;
        let Filter { since, who, what, after, last, servers, .. } = filter;
        // A negative limit is none.
        let last = last.map_or(-1, i64::from);
        let servers = about::wanted(servers);
        let rows = statement.query_map(params![after, since, who, what, last, servers], |row| {
            Ok(Logged {
                id: row.get(0)?,
                who: row.get(1)?,
                what: row.get(2)?,
                location: row.get(3)?,
                happened_at: row.get(4)?,
                how: row.get(5)?,
                why: row.get(6)?,
                seal: row.get(7)?,
                servers: About::read(row.get(8)?),
                login: row.get(9)?,
                uid: row.get(10)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The entry of that number, if there is one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn entry(&self, id: i64) -> Result<Option<Logged>, StoreError> {
        // What is asked for is near the end.
        let from = self.log_of(&Filter { after: id - 1, ..Filter::default() })?;
        Ok(from.into_iter().next().filter(|entry| entry.id == id))
    }

    /// Whether any entry is about the server of that UUID, and not about all of them.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn log_names(&self, uuid: &str) -> Result<bool, StoreError> {
        let filter = Filter { servers: vec![uuid.to_owned()], ..Filter::default() };
        Ok(self.log_of(&filter)?.iter().any(|entry| entry.servers != About::All))
    }

    /// [`LATER`], each as what to ask the database for.
    fn later_columns(&self) -> Result<[&'static str; 4], StoreError> {
        let mut columns = LATER;
        for column in &mut columns {
            if !self.connection().column_exists(None, "log", column)? {
                *column = "NULL";
            }
        }
        Ok(columns)
    }
}
