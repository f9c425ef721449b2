//! The tables `statistic` and `past_statistic`: what servers have counted, under which generation of the
//! configuration.
//!
//! `statistic` has a server's rows of the generation that it serves, by the ids of `server`, `host` and `route`.  A
//! load gives new ids, so that each row also says by name whose it is: under a newer generation, or when its id means
//! something else by now, it goes to `past_statistic`, which knows names only.  What has been counted adds up in one
//! place or the other, over restarts too; nothing is counted in both.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rusqlite::{OptionalExtension, Row, ToSql, Transaction, TransactionBehavior, params};

use super::schema::{self, Schema};
use super::{Database, StoreError};
use crate::summary::Summary;

/// Both tables.
const TABLES: [&str; 2] = ["statistic", "past_statistic"];

/// What they have in common.
const COLUMNS: &str =
    "generation, server, other_type, host, route, name, n, sum, sumsq, min, max, mean, sd, first_at, last_at";

/// The names of statistics that servers write.
pub mod name {
    /// Seconds from a request to the end of its answer.
    pub const LATENCY: &str = "latency";
    /// Bytes of an answer's body.
    pub const BYTES: &str = "bytes";
    /// 1 for an answer with status 500 or above, else 0: the sum counts them, the mean is their share.
    pub const ERRORS: &str = "errors";
    /// 1 for each start of a server.
    pub const STARTS: &str = "starts";
}

/// What a statistic is about, by names that outlive a load.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A server as a whole.
    Server,
    /// One of its hosts.
    Host {
        /// The host's name.
        host: String,
    },
    /// A route of one of its hosts.
    Route {
        /// The host's name.
        host: String,
        /// The route's path.
        route: String,
    },
}

/// What a server has counted since it last said.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The server's UUID.
    pub server: String,
    /// The generation that it serves.
    pub generation: i64,
    /// What it has counted, under that generation or those before.
    pub samples: Vec<Sample>,
}

/// What has been counted of one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The generation under which it was.
    pub generation: i64,
    /// Whose it is.
    pub subject: Subject,
    /// The id of the subject's row in that generation.
    pub id: i64,
    /// What it is; see [`name`].
    pub name: &'static str,
    /// The values.
    pub summary: Summary,
}

/// What the tables know.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistic {
    /// The generation; `generation.log_id` says which entry of the log that is.
    pub generation: i64,
    /// The server's UUID.
    pub server: String,
    /// Whose it is.
    pub subject: Subject,
    /// What it is; see [`name`].
    pub name: String,
    /// The values.
    pub summary: Summary,
    /// UTC: when it was first written.
    pub first_at: String,
    /// UTC: when it was last written.
    pub last_at: String,
}

impl Database {
    /// Adds what a server has counted to the tables, all of it or nothing; makes what they lack.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_statistics(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let schema = Schema::read()?;
        TABLES.iter().try_for_each(|table| schema.complete_table(&transaction, table))?;
        let now = transaction.query_row("SELECT datetime('now')", [], |row| row.get(0))?;
        let ledger = Ledger { transaction: &transaction, batch, now };
        ledger.close_other_generations()?;
        batch.samples.iter().try_for_each(|sample| ledger.add(sample))?;
        Ok(transaction.commit()?)
    }

    /// Everything that servers have counted, by generation, server and subject.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn statistics(&self) -> Result<Vec<Statistic>, StoreError> {
        self.statistics_of("'server', 'host', 'route'")
    }

    /// The same of servers as a whole.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn server_statistics(&self) -> Result<Vec<Statistic>, StoreError> {
        self.statistics_of("'server'")
    }

    fn statistics_of(&self, kinds: &str) -> Result<Vec<Statistic>, StoreError> {
        let snapshot = self.connection.unchecked_transaction()?;
        let mut found = BTreeMap::new();
        for table in TABLES {
            if schema::names(&snapshot, table)?.contains("generation") {
                let mut statement =
                    snapshot.prepare(&format!("SELECT {} FROM {table} WHERE other_type IN ({kinds})", *SOUND))?;
                for statistic in statement.query_map([], Statistic::read)? {
                    merge_into(&mut found, statistic?);
                }
            }
        }
        Ok(found.into_values().collect())
    }
}

