//! The servers that an entry of the audit log is about, as its column `servers` has them: UUIDs with blanks between, `*`
//! for all of them, nothing for none.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::config::tree::{Config, Server};

/// What all servers are in the column.
const ALL: &str = "*";

/// The servers that an entry is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum About {
    /// None, or it isn't known.
    #[default]
    Nothing,
    /// The servers of these UUIDs.
    Servers(BTreeSet<String>),
    /// All that there are.
    All,
}

impl About {
    /// About these servers.
    pub fn servers<'a>(servers: impl IntoIterator<Item = &'a Server>) -> Self {
        Self::some(servers.into_iter().map(|server| server.uuid.clone()).collect())
    }

    /// About those that are other ones after a change of the configuration, come with it or go.  What is not part of a
    /// server is about all.
    pub(in crate::config) fn change(old: &Config, new: &Config) -> Self {
        if old.settings != new.settings || old.mimetypes != new.mimetypes || old.secrets != new.secrets {
            return Self::All;
        }
        let (before, after) = (by_uuid(old), by_uuid(new));
        let uuids: BTreeSet<&String> = before.keys().chain(after.keys()).copied().collect();
        let differs = |uuid: &&String| before.get(*uuid) != after.get(*uuid);
        Self::some(uuids.into_iter().filter(differs).cloned().collect())
    }

    /// About the servers of both.
    pub(in crate::config) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::Nothing, about) | (about, Self::Nothing) => about,
            (Self::Servers(uuids), Self::Servers(more)) => Self::Servers(uuids.into_iter().chain(more).collect()),
        }
    }

    /// From the column.
    pub(super) fn read(column: Option<String>) -> Self {
        match column.as_deref() {
            None => Self::Nothing,
            Some(ALL) => Self::All,
            Some(uuids) => Self::some(uuids.split_whitespace().map(str::to_owned).collect()),
        }
    }

    /// For the column.
    pub(super) fn column(&self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Servers(uuids) => Some(uuids.iter().map(String::as_str).collect::<Vec<_>>().join(" ")),
            Self::All => Some(ALL.to_owned()),
        }
    }

    fn some(uuids: BTreeSet<String>) -> Self {
        if uuids.is_empty() { Self::Nothing } else { Self::Servers(uuids) }
    }
}

fn by_uuid(config: &Config) -> BTreeMap<&String, &Server> {
    config.servers.iter().map(|server| (&server.uuid, server)).collect()
}

impl Serialize for About {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.collect_seq::<[&str; 0]>([]),
            Self::Servers(uuids) => serializer.collect_seq(uuids),
            Self::All => serializer.collect_seq([ALL]),
        }
    }
}

/// As SQL: whether the column names all servers, or one of those that a parameter has as [`wanted`].
pub(super) fn is_one_of(column: &str, parameter: &str) -> String {
    format!(
        "({column} = '{ALL}' OR EXISTS (SELECT 1 FROM json_each({parameter}) AS wanted
         WHERE instr(' ' || {column} || ' ', ' ' || wanted.value || ' ') > 0))"
    )
}

/// UUIDs as a parameter; nothing if any server is wanted.
pub(super) fn wanted(uuids: &[String]) -> Option<String> {
    (!uuids.is_empty()).then(|| serde_json::to_string(uuids).expect("strings are JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(servers: &[(&str, i64)]) -> Config {
        let server = |(uuid, port): &(&str, i64)| Server { uuid: (*uuid).into(), port: *port, ..Server::default() };
        Config { servers: servers.iter().map(server).collect(), ..Config::default() }
    }

    fn check(about: &About, expected: Option<&str>) {
        assert_eq!(about.column().as_deref(), expected);
        assert_eq!(About::read(about.column()), *about);
    }

    #[test]
    fn a_change_is_about_the_servers_that_it_touches() {
        let old = config(&[("a", 1), ("b", 2), ("c", 3)]);
        check(&About::change(&old, &old), None);
        check(&About::change(&old, &config(&[("a", 1), ("b", 9), ("d", 4)])), Some("b c d"));
        let settings = [("limits.min_ping".to_owned(), "0".to_owned())].into();
        check(&About::change(&old, &Config { settings, ..old.clone() }), Some("*"));
        let secrets = [("TOKEN".to_owned(), "hunter2".to_owned())].into();
        check(&About::change(&old, &Config { secrets, ..old.clone() }), Some("*"));
    }

    #[test]
    fn what_is_about_two_things_is_about_both() {
        let some = |uuids: &str| About::read(Some(uuids.into()));
        check(&some("b").and(some("a b")), Some("a b"));
        check(&some("b").and(About::Nothing), Some("b"));
        check(&About::All.and(some("b")), Some("*"));
    }

    #[test]
    fn programs_get_a_list() {
        let json = |about: &About| serde_json::to_string(about).unwrap();
        assert_eq!(json(&About::Nothing), "[]");
        assert_eq!(json(&About::read(Some(" b  a ".into()))), r#"["a","b"]"#);
        assert_eq!(json(&About::All), r#"["*"]"#);
    }
}
