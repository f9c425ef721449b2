//! Secrets: values that a configuration refers to by name, `${secret:NAME}`, and that are kept apart from it.
//!
//! The tree, the difference, the generations and the log have the reference.  Only the table `secret` has the value, and only
//! what a server is to serve has it filled in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::tree::Config;

/// What is told instead of a secret's value.
pub const HIDDEN: &str = "(hidden)";

const OPEN: &str = "${secret:";
const CLOSE: char = '}';

/// What stands for a secret in a text.
pub fn reference(name: &str) -> String {
    format!("{OPEN}{name}{CLOSE}")
}

/// Whether it can be the name of a secret: letters, digits, `_`, `-` and `.`, which is not the first.
pub fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(is_part)
}

/// A text that may refer to secrets, piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text as it is.
    Text(&'a str),
    /// The name of a secret.
    Secret(&'a str),
}

/// Takes a text apart.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut plain, mut from) = (Vec::new(), 0, 0);
    while let Some(start) = text[from..].find(OPEN).map(|start| from + start) {
        let name = start + OPEN.len();
        let end = text[name..].find(CLOSE).map(|length| name + length);
        from = name;
        if let Some(end) = end.filter(|end| is_name(&text[name..*end])) {
            pieces.extend((plain < start).then(|| Piece::Text(&text[plain..start])));
            pieces.push(Piece::Secret(&text[name..end]));
            (plain, from) = (end + 1, end + 1);
        }
    }
    pieces.extend((plain < text.len()).then(|| Piece::Text(&text[plain..])));
    pieces
}

impl Config {
    /// The names of all secrets that it refers to.
    pub fn secret_names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        if self.canonical().contains(OPEN) {
            collect(&serde_json::to_value(self).expect("a tree is plain values"), &mut names);
        }
        names
    }

    /// Takes those of the secrets that it refers to.
    pub fn keep_secrets(&mut self, mut known: BTreeMap<String, String>) {
        // Looking for them costs a while where there are many routes.
        if !known.is_empty() {
            let used = self.secret_names();
            known.retain(|name, _| used.contains(name));
        }
        self.secrets = known;
    }

    /// The same configuration with its secrets in the place of what refers to them; `None` if it has none.
    pub(super) fn filled(&self) -> Option<Self> {
        if self.secrets.is_empty() {
            return None;
        }
        let mut value = serde_json::to_value(self).expect("a tree is plain values");
        fill(&mut value, &self.secrets);
        let filled = serde_json::from_value(value).expect("it came from a tree");
        Some(Self { secrets: self.secrets.clone(), ..filled })
    }

    /// A text in which the values of secrets are hidden behind what refers to them.
    pub fn hide(&self, text: &str) -> String {
        let mut longest_first: Vec<_> = self.secrets.iter().collect();
        longest_first.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        longest_first.iter().fold(text.to_owned(), |text, (name, value)| match value.as_str() {
            "" => text,
            value => text.replace(value, &reference(name)),
        })
    }
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => names.extend(pieces(text).into_iter().filter_map(|piece| match piece {
            Piece::Secret(name) => Some(name.to_owned()),
            Piece::Text(_) => None,
        })),
        Value::Array(values) => values.iter().for_each(|value| collect(value, names)),
        Value::Object(map) => map.values().for_each(|value| collect(value, names)),
        _ => {}
    }
}

fn fill(value: &mut Value, secrets: &BTreeMap<String, String>) {
    match value {
        Value::String(text) if text.contains(OPEN) => *text = filled(text, secrets),
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, secrets)),
        Value::Object(map) => map.values_mut().for_each(|value| fill(value, secrets)),
        _ => {}
    }
}

/// A text with its secrets; one that is unknown is no secret, but text.
fn filled(text: &str, secrets: &BTreeMap<String, String>) -> String {
    let pieces = pieces(text).into_iter().map(|piece| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Secret(name) => secrets.get(name).cloned().unwrap_or_else(|| reference(name)),
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::Server;

    #[test]
    fn texts_are_taken_apart() {
        use Piece::{Secret, Text};
        for (text, expected) in [
            ("", &[][..]),
            ("plain ${x}", &[Text("plain ${x}")]),
            ("${secret:A}", &[Secret("A")]),
            ("a${secret:A}${secret:b-2.c}/", &[Text("a"), Secret("A"), Secret("b-2.c"), Text("/")]),
            ("${secret:}${secret:a b}${secret:A", &[Text("${secret:}${secret:a b}${secret:A")]),
            ("${secret:${secret:A}", &[Text("${secret:"), Secret("A")]),
            ("é${secret:A}é", &[Text("é"), Secret("A"), Text("é")]),
        ] {
            assert_eq!(pieces(text), expected, "{text}");
            let again: String = pieces(text)
                .iter()
                .map(|piece| match piece {
                    Text(text) => (*text).to_owned(),
                    Secret(name) => reference(name),
                })
                .collect();
            assert_eq!(again, text);
        }
    }

    #[test]
    fn names_are_those_of_variables_and_files() {
        for (name, expected) in
            [("A_b-1.x", true), ("", false), ("../x", false), (".x", false), ("a b", false), ("é", false)]
        {
            assert_eq!(is_name(name), expected, "{name}");
        }
    }

    #[test]
    fn a_configuration_is_filled_and_hidden_again() {
        let server = |name: &str| Server { name: name.into(), ..Server::default() };
        let secrets = [("A", "hunter2"), ("B", "hunter22")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config {
            servers: vec![server("x-${secret:A}-${secret:C}")],
            settings: [("k".to_owned(), "${secret:B}".to_owned())].into(),
            secrets: secrets.into(),
            ..Config::default()
        };
        let filled = config.filled().unwrap();
        assert_eq!(filled.servers[0].name, "x-hunter2-${secret:C}");
        assert_eq!(filled.settings["k"], "hunter22");
        assert_eq!(config.hide("no hunter22, no hunter2"), "no ${secret:B}, no ${secret:A}");
        assert!(config.secret_names().iter().eq(["A", "B", "C"]));
        assert!(!config.canonical().contains("hunter"));
        assert_eq!(Config::default().filled(), None);
    }
}
