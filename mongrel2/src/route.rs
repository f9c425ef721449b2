//! Which target a path gets, and which host a name: the longest stored prefix wins (the manual, 3.6).
//!
//! [`Routes`] and [`Hosts`] are built once from a checked configuration and never change.  A look-up is a
//! binary search and a short walk, whatever the number of routes.

use crate::pattern::{Pattern, PatternError};

/// The routes of one host, each with a value of the caller's.
#[derive(Debug)]
pub struct Routes<T> {
    forward: Prefixes<Vec<Rule<T>>>,
    reversed: Prefixes<Vec<Rule<T>>>,
}

/// One route, split into its fixed part and its pattern.
#[derive(Debug)]
pub struct Rule<T> {
    path: Path,
    /// What the caller stored with the route.
    pub value: T,
}

/// The path of a route, split where its pattern begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The route's path as configured.
    pub text: String,
    /// The part that is compared byte by byte: a prefix, or of a reversed path a suffix.
    pub fixed: String,
    pattern: Option<Pattern>,
    reversed: bool,
}

/// What a look-up found.
#[derive(Debug)]
pub enum Found<'a, T> {
    /// The route that answers.
    Rule(&'a Rule<T>),
    /// The path is a route's prefix without its last slash: redirect there.
    Slash(&'a Rule<T>),
    /// No route.
    Nothing,
}

impl Path {
    /// Splits a configured path: `/images/(.*.jpg)` is the prefix `/images/` and a pattern.  A reversed one
    /// is a pattern up to the last `)`, and a suffix.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub fn parse(text: &str, reversed: bool) -> Result<Self, PatternError> {
        let (fixed, pattern) = if reversed {
            let (pattern, fixed) = text.split_at(text.rfind(')').map_or(0, |at| at + 1));
            (fixed, pattern)
        } else {
            text.split_at(text.find('(').unwrap_or(text.len()))
        };
        if text.contains('(') && !pattern.contains(')') {
            return Err(PatternError::Unclosed);
        }
        let pattern = if pattern.is_empty() { None } else { Some(Pattern::parse(pattern.as_bytes())?) };
        Ok(Self { text: text.to_owned(), fixed: fixed.to_owned(), pattern, reversed })
    }

    /// Whether the pattern, if there is one, matches what the fixed part leaves of `path`.
    ///
    /// Behind a prefix it has to match from the start; before a suffix it has to match the whole rest.
    pub fn matches_rest(&self, path: &[u8]) -> bool {
        match &self.pattern {
            None => true,
            Some(pattern) if self.reversed => pattern.matches_whole(&path[..path.len() - self.fixed.len()]),
            Some(pattern) => pattern.matches_start(&path[self.fixed.len()..]),
        }
    }

    /// The same for the name of a host, whose letters are matched in lower case.
    fn matches_name(&self, name: &[u8]) -> bool {
        self.pattern.is_none() || self.matches_rest(&name.to_ascii_lowercase())
    }

    /// What a directory looks up below its base: the path without the prefix, or all of it where the route is
    /// told by a suffix.
    pub fn rest<'p>(&self, path: &'p [u8]) -> &'p [u8] {
        if self.reversed { path } else { &path[self.fixed.len()..] }
    }

    /// Whether there is a pattern beside the fixed part.
    pub fn has_pattern(&self) -> bool {
        self.pattern.is_some()
    }
}

impl<T> Rule<T> {
    /// The route's path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl<T> Routes<T> {
    /// Puts routes in order.  Among those with the same fixed part the order given here is the order in which
    /// they are tried.
    pub fn new(rules: impl IntoIterator<Item = (Path, T)>) -> Self {
        let (mut forward, mut reversed) = (Groups::default(), Groups::default());
        for (path, value) in rules {
            let (groups, key) = if path.reversed {
                (&mut reversed, path.fixed.bytes().rev().collect())
            } else {
                (&mut forward, path.fixed.clone().into_bytes())
            };
            groups.entry(key).or_default().push(Rule { path, value });
        }
        Self { forward: Prefixes::new(forward), reversed: Prefixes::new(reversed) }
    }

