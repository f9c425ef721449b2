//! The command line as typed.  Nothing else in m2sh knows clap.
//!
//! Scripts in the field write long options with one dash (`-db`, `-every`); `dashes` turns those into two
//! before clap sees them.

mod conformance;
mod dashes;
pub mod grammar;
mod pages;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::exit::Exit;
pub use conformance::{Before, Conformance, Tried};

/// The configuration database, if none is named.
pub const DEFAULT_DB: &str = "config.sqlite";

/// Everything that can be typed.
#[derive(Debug, Parser)]
#[command(
    name = "m2sh",
    version,
    about = "Configures, audits and controls mongrel2 servers",
    after_help = "Long options may be written with one dash or two: -db and --db are the same.\n\
                  Exit codes: 0 done, 1 failed, 2 wrong usage (or, of plan: changes), 3 not running.",
    disable_help_subcommand = true,
    infer_long_args = false
)]
pub struct Args {
    /// The configuration database
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_DB)]
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
    /// Check a configuration script, without a database
    Check(Script),
    /// Tell what loading a configuration script would change
    Plan(Plan),
    /// Load a configuration script into the database
    #[command(visible_alias = "config")]
    Load(Load),
    /// Write the configuration of the database as a script
    Export(Export),
    /// Write what editors may know of the words of a script
    Definitions(Definitions),
    /// Write a configuration in the language of the original as a script
    Convert(Convert),
    /// Print every table with its rows
    Dump,
    /// List the servers
    Servers,
    /// List the hosts of a server, and their routes
    Hosts(Hosts),
    /// List the routes of a server, and their targets
    Routes(Hosts),
    /// Tell which host, route and target a URL gets, and why
    Route(Route),
    /// Make a UUID
    Uuid,
    /// Start a server in the foreground or the background, or several with -every
    Start(Start),
    /// Stop a server, and wait until it has ended
    Stop(Stop),
    /// Let a server read its configuration again
    Reload(Act),
    /// List the certificates of a server, or make one with -new
    Cert(Cert),
    /// Ask a running server at its control port, or tell it what to do
    Control(Control),
    /// Type commands without `m2sh` in front, with completion; or read them from stdin
    Shell,
    /// Tell whether a server runs
    Running(Running),
    /// Print the access log of a server
    Access(Access),
    /// Print the log of what was done to the database and its servers
    Log(Log),
    /// List the generations of the configuration: who made each, when and why
    Generations,
    /// Print the configuration of a generation as a script
    Show(Show),
    /// Tell what two generations differ in, or a generation and the database [default: what a server runs with]
    Diff(Diff),
    /// Tell which generation made a server, host, route or setting what it is, and whose work that was
    Blame(Blame),
    /// Throw away what was kept of old generations
    Gc(Gc),
    /// Tell whether the script, the database and the running servers agree
    Drift(Script),
    /// Make the configuration what it was in an earlier generation
    Rollback(Rollback),
    /// Write a line to the log
    Commit(Commit),
    /// Make a deployment folder with everything in it
    New(New),
    /// Tell how the services of a procer are
    Procs(Procs),
    /// Make the profile of one more service for procer
    Profile(NewProfile),
    /// Make a folder with everything in it, run it, and tell what to try
    Demo(Demo),
    /// Try whether a server, hosts of applications or a handler do what is promised
    Conformance(Conformance),
    /// Explain m2sh or one of its commands
    Help(Help),
    /// Print what makes a shell complete the command line of m2sh
    Completions(Completions),
    /// Print the manual page of m2sh, or write those of all commands into a folder
    Man(Man),
    /// Tell what may be typed next: what the scripts of `completions` call
    #[command(hide = true)]
    Complete(Complete),
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

/// Arguments of `hosts` and `routes`: whose they are to be.
#[derive(Debug, Default, clap::Args)]
pub struct Hosts {
    /// Which servers
    #[command(flatten)]
    which: Which,
    /// The server of that name; -host is then the one host of it that is listed
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    server: Option<String>,
}

impl Hosts {
    /// Which servers, and which host of theirs if it is only one.
    pub fn chosen(&self) -> (Which, Option<&str>) {
        match &self.server {
            Some(server) => {
                (Which { name: Some(server.clone()), host: None, ..self.which.clone() }, self.which.host.as_deref())
            }
            None => (self.which.clone(), None),
        }
    }
}

