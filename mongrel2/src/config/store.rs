//! The configuration as SQLite, both ways: `load(save(tree)) == tree`.
//!
//! The database is the only place where m2sh and servers meet.  `schema.sql` says what is in it; databases
//! of the original tool have the same tables and are read as they are.  Every change is one transaction
//! together with its entry in the audit log, so that a crash leaves the old configuration or the new one.

mod schema;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Transaction, TransactionBehavior, params};
use thiserror::Error;

use super::history::{self, Entry};
use super::mimetypes::default_mimetypes;
use super::tree::{Config, Dir, Handler, Host, Proxy, Redirect, Route, Server, Target};
use schema::Schema;

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
    /// Another program has held the database locked for too long.
    #[error("another program has locked the database for more than {} seconds", BUSY.as_secs())]
    Locked,
    /// This user may not write it.
    #[error("the database is read-only")]
    ReadOnly,
    /// Anything else that SQLite says.
    #[error("{0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            _ => Self::Sqlite(error),
        }
    }
}

/// An open configuration database.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
}

impl Database {
    /// Opens a database to read it.
    ///
    /// # Errors
    /// It is missing, of another kind, from a newer version, or can't be read.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let database = Self::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        database.require_schema(path)?;
        Ok(database)
    }

    /// Opens a database to change it.
    ///
    /// # Errors
    /// It is missing, of another kind, from a newer version, or can't be read.
    pub fn open_to_change(path: &Path) -> Result<Self, StoreError> {
        let database = Self::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
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
        let database = Self::open(path, flags)?;
        if !database.is_empty()? {
            database.require_schema(path)?;
        }
        Ok(database)
    }

    fn open(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        if !flags.contains(OpenFlags::SQLITE_OPEN_CREATE) && !path.exists() {
            return Err(StoreError::Missing(path.to_owned()));
        }
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY)?;
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
        Ok(Self { connection })
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
        let snapshot = self.connection.unchecked_transaction()?;
        Loader { connection: &snapshot }.config()
    }

    /// Reads the servers alone, without their hosts: for programs that have to find a server's process
    /// whatever has become of the rest.
    ///
    /// # Errors
    /// A row that has a value that doesn't belong there.
    pub fn servers(&self) -> Result<Vec<Server>, StoreError> {
        Ok(Loader { connection: &self.connection }.servers()?.into_values().collect())
    }

    /// Reads the settings alone.
    ///
    /// # Errors
    /// A row that has a value that doesn't belong there.
    pub fn settings(&self) -> Result<BTreeMap<String, String>, StoreError> {
        Loader { connection: &self.connection }.pairs("setting", "key, value")
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
        let result = change(&Change { transaction: &transaction })?;
        history::record(&transaction, entry)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Every row of every table: of the configuration, the log and whatever other programs keep there.
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
        let rows = rows.collect::<Result<_, _>>()?;
        Ok(Table { name, columns, rows })
    }
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

/// A change in progress.
#[derive(Debug)]
pub struct Change<'a> {
    transaction: &'a Transaction<'a>,
}

