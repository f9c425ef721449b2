//! The order of services: who needs whom.
//!
//! Pure.  Names that nobody has, and circles, are found before anything is started; those that can't start because of them
//! are told apart, so that everything else can.

use std::collections::{BTreeMap, BTreeSet};

/// Who needs whom, by name.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Order {
    needs: BTreeMap<String, BTreeSet<String>>,
    needed_by: BTreeMap<String, BTreeSet<String>>,
    faults: BTreeMap<String, Fault>,
}

/// Why a service can never start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It needs one that doesn't exist; the second is one with a name much like it.
    Unknown(String, Option<String>),
    /// It needs itself, by way of these.
    Circle(Vec<String>),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(name, None) => write!(formatter, "it depends on `{name}`, which there isn't"),
            Self::Unknown(name, Some(near)) => {
                write!(formatter, "it depends on `{name}`, which there isn't; did you mean `{near}`?")
            }
            Self::Circle(names) => {
                let way: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                write!(formatter, "it depends on itself: {}", way.join(" → "))
            }
        }
    }
}

impl Order {
    /// Of all services with the names that each of them depends on.
    pub fn new<'a>(services: impl IntoIterator<Item = (&'a str, &'a [String])>) -> Self {
        let mut order = Self::default();
        for (name, depends) in services {
            order.needs.insert(name.into(), depends.iter().cloned().collect());
        }
        for (name, needs) in &order.needs {
            for need in needs {
                order.needed_by.entry(need.clone()).or_default().insert(name.clone());
            }
        }
        order.faults = order.needs.keys().filter_map(|name| Some((name.clone(), order.look(name)?))).collect();
        order
    }

    /// What a service needs directly.
    pub fn needs(&self, name: &str) -> impl Iterator<Item = &str> {
        self.needs.get(name).into_iter().flatten().map(String::as_str)
    }

    /// Who needs a service directly.
    pub fn needed_by(&self, name: &str) -> impl Iterator<Item = &str> {
        self.needed_by.get(name).into_iter().flatten().map(String::as_str)
    }

    /// Why a service can never start by itself.
    pub fn fault(&self, name: &str) -> Option<&Fault> {
        self.faults.get(name)
    }

    /// These services and all that need them, directly or not.
    pub fn with_dependents(&self, names: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open: Vec<String> = names.into_iter().collect();
        while let Some(name) = open.pop() {
            if found.insert(name.clone()) {
                open.extend(self.needed_by(&name).map(str::to_owned));
            }
        }
        found
    }

    fn look(&self, name: &str) -> Option<Fault> {
        let unknown = self.needs(name).find(|need| !self.needs.contains_key(*need));
        match unknown {
            Some(unknown) => Some(Fault::Unknown(unknown.into(), self.near(unknown))),
            None => self.circle(name).map(Fault::Circle),
        }
    }

    fn near(&self, unknown: &str) -> Option<String> {
        let distance = |name: &&String| strsim::damerau_levenshtein(name, unknown);
        self.needs
            .keys()
            .min_by_key(distance)
            .filter(|name| distance(name) <= 2 && distance(name) < unknown.len())
            .cloned()
    }

    /// The shortest way from a service back to it.
    fn circle(&self, start: &str) -> Option<Vec<String>> {
        let mut from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut open = std::collections::VecDeque::from([start]);
        while let Some(name) = open.pop_front() {
            for need in self.needs(name) {
                if need == start {
                    return Some(way(start, name, &from));
                }
                if !from.contains_key(need) {
                    from.insert(need, name);
                    open.push_back(need);
                }
            }
        }
        None
    }
}

fn way(start: &str, last: &str, from: &BTreeMap<&str, &str>) -> Vec<String> {
    let back = std::iter::successors(Some(last), |name| if *name == start { None } else { from.get(name).copied() });
    let mut way: Vec<String> = std::iter::once(start).chain(back).map(str::to_owned).collect();
    way.reverse();
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(text: &str) -> Order {
        let services: Vec<(&str, Vec<String>)> = text
            .split_whitespace()
            .map(|word| {
                let (name, needs) = word.split_once(':').unwrap_or((word, ""));
                (name, needs.split(',').filter(|need| !need.is_empty()).map(str::to_owned).collect())
            })
            .collect();
        Order::new(services.iter().map(|(name, needs)| (*name, needs.as_slice())))
    }

    fn check(text: &str, expected: &[(&str, &str)]) {
        let order = order(text);
        let found: Vec<(&str, String)> =
            order.faults.iter().map(|(name, fault)| (name.as_str(), fault.to_string())).collect();
        let expected: Vec<(&str, String)> = expected.iter().map(|(name, fault)| (*name, (*fault).to_owned())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn faults_are_named() {
        check("a b:a c:a,b d:c", &[]);
        check("a:x b:a", &[("a", "it depends on `x`, which there isn't")]);
        check("chat web:caht", &[("web", "it depends on `caht`, which there isn't; did you mean `chat`?")]);
        check("a:a b", &[("a", "it depends on itself: `a` → `a`")]);
        check(
            "a:b b:c c:a d:a e",
            &[
                ("a", "it depends on itself: `a` → `b` → `c` → `a`"),
                ("b", "it depends on itself: `b` → `c` → `a` → `b`"),
                ("c", "it depends on itself: `c` → `a` → `b` → `c`"),
            ],
        );
    }

    #[test]
    fn dependents_are_found_over_several_steps() {
        let order = order("a b:a c:b d e:d,b");
        let found: Vec<String> = order.with_dependents(["a".to_owned()]).into_iter().collect();
        assert_eq!(found, ["a", "b", "c", "e"]);
        assert_eq!(order.needed_by("b").collect::<Vec<_>>(), ["c", "e"]);
        assert_eq!(order.with_dependents(["d".to_owned()]).len(), 2);
    }

    #[test]
    fn a_wide_circle_is_found() {
        let text: String = (0..300).map(|n| format!("s{n}:s{} ", (n + 1) % 300)).collect();
        let order = order(&text);
        assert!(
            (0..300).all(|n| matches!(order.fault(&format!("s{n}")), Some(Fault::Circle(way)) if way.len() == 301))
        );
    }
}
