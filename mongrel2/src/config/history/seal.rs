//! The seals of the audit log: each entry that is written here has the SHA-256 of the seal before it and of everything that
//! has come since, so that nothing of it can be changed, removed or put in between without a trace.
//!
//! What programs that know no seals have added is sealed with the next entry.  A row counts with the names and the values
//! of its columns, those without a value excepted: a column that is added later has none in older rows and changes no seal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};
use sha2::{Digest, Sha256};

use super::super::store::packed::unpack_known;
use super::super::store::{Database, StoreError, origin};
use super::Logged;

/// The seal of an entry, as 64 hexadecimal digits; empty if there is none.
const COLUMN: &str = "seal";

/// The configuration of a generation, which its digest stands for.
const CONTENT: &str = "config";

/// Why an audit log is not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The seal of an entry doesn't fit: that entry, or one since `after`, was changed, removed or added later.
    Entry {
        /// The entry.
        id: i64,
        /// The last entry before it that has a seal; 0 if there is none.
        after: i64,
    },
    /// The seal that somebody has kept is not there: the end of the log was cut off, or all of it replaced.
    Missing,
    /// What was kept of a generation, its configuration or the texts of its script, is not there or is something else.
    Generation {
        /// The generation.
        id: i64,
    },
}

/// What the seals say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many entries there are.
    pub entries: usize,
    /// How many of them have a seal of their own.
    pub seals: usize,
    /// The entries behind the last seal, of programs that know none.
    pub unsealed: Vec<i64>,
    /// The last seal.
    pub last: Option<String>,
    /// What doesn't fit.
    pub faults: Vec<Fault>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry { id, after } if *id == after + 1 => {
                write!(f, "entry {id} does not fit its seal: it was changed")
            }
            Self::Entry { id, after } => write!(
                f,
                "entry {id} does not fit its seal: it, or what is between it and entry {after}, was changed, removed or added"
            ),
            Self::Generation { id } => write!(f, "what was kept of generation {id} is gone or was changed"),
            Self::Missing => f.write_str("the seal that was kept is not there: the end of the log is missing"),
        }
    }
}

impl Database {
    /// Looks whether the entries, and the generations that belong to them, fit their seals; `kept` is a seal that has been
    /// there.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn verify(&self, kept: Option<&str>) -> Result<Verdict, StoreError> {
        let snapshot = self.connection().unchecked_transaction()?;
        let mut generations = made_by(&snapshot, 0)?;
        let mut verdict = Verdict::default();
        let (mut sealing, mut is_kept) = (Sealing::behind(0, ""), kept.is_none());
        let mut statement = snapshot.prepare("SELECT * FROM log ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (id, own) = (row.get("id")?, seal_of(row));
            verdict.entries += 1;
            sealing.add(row)?;
            verdict.unsealed.push(id);
            if own.is_empty() {
                continue;
            }
            let later = generations.split_off(&(id + 1));
            let expected = sealing.finish(&std::mem::replace(&mut generations, later));
            if expected != own {
                verdict.faults.push(Fault::Entry { id, after: sealing.after });
            }
            is_kept |= kept == Some(&own);
            sealing = Sealing::behind(id, &own);
            verdict.seals += 1;
            verdict.unsealed.clear();
            verdict.last = Some(own);
        }
        verdict.faults.extend(damaged(&snapshot)?);
        if !is_kept {
            verdict.faults.push(Fault::Missing);
        }
        Ok(verdict)
    }

    /// The first entry that has a seal, if there is one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn first_sealed(&self) -> Result<Option<i64>, StoreError> {
        if !self.connection().column_exists(None, "log", COLUMN)? {
            return Ok(None);
        }
        Ok(self
            .connection()
            .query_row("SELECT id FROM log WHERE seal <> '' ORDER BY id LIMIT 1", [], |row| row.get(0))
            .optional()?)
    }

    /// The last seal, if there is one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn last_seal(&self) -> Result<Option<String>, StoreError> {
        Ok(Some(last(self.connection())?.1).filter(|seal| !seal.is_empty()))
    }

    /// The last entry that has a seal, if there is one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn last_sealed(&self) -> Result<Option<Logged>, StoreError> {
        self.entry(last(self.connection())?.0)
    }
}

