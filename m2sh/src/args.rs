//! The command line as typed.  Nothing else in m2sh knows clap.
//!
//! Scripts in the field write long options with one dash (`-db`, `-every`); [`double_dashes`] turns those into
//! two before clap sees them.  The names are clap's own, so that there is no second list to keep.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::exit::Exit;

/// Everything that can be typed.
#[derive(Debug, Parser)]
#[command(
    name = "m2sh",
    version,
    about = "Configures, audits and controls mongrel2 servers",
    after_help = "Long options may be written with one dash or two: -db and --db are the same.\n\
                  Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running.",
    disable_help_subcommand = true,
    infer_long_args = false
)]
pub struct Args {
    /// The configuration database
    #[arg(long, global = true, value_name = "FILE", default_value = "config.sqlite")]
    pub db: PathBuf,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What m2sh can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a database, or empty the configuration of one; its log stays
    Init(Because),
    /// Load a configuration script into the database
    #[command(visible_alias = "config")]
    Load(Load),
    /// Print every table with its rows
    Dump,
    /// List the servers
    Servers,
    /// List the hosts of a server, and their routes
    Hosts(Which),
    /// List the routes of a server, and their targets
    Routes(Which),
    /// Tell which host, route and target a URL gets, and why
    Route(Route),
    /// Make a UUID
    Uuid,
    /// Start a server in the foreground, or several with -every
    Start(Start),
    /// Stop a server, and wait until it has ended
    Stop(Stop),
    /// Let a server read its configuration again
    Reload(Act),
    /// Tell whether a server runs
    Running(Which),
    /// Print the log of what was done to the database and its servers
    Log,
    /// Write a line to the log
    Commit(Commit),
    /// Explain m2sh or one of its commands
    Help(Help),
    /// Print the version
    Version,
}

/// Which servers.
#[derive(Debug, Default, Clone, PartialEq, Eq, clap::Args)]
pub struct Which {
    /// All servers, or all that the other options leave
    #[arg(long)]
    pub every: bool,
    /// The server of that name
    #[arg(long)]
    pub name: Option<String>,
    /// The server with that default host
    #[arg(long)]
    pub host: Option<String>,
    /// The server of that UUID
    #[arg(long)]
    pub uuid: Option<String>,
}

/// The reason, for the log.
#[derive(Debug, Default, clap::Args)]
pub struct Because {
    /// The reason, for the log
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub why: Option<String>,
}

/// Arguments of `load`.
#[derive(Debug, clap::Args)]
pub struct Load {
    /// The script [default: mongrel2.conf, or config.rhai if only that exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Why
    #[command(flatten)]
    pub because: Because,
}

/// Arguments of `route`.
#[derive(Debug, clap::Args)]
pub struct Route {
    /// Which server
    #[command(flatten)]
    pub which: Which,
    /// A URL, a path, or the name of a socket route (`@name`, `<name`)
    #[arg(value_name = "URL")]
    pub url: String,
}

/// Arguments of `start`.
#[derive(Debug, clap::Args)]
pub struct Start {
    /// Which servers
    #[command(flatten)]
    pub which: Which,
    /// Start it with sudo, so that it can use any port and change its root and user
    #[arg(long)]
    pub sudo: bool,
    /// Why
    #[command(flatten)]
    pub because: Because,
}

/// Arguments of `stop`.
#[derive(Debug, clap::Args)]
pub struct Stop {
    /// Which servers
    #[command(flatten)]
    pub which: Which,
    /// Do not wait for answers in progress, and kill what does not end within two seconds
    #[arg(long)]
    pub murder: bool,
    /// Why
    #[command(flatten)]
    pub because: Because,
}

/// Arguments of a command that does something to servers.
#[derive(Debug, clap::Args)]
pub struct Act {
    /// Which servers
    #[command(flatten)]
    pub which: Which,
    /// Why
    #[command(flatten)]
    pub because: Because,
}

/// Arguments of `commit`.
#[derive(Debug, clap::Args)]
pub struct Commit {
    /// What it is about
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub what: String,
    /// What there is to say
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub why: String,
}

