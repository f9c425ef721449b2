//! Entries of the audit log with their seals, to the system's log: a datagram each, in the form of RFC 3164 that programs use
//! on their own machine, to the socket that syslog or journald reads.
//!
//! Whoever can write the database can replace all of its log; what has gone there stays out of reach.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Local};
use mongrel2::config::history::{About, Logged};
use mongrel2::config::{Database, Settings};

/// Where the socket is on most systems.
pub const USUAL: &str = "/dev/log";

/// Facility `authpriv`, where sudo writes to as well, and severity `notice` (RFC 3164, section 4.1.1).
const PRIORITY: u8 = 10 << 3 | 5;

/// How long a log that takes nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The socket that the setting `audit.syslog` names.
pub fn socket(database: &Database) -> Option<PathBuf> {
    Settings::new(&database.settings().ok()?).audit_syslog
}

/// Sends an entry of a database's log.
///
/// # Errors
/// What the kernel says: mostly that nobody reads there.
pub fn send(socket: &Path, db: &Path, entry: &Logged) -> io::Result<()> {
    let datagram = UnixDatagram::unbound()?;
    datagram.set_write_timeout(Some(PATIENCE))?;
    let db = std::path::absolute(db)?;
    datagram.send_to(message(Local::now(), std::process::id(), &db, entry).as_bytes(), socket)?;
    Ok(())
}

/// The seal comes first: what is too long loses its end.
fn message(now: DateTime<Local>, pid: u32, db: &Path, entry: &Logged) -> String {
    let Logged { id, who, what, location, happened_at, how, why, seal, servers, login, uid } = entry;
    let servers = match servers {
        About::Nothing => String::new(),
        About::Servers(uuids) => uuids.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
        About::All => "*".into(),
    };
    let known = |value: &Option<String>| value.clone().unwrap_or_default();
    let fields = [
        ("seal", seal.clone()),
        ("entry", id.to_string()),
        ("db", db.display().to_string()),
        ("who", who.clone()),
        ("login", known(login)),
        ("uid", known(&uid.map(|uid| uid.to_string()))),
        ("what", what.clone()),
        ("location", location.clone()),
        ("happened_at", happened_at.clone()),
        ("servers", servers),
        ("why", why.clone()),
        ("how", how.clone()),
    ];
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    let fields: Vec<String> = fields.map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    format!("<{PRIORITY}>{} m2sh[{pid}]: {}", now.format("%b %e %H:%M:%S"), fields.join(" "))
}

/// A value that ends where it seems to end.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=';
    if value.chars().all(is_plain) { value.to_owned() } else { serde_json::Value::from(value).to_string() }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    #[test]
    fn a_message() {
        let entry = Logged {
            id: 7,
            who: "zed".into(),
            what: "load".into(),
            location: "box".into(),
            happened_at: "2026-11-20 10:46:11".into(),
            how: "m2sh load".into(),
            why: "a \"b\"\nseal=0".into(),
            seal: "9f2c".into(),
            servers: About::All,
            login: None,
            uid: Some(0),
        };
        let now = Local.with_ymd_and_hms(2026, 11, 2, 1, 2, 3).unwrap();
        assert_eq!(
            message(now, 12, Path::new("/srv/a b.sqlite"), &entry),
            r#"<85>Nov  2 01:02:03 m2sh[12]: seal=9f2c entry=7 db="/srv/a b.sqlite" who=zed uid=0 what=load location=box happened_at="2026-11-20 10:46:11" servers=* why="a \"b\"\nseal=0" how="m2sh load""#
        );
    }
}