/// A row of each of these may be in both tables, when a server hasn't been told of a newer generation yet.
type Key = (i64, String, Subject, String);

fn merge_into(found: &mut BTreeMap<Key, Statistic>, statistic: Statistic) {
    let Statistic { generation, server, subject, name, .. } = &statistic;
    let key = (*generation, server.clone(), subject.clone(), name.clone());
    match found.get_mut(&key) {
        Some(known) => known.merge(&statistic),
        None => drop(found.insert(key, statistic)),
    }
}

/// A batch on its way into the tables.
struct Ledger<'a> {
    transaction: &'a Transaction<'a>,
    batch: &'a Batch,
    /// UTC.
    now: String,
}

impl Ledger<'_> {
    /// Moves the server's rows of other generations: those that `m2sh` has replaced since.
    fn close_other_generations(&self) -> Result<(), StoreError> {
        let mine = "FROM statistic WHERE server = ?1 AND generation <> ?2";
        let key = (&self.batch.server, self.batch.generation);
        let mut statement = self.transaction.prepare(&format!("SELECT {} {mine}", *SOUND))?;
        let rows = statement.query_map(key, Statistic::read)?.collect::<Result<Vec<_>, _>>()?;
        rows.iter().try_for_each(|row| self.put_past(row))?;
        self.transaction.execute(&format!("DELETE {mine}"), key)?;
        Ok(())
    }

    fn add(&self, sample: &Sample) -> Result<(), StoreError> {
        let mut statistic = self.statistic(sample);
        if sample.generation != self.batch.generation {
            return self.put_past(&statistic);
        }
        match self.present(sample)? {
            Some(known) if known.is_same(&statistic) => statistic.merge(&known),
            // Its server has heard of a newer configuration, where the id is its own.
            Some(other) if other.generation > sample.generation => return self.put_past(&statistic),
            Some(other) => self.put_past(&other)?,
            None => {}
        }
        self.put(&statistic, sample.id)
    }

    fn statistic(&self, sample: &Sample) -> Statistic {
        Statistic {
            generation: sample.generation,
            server: self.batch.server.clone(),
            subject: sample.subject.clone(),
            name: sample.name.to_owned(),
            summary: sample.summary,
            first_at: self.now.clone(),
            last_at: self.now.clone(),
        }
    }

    /// The row that is there under a sample's id.
    fn present(&self, sample: &Sample) -> Result<Option<Statistic>, StoreError> {
        let query = format!("SELECT {} FROM statistic WHERE other_type = ? AND other_id = ? AND name = ?", *SOUND);
        let key = params![sample.subject.kind(), sample.id, sample.name];
        Ok(self.transaction.prepare_cached(&query)?.query_row(key, Statistic::read).optional()?)
    }

    fn put(&self, statistic: &Statistic, id: i64) -> Result<(), StoreError> {
        upsert(self.transaction, "statistic", "other_type, other_id, name", statistic, Some(id))
    }

    /// Adds to what is past.
    fn put_past(&self, statistic: &Statistic) -> Result<(), StoreError> {
        let Statistic { generation, server, subject, name, .. } = statistic;
        let query = format!(
            "SELECT {} FROM past_statistic WHERE generation = ? AND server = ? AND other_type = ? AND host = ? \
             AND route = ? AND name = ?",
            *SOUND
        );
        let key = params![generation, server, subject.kind(), subject.host(), subject.route(), name];
        let known = self.transaction.prepare_cached(&query)?.query_row(key, Statistic::read).optional()?;
        let mut whole = statistic.clone();
        known.iter().for_each(|known| whole.merge(known));
        let key = "generation, server, other_type, host, route, name";
        upsert(self.transaction, "past_statistic", key, &whole, None)
    }
}

