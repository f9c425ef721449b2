//! Long options with one dash, as scripts in the field write them, get their second.
//!
//! Which words are options clap knows: there is no second list to keep.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// Gives long options with a single dash a second one: `-db D` and `-db=D` become `--db D` and `--db=D`.
///
/// Only words that are exactly the name of an option of the command are touched; not the value of an option,
/// and nothing behind `--`.
pub(super) fn double(arguments: &[OsString], root: &clap::Command) -> Vec<OsString> {
    let mut options = long_options(root);
    let mut chosen = false;
    let mut is_value = false;
    let mut behind = false;
    let mut result = Vec::with_capacity(arguments.len());
    for (index, word) in arguments.iter().enumerate() {
        let option = option_of(word).filter(|_| index > 0 && !behind && !is_value);
        let known = option.as_ref().and_then(|option| options.get(option.name).map(|takes| (option, *takes)));
        behind |= word == "--" && !is_value;
        if option.is_none() && !is_value && index > 0 && !chosen {
            chosen = true;
            options = word.to_str().and_then(|word| root.find_subcommand(word)).map_or(options, long_options);
        }
        is_value = known.as_ref().is_some_and(|(option, takes_value)| *takes_value && !option.has_value);
        let single = known.is_some_and(|(option, _)| option.dashes == 1);
        result.push(if single { with_dash(word) } else { word.clone() });
    }
    result
}

/// Doubles the dash of every word that could be a long option, known or not.
pub(super) fn double_all(arguments: &[OsString]) -> Vec<OsString> {
    let is_long = |word: &OsString| option_of(word).is_some_and(|option| option.dashes == 1 && option.name.len() > 1);
    arguments.iter().map(|word| if is_long(word) { with_dash(word) } else { word.clone() }).collect()
}

/// The long options of a command, and whether they have to have a value.
fn long_options(command: &clap::Command) -> BTreeMap<String, bool> {
    // A value that may be left out is no reason to take the next word for one.
    let needs_value = |argument: &clap::Arg| argument.get_num_args().is_none_or(|number| number.min_values() > 0);
    let takes_value = |argument: &clap::Arg| argument.get_action().takes_values() && needs_value(argument);
    let long = |argument: &clap::Arg| Some((argument.get_long()?.to_owned(), takes_value(argument)));
    command.get_arguments().filter_map(long).collect()
}

/// A word that looks like an option, taken apart.
pub(super) struct Typed<'a> {
    pub(super) dashes: usize,
    pub(super) name: &'a str,
    pub(super) has_value: bool,
}

/// A word that begins with one dash or two, taken apart.
pub(super) fn option_of(word: &OsStr) -> Option<Typed<'_>> {
    let bytes = word.as_encoded_bytes();
    let dashes = if bytes.starts_with(b"--") { 2 } else { usize::from(bytes.starts_with(b"-")) };
    let end = bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
    let name = std::str::from_utf8(bytes.get(dashes..end)?).ok()?;
    (dashes > 0).then_some(Typed { dashes, name, has_value: end < bytes.len() })
}

fn with_dash(word: &OsStr) -> OsString {
    let mut longer = OsString::from("-");
    longer.push(word);
    longer
}

#[cfg(test)]
mod tests {
    use super::super::built;
    use super::*;

    fn check(typed: &str, expected: &str) {
        let words: Vec<OsString> = typed.split(' ').map(OsString::from).collect();
        let result = double(&words, &built());
        let result: Vec<_> = result.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(result.join(" "), expected);
    }

    #[test]
    fn one_dash_becomes_two() {
        check("m2sh load -db D -config F", "m2sh load --db D --config F");
        check("m2sh config -db=D --config=F -json", "m2sh config --db=D --config=F --json");
        check("m2sh -db D load -config F", "m2sh --db D load --config F");
        check("m2sh stop -murder -every -why x", "m2sh stop --murder --every --why x");
        check("m2sh start -sudo -name x", "m2sh start --sudo --name x");
        check("m2sh start -sudo doas -every", "m2sh start --sudo doas --every");
        check("m2sh start -sudo=/bin/doas -b", "m2sh start --sudo=/bin/doas -b");
        check("m2sh help -on load", "m2sh help --on load");
        check("m2sh help -for load", "m2sh help --for load");
        check("m2sh -help", "m2sh --help");
        check("m2sh -version", "m2sh --version");
        check("m2sh start -help", "m2sh start --help");
    }

    #[test]
    fn other_words_stay() {
        check("m2sh -h", "m2sh -h");
        check("m2sh load -murder", "m2sh load -murder");
        check("m2sh start -evry -d", "m2sh start -evry -d");
        check("m2sh commit -why -what -what -why", "m2sh commit --why -what --what -why");
        check("m2sh commit --why -db", "m2sh commit --why -db");
        check("m2sh route -- -db", "m2sh route -- -db");
        check("m2sh route -every -db", "m2sh route --every --db");
        check("-db load -db D", "-db load --db D");
    }
}