/// The reason, for the log.
#[derive(Debug, Default, clap::Args)]
pub struct Because {
    /// The reason, for the log
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub why: Option<String>,
}

/// Which script.
#[derive(Debug, Default, clap::Args)]
pub struct Script {
    /// The script [default: mongrel2.conf, or config.rhai if only that exists]
    #[arg(value_name = "SCRIPT")]
    pub script: Option<PathBuf>,
    /// The script, as `load` takes it
    #[arg(long, value_name = "FILE", conflicts_with = "script")]
    pub config: Option<PathBuf>,
}

impl Script {
    /// The one that was named, if one was.
    pub fn named(&self) -> Option<&Path> {
        self.script.as_deref().or(self.config.as_deref())
    }
}

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct Plan {
    /// Which script
    #[command(flatten)]
    pub script: Script,
    /// Save the plan, so that `load -plan` does just that
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Arguments of `load`.
#[derive(Debug, clap::Args)]
pub struct Load {
    /// The script [default: mongrel2.conf, or config.rhai if only that exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Load what a plan says, if the database is still the one that it was made for
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub plan: Option<PathBuf>,
    /// Do not ask before a server, host or route is removed
    #[arg(long)]
    pub yes: bool,
    /// Have the servers that run reload it; if one of them can't, put back what was there
    #[arg(long)]
    pub reload: bool,
    /// Why
    #[command(flatten)]
    pub because: Because,
}

/// Where a script goes.
#[derive(Debug, clap::Args)]
pub struct Output {
    /// The file to write, which has to be a new one [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// Where the script goes
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `definitions`.
#[derive(Debug, clap::Args)]
pub struct Definitions {
    /// Where the definitions go
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `convert`.
#[derive(Debug, clap::Args)]
pub struct Convert {
    /// The configuration in the language of the original
    #[arg(value_name = "FILE")]
    pub config: PathBuf,
    /// Where the script goes
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `route`.
#[derive(Debug, clap::Args)]
pub struct Route {
    /// Which server
    #[command(flatten)]
    pub which: Which,
    /// A URL, a path, or the name of a socket route (`@name`, `<name`)
    #[arg(value_name = "URL", required_unless_present = "pattern")]
    pub url: Option<String>,
    /// The path of a route that need not be in any configuration, to try it
    #[arg(
        long,
        value_name = "ROUTE",
        requires = "path",
        conflicts_with_all = ["url", "every", "name", "host", "uuid"]
    )]
    pub pattern: Option<String>,
    /// The path that is asked for
    #[arg(id = "path", long = "match", value_name = "PATH", requires = "pattern")]
    pub path: Option<String>,
}

/// Arguments of `start`.
#[derive(Debug, clap::Args)]
pub struct Start {
    /// Which servers
    #[command(flatten)]
    pub which: Which,
    /// Return when it serves in the background, or tell why it does not
    ///
    /// That is the default for root and with -sudo, unless the setting `server.daemonize` is 0.
    #[arg(long, short, conflicts_with = "foreground")]
    pub background: bool,
    /// Stay until it has ended, whatever the settings say
    #[arg(long)]
    pub foreground: bool,
    /// Start it with sudo, so that it can use any port and change its root and user; or with doas, or the program named
    ///
    /// Without PROGRAM it is doas where there is no sudo.
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1, default_missing_value = "")]
    pub sudo: Option<OsString>,
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

/// Arguments of `cert`.
#[derive(Debug, clap::Args)]
pub struct Cert {
    /// Which servers
    #[command(flatten)]
    pub which: Which,
    /// Make a certificate that signs itself, and its key
    #[arg(long)]
    pub new: bool,
    /// What it is for: host names and IP addresses [default: the server's hosts and this machine]
    #[arg(value_name = "NAME", requires = "new")]
    pub names: Vec<String>,
    /// How many days it is valid
    #[arg(long, value_name = "NUMBER", default_value_t = 365, requires = "new")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,
    /// Put it in the place of the one that is there
    #[arg(long, requires = "new")]
    pub force: bool,
    /// Why
    #[command(flatten)]
    pub because: Because,
}

/// Arguments of `control`.
#[derive(Debug, clap::Args)]
pub struct Control {
    /// Which servers
    #[command(flatten)]
    pub which: Which,
    /// Why
    #[command(flatten)]
    pub because: Because,
    /// What to say, as in `status net`; `help` lists what can be said [default: the lines of stdin]
    #[arg(value_name = "COMMAND")]
    pub words: Vec<String>,
}

/// Arguments of `access`.
#[derive(Debug, clap::Args)]
pub struct Access {
    /// Which servers
    #[command(flatten)]
    pub which: Which,
    /// The log to read, whatever is in the database; `-` is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["every", "name", "host", "uuid"])]
    pub log: Option<PathBuf>,
    /// Only so many requests of each server, the newest ones
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub last: Option<usize>,
    /// Go on with what comes, until it is interrupted
    #[arg(short, long)]
    pub follow: bool,
    /// Only requests since then: 30m, 2h, 3d ago, or 2026-11-20, or 2026-11-20T10:30 (UTC)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Only requests that were answered so: 404, 5xx, or 404,5xx
    #[arg(long, value_name = "STATUS")]
    pub status: Option<String>,
    /// Only paths that begin with this
    #[arg(long, value_name = "PREFIX")]
    pub path: Option<String>,
    /// Only requests for that host of the configuration
    #[arg(long, value_name = "NAME")]
    pub vhost: Option<String>,
    /// Only requests from that IP address
    #[arg(long, value_name = "ADDRESS")]
    pub client: Option<String>,
    /// Only requests with that method
    #[arg(long)]
    pub method: Option<String>,
}

/// Arguments of `running`.
#[derive(Debug, clap::Args)]
pub struct Running {
    /// Which servers
    #[command(flatten)]
    pub which: Which,
    /// A table: since when, as whom, with which generation, and how each does
    #[arg(long, short)]
    pub long: bool,
}

/// Arguments of `log`.
#[derive(Debug, clap::Args)]
pub struct Log {
    /// Only what was done since then: 30m, 2h, 3d ago, or 2026-11-20, or 2026-11-20T10:30 (UTC)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Only what this user has done
    #[arg(long, value_name = "USER")]
    pub who: Option<String>,
    /// Only entries about this: the name of a command, or what was committed
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub what: Option<String>,
    /// Only what was done to this server
    #[arg(long, value_name = "NAME|UUID")]
    pub server: Option<String>,
    /// Only so many, the newest ones
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub last: Option<u32>,
    /// Go on with what comes, until it is interrupted
    #[arg(short, long)]
    pub follow: bool,
    /// Tell what servers have counted under each generation, and which of them made things worse
    #[arg(long, conflicts_with = "follow")]
    pub stats: bool,
    /// Look whether the log is as it was written, by its seals
    #[arg(long, conflicts_with_all = ["since", "who", "what", "server", "last", "follow", "stats"])]
    pub verify: bool,
    /// A seal that was kept elsewhere, which has to be there
    #[arg(long, value_name = "SEAL", requires = "verify")]
    pub kept: Option<String>,
    /// Send the last seal to the system's log now; the setting `audit.syslog` has each sent as it is made
    #[arg(long, conflicts_with_all = ["since", "who", "what", "server", "last", "follow", "stats", "verify", "seal"])]
    pub syslog: bool,
    /// Print the last seal, to be kept elsewhere
    #[arg(long, conflicts_with_all = ["since", "who", "what", "server", "last", "follow", "stats", "verify"])]
    pub seal: bool,
}

/// Arguments of `blame`.
#[derive(Debug, clap::Args)]
pub struct Blame {
    /// What it is called, behind what it is part of if that is needed: `/x`, `server hello`, `hello localhost /x`
    #[arg(value_name = "PATH", required = true)]
    pub path: Vec<String>,
}

/// Arguments of `gc`.
#[derive(Debug, clap::Args)]
pub struct Gc {
    /// How many of the newest generations stay whole
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: u32,
    /// Why
    #[command(flatten)]
    pub because: Because,
}

/// Arguments of `show`.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// The number of the generation
    #[arg(value_name = "GENERATION")]
    pub generation: i64,
    /// The script that it was loaded from, as it was, with all that it imported
    #[arg(long, conflicts_with_all = ["output", "force"])]
    pub source: bool,
    /// Where the script goes
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
pub struct Diff {
    /// Which server's generation, if none is named
    #[command(flatten)]
    pub which: Which,
    /// The number of a generation [default: that of the running server]
    #[arg(value_name = "FROM")]
    pub from: Option<i64>,
    /// The number of another [default: the database]
    #[arg(value_name = "TO")]
    pub to: Option<i64>,
}

/// Arguments of `rollback`.
#[derive(Debug, clap::Args)]
pub struct Rollback {
    /// The number of the generation
    #[arg(value_name = "GENERATION")]
    pub generation: i64,
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
    /// Where it was done [default: this machine]
    #[arg(long = "where", value_name = "TEXT", allow_hyphen_values = true)]
    pub location: Option<String>,
    /// How it was done [default: by this command]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub how: Option<String>,
}

/// Arguments of `new`.
#[derive(Debug, clap::Args)]
pub struct New {
    /// The folder, a new one or an empty one
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// The port to listen on
    #[arg(long, value_name = "NUMBER", default_value_t = 6767, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// Why
    #[command(flatten)]
    pub because: Because,
}

/// Arguments of `procs`.
#[derive(Debug, clap::Args)]
pub struct Procs {
    /// The folder with the profiles [default: $PROCER_PROFILES, else . or ./profiles]
    #[arg(long, value_name = "FOLDER")]
    pub profiles: Option<PathBuf>,
    /// Which services [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
}

/// Arguments of `profile`.
#[derive(Debug, clap::Args)]
pub struct NewProfile {
    /// What to do
    #[arg(value_name = "new", value_parser = ["new"])]
    pub action: String,
    /// The name of the profile, which is that of its folder
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The command that it runs, from this folder; it is put in the background
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    pub run: String,
    /// The profiles that have to run before
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub depends: Vec<String>,
    /// The file in which the command writes its PID; it goes into the background by itself
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Start it again when it has ended
    #[arg(long)]
    pub restart: bool,
    /// The folder of profiles
    #[arg(long, value_name = "FOLDER", default_value = "profiles")]
    pub dir: PathBuf,
    /// Why
    #[command(flatten)]
    pub because: Because,
}

impl NewProfile {
    /// What it depends on: names are separated by blanks or commas, in one word or in several.
    pub fn depends(&self) -> Vec<String> {
        let names = self.depends.iter().flat_map(|names| names.split([' ', ',', '\n', '\t']));
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }
}

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// The folder, with its own config.sqlite; what is there already is used as it is [default: demo, or demo-all]
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// All demos of the examples, each with its handler, under procer
    #[arg(long)]
    pub all: bool,
    /// The port to listen on [default: the script's, which is 6767]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
}