/// Seals the newest entry, and with it all that has come since the last seal.
///
/// # Errors
/// What SQLite says.
pub(in crate::config) fn seal(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let (after, before) = last(transaction)?;
    let mut sealing = Sealing::behind(after, &before);
    let mut statement = transaction.prepare("SELECT * FROM log WHERE id > ? ORDER BY id")?;
    let mut rows = statement.query([after])?;
    let mut newest = None;
    while let Some(row) = rows.next()? {
        newest = Some(row.get::<_, i64>("id")?);
        sealing.add(row)?;
    }
    if let Some(id) = newest {
        let mut generations = made_by(transaction, after)?;
        generations.split_off(&(id + 1));
        let seal = sealing.finish(&generations);
        transaction.execute("UPDATE log SET seal = ? WHERE id = ?", (seal, id))?;
    }
    Ok(())
}

/// The last entry that has a seal, and that.
fn last(connection: &Connection) -> Result<(i64, String), StoreError> {
    if !connection.column_exists(None, "log", COLUMN)? {
        return Ok((0, String::new()));
    }
    let mut statement = connection.prepare("SELECT id, seal FROM log WHERE seal <> '' ORDER BY id DESC LIMIT 1")?;
    let found = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)));
    match found {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok((0, String::new())),
        found => Ok(found?),
    }
}

/// What of other tables belongs to the entries of the log.
const PARTS: [(&str, &str); 2] = [("generation", "id"), ("collected", "generation")];

/// The rows of other tables, by the entries that they belong to, from the one behind `after` on.
fn made_by(connection: &Connection, after: i64) -> Result<BTreeMap<i64, Vec<u8>>, StoreError> {
    let mut by_entry: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
    for (table, key) in PARTS {
        if !connection.table_exists(None, table)? {
            continue;
        }
        let mut statement = connection.prepare(&format!("SELECT * FROM {table} WHERE log_id > ? ORDER BY {key}"))?;
        let mut rows = statement.query([after])?;
        while let Some(row) = rows.next()? {
            append(by_entry.entry(row.get("log_id")?).or_default(), row)?;
        }
    }
    Ok(by_entry)
}

/// The generations of which something is gone or is not what its digest says.  The seals are about the digests only, so that
/// configurations can be thrown away; the table `collected` says of which ones that was done.
fn damaged(connection: &Connection) -> Result<Vec<Fault>, StoreError> {
    if !connection.table_exists(None, "generation")? || !connection.column_exists(None, "generation", CONTENT)? {
        return Ok(Vec::new());
    }
    let collected = match connection.table_exists(None, "collected")? {
        true => "(SELECT generation FROM collected)",
        false => "()",
    };
    let origin = if connection.column_exists(None, "generation", "origin")? { "origin" } else { "NULL" };
    let sql = format!(
        "SELECT id, digest, config, {origin} AS origin FROM generation
         WHERE config IS NOT NULL OR digest <> '' AND id NOT IN {collected} ORDER BY id"
    );
    let sources = sound_sources(connection)?;
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut faults = Vec::new();
    while let Some(row) = rows.next()? {
        let texts = match row.get_ref("origin")? {
            ValueRef::Null => Some(Vec::new()),
            origin => origin.as_str().ok().and_then(origin::Row::digests),
        };
        let has_texts = texts.is_some_and(|texts| texts.iter().all(|digest| sources.contains(digest)));
        if !has_texts || !is_sound(row.get_ref("digest")?, row.get_ref(CONTENT)?) {
            faults.push(Fault::Generation { id: row.get("id")? });
        }
    }
    Ok(faults)
}

/// The digests of the texts of scripts that are what their digests say.
fn sound_sources(connection: &Connection) -> Result<BTreeSet<String>, StoreError> {
    let mut sound = BTreeSet::new();
    if !connection.table_exists(None, "source")? {
        return Ok(sound);
    }
    let mut statement = connection.prepare("SELECT digest, content FROM source")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (digest, content) = (row.get_ref(0)?, row.get_ref(1)?);
        if is_sound(digest, content) {
            sound.extend(digest.as_str().map(str::to_owned));
        }
    }
    Ok(sound)
}

fn is_sound(digest: ValueRef<'_>, content: ValueRef<'_>) -> bool {
    match (digest, content) {
        (ValueRef::Text(digest), ValueRef::Blob(content)) => {
            str::from_utf8(digest).is_ok_and(|digest| unpack_known(digest, content).is_some())
        }
        _ => false,
    }
}

