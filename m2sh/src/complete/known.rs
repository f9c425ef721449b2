//! The names that there are to be typed: those of a database, and files.  What can't be read has none.

use std::collections::BTreeSet;
use std::path::Path;

use mongrel2::config::{Database, Server};

use super::Candidate;

/// What a database knows.
#[derive(Debug)]
pub struct Known<'a> {
    db: &'a Path,
}

impl<'a> Known<'a> {
    /// The names in a database.
    pub fn new(db: &'a Path) -> Self {
        Self { db }
    }

    /// What its servers have in this field.
    pub fn servers(&self, field: fn(&Server) -> &String) -> Vec<String> {
        let servers = self.database().and_then(|database| database.servers().ok()).unwrap_or_default();
        sorted(servers.iter().map(field))
    }

    /// The names of all hosts.
    pub fn hosts(&self) -> Vec<String> {
        let servers = self.whole();
        sorted(servers.iter().flat_map(|server| &server.hosts).map(|host| &host.name))
    }

    /// The paths of all routes.
    pub fn routes(&self) -> Vec<String> {
        let servers = self.whole();
        sorted(servers.iter().flat_map(|server| &server.hosts).flat_map(|host| &host.routes).map(|route| &route.path))
    }

    /// The names of servers and hosts, the paths of routes, and the settings.
    pub fn objects(&self) -> Vec<String> {
        let settings = self.database().and_then(|database| database.settings().ok()).unwrap_or_default();
        let names = [self.servers(|server| &server.name), self.hosts(), self.routes()];
        names.into_iter().flatten().chain(settings.into_keys()).collect()
    }

    /// The numbers of the generations, the newest one first.
    pub fn generations(&self) -> Vec<Candidate> {
        let generations = self.database().and_then(|database| database.generations().ok()).unwrap_or_default();
        let help = |entry: Option<mongrel2::config::history::Logged>| {
            entry.map(|entry| format!("{}, {} by {}", entry.happened_at, entry.what, entry.who)).unwrap_or_default()
        };
        let candidates = generations.into_iter().rev();
        candidates.map(|generation| Candidate::new(generation.id.to_string(), help(generation.logged))).collect()
    }

    fn whole(&self) -> Vec<Server> {
        self.database().and_then(|database| database.load().ok()).map(|config| config.servers).unwrap_or_default()
    }

    fn database(&self) -> Option<Database> {
        Database::open_to_read(self.db).ok()
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let names: BTreeSet<&String> = names.filter(|name| !name.is_empty()).collect();
    names.into_iter().cloned().collect()
}

/// The files and folders that begin so; hidden ones only behind a dot.
pub fn files(begun: &str) -> Vec<Candidate> {
    let (folder, name) = begun.split_at(begun.rfind('/').map_or(0, |slash| slash + 1));
    let Ok(entries) = std::fs::read_dir(if folder.is_empty() { "." } else { folder }) else { return Vec::new() };
    let mut found: Vec<Candidate> = entries
        .flatten()
        .filter_map(|entry| {
            let is_folder = entry.path().is_dir();
            let file = entry.file_name().into_string().ok()?;
            let is_meant = file.starts_with(name) && (name.starts_with('.') || !file.starts_with('.'));
            let text = format!("{folder}{file}{}", if is_folder { "/" } else { "" });
            is_meant.then(|| Candidate { text, help: String::new(), is_whole: !is_folder })
        })
        .collect();
    found.sort_by(|one, other| one.text.cmp(&other.text));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| format!("{}/{name}", folder.path().display());
        for name in ["a b.rhai", "ab", ".hidden"] {
            std::fs::write(at(name), "").unwrap();
        }
        std::fs::create_dir(at("folder")).unwrap();
        let texts =
            |name: &str| files(&at(name)).into_iter().map(|file| (file.text, file.is_whole)).collect::<Vec<_>>();
        assert_eq!(texts(""), [(at("a b.rhai"), true), (at("ab"), true), (at("folder/"), false)]);
        assert_eq!(texts("a"), [(at("a b.rhai"), true), (at("ab"), true)]);
        assert_eq!(texts(".h"), [(at(".hidden"), true)]);
        assert_eq!(texts("missing/x"), []);
    }
}