impl Demo {
    /// The folder.
    pub fn folder(&self) -> &Path {
        let default = if self.all { "demo-all" } else { "demo" };
        self.folder.as_deref().unwrap_or(Path::new(default))
    }
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

/// A shell that m2sh completes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// GNU Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// fish.
    Fish,
    /// Elvish.
    Elvish,
    /// PowerShell.
    Powershell,
}

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

/// Arguments of `complete`.
#[derive(Debug, clap::Args)]
pub struct Complete {
    /// The shell that wants to know
    pub shell: Shell,
    /// The line up to the cursor, and for bash the end of it that is going to be replaced; or its words
    #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
    pub words: Vec<String>,
}

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// The folder to write them into, which is made if it is missing [default: the page of m2sh itself, to stdout]
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// What became of a command line.
#[derive(Debug)]
pub enum Parsed {
    /// Something to do.
    Args(Box<Args>),
    /// Nothing more: help, or what is wrong with it, has been printed.
    Told(Exit),
}

/// Reads a command line that begins with the program's name.
pub fn parse(arguments: &[OsString]) -> Parsed {
    match Args::try_parse_from(dashes::double(arguments, &built())) {
        Ok(args) => Parsed::Args(Box::new(args)),
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
    Args::try_parse_from(dashes::double_all(arguments)).err().unwrap_or(error)
}

/// The help for a command, or for all of m2sh; `None` if there is no such command.
pub fn help(topic: Option<&str>) -> Option<String> {
    let mut command = built();
    match topic {
        None => Some(command.render_long_help().to_string()),
        Some(topic) => command.find_subcommand_mut(topic).map(|command| command.render_long_help().to_string()),
    }
}

/// The pages of the manual of that day, each with the name of its file: that of m2sh first, then one for each command.
///
/// # Errors
/// Never: nothing is written anywhere.
pub fn pages(date: &str) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    pages::all(&built(), date)
}

/// The names of all commands, aliases included.
pub fn commands() -> Vec<String> {
    grammar::command_words().into_iter().map(|word| word.text).collect()
}

fn built() -> clap::Command {
    let mut command = Args::command();
    command.build();
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_finds_no_fault() {
        Args::command().debug_assert();
    }
}
