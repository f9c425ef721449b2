//! What may come next in a command line, for who completes it: as clap has it, so that there is no second list to keep.

use std::path::PathBuf;

use clap::{Arg, Command, ValueHint};

use super::built;
use super::dashes::option_of;

/// The place behind the words so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The command, if it has been typed already.
    pub command: Option<String>,
    /// What comes here.
    pub expects: Expects,
    /// Whether an option may come too.
    pub takes_options: bool,
    /// The database that the words name.
    pub db: Option<PathBuf>,
    /// Whether they ask for JSON.
    pub json: bool,
}

/// What comes in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expects {
    /// The name of a command.
    Command,
    /// The name of a file.
    File,
    /// One of these words.
    OneOf(Vec<String>),
    /// A value of the argument that is named so in [`Args`](super::Args), and which words of it there are already.
    Value(String, Vec<String>),
    /// Nothing but options.
    Nothing,
}

/// A word that may be typed, and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word; an option without its dashes.
    pub text: String,
    /// What it does, in a line.
    pub help: String,
}

/// What may come behind these words of a command line, the program's name not among them.
pub fn place(words: &[String]) -> Place {
    let root = built();
    let mut walk = Walk { command: None, awaits: None, behind: false, given: Vec::new(), db: None, json: false };
    words.iter().for_each(|word| walk.step(&root, word));
    walk.place(&root)
}

/// The value of an option in one word, as in `-db=D`: the length of what is before the value.
pub fn value_start(word: &str) -> Option<usize> {
    let option = option_of(word.as_ref())?;
    option.has_value.then(|| option.dashes + option.name.len() + 1)
}

/// The commands that there are.
pub fn command_words() -> Vec<Word> {
    let root = built();
    let shown = root.get_subcommands().filter(|command| !command.is_hide_set());
    let named = |command: &Command| -> Vec<Word> {
        let help = command.get_about().map(ToString::to_string).unwrap_or_default();
        command
            .get_name_and_visible_aliases()
            .into_iter()
            .map(|name| Word { text: name.to_owned(), help: help.clone() })
            .collect()
    };
    shown.flat_map(named).collect()
}

/// The long options of a command, or those that are before any.
pub fn option_words(command: Option<&str>) -> Vec<Word> {
    let root = built();
    let word = |argument: &Arg| {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        Some(Word { text: argument.get_long()?.to_owned(), help })
    };
    chosen(&root, command).get_arguments().filter(|argument| !argument.is_hide_set()).filter_map(word).collect()
}

fn chosen<'a>(root: &'a Command, command: Option<&str>) -> &'a Command {
    command.and_then(|name| root.find_subcommand(name)).unwrap_or(root)
}

/// What has been seen so far.
struct Walk {
    command: Option<String>,
    /// The option that gets the next word.
    awaits: Option<Arg>,
    /// Whether `--` has been seen.
    behind: bool,
    /// The arguments that are no options.
    given: Vec<String>,
    db: Option<PathBuf>,
    json: bool,
}

impl Walk {
    fn step(&mut self, root: &Command, word: &str) {
        if let Some(option) = self.awaits.take() {
            return self.note(&option, word);
        }
        if word == "--" && !self.behind {
            self.behind = true;
            return;
        }
        let typed = option_of(word.as_ref()).filter(|_| !self.behind);
        match typed.and_then(|typed| Some((find(chosen(root, self.command.as_deref()), typed.name)?, typed.has_value)))
        {
            Some((option, true)) => self.note(&option, &word[value_start(word).unwrap_or_default()..]),
            Some((option, false)) if option.get_action().takes_values() => self.awaits = Some(option),
            Some((option, _)) => self.json |= option.get_id() == "json",
            None if word.starts_with('-') && word.len() > 1 && !self.behind => {}
            None if self.command.is_none() => self.command = Some(word.to_owned()),
            None => self.given.push(word.to_owned()),
        }
    }