    /// Finds the route for a path.
    ///
    /// Reversed routes come first, as nothing would reach them otherwise beside a route for `/`.  Then the
    /// longest stored prefix decides: its routes are tried in turn, and shorter prefixes are not.
    pub fn find(&self, path: &[u8]) -> Found<'_, T> {
        match self.candidates(path).flatten().find(|rule| rule.path.matches_rest(path)) {
            Some(rule) => self.slash(path, rule).map_or(Found::Rule(rule), Found::Slash),
            None => self.directory(path).map_or(Found::Nothing, Found::Slash),
        }
    }

    /// The routes that are tried for a path, in order: those that share the longest matching suffix, then
    /// those that share the longest matching prefix.
    pub fn candidates(&self, path: &[u8]) -> impl Iterator<Item = &[Rule<T>]> {
        let backwards: Vec<u8> =
            if self.reversed.is_empty() { Vec::new() } else { path.iter().rev().copied().collect() };
        let by_suffix = self.reversed.longest(&backwards).filter(|_| !self.reversed.is_empty());
        by_suffix.into_iter().chain(self.forward.longest(path)).map(Vec::as_slice)
    }

    /// The rule for `path/` when it is stored and `rule` matched only because its prefix is shorter than `path`.
    fn slash(&self, path: &[u8], rule: &Rule<T>) -> Option<&Rule<T>> {
        if rule.path.reversed || rule.path.has_pattern() || rule.path.fixed.len() == path.len() {
            return None;
        }
        self.directory(path)
    }

    /// The route without a pattern whose prefix is `path` and a slash.
    fn directory(&self, path: &[u8]) -> Option<&Rule<T>> {
        if path.last() == Some(&b'/') {
            return None;
        }
        self.forward.exact(path, b'/')?.iter().find(|rule| !rule.path.has_pattern())
    }
}

/// The hosts of one server, each with a value of the caller's.
#[derive(Debug)]
pub struct Hosts<T> {
    suffixes: Prefixes<Vec<Rule<T>>>,
}

impl<T> Hosts<T> {
    /// Puts hosts in order, each given by its `matching`, which is parsed as a reversed [`Path`].
    pub fn new(hosts: impl IntoIterator<Item = (Path, T)>) -> Self {
        let mut groups = Groups::default();
        for (path, value) in hosts {
            let key: Vec<u8> = path.fixed.bytes().rev().map(|byte| byte.to_ascii_lowercase()).collect();
            groups.entry(key).or_default().push(Rule { path, value });
        }
        Self { suffixes: Prefixes::new(groups) }
    }

    /// The host whose `matching` is the longest suffix of `name`, a `Host:` header without its port.
    ///
    /// A suffix starts at a label: `example.com` is a suffix of `www.example.com` but not of
    /// `badexample.com`.  Letters match in either case.
    pub fn find(&self, name: &[u8]) -> Option<&T> {
        let backwards: Vec<u8> = name.iter().rev().map(u8::to_ascii_lowercase).collect();
        let fits = |rule: &&Rule<T>| at_label(&rule.path, name) && rule.path.matches_name(name);
        self.suffixes.walk(&backwards).find_map(|rules| rules.iter().find(fits)).map(|rule| &rule.value)
    }
}

fn at_label(path: &Path, name: &[u8]) -> bool {
    let rest = &name[..name.len() - path.fixed.len()];
    path.has_pattern() || rest.is_empty() || rest.ends_with(b".") || path.fixed.starts_with('.')
}

type Groups<T> = std::collections::BTreeMap<Vec<u8>, Vec<Rule<T>>>;

/// Byte strings in order, each knowing the longest other one that it starts with.
#[derive(Debug)]
struct Prefixes<V> {
    nodes: Vec<Node<V>>,
}

#[derive(Debug)]
struct Node<V> {
    prefix: Vec<u8>,
    shorter: Option<usize>,
    value: V,
}

impl<V> Prefixes<V> {
    fn new(sorted: std::collections::BTreeMap<Vec<u8>, V>) -> Self {
        let mut nodes: Vec<Node<V>> = Vec::with_capacity(sorted.len());
        for (prefix, value) in sorted {
            let mut shorter = nodes.len().checked_sub(1);
            while let Some(index) = shorter.filter(|index| !prefix.starts_with(&nodes[*index].prefix)) {
                shorter = nodes[index].shorter;
            }
            nodes.push(Node { prefix, shorter, value });
        }
        Self { nodes }
    }

    fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn longest(&self, text: &[u8]) -> Option<&V> {
        self.walk(text).next()
    }

    /// The values of all stored prefixes of `text`, the longest first.
    fn walk(&self, text: &[u8]) -> impl Iterator<Item = &V> {
        let after = self.nodes.partition_point(|node| node.prefix.as_slice() <= text);
        let mut next = after.checked_sub(1);
        std::iter::from_fn(move || {
            loop {
                let node = &self.nodes[next?];
                next = node.shorter;
                if text.starts_with(&node.prefix) {
                    return Some(&node.value);
                }
            }
        })
    }

