//! The generations of the configuration: each change makes one, numbered, which is kept whole.
//!
//! What is kept is the configuration as JSON, its fields and maps in a fixed order, compressed; its SHA-256 stands beside it
//! and is covered by the seals of the audit log.  A change that changes nothing makes none.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use rusqlite::{OptionalExtension as _, Transaction};
use serde::Serialize;

use super::{Database, StoreError};
use crate::config::canonical;
use crate::config::history::Logged;
use crate::config::tree::Config;

/// The longest configuration, as JSON, in bytes: what claims to be longer is none that was written here.
const LONGEST: u64 = 1 << 30;

/// A generation, and the entry of the log that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Generation {
    /// Its number.
    pub id: i64,
    /// The SHA-256 of its configuration; empty for one of a version that kept none.
    pub digest: String,
    /// Who made it, when, how and why; `None` if the entry is gone.
    #[serde(flatten)]
    pub logged: Option<Logged>,
}

/// A configuration as it is kept.
pub(super) struct Kept {
    json: Vec<u8>,
    digest: String,
}

impl Kept {
    pub(super) fn new(config: &Config) -> Self {
        let json = config.canonical().into_bytes();
        let digest = canonical::digest(&json);
        Self { json, digest }
    }

    /// Whether the database, whose rows say `now`, has the same already, so that nothing needs to be changed.
    pub(super) fn is_there(&self, transaction: &Transaction<'_>, now: Option<&Config>) -> Result<bool, StoreError> {
        if newest(transaction)?.as_deref() != Some(self.digest.as_str()) {
            return Ok(false);
        }
        // Somebody may have changed the rows since.
        Ok(now.is_some_and(|config| Self::new(config).digest == self.digest))
    }

    /// Adds the generation that an entry of the log has made.
    pub(super) fn add(&self, transaction: &Transaction<'_>, log_id: i64) -> Result<(), StoreError> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        let compressed = encoder.write_all(&self.json).and_then(|()| encoder.finish());
        let compressed = compressed.expect("a Vec takes everything");
        let sql = "INSERT INTO generation (log_id, digest, config) VALUES (?, ?, ?)";
        transaction.execute(sql, (log_id, &self.digest, compressed))?;
        Ok(())
    }
}

/// The digest of the newest generation.
fn newest(transaction: &Transaction<'_>) -> Result<Option<String>, StoreError> {
    let newest = "SELECT digest FROM generation ORDER BY id DESC LIMIT 1";
    Ok(transaction.query_row(newest, [], |row| row.get::<_, Option<String>>(0)).optional()?.flatten())
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
        let digest = if snapshot.column_exists(None, "generation", "digest")? { "digest" } else { "NULL" };
        let mut statement =
            snapshot.prepare(&format!("SELECT id, log_id, coalesce({digest}, '') FROM generation ORDER BY id"))?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let rows: Vec<(i64, Option<i64>, String)> = rows.collect::<Result<_, _>>()?;
        let mut entries: BTreeMap<i64, Logged> = self.log()?.into_iter().map(|entry| (entry.id, entry)).collect();
        let mut generation = |(id, log_id, digest): (i64, Option<i64>, String)| Generation {
            id,
            digest,
            logged: log_id.and_then(|log_id| entries.remove(&log_id)),
        };
        Ok(rows.into_iter().map(&mut generation).collect())
    }

    /// The configuration of a generation; `None` if there is no such generation, or nothing was kept of it.
    ///
    /// # Errors
    /// What SQLite says, or that what was kept is not what its digest says.
    pub fn generation(&self, id: i64) -> Result<Option<Config>, StoreError> {
        let has_configs = self.connection.table_exists(None, "generation")?
            && self.connection.column_exists(None, "generation", "config")?;
        if !has_configs {
            return Ok(None);
        }
        let sql = "SELECT digest, config FROM generation WHERE id = ? AND config IS NOT NULL";
        let found = self.connection.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        found.map(|(digest, config): (String, Vec<u8>)| unpack(&digest, &config).ok_or_else(|| damaged(id))).transpose()
    }
}

/// Whether what was kept is what its digest says.
pub(in crate::config) fn is_sound(digest: &str, config: &[u8]) -> bool {
    inflate(config).is_some_and(|json| canonical::digest(&json) == digest)
}

fn unpack(digest: &str, config: &[u8]) -> Option<Config> {
    let json = inflate(config).filter(|json| canonical::digest(json) == digest)?;
    serde_json::from_slice(&json).ok()
}

fn inflate(config: &[u8]) -> Option<Vec<u8>> {
    let mut json = Vec::new();
    DeflateDecoder::new(config).take(LONGEST).read_to_end(&mut json).ok()?;
    Some(json)
}

fn damaged(id: i64) -> StoreError {
    StoreError::Row { table: "generation", id, message: "its configuration is not what was kept".into() }
}
