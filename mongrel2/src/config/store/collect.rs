//! Throwing away what was kept of old generations: their configurations, and the texts of scripts that no other one has.
//!
//! The rows of the generations stay, with their digests and with what they changed, and so does whose work the throwing away
//! was: the seals of the audit log tell it from a loss.

use std::collections::BTreeSet;

use rusqlite::Transaction;

use super::StoreError;
use super::origin::Row;
use super::save::Change;
use super::schema::Schema;

impl Change<'_> {
    /// Throws away the configurations of all generations but the newest ones, as many as `keep` says, and those of `spare`.
    /// Gives their numbers.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn collect(&self, keep: usize, spare: &BTreeSet<i64>) -> Result<Vec<i64>, StoreError> {
        Schema::read()?.complete(self.transaction)?;
        let sql = "SELECT id FROM generation WHERE config IS NOT NULL ORDER BY id DESC LIMIT -1 OFFSET ?";
        let mut statement = self.transaction.prepare(sql)?;
        let old = statement.query_map([i64::try_from(keep).unwrap_or(i64::MAX)], |row| row.get(0))?;
        let mut old: Vec<i64> = old.collect::<Result<_, _>>()?;
        old.retain(|id| !spare.contains(id));
        old.reverse();
        let mut empty = self.transaction.prepare("UPDATE generation SET config = NULL WHERE id = ?")?;
        for id in &old {
            empty.execute([id])?;
        }
        drop_sources(self.transaction)?;
        self.collected.borrow_mut().extend(&old);
        Ok(old)
    }
}

/// Records which generations an entry of the log has emptied.
pub(super) fn record(transaction: &Transaction<'_>, collected: &[i64], log_id: i64) -> Result<(), StoreError> {
    if collected.is_empty() {
        return Ok(());
    }
    let mut insert = transaction.prepare("INSERT INTO collected (generation, log_id) VALUES (?, ?)")?;
    for generation in collected {
        insert.execute((generation, log_id))?;
    }
    Ok(())
}

/// Drops the texts that no generation refers to whose configuration is there.
fn drop_sources(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let sql = "SELECT origin FROM generation WHERE config IS NOT NULL AND origin IS NOT NULL";
    let mut statement = transaction.prepare(sql)?;
    let origins = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let needed: BTreeSet<String> = origins.iter().filter_map(|origin| Row::digests(origin)).flatten().collect();
    let mut statement = transaction.prepare("SELECT digest FROM source")?;
    let known = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let mut delete = transaction.prepare("DELETE FROM source WHERE digest = ?")?;
    for digest in known.iter().filter(|digest| !needed.contains(*digest)) {
        delete.execute([digest])?;
    }
    Ok(())
}