/// Writes a row over that of the same key; `id` is for the table that has one.
fn upsert(
    transaction: &Transaction<'_>,
    table: &str,
    key: &str,
    statistic: &Statistic,
    id: Option<i64>,
) -> Result<(), StoreError> {
    let columns = if id.is_some() { format!("{COLUMNS}, other_id") } else { COLUMNS.to_owned() };
    let names: Vec<&str> = columns.split(", ").collect();
    let sets: Vec<String> = names.iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let statement = format!(
        "INSERT INTO {table} ({columns}) VALUES (?{}) ON CONFLICT ({key}) DO UPDATE SET {}",
        ", ?".repeat(names.len() - 1),
        sets.join(", ")
    );
    let Statistic { generation, server, subject, name, summary, first_at, last_at } = statistic;
    let (kind, host, route) = (subject.kind(), subject.host(), subject.route());
    let (n, mean, sd) = (i64::try_from(summary.n).unwrap_or(i64::MAX), summary.mean(), summary.sd());
    let Summary { sum, sumsq, min, max, .. } = summary;
    let mut values: Vec<&dyn ToSql> =
        vec![generation, server, &kind, &host, &route, name, &n, sum, sumsq, min, max, &mean, &sd, first_at, last_at];
    values.extend(id.as_ref().map(|id| id as &dyn ToSql));
    transaction.prepare_cached(&statement)?.execute(&values[..])?;
    Ok(())
}

/// [`COLUMNS`] as values of their types, whatever another program has put there.
static SOUND: LazyLock<String> = LazyLock::new(|| {
    let sound = |column: &str| match column {
        "generation" | "n" => format!("coalesce(CAST({column} AS INTEGER), 0)"),
        "sum" | "sumsq" | "mean" | "sd" => format!("coalesce(CAST({column} AS REAL), 0.0)"),
        // As SQLite writes infinity.
        "min" => "coalesce(CAST(min AS REAL), 9e999)".to_owned(),
        "max" => "coalesce(CAST(max AS REAL), -9e999)".to_owned(),
        _ => format!("coalesce(CAST({column} AS TEXT), '')"),
    };
    let terms = COLUMNS.split(", ").map(|column| format!("{} AS {column}", sound(column)));
    terms.collect::<Vec<_>>().join(", ")
});

impl Statistic {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let n: i64 = row.get("n")?;
        let (host, route) = (row.get("host")?, row.get("route")?);
        let subject = match row.get::<_, String>("other_type")?.as_str() {
            "host" => Subject::Host { host },
            "route" => Subject::Route { host, route },
            _ => Subject::Server,
        };
        Ok(Self {
            generation: row.get("generation")?,
            server: row.get("server")?,
            subject,
            name: row.get("name")?,
            summary: Summary {
                n: u64::try_from(n).unwrap_or(0),
                sum: row.get("sum")?,
                sumsq: row.get("sumsq")?,
                min: row.get("min")?,
                max: row.get("max")?,
            },
            first_at: row.get("first_at")?,
            last_at: row.get("last_at")?,
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.generation, &self.server, &self.subject) == (other.generation, &other.server, &other.subject)
    }

    fn merge(&mut self, other: &Self) {
        self.summary.merge(&other.summary);
        if !other.first_at.is_empty() && other.first_at < self.first_at {
            self.first_at.clone_from(&other.first_at);
        }
        if other.last_at > self.last_at {
            self.last_at.clone_from(&other.last_at);
        }
    }
}

impl Subject {
    /// The value of the column `other_type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Host { .. } => "host",
            Self::Route { .. } => "route",
        }
    }

    fn host(&self) -> &str {
        match self {
            Self::Server => "",
            Self::Host { host } | Self::Route { host, .. } => host,
        }
    }

    fn route(&self) -> &str {
        if let Self::Route { route, .. } = self { route } else { "" }
    }
}