/// An entry's own seal; what is no text is none that was made here.
fn seal_of(row: &Row<'_>) -> String {
    match row.get_ref(COLUMN) {
        Ok(ValueRef::Text(text)) => String::from_utf8_lossy(text).into_owned(),
        Ok(ValueRef::Null) | Err(_) => String::new(),
        Ok(_) => "?".into(),
    }
}

/// A seal that is being made.
struct Sealing {
    /// The entry before, which has a seal.
    after: i64,
    hash: Sha256,
}

impl Sealing {
    /// Begins behind an entry and its seal.
    fn behind(after: i64, seal: &str) -> Self {
        let mut bytes = Vec::new();
        part(&mut bytes, seal.as_bytes());
        Self { after, hash: Sha256::new().chain_update(bytes) }
    }

    fn add(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        append(&mut bytes, row)?;
        self.hash.update(bytes);
        Ok(())
    }

    fn finish(&mut self, generations: &BTreeMap<i64, Vec<u8>>) -> String {
        let hash = generations.values().fold(self.hash.clone(), |hash, bytes| hash.chain_update(bytes));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Appends a row: how many values it has, then the name, the type and the value of each.
fn append(out: &mut Vec<u8>, row: &Row<'_>) -> Result<(), StoreError> {
    let statement: &rusqlite::Statement<'_> = row.as_ref();
    let (mut values, mut count) = (Vec::new(), 0);
    for (index, name) in statement.column_names().enumerate().filter(|(_, name)| ![COLUMN, CONTENT].contains(name)) {
        let (kind, value): (u8, &[u8]) = match row.get_ref(index)? {
            ValueRef::Null => continue,
            ValueRef::Integer(number) => (b'i', &number.to_be_bytes()),
            ValueRef::Real(number) => (b'r', &number.to_be_bytes()),
            ValueRef::Text(text) => (b't', text),
            ValueRef::Blob(bytes) => (b'b', bytes),
        };
        count += 1;
        part(&mut values, name.as_bytes());
        values.push(kind);
        part(&mut values, value);
    }
    part(out, format!("{count}").as_bytes());
    out.extend_from_slice(&values);
    Ok(())
}

/// Appends bytes with their length, so that no two sequences of parts are the same bytes.
fn part(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;
    use crate::config::history::Entry;
    use crate::config::tree::Config;

    /// A database with a log of `count` entries, each but the first with a change of the configuration.
    fn database(count: usize) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.sqlite");
        let mut database = Database::open_or_create(&path).unwrap();
        for number in 0..count {
            let entry =
                Entry { who: "zed".into(), what: format!("load {number}"), why: "é".into(), ..Entry::default() };
            let settings = [("number".to_owned(), number.to_string())].into();
            let config = Config { settings, ..Config::default() };
            database.change(&entry, |change| change.save(&config)).unwrap();
        }
        (folder, path)
    }

    /// What is found after somebody has done `sql` to a log of four entries.
    fn after(sql: &str, kept: Option<&str>) -> Verdict {
        let (_folder, path) = database(4);
        let kept = kept.map(|_| Database::open_to_read(&path).unwrap().last_seal().unwrap().unwrap());
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        Database::open_to_read(&path).unwrap().verify(kept.as_deref()).unwrap()
    }

    #[test]
    fn an_untouched_log_fits() {
        let verdict = after("", Some(""));
        assert_eq!((verdict.entries, verdict.seals, verdict.faults, verdict.unsealed), (4, 4, vec![], vec![]));
        assert_eq!(verdict.last.unwrap().len(), 64);
    }

    #[test]
    fn whatever_is_done_to_it_shows() {
        let fault = |id, after| vec![Fault::Entry { id, after }];
        for (sql, faults) in [
            ("UPDATE log SET who = 'nobody' WHERE id = 2", fault(2, 1)),
            ("UPDATE log SET happened_at = '2020-01-01 00:00:00' WHERE id = 3", fault(3, 2)),
            ("UPDATE log SET why = NULL WHERE id = 1", fault(1, 0)),
            ("UPDATE log SET why = CAST(why AS BLOB) WHERE id = 1", fault(1, 0)),
            ("UPDATE log SET what = 'load', why = ' 1é' WHERE id = 2", fault(2, 1)),
            ("DELETE FROM log WHERE id = 2", fault(3, 1)),
            ("UPDATE log SET id = 9 WHERE id = 4; ", fault(9, 3)),
            ("UPDATE generation SET log_id = 3 WHERE id = 2", [fault(2, 1), fault(3, 2)].concat()),
            ("DELETE FROM generation WHERE id = 3", fault(3, 2)),
            ("INSERT INTO generation (log_id) VALUES (1)", fault(1, 0)),
            ("UPDATE log SET seal = '' WHERE id = 2", fault(3, 1)),
            ("UPDATE log SET seal = x'00' WHERE id = 4", fault(4, 3)),
        ] {
            assert_eq!(after(sql, None).faults, faults, "{sql}");
        }
        let inserted = "UPDATE log SET id = id + 1 WHERE id = 4; INSERT INTO log (id, what) VALUES (4, 'x')";
        assert_eq!(after(inserted, None).faults, fault(5, 3));
    }

    #[test]
    fn a_flip_of_any_bit_of_any_value_shows() {
        let (_folder, path) = database(2);
        let connection = Connection::open(&path).unwrap();
        let database = Database::open_to_read(&path).unwrap();
        for column in ["who", "what", "location", "happened_at", "how", "why", "seal"] {
            let read = format!("SELECT CAST({column} AS BLOB) FROM log WHERE id = 1");
            let original: Vec<u8> = connection.query_row(&read, [], |row| row.get(0)).unwrap();
            let write = |bytes: &[u8]| {
                let sql = format!("UPDATE log SET {column} = CAST(? AS TEXT) WHERE id = 1");
                connection.execute(&sql, [bytes]).unwrap();
            };
            for bit in 0..original.len() * 8 {
                let mut flipped = original.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                write(&flipped);
                assert!(!database.verify(None).unwrap().faults.is_empty(), "{column}, bit {bit}");
            }
            write(&original);
            assert_eq!(database.verify(None).unwrap().faults, [], "{column}");
        }
    }

    #[test]
    fn a_missing_end_shows_to_whoever_kept_the_seal() {
        let cut = "DELETE FROM log WHERE id = 4; DELETE FROM generation WHERE log_id = 4";
        assert_eq!(after(cut, None).faults, []);
        assert_eq!(after(cut, Some("")).faults, [Fault::Missing]);
        let all = "DELETE FROM log; DELETE FROM generation";
        assert_eq!(after(all, Some("")).faults, [Fault::Missing]);
    }

    #[test]
    fn what_others_write_is_sealed_with_the_next_entry() {
        let (_folder, path) = database(2);
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("INSERT INTO log (who, what) VALUES ('script', 'x'), ('script', 'y')").unwrap();
        let mut database = Database::open_to_change(&path).unwrap();
        let verdict = database.verify(None).unwrap();
        assert_eq!((verdict.faults, verdict.unsealed), (vec![], vec![3, 4]));
        database.change(&Entry::default(), |_| Ok(())).unwrap();
        assert!(database.verify(None).unwrap().unsealed.is_empty());
        connection.execute_batch("UPDATE log SET who = 'somebody' WHERE id = 3").unwrap();
        assert_eq!(database.verify(None).unwrap().faults, [Fault::Entry { id: 5, after: 2 }]);
    }

    #[test]
    fn a_log_of_the_original_gets_seals() {
        let (_folder, path) = database(0);
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(include_str!("../../../../schema.sql")).unwrap();
        connection
            .execute_batch("ALTER TABLE log DROP COLUMN seal; INSERT INTO log (who, what) VALUES ('a', 'b')")
            .unwrap();
        let mut database = Database::open_to_change(&path).unwrap();
        assert_eq!((database.verify(None).unwrap().unsealed, database.last_seal().unwrap()), (vec![1], None));
        database.change(&Entry::default(), |_| Ok(())).unwrap();
        let verdict = database.verify(None).unwrap();
        assert_eq!((verdict.entries, verdict.seals, verdict.faults), (2, 1, vec![]));
    }

    #[test]
    fn faults_in_words() {
        let of = |id, after| Fault::Entry { id, after }.to_string();
        assert_eq!(of(2, 1), "entry 2 does not fit its seal: it was changed");
        assert!(of(5, 2).contains("what is between it and entry 2"));
    }
}
