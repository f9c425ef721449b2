//! What a script calls its servers, and the targets that several routes lead to.

use std::collections::{BTreeSet, HashMap};

use mongrel2::config::{Config, Target};

/// Names of servers and targets.
pub(super) struct Names<'a> {
    servers: Vec<String>,
    targets: HashMap<&'a Target, String>,
    /// The targets in the order of their first routes.
    order: Vec<&'a Target>,
}

/// More variables than two times this a script could not have; what is above stands where it is used.
const MOST: usize = 4000;
/// How long a name gets, before it is made unique.
const LONGEST: usize = 40;

impl<'a> Names<'a> {
    /// Names for a configuration.
    pub(super) fn of(config: &'a Config) -> Self {
        let mut taken = BTreeSet::new();
        let routes = || config.servers.iter().flat_map(|server| &server.hosts).flat_map(|host| &host.routes);
        let mut uses: HashMap<&Target, usize> = HashMap::new();
        routes().for_each(|route| *uses.entry(&route.target).or_default() += 1);
        let mut names = Self { servers: Vec::new(), targets: HashMap::new(), order: Vec::new() };
        for route in routes().filter(|route| uses[&route.target] > 1) {
            if names.order.len() < MOST && !names.targets.contains_key(&route.target) {
                let name = unique(&target_name(&route.target, &route.path), &mut taken);
                names.targets.insert(&route.target, name);
                names.order.push(&route.target);
            }
        }
        if config.servers.len() <= MOST {
            names.servers =
                config.servers.iter().map(|server| unique(&server_name(&server.name), &mut taken)).collect();
        }
        names
    }

    /// The targets that have names, and these.
    pub(super) fn targets(&self) -> impl Iterator<Item = (&'a Target, &str)> {
        self.order.iter().map(|target| (*target, self.targets[target].as_str()))
    }

    /// The name of a target, if it has one.
    pub(super) fn target(&self, target: &Target) -> Option<&str> {
        self.targets.get(target).map(String::as_str)
    }

    /// The name of a server, by its index.
    pub(super) fn server(&self, s: usize) -> Option<&str> {
        self.servers.get(s).map(String::as_str)
    }
}

fn server_name(name: &str) -> String {
    named(&[name], "server")
}

/// A folder is called by its base, anything else by the first route to it.
fn target_name(target: &Target, path: &str) -> String {
    let path = path.split('(').next().unwrap_or_default();
    match target {
        Target::Dir(dir) => named(&[&dir.base, path], "dir"),
        Target::Proxy(proxy) => named(&[path, &proxy.addr], "proxy"),
        Target::Handler(handler) => named(&[path, &handler.send_ident], "handler"),
        Target::Redirect(redirect) => named(&[path, &redirect.to], "redirect"),
    }
}

/// The first of the texts of which letters are left, and the kind; no word of Rhai's ends like that.
fn named(texts: &[&str], kind: &str) -> String {
    let words = texts.iter().map(|text| words(text)).find(|words| !words.is_empty());
    match words {
        Some(words) if words.ends_with(kind) => words,
        Some(words) => format!("{words}_{kind}"),
        None => kind.to_owned(),
    }
}

/// The letters and digits of a text, with `_` between what others are between; begins with a letter.
fn words(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let words: Vec<_> = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let joined: String = words.join("_").chars().take(LONGEST).collect();
    joined.trim_start_matches(|c: char| !c.is_ascii_lowercase()).trim_end_matches('_').to_owned()
}

fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut unique = name.to_owned();
    let mut number = 2;
    while !taken.insert(unique.clone()) {
        unique = format!("{name}_{number}");
        number += 1;
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_of_rhai() {
        for (name, expected) in [
            ("main", "main_server"),
            ("Main Server", "main_server"),
            ("", "server"),
            ("2001", "server"),
            ("www.example.com", "www_example_com_server"),
            ("äö", "server"),
            ("\"//\n", "server"),
        ] {
            assert_eq!(server_name(name), expected, "{name}");
        }
    }
}
