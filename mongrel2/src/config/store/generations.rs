//! The generations of the configuration: each change makes one, numbered, which is kept whole.
//!
//! What is kept is the configuration as JSON, its fields and maps in a fixed order, compressed; its SHA-256 stands beside it
//! and is covered by the seals of the audit log, as is what it was made of and what it changed.  A change that changes
//! nothing makes none.  The configurations of old ones can be thrown away; that they were there stays.

use std::collections::BTreeMap;
use std::rc::Rc;

use rusqlite::{OptionalExtension as _, Transaction};
use serde::Serialize;

use super::origin::{self, Origin};
use super::packed::{pack, unpack, unpack_known};
use super::save::Change;
use super::{Database, StoreError};
use crate::config::canonical;
use crate::config::difference::{Touch, touched};
use crate::config::history::{Filter, Logged};
use crate::config::tree::Config;

/// A generation, and the entry of the log that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Generation {
    /// Its number.
    pub id: i64,
    /// The SHA-256 of its configuration; empty for one of a version that kept none.
    pub digest: String,
    /// Whether its configuration is there.
    pub kept: bool,
    /// Who made it, when, how and why; `None` if the entry is gone.
    #[serde(flatten)]
    pub logged: Option<Logged>,
}

/// A generation that is about to be made.
pub(super) struct Draft {
    json: Vec<u8>,
    digest: String,
    changes: Vec<Touch>,
    origin: Option<String>,
}

impl Draft {
    /// A generation of that configuration; `None` if it is the newest one already, and what the rows say.
    pub(super) fn new(change: &Change<'_>, config: &Config) -> Result<Option<Self>, StoreError> {
        let json = config.canonical().into_bytes();
        let digest = canonical::digest(&json);
        let newest = newest(change.transaction)?;
        // Somebody may have changed the rows since, or spoilt them.
        let found = change.config().ok();
        let found_digest = found.as_ref().map(|found| found.digest());
        let is_newest = newest.as_ref().is_some_and(|newest| newest.0 == digest);
        if is_newest
            && found
                .as_ref()
                .is_some_and(|found| found_digest.as_ref() == Some(&digest) && found.secrets == config.secrets)
        {
            return Ok(None);
        }
        let newest = newest.filter(|newest| Some(&newest.0) != found_digest.as_ref());
        let before = newest.and_then(|(digest, packed)| read(&digest, &packed)).map(Rc::new).or(found);
        let changes = touched(&before.unwrap_or_default(), config);
        Ok(Some(Self { json, digest, changes, origin: None }))
    }

    /// The same, made of that.
    pub(super) fn made_of(self, transaction: &Transaction<'_>, origin: &Origin) -> Result<Self, StoreError> {
        Ok(Self { origin: Some(origin::keep(transaction, origin)?), ..self })
    }

    /// Adds the generation that an entry of the log has made.
    pub(super) fn add(&self, transaction: &Transaction<'_>, log_id: i64) -> Result<(), StoreError> {
        let changes = serde_json::to_vec(&self.changes).expect("changes are plain values");
        let sql = "INSERT INTO generation (log_id, digest, config, changes, origin) VALUES (?, ?, ?, ?, ?)";
        transaction.execute(sql, (log_id, &self.digest, pack(&self.json), pack(&changes), &self.origin))?;
        Ok(())
    }
}

/// The digest of the newest generation, and what was kept of it.
fn newest(transaction: &Transaction<'_>) -> Result<Option<(String, Vec<u8>)>, StoreError> {
    let newest = "SELECT coalesce(digest, ''), coalesce(config, '') FROM generation ORDER BY id DESC LIMIT 1";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get_ref(1)?.as_bytes().unwrap_or_default().to_vec()));
    Ok(transaction.query_row(newest, [], row).optional()?)
}

fn read(digest: &str, packed: &[u8]) -> Option<Config> {
    serde_json::from_slice(&unpack_known(digest, packed)?).ok()
}

impl Database {
    /// All generations, the oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn generations(&self) -> Result<Vec<Generation>, StoreError> {
        let snapshot = self.connection.unchecked_transaction()?;
        if !snapshot.table_exists(None, "generation")? {
            return Ok(Vec::new());
        }
        let (digest, kept) = match self.keeps_configs()? {
            true => ("digest", "config IS NOT NULL"),
            false => ("NULL", "0"),
        };
        let sql = format!("SELECT id, log_id, coalesce({digest}, ''), {kept} FROM generation ORDER BY id");
        let mut statement = snapshot.prepare(&sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        let rows: Vec<(i64, Option<i64>, String, bool)> = rows.collect::<Result<_, _>>()?;
        let entries = self.log_of(&Filter { made_generation: true, ..Filter::default() })?;
        let mut entries: BTreeMap<i64, Logged> = entries.into_iter().map(|entry| (entry.id, entry)).collect();
        let generation = |(id, log_id, digest, kept): (i64, Option<i64>, String, bool)| Generation {
            id,
            digest,
            kept,
            logged: log_id.and_then(|log_id| entries.remove(&log_id)),
        };
        Ok(rows.into_iter().map(generation).collect())
    }

    /// The configuration of a generation; `None` if there is no such generation, or nothing was kept of it.
    ///
    /// # Errors
    /// What SQLite says, or that what was kept is not what its digest says.
    pub fn generation(&self, id: i64) -> Result<Option<Config>, StoreError> {
        if !self.keeps_configs()? {
            return Ok(None);
        }
        let sql = "SELECT digest, config FROM generation WHERE id = ? AND config IS NOT NULL";
        let found = self.connection.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        found.map(|(digest, config): (String, Vec<u8>)| read(&digest, &config).ok_or_else(|| damaged(id))).transpose()
    }

    /// What each generation has changed, the oldest first.  What was not recorded is found by comparing it with the one
    /// before, as far as both were kept.
    ///
    /// # Errors
    /// What SQLite says, or that something is not what was kept.
    pub fn changes(&self) -> Result<Vec<(i64, Vec<Touch>)>, StoreError> {
        if !self.keeps_configs()? {
            return Ok(Vec::new());
        }
        let recorded = self.connection.column_exists(None, "generation", "changes")?;
        let column = if recorded { "changes" } else { "NULL" };
        let mut statement = self.connection.prepare(&format!("SELECT id, {column} FROM generation ORDER BY id"))?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows: Vec<(i64, Option<Vec<u8>>)> = rows.collect::<Result<_, _>>()?;
        let changes = rows.iter().enumerate().map(|(index, (id, packed))| match packed {
            Some(packed) => {
                let touches = unpack(packed).and_then(|json| serde_json::from_slice(&json).ok());
                touches.map(|touches| (*id, touches)).ok_or_else(|| damaged(*id))
            }
            None => Ok((*id, self.compare(index.checked_sub(1).map(|before| rows[before].0), *id)?)),
        });
        changes.collect()
    }

    fn compare(&self, before: Option<i64>, id: i64) -> Result<Vec<Touch>, StoreError> {
        let Some(config) = self.generation(id)? else { return Ok(Vec::new()) };
        let before = before.map_or(Ok(Some(Config::default())), |before| self.generation(before))?;
        Ok(before.map_or_else(Vec::new, |before| touched(&before, &config)))
    }

    fn keeps_configs(&self) -> Result<bool, StoreError> {
        Ok(self.connection.table_exists(None, "generation")?
            && self.connection.column_exists(None, "generation", "config")?)
    }
}

fn damaged(id: i64) -> StoreError {
    StoreError::Row { table: "generation", id, message: "its configuration is not what was kept".into() }
}
