//! What may be typed next: commands and options as clap has them, names as the database has them, and files.
//!
//! `line`: the words of a line that is being typed.  `known`: the names that there are.

mod known;
mod line;

use std::path::Path;

use crate::args::DEFAULT_DB;
use crate::args::grammar::{self, Expects, Place, Word};

pub use known::{Known, files};
pub use line::{Typed, spelt};

/// A word that may stand in the place of the one that has been begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The whole word, as it is meant.
    pub text: String,
    /// What it does, or nothing.
    pub help: String,
    /// Whether the word is complete then: a folder's name is not.
    pub is_whole: bool,
}

impl Candidate {
    /// A complete word.
    pub fn new(text: impl Into<String>, help: impl Into<String>) -> Self {
        Self { text: text.into(), help: help.into(), is_whole: true }
    }
}

/// What a word that has been begun may become, behind those before it; the program's name is not among them.
///
/// `db` is the database if the words name none.
pub fn candidates(before: &[String], begun: &str, db: Option<&Path>) -> Vec<Candidate> {
    if let Some(start) = grammar::value_start(begun) {
        return inline(before, begun, start, db);
    }
    let place = grammar::place(before);
    let known = Known::new(place.db.as_deref().or(db).unwrap_or(Path::new(DEFAULT_DB)));
    let wants_option = begun.starts_with('-') || (begun.is_empty() && place.expects == Expects::Nothing);
    let mut found = match wants_option && place.takes_options {
        true => options(&place, begun),
        false => values(&place.expects, begun, &known),
    };
    found.retain(|candidate| candidate.text.starts_with(begun));
    found
}

/// The value of `-name=begun`.
fn inline(before: &[String], begun: &str, start: usize, db: Option<&Path>) -> Vec<Candidate> {
    let (option, value) = begun.split_at(start);
    let before: Vec<String> = before.iter().cloned().chain([option.trim_end_matches('=').to_owned()]).collect();
    let mut found = candidates(&before, value, db);
    found.iter_mut().for_each(|candidate| candidate.text.insert_str(0, option));
    found
}

/// The options, in the style in which one has been begun.
fn options(place: &Place, begun: &str) -> Vec<Candidate> {
    let dashes = if begun.starts_with("--") { "--" } else { "-" };
    let words = grammar::option_words(place.command.as_deref());
    words.into_iter().map(|Word { text, help }| Candidate::new(format!("{dashes}{text}"), help)).collect()
}

fn values(expects: &Expects, begun: &str, known: &Known<'_>) -> Vec<Candidate> {
    let plain = |words: Vec<String>| words.into_iter().map(|word| Candidate::new(word, "")).collect();
    match expects {
        Expects::Command => commands(),
        Expects::File => files(begun),
        Expects::OneOf(words) => plain(words.clone()),
        Expects::Nothing => Vec::new(),
        Expects::Value(name, given) => match name.as_str() {
            "name" => plain(known.servers(|server| &server.name)),
            "host" => plain(known.servers(|server| &server.default_host)),
            "uuid" => plain(known.servers(|server| &server.uuid)),
            "server" => plain([known.servers(|server| &server.name), known.servers(|server| &server.uuid)].concat()),
            "path" => plain(known.objects()),
            "vhost" => plain(known.hosts()),
            "generation" | "from" | "to" => known.generations(),
            "url" => plain(known.routes()),
            "topic" | "on" | "topic_for" => commands(),
            "words" => crate::commands::control_words(given),
            _ => Vec::new(),
        },
    }
}

fn commands() -> Vec<Candidate> {
    grammar::command_words().into_iter().map(|Word { text, help }| Candidate::new(text, help)).collect()
}

#[cfg(test)]
mod tests {
    use mongrel2::config::history::Entry;
    use mongrel2::config::{Config, Database, Server};

    use super::*;

    fn texts(before: &str, begun: &str, db: Option<&Path>) -> Vec<String> {
        let before: Vec<String> = before.split_whitespace().map(str::to_owned).collect();
        candidates(&before, begun, db).into_iter().map(|candidate| candidate.text).collect()
    }

    #[test]
    fn commands_and_options() {
        assert_eq!(texts("", "relo", None), ["reload"]);
        assert_eq!(texts("help", "relo", None), ["reload"]);
        assert_eq!(texts("help -on", "relo", None), ["reload"]);
        assert_eq!(texts("stop", "-mu", None), ["-murder"]);
        assert_eq!(texts("stop", "--mu", None), ["--murder"]);
        assert!(texts("stop", "", None).contains(&"-murder".to_owned()));
        assert_eq!(texts("stop --", "-mu", None), [""; 0]);
        assert_eq!(texts("control", "sta", None), ["status"]);
        assert_eq!(texts("control status", "", None), ["net", "tasks", "sessions"]);
    }

    #[test]
    fn names_of_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let server = |name: &str| Server { name: name.into(), uuid: format!("uuid-{name}"), ..Server::default() };
        let config = Config { servers: ["two words", "two", "one"].map(server).into(), ..Config::default() };
        let mut database = Database::open_or_create(&path).unwrap();
        database.change(&Entry::default(), |change| change.save(&config)).unwrap();
        let db = Some(path.as_path());
        assert_eq!(texts("start -name", "tw", db), ["two", "two words"]);
        assert_eq!(texts("start", "-name=tw", db), ["-name=two", "-name=two words"]);
        assert_eq!(texts("start", "--uuid=uuid-o", db), ["--uuid=uuid-one"]);
        assert_eq!(texts("show", "", db), ["1"]);
        assert_eq!(texts("blame", "o", db), ["one"]);
        assert_eq!(texts("log -server", "uuid-o", db), ["uuid-one"]);
        assert_eq!(texts("start -name", "", None), [""; 0], "there is no database");
        assert_eq!(texts(&format!("-db {} start -name", path.display()), "o", None), ["one"]);
    }
}
