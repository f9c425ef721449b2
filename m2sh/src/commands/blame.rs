//! `m2sh blame`: which generation has made a server, host, route or setting what it is, field by field, and whose work that was.

use std::collections::BTreeMap;

use mongrel2::config::blame::Blame;
use mongrel2::config::difference::{Change, Noun, Path, Step, difference, touched};
use mongrel2::config::history::Logged;
use mongrel2::config::store::StoreError;
use mongrel2::config::{Config, Database, closest};
use serde_json::Value;

use crate::args;
use crate::error::Error;
use crate::exit::Exit;
use crate::progress::during;
use crate::session::Session;
use crate::show::{Cell, Form, escape, tabbed};

const COLUMNS: [&str; 8] = ["object", "field", "value", "generation", "happened_at", "who", "location", "why"];

/// Whose work something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Author {
    Generation(i64),
    /// Somebody who changed the database by other means than m2sh.
    Unknown,
}

pub(super) fn run(args: &args::Blame, session: &mut Session) -> Result<Exit, Error> {
    let wanted = Wanted::parse(&args.path);
    let read = |database: Database| -> Result<_, StoreError> {
        let config = database.load()?;
        let blame = blame(&database, &config)?;
        let generations = database.generations()?.into_iter();
        let entries = generations.filter_map(|generation| Some((generation.id, generation.logged?)));
        Ok((config, blame, entries.collect()))
    };
    let database = session.database()?;
    let (config, blame, entries) =
        during("read the log", || read(database)).map_err(|error| session.cannot("read the log", error))?;
    let book = Book { blame, entries };
    let objects = difference(&Config::default(), &config);
    let mut found: Vec<Vec<[Cell; 8]>> =
        objects.iter().filter(|object| wanted.is(&object.path)).map(|object| book.object(object)).collect();
    let gone = book.blame.removed().filter(|(path, _)| wanted.is(path));
    found.extend(gone.map(|(path, author)| vec![book.gone(path, *author)]));
    if found.is_empty() {
        return Err(wanted.unknown(&objects));
    }
    show(found, session)?;
    Ok(Exit::Success)
}

/// Who has set what, from the first generation to what is in the database now.
fn blame(database: &Database, config: &Config) -> Result<Blame<Author>, StoreError> {
    let mut blame = Blame::default();
    let mut newest = None;
    for (generation, touches) in database.changes()? {
        blame.apply(&Author::Generation(generation), touches);
        newest = Some(generation);
    }
    if let Some(kept) = newest.map(|newest| database.generation(newest)).transpose()?.flatten() {
        let secrets = config.secrets.clone();
        blame.apply(&Author::Unknown, touched(&Config { secrets, ..kept }, config));
    }
    Ok(blame)
}

/// Which objects are asked about: a name, perhaps with the word for what it is, behind those of what it is part of.
struct Wanted {
    words: Vec<(Option<Noun>, String)>,
}

impl Wanted {
    /// Reads `hello`, `route /x` and `server hello, host localhost`, in one argument or in several.
    fn parse(arguments: &[String]) -> Self {
        let is_noun = |word: &str| Noun::ALL.into_iter().find(|noun| noun.word() == word);
        let mut words = Vec::new();
        let mut noun = None;
        for (index, argument) in arguments.iter().enumerate() {
            for part in argument.split(", ").map(|part| part.trim_end_matches(',')) {
                let is_last = index + 1 == arguments.len();
                match (part.split_once(' '), is_noun(part).filter(|_| noun.is_none() && !is_last)) {
                    (_, Some(found)) => noun = Some(found),
                    (Some((first, name)), _) if noun.is_none() && is_noun(first).is_some() => {
                        words.push((is_noun(first), name.to_owned()));
                    }
                    _ => words.push((noun.take(), part.to_owned())),
                }
            }
        }
        Self { words }
    }

    fn is(&self, path: &Path) -> bool {
        let Some((last, before)) = self.words.split_last() else { return false };
        let Some((step, mut outer)) = path.steps.split_last() else { return false };
        is(last, step)
            && before.iter().all(|word| match outer.iter().position(|step| is(word, step)) {
                Some(place) => {
                    outer = &outer[place + 1..];
                    true
                }
                None => false,
            })
    }

    fn unknown(&self, objects: &[Change]) -> Error {
        let asked = self.words.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ");
        let error = Error::cannot(format!("blame `{}`", escape(&asked)), "nothing in the configuration is called that");
        let names = objects.iter().filter_map(|object| object.path.steps.last()).map(|step| step.name.as_str());
        let meant = self.words.last().and_then(|(_, name)| closest(name, names));
        let hint = meant.map(|meant| format!("did you mean `{}`?", escape(meant)));
        error.hint(hint.unwrap_or_else(|| {
            "as in `m2sh blame server hello`, `m2sh blame /x` or `m2sh blame setting limits.tick_timer`".into()
        }))
    }
}

