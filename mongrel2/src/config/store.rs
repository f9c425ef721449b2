//! The configuration as SQLite, both ways: `load(save(tree)) == tree`.
//!
//! The database is the only place where m2sh and servers meet.  `schema.sql` says what is in it; databases
//! of the original tool have the same tables and are read as they are.  Every change is one transaction
//! together with its entry in the audit log, so that a crash leaves the old configuration or the new one.

mod collect;
pub mod generations;
mod load;
pub mod origin;
pub(in crate::config) mod packed;
mod save;
mod schema;
pub mod statistics;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use thiserror::Error;

use self::load::Loader;
use super::history::{self, Entry, Logged};
use super::secret::HIDDEN;
use super::tree::{Config, Server};

pub use self::save::Change;

/// `PRAGMA user_version` of the databases that this version writes.
const VERSION: i64 = 1;

/// How long to wait for another program that has the database locked.
const BUSY: Duration = Duration::from_secs(10);

/// What every database has; what came later may be missing until the first change.
const ORIGINAL_TABLES: [&str; 9] =
    ["server", "host", "route", "handler", "proxy", "directory", "setting", "mimetype", "log"];

/// Why a database can't be used; fits after "cannot …:".
#[derive(Debug, Error)]
pub enum StoreError {
    /// No file has that name.
    #[error("there is no database `{0}`")]
    Missing(PathBuf),
    /// No file has that name, which looks like a place on another machine.
    #[error("`{0}` is an address, and a database is a file on this machine")]
    Remote(PathBuf),
    /// It is no SQLite file.
    #[error("`{0}` is not a SQLite database")]
    NotADatabase(PathBuf),
    /// It is a SQLite file of something else.
    #[error("`{path}` is not a mongrel2 database: it has no table `{table}`")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The first table that is missing.
        table: &'static str,
    },
    /// A later version wrote it.
    #[error("`{path}` is from a newer mongrel2 (its version is {found}, this program knows up to {VERSION})")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its `user_version`.
        found: i64,
    },
    /// A row has a value that doesn't belong there.
    #[error("table `{table}`, row {id}: {message}")]
    Row {
        /// The table.
        table: &'static str,
        /// The row's id.
        id: i64,
        /// What is wrong.
        message: String,
    },
    /// The configuration is not the one any more that a change was meant for.
    #[error("the configuration has been changed meanwhile")]
    Moved,
    /// Another program has held the database locked for too long.
    #[error("another program keeps the database locked")]
    Locked,
    /// This user may not write it.
    #[error("the database is read-only")]
    ReadOnly,
    /// There is no room for what is to be written.
    #[error("the disk is full")]
    Full,
    /// Anything else that SQLite says.
    #[error("{0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Sqlite(error),
        }
    }
}

/// A configuration as it was at one moment, with the numbers that the database has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// How often the configuration has been changed; 0 if that was never counted.
    pub generation: i64,
    /// The configuration.
    pub config: Config,
    /// The rows of its servers, in their order.
    pub rows: Vec<ServerRows>,
}

/// The ids of a server's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerRows {
    /// The server's own.
    pub id: i64,
    /// Those of its hosts, in their order.
    pub hosts: Vec<HostRows>,
}

/// The ids of a host's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostRows {
    /// The host's own.
    pub id: i64,
    /// Those of its routes, in their order.
    pub routes: Vec<i64>,
}

/// An open configuration database.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    /// The entry of the log that was written with it last.
    written: Option<i64>,
}