impl Change<'_> {
    /// Makes the tables and columns that are missing, and empties those of the configuration, but for the media types,
    /// which it fills.  The log and the statistics stay.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn init(&self) -> Result<(), StoreError> {
        self.save(&Config { mimetypes: default_mimetypes(), ..Config::default() })
    }

    /// Replaces the configuration; makes the tables and columns that are missing.  The log and the statistics stay.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn save(&self, config: &Config) -> Result<(), StoreError> {
        let schema = Schema::read()?;
        schema.complete(self.transaction)?;
        self.transaction.pragma_update(None, "user_version", VERSION)?;
        for table in schema.config_tables()? {
            self.transaction.execute(&format!("DELETE FROM {table}"), [])?;
        }
        let mut targets = HashMap::new();
        for server in &config.servers {
            self.save_server(server, &mut targets)?;
        }
        let mut setting = self.transaction.prepare("INSERT INTO setting (key, value) VALUES (?, ?)")?;
        for pair in &config.settings {
            setting.execute(pair)?;
        }
        let mut mimetype = self.transaction.prepare("INSERT INTO mimetype (extension, mimetype) VALUES (?, ?)")?;
        for pair in &config.mimetypes {
            mimetype.execute(pair)?;
        }
        Ok(())
    }

    fn save_server<'c>(&self, server: &'c Server, targets: &mut HashMap<&'c Target, i64>) -> Result<(), StoreError> {
        self.transaction
            .prepare_cached(
                "INSERT INTO server (uuid, access_log, error_log, error_log_level, chroot, pid_file, control_port,
             default_host, name, bind_addr, port, use_ssl) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                server.uuid,
                server.access_log,
                server.error_log,
                server.error_log_level,
                server.chroot,
                server.pid_file,
                server.control_port,
                server.default_host,
                server.name,
                server.bind_addr,
                server.port,
                server.use_ssl,
            ])?;
        let server_id = self.transaction.last_insert_rowid();
        server.hosts.iter().try_for_each(|host| self.save_host(server_id, host, targets))
    }

    fn save_host<'c>(
        &self,
        server_id: i64,
        host: &'c Host,
        targets: &mut HashMap<&'c Target, i64>,
    ) -> Result<(), StoreError> {
        self.transaction
            .prepare_cached("INSERT INTO host (server_id, maintenance, name, matching) VALUES (?, ?, ?, ?)")?
            .execute(params![server_id, host.maintenance, host.name, host.matching])?;
        let host_id = self.transaction.last_insert_rowid();
        let mut alias = self.transaction.prepare_cached("INSERT INTO alias (host_id, matching) VALUES (?, ?)")?;
        for matching in &host.aliases {
            alias.execute(params![host_id, matching])?;
        }
        let mut page =
            self.transaction.prepare_cached("INSERT INTO error_page (host_id, status, path) VALUES (?, ?, ?)")?;
        for (status, path) in &host.error_pages {
            page.execute(params![host_id, status, path])?;
        }
        host.routes.iter().try_for_each(|route| self.save_route(host_id, route, targets))
    }

    fn save_route<'c>(
        &self,
        host_id: i64,
        route: &'c Route,
        targets: &mut HashMap<&'c Target, i64>,
    ) -> Result<(), StoreError> {
        let target_id = match targets.get(&route.target) {
            Some(id) => *id,
            None => {
                let id = self.save_target(&route.target)?;
                targets.insert(&route.target, id);
                id
            }
        };
        self.transaction
            .prepare_cached(
                "INSERT INTO route (path, reversed, host_id, target_id, target_type) VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![route.path, route.reversed, host_id, target_id, route.target.target_type()])?;
        Ok(())
    }

    fn save_target(&self, target: &Target) -> Result<i64, StoreError> {
        match target {
            Target::Dir(dir) => self
                .transaction
                .prepare_cached(
                    "INSERT INTO directory (base, index_file, default_ctype, cache_ttl, listing)
                     VALUES (?, ?, ?, ?, ?)",
                )?
                .execute(params![dir.base, dir.index_file, dir.default_ctype, dir.cache_ttl, dir.listing])?,
            Target::Proxy(proxy) => self
                .transaction
                .prepare_cached("INSERT INTO proxy (addr, port) VALUES (?, ?)")?
                .execute(params![proxy.addr, proxy.port])?,
            Target::Handler(handler) => self
                .transaction
                .prepare_cached(
                    "INSERT INTO handler (send_spec, send_ident, recv_spec, recv_ident, raw_payload, protocol)
                     VALUES (?, ?, ?, ?, ?, ?)",
                )?
                .execute(params![
                    handler.send_spec,
                    handler.send_ident,
                    handler.recv_spec,
                    handler.recv_ident,
                    handler.raw_payload,
                    handler.protocol.as_str(),
                ])?,
            Target::Redirect(redirect) => self
                .transaction
                .prepare_cached("INSERT INTO redirect (\"to\", status) VALUES (?, ?)")?
                .execute(params![redirect.to, redirect.status])?,
        };
        Ok(self.transaction.last_insert_rowid())
    }
}

struct Loader<'a> {
    connection: &'a Connection,
}

type Id = i64;