/// Arguments of `help`.
#[derive(Debug, clap::Args)]
pub struct Help {
    /// The command to explain
    pub topic: Option<String>,
    /// The command to explain
    #[arg(long, value_name = "COMMAND", conflicts_with = "topic")]
    pub on: Option<String>,
    /// The command to explain
    #[arg(long = "for", value_name = "COMMAND", conflicts_with_all = ["topic", "on"])]
    pub topic_for: Option<String>,
}

/// What became of a command line.
#[derive(Debug)]
pub enum Parsed {
    /// Something to do.
    Args(Args),
    /// Nothing more: help, or what is wrong with it, has been printed.
    Told(Exit),
}

/// Reads a command line that begins with the program's name.
pub fn parse(arguments: &[OsString]) -> Parsed {
    match Args::try_parse_from(double_dashes(arguments, &built())) {
        Ok(args) => Parsed::Args(args),
        Err(error) => {
            let error = if error.kind() == ErrorKind::UnknownArgument { misspelt(arguments, error) } else { error };
            // Nobody is left to tell if this can't be printed.
            let _ = error.print();
            Parsed::Told(if error.use_stderr() { Exit::Usage } else { Exit::Success })
        }
    }
}

/// The same error with every single-dash word taken for a long option, so that clap can tell which one was
/// meant by `-evry`.
fn misspelt(arguments: &[OsString], error: clap::Error) -> clap::Error {
    let is_long = |word: &OsString| option_of(word).is_some_and(|option| option.dashes == 1 && option.name.len() > 1);
    let doubled = arguments.iter().map(|word| if is_long(word) { with_dash(word) } else { word.clone() });
    Args::try_parse_from(doubled).err().unwrap_or(error)
}

/// The help for a command, or for all of m2sh; `None` if there is no such command.
pub fn help(topic: Option<&str>) -> Option<String> {
    let mut command = built();
    match topic {
        None => Some(command.render_long_help().to_string()),
        Some(topic) => command.find_subcommand_mut(topic).map(|command| command.render_long_help().to_string()),
    }
}

/// The names of all commands, aliases included.
pub fn commands() -> Vec<String> {
    built().get_subcommands().flat_map(clap::Command::get_name_and_visible_aliases).map(str::to_owned).collect()
}

fn built() -> clap::Command {
    let mut command = Args::command();
    command.build();
    command
}

/// Gives long options with a single dash a second one: `-db D` and `-db=D` become `--db D` and `--db=D`.
///
/// Only words that are exactly the name of an option of the command are touched; not the value of an option,
/// and nothing behind `--`.
fn double_dashes(arguments: &[OsString], root: &clap::Command) -> Vec<OsString> {
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

/// The long options of a command, and whether they take a value.
fn long_options(command: &clap::Command) -> BTreeMap<String, bool> {
    let long = |argument: &clap::Arg| Some((argument.get_long()?.to_owned(), argument.get_action().takes_values()));
    command.get_arguments().filter_map(long).collect()
}

struct Typed<'a> {
    dashes: usize,
    name: &'a str,
    has_value: bool,
}

/// A word that begins with one dash or two, taken apart.
fn option_of(word: &OsStr) -> Option<Typed<'_>> {
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
    use super::*;

    fn check(typed: &str, expected: &str) {
        let words: Vec<OsString> = typed.split(' ').map(OsString::from).collect();
        let result = double_dashes(&words, &built());
        let result: Vec<_> = result.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(result.join(" "), expected);
    }

    #[test]
    fn clap_finds_no_fault() {
        Args::command().debug_assert();
    }

    #[test]
    fn one_dash_becomes_two() {
        check("m2sh load -db D -config F", "m2sh load --db D --config F");
        check("m2sh config -db=D --config=F -json", "m2sh config --db=D --config=F --json");
        check("m2sh -db D load -config F", "m2sh --db D load --config F");
        check("m2sh stop -murder -every -why x", "m2sh stop --murder --every --why x");
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
