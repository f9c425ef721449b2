//! Whose work a field of the configuration is: which change has set it to what it is.
//!
//! What each change has touched comes in, the oldest first; out goes the change that a field goes back to.  An object that
//! came with the one that it is part of goes back to that.

use std::collections::BTreeMap;

use super::difference::{Kind, Noun, Path, Step, Touch};

/// Who has set what, so far.
#[derive(Debug, Clone)]
pub struct Blame<W> {
    objects: BTreeMap<Key, Object<W>>,
}

/// What an object is told by, from the outermost one on.
type Key = Vec<(Noun, String)>;

/// What is known of an object, and not of the one that it is part of.
#[derive(Debug, Clone)]
struct Object<W> {
    path: Path,
    life: Life<W>,
    /// Who has set the fields that were changed since.
    fields: BTreeMap<String, W>,
}

/// How an object came to be there, or not.
#[derive(Debug, Clone)]
enum Life<W> {
    /// It came with the object that it is part of, or before anything was recorded.
    Inherited,
    /// It was added by itself.
    Added(W),
    /// It was removed.
    Removed(W),
}

impl<W> Default for Blame<W> {
    fn default() -> Self {
        Self { objects: BTreeMap::new() }
    }
}

impl<W: Clone> Blame<W> {
    /// Takes what a change has touched.
    pub fn apply(&mut self, who: &W, touches: impl IntoIterator<Item = Touch>) {
        for Touch { change, path, fields } in touches {
            let key = key(&path);
            match change {
                Kind::Added => {
                    self.renew(key, Object { path, life: Life::Added(who.clone()), fields: BTreeMap::new() })
                }
                Kind::Removed => {
                    self.renew(key, Object { path, life: Life::Removed(who.clone()), fields: BTreeMap::new() });
                }
                Kind::Changed => {
                    let fresh = || Object { path, life: Life::Inherited, fields: BTreeMap::new() };
                    let object = self.objects.entry(key).or_insert_with(fresh);
                    object.fields.extend(fields.into_iter().map(|field| (field, who.clone())));
                }
            }
        }
    }

    /// Puts an object in the place of whatever was known of it and of what was part of it.
    fn renew(&mut self, key: Key, object: Object<W>) {
        let parts: Vec<Key> = self
            .objects
            .range(key.clone()..)
            .map(|(known, _)| known)
            .take_while(|known| known.starts_with(&key))
            .cloned()
            .collect();
        parts.iter().for_each(|part| drop(self.objects.remove(part)));
        self.objects.insert(key, object);
    }

    /// Who has set a field of an object to what it is; `None` if that was before anything was recorded.
    pub fn of(&self, path: &Path, field: &str) -> Option<&W> {
        let key = key(path);
        let own = self.objects.get(&key).and_then(|object| object.fields.get(field));
        own.or_else(|| (1..=key.len()).rev().find_map(|length| self.objects.get(&key[..length])?.came()))
    }

    /// The objects that are gone, and who has removed them.
    pub fn removed(&self) -> impl Iterator<Item = (&Path, &W)> {
        self.objects.values().filter_map(|object| match &object.life {
            Life::Removed(who) => Some((&object.path, who)),
            Life::Inherited | Life::Added(_) => None,
        })
    }
}

impl<W> Object<W> {
    fn came(&self) -> Option<&W> {
        match &self.life {
            Life::Added(who) => Some(who),
            Life::Inherited | Life::Removed(_) => None,
        }
    }
}

fn key(path: &Path) -> Key {
    let id = |Step { noun, name, uuid }: &Step| (*noun, if uuid.is_empty() { name.clone() } else { uuid.clone() });
    path.steps.iter().map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::difference::{difference, touched};
    use crate::config::tree::{Config, Dir, Host, Route, Server, Target};

    fn config(name: &str, port: i64, paths: &[&str]) -> Config {
        let target = Target::Dir(Dir::default());
        let route = |path: &&str| Route { path: (*path).into(), reversed: false, target: target.clone() };
        let routes = paths.iter().map(route).collect();
        let hosts = vec![Host { name: "h".into(), routes, ..Host::default() }];
        let servers = vec![Server { uuid: "1".into(), name: name.into(), port, hosts, ..Server::default() }];
        Config { servers, ..Config::default() }
    }

    /// Who is to blame for what in the last of the configurations, which came one after the other.
    fn blamed(configs: &[Config]) -> (Blame<usize>, Vec<String>) {
        let mut blame = Blame::default();
        for (number, pair) in configs.windows(2).enumerate() {
            blame.apply(&(number + 1), touched(&pair[0], &pair[1]));
        }
        let now = difference(&Config::default(), configs.last().unwrap());
        let told = now.iter().flat_map(|change| {
            let fields = change.fields.iter().map(|field| field.name.as_str());
            let wanted = fields.filter(|name| ["name", "port", "path", "value"].contains(name));
            wanted.map(|name| format!("{} {name} {:?}", change.path.noun().word(), blame.of(&change.path, name)))
        });
        let told = told.collect();
        (blame, told)
    }

    #[test]
    fn a_field_goes_back_to_its_last_change() {
        let configs =
            [Config::default(), config("a", 1, &["/x"]), config("a", 2, &["/x", "/y"]), config("b", 2, &["/x", "/y"])];
        let (_, told) = blamed(&configs);
        let expected = [
            "server name Some(3)",
            "server port Some(2)",
            "host name Some(1)",
            "route path Some(1)",
            "route path Some(2)",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_went_and_came_again_goes_back_to_its_coming() {
        let configs = [
            Config::default(),
            config("a", 1, &["/x"]),
            Config::default(),
            config("a", 1, &["/x"]),
            config("a", 1, &[]),
        ];
        let (blame, told) = blamed(&configs);
        assert_eq!(told, ["server name Some(3)", "server port Some(3)", "host name Some(3)"]);
        let removed: Vec<_> = blame.removed().map(|(path, who)| (path.to_string(), *who)).collect();
        assert_eq!(removed, [("server a, host h, route /x".to_owned(), 4)]);
    }

    #[test]
    fn what_was_there_before_is_nobodys() {
        let with = |value: &str| Config {
            settings: [("x".to_owned(), value.to_owned()), ("y".to_owned(), "1".to_owned())].into(),
            ..config("a", 1, &[])
        };
        let (_, told) = blamed(&[with("1"), with("2")]);
        assert_eq!(told[2..], ["host name None", "setting value Some(1)", "setting value None"]);
    }

    #[test]
    fn a_move_is_no_change_of_a_field() {
        let configs = [Config::default(), config("a", 1, &["/x", "/y"]), config("a", 1, &["/y", "/x"])];
        let (_, told) = blamed(&configs);
        assert!(told.iter().all(|line| line.ends_with("Some(1)")), "{told:?}");
    }
}
