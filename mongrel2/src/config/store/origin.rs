//! What a configuration was made of: the script with all that it imports, and the facts of the world that it asked for.
//!
//! A generation has it as JSON, with the SHA-256 of each file; the texts are in the table `source`, each of them once.

use rusqlite::{OptionalExtension as _, Transaction};
use serde::{Deserialize, Serialize};

use super::packed::{pack, unpack_known};
use super::{Database, StoreError};
use crate::config::canonical;

/// What a configuration was made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The files that were read, the script itself first.
    pub files: Vec<File>,
    /// The names of the environment's variables that were asked for.
    pub variables: Vec<String>,
    /// The machine's name, if that was asked for.
    pub hostname: Option<String>,
}

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its path, as it was named.
    pub path: String,
    /// What was in it.
    pub text: String,
}

/// The same as the column `origin` has it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::config) struct Row {
    files: Vec<Named>,
    variables: Vec<String>,
    hostname: Option<String>,
}

/// A file whose text is elsewhere.
#[derive(Debug, Serialize, Deserialize)]
struct Named {
    path: String,
    digest: String,
}

impl Row {
    /// The SHA-256 of the texts that a row refers to; none if it is nothing that was written here.
    pub(in crate::config) fn digests(origin: &str) -> Option<Vec<String>> {
        let row: Self = serde_json::from_str(origin).ok()?;
        Some(row.files.into_iter().map(|file| file.digest).collect())
    }
}

/// Keeps the texts of an origin, and gives what its generation has of it.
pub(super) fn keep(transaction: &Transaction<'_>, origin: &Origin) -> Result<String, StoreError> {
    let mut insert = transaction.prepare_cached("INSERT OR IGNORE INTO source (digest, content) VALUES (?, ?)")?;
    let mut files = Vec::new();
    for File { path, text } in &origin.files {
        let digest = canonical::digest(text.as_bytes());
        insert.execute((&digest, pack(text.as_bytes())))?;
        files.push(Named { path: path.clone(), digest });
    }
    let row = Row { files, variables: origin.variables.clone(), hostname: origin.hostname.clone() };
    Ok(serde_json::to_string(&row).expect("an origin is plain values"))
}

impl Database {
    /// What a generation was made of; `None` if there is no such generation, nothing was recorded of that, or its texts were
    /// thrown away.
    ///
    /// # Errors
    /// What SQLite says, or that a text is not what was kept.
    pub fn origin(&self, id: i64) -> Result<Option<Origin>, StoreError> {
        if !self.connection.column_exists(None, "generation", "origin")? {
            return Ok(None);
        }
        let sql = "SELECT origin FROM generation WHERE id = ?";
        let found: Option<Option<String>> = self.connection.query_row(sql, [id], |row| row.get(0)).optional()?;
        let Some(origin) = found.flatten() else { return Ok(None) };
        let spoilt = |message: &str| StoreError::Row { table: "generation", id, message: message.into() };
        let row: Row = serde_json::from_str(&origin).map_err(|_| spoilt("its origin is not what was kept"))?;
        let mut files = Vec::new();
        for Named { path, digest } in row.files {
            let sql = "SELECT content FROM source WHERE digest = ?";
            let packed: Option<Vec<u8>> = self.connection.query_row(sql, [&digest], |row| row.get(0)).optional()?;
            let Some(packed) = packed else { return Ok(None) };
            let text = unpack_known(&digest, &packed).and_then(|text| String::from_utf8(text).ok());
            files.push(File { path, text: text.ok_or_else(|| spoilt("the text of its script is not what was kept"))? });
        }
        Ok(Some(Origin { files, variables: row.variables, hostname: row.hostname }))
    }
}