impl Loader<'_> {
    fn config(&self) -> Result<Config, StoreError> {
        let targets = Targets {
            dirs: self.table("directory", "base, index_file, default_ctype, cache_ttl, listing", dir)?,
            proxies: self.table("proxy", "addr, port", proxy)?,
            handlers: self.table(
                "handler",
                "send_spec, send_ident, recv_spec, recv_ident, raw_payload, protocol",
                handler,
            )?,
            redirects: self.table("redirect", "to, status", redirect)?,
        };
        let mut hosts = self.hosts()?;
        for (id, (host_id, route)) in
            self.table("route", "path, reversed, host_id, target_id, target_type", |row| targets.route(row))?
        {
            owner(&mut hosts, "route", id, host_id)?.routes.push(route);
        }
        let mut servers = self.servers()?;
        for (id, (server_id, host)) in hosts {
            let server =
                servers.get_mut(&server_id).ok_or_else(|| dangling("host", id, "server_id", server_id, "server"))?;
            server.hosts.push(host);
        }
        Ok(Config {
            servers: servers.into_values().collect(),
            settings: self.pairs("setting", "key, value")?,
            mimetypes: self.pairs("mimetype", "extension, mimetype")?,
        })
    }

    fn servers(&self) -> Result<BTreeMap<Id, Server>, StoreError> {
        self.table(
            "server",
            "uuid, access_log, error_log, error_log_level, chroot, pid_file, control_port, default_host, name, \
             bind_addr, port, use_ssl",
            server,
        )
    }

    /// Hosts without routes, each with the id of its server.
    fn hosts(&self) -> Result<BTreeMap<Id, (Id, Host)>, StoreError> {
        let mut hosts = self.table("host", "server_id, maintenance, name, matching", host)?;
        for (id, (host_id, matching)) in self.table("alias", "host_id, matching", alias)? {
            owner(&mut hosts, "alias", id, host_id)?.aliases.push(matching);
        }
        for (id, (host_id, status, path)) in self.table("error_page", "host_id, status, path", error_page)? {
            owner(&mut hosts, "error_page", id, host_id)?.error_pages.insert(status, path);
        }
        Ok(hosts)
    }

    /// All rows of a table by id, which is their order; none if there is no such table.
    fn table<T>(
        &self,
        table: &'static str,
        columns: &str,
        read: impl Fn(&Fields<'_>) -> Result<T, StoreError>,
    ) -> Result<BTreeMap<Id, T>, StoreError> {
        let Some(query) = schema::select(self.connection, table, columns)? else {
            return Ok(BTreeMap::new());
        };
        let mut statement = self.connection.prepare(&query)?;
        let mut rows = statement.query([])?;
        let mut result = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let fields = Fields { table, id: row.get(0)?, row };
            result.insert(fields.id, read(&fields)?);
        }
        Ok(result)
    }

    fn pairs(&self, table: &'static str, columns: &str) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = self.table(table, columns, |row| {
            let (key, value) = columns.split_once(", ").expect("two columns");
            Ok((row.text(key)?, row.text(value)?))
        })?;
        Ok(rows.into_values().collect())
    }
}

struct Targets {
    dirs: BTreeMap<Id, Dir>,
    proxies: BTreeMap<Id, Proxy>,
    handlers: BTreeMap<Id, Handler>,
    redirects: BTreeMap<Id, Redirect>,
}

impl Targets {
    fn route(&self, row: &Fields<'_>) -> Result<(Id, Route), StoreError> {
        let target_id = row.integer("target_id", 0)?;
        let target_type = row.text("target_type")?;
        let (table, target) = match target_type.as_str() {
            "dir" => ("directory", self.dirs.get(&target_id).cloned().map(Target::Dir)),
            "proxy" => ("proxy", self.proxies.get(&target_id).cloned().map(Target::Proxy)),
            "handler" => ("handler", self.handlers.get(&target_id).cloned().map(Target::Handler)),
            "redirect" => ("redirect", self.redirects.get(&target_id).cloned().map(Target::Redirect)),
            other => {
                let message = format!("target_type is `{other}`, not `dir`, `proxy`, `handler` or `redirect`");
                return Err(row.fault(message));
            }
        };
        let target = target.ok_or_else(|| dangling("route", row.id, "target_id", target_id, table))?;
        let route = Route { path: row.text("path")?, reversed: row.truth("reversed")?, target };
        Ok((row.integer("host_id", 0)?, route))
    }
}

/// The host that a row belongs to.
fn owner<'h>(
    hosts: &'h mut BTreeMap<Id, (Id, Host)>,
    table: &'static str,
    id: Id,
    host_id: Id,
) -> Result<&'h mut Host, StoreError> {
    let found = hosts.get_mut(&host_id).map(|(_, host)| host);
    found.ok_or_else(|| dangling(table, id, "host_id", host_id, "host"))
}