    /// The value of the prefix that is `text` and then `last`.
    fn exact(&self, text: &[u8], last: u8) -> Option<&V> {
        let key = text.iter().chain(std::iter::once(&last));
        let index = self.nodes.binary_search_by(|node| node.prefix.iter().cmp(key.clone())).ok()?;
        Some(&self.nodes[index].value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn routes(paths: &[&str]) -> Routes<()> {
        Routes::new(paths.iter().map(|path| {
            let (reversed, path) = path.strip_prefix("REV ").map_or((false, *path), |path| (true, path));
            (Path::parse(path, reversed).unwrap(), ())
        }))
    }

    fn check(paths: &[&str], path: &str, expected: &str) {
        let routes = routes(paths);
        let found = match routes.find(path.as_bytes()) {
            Found::Rule(rule) => rule.path.text.clone(),
            Found::Slash(rule) => format!("slash {}", rule.path.text),
            Found::Nothing => "404".into(),
        };
        assert_eq!(found, expected, "{path} among {paths:?}");
    }

    #[test]
    fn longest_prefix_wins() {
        let paths = &["/", "/chat/", "/chatdemo/", "/users", "/users/(\\d+)$", "/users/new"];
        check(paths, "/", "/");
        check(paths, "/chat/x", "/chat/");
        check(paths, "/chatdemo/x", "/chatdemo/");
        check(paths, "/us", "/");
        check(paths, "/users", "/users");
        check(paths, "/usersfoo", "/users");
        check(paths, "/users/12", "/users/(\\d+)$");
        check(paths, "/users/new", "/users/new");
        check(&["/users"], "/us", "404");
    }

    #[test]
    fn a_failing_pattern_is_a_404_even_beside_a_shorter_prefix() {
        check(&["/", "/users/(\\d+)$"], "/users/12x", "404");
    }

    #[test]
    fn routes_that_share_a_prefix_are_tried_in_turn() {
        let paths = &["/a/(\\d+)$", "/a/(\\l+)$", "/a/(.*)"];
        check(paths, "/a/12", "/a/(\\d+)$");
        check(paths, "/a/ab", "/a/(\\l+)$");
        check(paths, "/a/a1", "/a/(.*)");
    }

    #[test]
    fn a_missing_slash_is_a_redirect() {
        check(&["/static/"], "/static", "slash /static/");
        check(&["/", "/static/"], "/static", "slash /static/");
        check(&["/", "/static", "/static/"], "/static", "/static");
        check(&["/static/(x)"], "/static", "404");
        check(&["/static/"], "/stati", "404");
    }

    #[test]
    fn reversed_routes_match_from_the_end() {
        let paths = &["/", "REV .php", "REV (/img/.+).png"];
        check(paths, "/a/b.php", "REV .php".trim_start_matches("REV "));
        check(paths, "/img/x.png", "(/img/.+).png");
        check(paths, "/other/x.png", "/");
        check(paths, "/x.phpx", "/");
    }

    #[test]
    fn hosts() {
        let names = ["example.com", "(.+).example.com", ".org", "LocalHost"];
        let hosts = Hosts::new(names.iter().map(|name| (Path::parse(name, true).unwrap(), *name)));
        for (name, expected) in [
            ("example.com", Some("example.com")),
            ("EXAMPLE.com", Some("example.com")),
            ("www.example.com", Some("(.+).example.com")),
            ("badexample.com", None),
            ("mongrel2.org", Some(".org")),
            ("localhost", Some("LocalHost")),
            ("my.localhost", Some("LocalHost")),
            ("com", None),
            ("", None),
        ] {
            assert_eq!(hosts.find(name.as_bytes()).copied(), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn same_as_looking_at_every_route(paths in prop::collection::vec("/[ab/]{0,4}", 1..20), path in "/[ab/]{0,6}") {
            let table = Routes::new(paths.iter().map(|path| (Path::parse(path, false).unwrap(), path.clone())));
            let longest = paths.iter().filter(|prefix| path.starts_with(prefix.as_str())).max_by_key(|prefix| prefix.len());
            match table.find(path.as_bytes()) {
                Found::Rule(rule) => prop_assert_eq!(Some(&rule.value), longest),
                Found::Slash(rule) => {
                    prop_assert_eq!(&rule.value, &format!("{path}/"));
                    prop_assert!(longest.is_none_or(|prefix| prefix.len() < path.len()));
                }
                Found::Nothing => prop_assert_eq!(None, longest),
            }
        }
    }
}