/// Whether a word means an object; its name may have a note in brackets behind it.
fn is((noun, name): &(Option<Noun>, String), step: &Step) -> bool {
    let is_noted = |rest: &str| rest.is_empty() || rest.starts_with(" (") && rest.ends_with(')');
    let is_called = step.name.strip_prefix(name.as_str()).is_some_and(is_noted);
    noun.is_none_or(|noun| noun == step.noun) && (is_called || !step.uuid.is_empty() && step.uuid == *name)
}

/// What is known of the past.
struct Book {
    blame: Blame<Author>,
    entries: BTreeMap<i64, Logged>,
}

impl Book {
    fn object(&self, object: &Change) -> Vec<[Cell; 8]> {
        let row = |name: &str, value: Option<&Value>| {
            let value = Cell::value(value.cloned().unwrap_or_default());
            self.row(&object.path, name, value, self.blame.of(&object.path, name).copied())
        };
        object.fields.iter().map(|field| row(&field.name, field.to.as_ref())).collect()
    }

    fn gone(&self, path: &Path, author: Author) -> [Cell; 8] {
        self.row(path, "", Cell::both("(removed)", Value::Null), Some(author))
    }

    fn row(&self, path: &Path, field: &str, value: Cell, author: Option<Author>) -> [Cell; 8] {
        let entry = match author {
            Some(Author::Generation(number)) => self.entries.get(&number),
            Some(Author::Unknown) | None => None,
        };
        let text = |of: fn(&Logged) -> &str| Cell::from(entry.map_or("", of));
        let why = match (author, entry) {
            (Some(Author::Unknown), _) => "(changed behind m2sh's back)",
            (None, _) => "(there before the first generation)",
            (_, Some(entry)) if entry.why == "command" => &entry.how,
            (_, Some(entry)) => &entry.why,
            (_, None) => "",
        };
        let generation = match author {
            Some(Author::Generation(number)) => number.into(),
            Some(Author::Unknown) | None => Cell::both("", Value::Null),
        };
        [
            Cell::from(&*path.to_string()),
            field.into(),
            value,
            generation,
            text(|entry| &entry.happened_at),
            text(|entry| &entry.who),
            text(|entry| &entry.location),
            why.into(),
        ]
    }
}

/// On a terminal a table for each object, else one for all.
fn show(objects: Vec<Vec<[Cell; 8]>>, session: &mut Session) -> Result<(), Error> {
    if session.show.form() != Form::Terminal {
        let rows = objects.into_iter().flatten().map(Vec::from);
        return Ok(session.show.table(&COLUMNS, rows)?);
    }
    for rows in objects {
        let heading = rows.first().map(|row| tabbed(&row[..1])).unwrap_or_default();
        session.show.line(&heading)?;
        session.show.table(&COLUMNS[1..], rows.into_iter().map(|row| row[1..].to_vec()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mongrel2::config::{Host, Server};

    use super::*;

    /// The objects that are meant by what was typed.
    fn check(typed: &[&str], expected: &[&str]) {
        let hosts = ["localhost", "example.com"].map(|name| Host { name: name.into(), ..Host::default() });
        let server = |uuid: &str, name: &str| Server {
            uuid: uuid.into(),
            name: name.into(),
            hosts: hosts.clone().into(),
            ..Server::default()
        };
        let config = Config {
            servers: vec![server("1", "hello"), server("2", "my host")],
            settings: [("hello".to_owned(), "x".to_owned())].into(),
            ..Config::default()
        };
        let wanted = Wanted::parse(&typed.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let found = difference(&Config::default(), &config).into_iter().filter(|object| wanted.is(&object.path));
        assert_eq!(found.map(|object| object.path.to_string()).collect::<Vec<_>>(), expected, "{typed:?}");
    }

    #[test]
    fn objects_are_named_as_in_a_plan_or_shorter() {
        check(&["hello"], &["server hello", "setting hello"]);
        check(&["server", "hello"], &["server hello"]);
        check(&["server hello"], &["server hello"]);
        check(&["setting", "hello"], &["setting hello"]);
        check(&["2"], &["server my host"]);
        check(&["server my host"], &["server my host"]);
        check(&["example.com"], &["server hello, host example.com", "server my host, host example.com"]);
        check(&["server", "hello", "host", "example.com"], &["server hello, host example.com"]);
        check(&["server hello, host example.com"], &["server hello, host example.com"]);
        check(&["hello,", "example.com"], &["server hello, host example.com"]);
        check(&["host"], &[]);
        check(&["hell"], &[]);
        check(&["example.com", "hello"], &[]);
        check(&[], &[]);
    }
}