    fn note(&mut self, option: &Arg, value: &str) {
        if option.get_id() == "db" {
            self.db = Some(value.into());
        }
    }

    fn place(self, root: &Command) -> Place {
        let takes_options = self.awaits.is_none() && !self.behind;
        let command = chosen(root, self.command.as_deref());
        let expects = match (&self.awaits, &self.command) {
            (Some(option), _) => expected(option, Vec::new()),
            (None, None) => Expects::Command,
            (None, Some(_)) => positional(command, self.given),
        };
        Place { command: self.command, expects, takes_options, db: self.db, json: self.json }
    }
}

/// What is expected for the argument behind those that were given.
fn positional(command: &Command, given: Vec<String>) -> Expects {
    let many = |argument: &&Arg| argument.get_num_args().is_some_and(|range| range.max_values() > 1);
    let next = command.get_positionals().nth(given.len());
    match next.or_else(|| command.get_positionals().last().filter(many)) {
        Some(argument) => expected(argument, given),
        None => Expects::Nothing,
    }
}

fn find(command: &Command, name: &str) -> Option<Arg> {
    let is_named = |argument: &&Arg| {
        let short = argument.get_short().is_some_and(|short| name.len() == 1 && name.starts_with(short));
        short || argument.get_long() == Some(name)
    };
    command.get_arguments().find(is_named).cloned()
}

fn expected(argument: &Arg, given: Vec<String>) -> Expects {
    let possible = argument.get_possible_values();
    if !possible.is_empty() {
        return Expects::OneOf(possible.iter().map(|value| value.get_name().to_owned()).collect());
    }
    match argument.get_value_hint() {
        ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath => Expects::File,
        _ => Expects::Value(argument.get_id().to_string(), given),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: &str) -> Place {
        place(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn value(name: &str, given: &[&str]) -> Expects {
        Expects::Value(name.into(), given.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn what_comes_next() {
        for (line, expects, takes_options) in [
            ("", Expects::Command, true),
            ("-db x", Expects::Command, true),
            ("-db", Expects::File, false),
            ("--db", Expects::File, false),
            ("load -config", Expects::File, false),
            ("load", Expects::Nothing, true),
            ("check", Expects::File, true),
            ("check x", Expects::Nothing, true),
            ("start -name", value("name", &[]), false),
            ("start --name", value("name", &[]), false),
            ("start -name a", Expects::Nothing, true),
            ("start -name=a -every -host", value("host", &[]), false),
            ("commit -why -what", Expects::Nothing, true),
            ("log -n", value("last", &[]), false),
            ("show", value("generation", &[]), true),
            ("diff 1", value("to", &["1"]), true),
            ("diff 1 2", Expects::Nothing, true),
            ("control -name a", value("words", &[]), true),
            ("control -name a -- status", value("words", &["status"]), false),
            ("help -on", value("on", &[]), false),
            ("frob x", Expects::Nothing, true),
        ] {
            let place = at(line);
            assert_eq!((place.expects, place.takes_options), (expects, takes_options), "{line}");
        }
    }

    #[test]
    fn the_database_is_the_one_that_was_named() {
        for (line, db) in
            [("start", None), ("start -db a", Some("a")), ("--db=a start", Some("a")), ("-db a start -db=b", Some("b"))]
        {
            assert_eq!(at(line).db, db.map(PathBuf::from), "{line}");
        }
    }

    #[test]
    fn json_is_noticed() {
        for (line, json) in
            [("servers", false), ("servers -json", true), ("--json servers", true), ("commit -why -json", false)]
        {
            assert_eq!(at(line).json, json, "{line}");
        }
    }

    #[test]
    fn words_are_those_of_clap() {
        assert!(command_words().iter().any(|word| word.text == "config" && word.help.starts_with("Load a")));
        assert!(option_words(None).iter().any(|word| word.text == "version"));
        let options = option_words(Some("stop"));
        for name in ["db", "json", "help", "murder", "why", "every"] {
            assert!(options.iter().any(|word| word.text == name), "{name}");
        }
    }
}