impl Database {
    /// Opens a database to read it.
    ///
    /// # Errors
    /// It is missing, of another kind, from a newer version, or can't be read.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        match Self::open_read_only(path) {
            // What a program that was killed in the middle of a change has left, only who may write can undo.
            Err(StoreError::ReadOnly) => {
                drop(Self::open_to_change(path)?);
                Self::open_read_only(path)
            }
            result => result,
        }
    }

    fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        let database = Self::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, BUSY)?;
        database.require_schema(path)?;
        Ok(database)
    }

    /// Opens a database to change it.
    ///
    /// # Errors
    /// It is missing, of another kind, from a newer version, or can't be read.
    pub fn open_to_change(path: &Path) -> Result<Self, StoreError> {
        Self::open_with_patience(path, BUSY)
    }

    /// The same, for who can come again later: another program's lock is waited for only so long.
    ///
    /// # Errors
    /// The same.
    pub fn open_with_patience(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        let database = Self::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, patience)?;
        database.require_schema(path)?;
        Ok(database)
    }

    /// Opens a database to fill it; makes it if it doesn't exist.  The tables may be missing until
    /// [`Change::init`].
    ///
    /// # Errors
    /// It is of another kind, from a newer version, or can't be made or read.
    pub fn open_or_create(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let database = Self::open(path, flags, BUSY)?;
        if !database.is_empty()? {
            database.require_schema(path)?;
        }
        Ok(database)
    }

    fn open(path: &Path, flags: OpenFlags, patience: Duration) -> Result<Self, StoreError> {
        match path.exists() {
            false if is_remote(path) => return Err(StoreError::Remote(path.to_owned())),
            false if !flags.contains(OpenFlags::SQLITE_OPEN_CREATE) => {
                return Err(StoreError::Missing(path.to_owned()));
            }
            _ => {}
        }
        // For SQLite `:memory:` and `file:…` would be something else than files.
        let file = Path::new(".").join(path);
        let connection = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(patience)?;
        let found =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|error| {
                match error.sqlite_error_code() {
                    Some(ErrorCode::NotADatabase) => StoreError::NotADatabase(path.to_owned()),
                    _ => error.into(),
                }
            })?;
        if found > VERSION {
            return Err(StoreError::Newer { path: path.to_owned(), found });
        }
        Ok(Self { connection, written: None })
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.connection.query_row("SELECT count(*) = 0 FROM sqlite_master", [], |row| row.get(0))?)
    }

    fn require_schema(&self, path: &Path) -> Result<(), StoreError> {
        for table in ORIGINAL_TABLES {
            if !self.connection.table_exists(None, table)? {
                return Err(StoreError::Foreign { path: path.to_owned(), table });
            }
        }
        Ok(())
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Reads the whole configuration.
    ///
    /// # Errors
    /// A row that has a value that doesn't belong there, or refers to nothing.
    pub fn load(&self) -> Result<Config, StoreError> {
        Ok(self.snapshot()?.config)
    }

    /// Reads the whole configuration, with the numbers that the database has for it.
    ///
    /// # Errors
    /// A row that has a value that doesn't belong there, or refers to nothing.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let snapshot = self.connection.unchecked_transaction()?;
        let generation = self.newest_generation()?;
        let (config, rows) = Loader { connection: &snapshot }.config()?;
        Ok(Snapshot { generation, config, rows })
    }

    /// The number of the newest generation; 0 if there is none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_generation(&self) -> Result<i64, StoreError> {
        if !self.connection.table_exists(None, "generation")? {
            return Ok(0);
        }
        Ok(self.connection.query_row("SELECT coalesce(max(id), 0) FROM generation", [], |row| row.get(0))?)
    }

    /// Reads the servers alone, without their hosts: for programs that have to find a server's process
    /// whatever has become of the rest.
    ///
    /// # Errors
    /// A row that has a value that doesn't belong there.
    pub fn servers(&self) -> Result<Vec<Server>, StoreError> {
        Loader { connection: &self.connection }.all_servers()
    }

    /// Reads the servers with their hosts and routes, but not what the routes lead to: each has an empty Dir for that.
    ///
    /// # Errors
    /// A row that has a value that doesn't belong there, or is part of nothing.
    pub fn outline(&self) -> Result<Vec<Server>, StoreError> {
        let snapshot = self.connection.unchecked_transaction()?;
        Loader { connection: &snapshot }.outline()
    }

    /// Reads the settings alone.
    ///
    /// # Errors
    /// A row that has a value that doesn't belong there.
    pub fn settings(&self) -> Result<BTreeMap<String, String>, StoreError> {
        Loader { connection: &self.connection }.pairs("setting", "key, value")
    }

    /// Reads the values of secrets alone.
    ///
    /// # Errors
    /// A row that has a value that doesn't belong there.
    pub fn secrets(&self) -> Result<BTreeMap<String, String>, StoreError> {
        Loader { connection: &self.connection }.pairs("secret", "name, value")
    }

    /// Changes the database: everything that `change` does and `entry` in the audit log, or nothing at all.
    ///
    /// # Errors
    /// Whatever `change` says, and what SQLite says.
    pub fn change<T>(
        &mut self,
        entry: &Entry,
        change: impl FnOnce(&Change<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let work = Change::new(&transaction);
        let result = change(&work)?;
        schema::complete_log(&transaction)?;
        let about = work.about.take().and(entry.about.clone());
        history::record(&transaction, &Entry { about, ..entry.clone() })?;
        let log_id = transaction.last_insert_rowid();
        if let Some(draft) = work.draft.take() {
            draft.add(&transaction, log_id)?;
        }
        collect::record(&transaction, &work.collected.take(), log_id)?;
        history::seal(&transaction)?;
        transaction.commit()?;
        self.written = Some(log_id);
        Ok(result)
    }

    /// Gives back to the file system what the file no longer needs.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn shrink(&self) -> Result<(), StoreError> {
        Ok(self.connection.execute_batch("VACUUM")?)
    }

    /// The entry of the log that was written last with this, if any was.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn written(&self) -> Result<Option<Logged>, StoreError> {
        self.written.map_or(Ok(None), |id| self.entry(id))
    }

    /// Every row of every table: of the configuration, the log and whatever other programs keep there.  The values of
    /// secrets are hidden.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn dump(&self) -> Result<Vec<Table>, StoreError> {
        let mut names = self.connection.prepare(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
        )?;
        let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        names.into_iter().map(|name| self.dump_table(name)).collect()
    }

    fn dump_table(&self, name: String) -> Result<Table, StoreError> {
        let mut statement = self.connection.prepare(&format!("SELECT * FROM \"{name}\" ORDER BY rowid"))?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let rows =
            statement.query_map([], |row| (0..columns.len()).map(|index| Ok(json_of(row.get(index)?))).collect())?;
        let mut rows: Vec<Vec<serde_json::Value>> = rows.collect::<Result<_, _>>()?;
        if name == "secret" {
            let value = columns.iter().position(|column| column == "value");
            rows.iter_mut().for_each(|row| value.into_iter().for_each(|index| row[index] = HIDDEN.into()));
        }
        Ok(Table { name, columns, rows })
    }
}

/// Whether a path begins as `https://` or `machine:/` do.
fn is_remote(path: &Path) -> bool {
    let first = path.to_str().and_then(|path| path.split_once('/')).map_or("", |(first, _)| first);
    first.len() > 1 && first.ends_with(':')
}

/// A table as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The table's name.
    pub name: String,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Its rows: null, numbers and strings, whatever the column's type says.
    pub rows: Vec<Vec<serde_json::Value>>,
}

fn json_of(value: Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => number.into(),
        Value::Real(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::Blob(bytes) => bytes.escape_ascii().to_string().into(),
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => bytes.escape_ascii().to_string(),
    }
}