fn dangling(table: &'static str, id: Id, column: &str, value: Id, other: &str) -> StoreError {
    StoreError::Row { table, id, message: format!("{column} is {value}, but table `{other}` has no such row") }
}

fn server(row: &Fields<'_>) -> Result<Server, StoreError> {
    let defaults = Server::default();
    Ok(Server {
        uuid: row.text("uuid")?,
        access_log: row.text("access_log")?,
        error_log: row.text("error_log")?,
        error_log_level: row.integer("error_log_level", defaults.error_log_level)?,
        chroot: row.optional("chroot")?.unwrap_or(defaults.chroot),
        pid_file: row.text("pid_file")?,
        control_port: row.text("control_port")?,
        default_host: row.text("default_host")?,
        name: row.text("name")?,
        bind_addr: row.optional("bind_addr")?.unwrap_or(defaults.bind_addr),
        port: row.integer("port", 0)?,
        use_ssl: row.truth("use_ssl")?,
        hosts: Vec::new(),
    })
}

fn host(row: &Fields<'_>) -> Result<(Id, Host), StoreError> {
    let host = Host {
        maintenance: row.truth("maintenance")?,
        name: row.text("name")?,
        matching: row.text("matching")?,
        aliases: Vec::new(),
        error_pages: BTreeMap::new(),
        routes: Vec::new(),
    };
    Ok((row.integer("server_id", 0)?, host))
}

fn alias(row: &Fields<'_>) -> Result<(Id, String), StoreError> {
    Ok((row.integer("host_id", 0)?, row.text("matching")?))
}

fn error_page(row: &Fields<'_>) -> Result<(Id, i64, String), StoreError> {
    Ok((row.integer("host_id", 0)?, row.integer("status", 0)?, row.text("path")?))
}

fn dir(row: &Fields<'_>) -> Result<Dir, StoreError> {
    Ok(Dir {
        base: row.text("base")?,
        index_file: row.text("index_file")?,
        default_ctype: row.text("default_ctype")?,
        cache_ttl: row.integer("cache_ttl", 0)?,
        listing: row.truth("listing")?,
    })
}

fn redirect(row: &Fields<'_>) -> Result<Redirect, StoreError> {
    Ok(Redirect { to: row.text("to")?, status: row.integer("status", Redirect::default().status)? })
}

fn proxy(row: &Fields<'_>) -> Result<Proxy, StoreError> {
    Ok(Proxy { addr: row.text("addr")?, port: row.integer("port", 0)? })
}

fn handler(row: &Fields<'_>) -> Result<Handler, StoreError> {
    let protocol = row.text("protocol")?.parse();
    Ok(Handler {
        send_spec: row.text("send_spec")?,
        send_ident: row.text("send_ident")?,
        recv_spec: row.text("recv_spec")?,
        recv_ident: row.text("recv_ident")?,
        raw_payload: row.truth("raw_payload")?,
        protocol: protocol.map_err(|message| row.fault(format!("protocol: {message}")))?,
    })
}

/// A row whose faults are told with table and id.
struct Fields<'a> {
    table: &'static str,
    id: Id,
    row: &'a Row<'a>,
}

impl Fields<'_> {
    fn fault(&self, message: String) -> StoreError {
        StoreError::Row { table: self.table, id: self.id, message }
    }

    /// SQLite keeps whatever type was inserted; here it must be the column's, or NULL.
    fn value<T: FromSql>(&self, column: &str, kind: &str) -> Result<Option<T>, StoreError> {
        self.row.get(column).map_err(|_| {
            let found = self.row.get::<_, Value>(column).map_or_else(|_| "?".into(), |value| text_of(&value));
            self.fault(format!("{column} is `{found}`, not {kind}"))
        })
    }

    fn optional(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.value(column, "a text")
    }

    fn text(&self, column: &str) -> Result<String, StoreError> {
        match self.value::<Value>(column, "a text")? {
            Some(Value::Integer(number)) => Ok(number.to_string()),
            _ => Ok(self.optional(column)?.unwrap_or_default()),
        }
    }

    fn integer(&self, column: &str, default: i64) -> Result<i64, StoreError> {
        Ok(self.value(column, "a number")?.unwrap_or(default))
    }

    fn truth(&self, column: &str) -> Result<bool, StoreError> {
        match self.integer(column, 0)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.fault(format!("{column} is {other}, not 0 or 1"))),
        }
    }
}
