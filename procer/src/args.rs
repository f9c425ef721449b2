//! The command line.  Nothing else knows clap.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::exit::Exit;
use crate::profile::value;
use crate::start::Plan;

/// What the command line asks for.
pub(crate) enum Parsed {
    /// To supervise.
    Supervise(Plan),
    /// To talk to a procer.
    Command(Command),
    /// Nothing more: help was printed, or what is wrong.
    Told(Exit),
}

/// Keeps services running: a folder for each, a file for each setting.
#[derive(Debug, Parser)]
#[command(name = "procer", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Line {
    /// The folder that has a folder for each service.
    #[arg(required = true)]
    profiles_dir: Option<PathBuf>,
    /// Where procer writes its own process ID.
    #[arg(required = true)]
    pid_file: Option<PathBuf>,
    /// Stay where it was started, and say there what is written to error.log.
    #[arg(long)]
    foreground: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What a procer that runs is asked.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Tells how services are.
    Status(Status),
    /// Starts services, and waits until they are ready.
    Start(Change),
    /// Stops services, those first that need others, and waits for their end.
    Stop(Change),
    /// Stops and starts services, and waits until they are ready.
    Restart(Change),
    /// Reads the profiles again; or tells services to read their configuration again.
    Reload(Names),
    /// Sends the processes of services a signal.
    Signal(Signal),
    /// Waits until services are ready.
    Wait(Wait),
    /// Prints what services have written to their logs.
    Logs(Logs),
    /// Prints what happens, as it happens.
    Events(Events),
    /// Ends procer; services go on.
    Quit(At),
}

/// Which procer.
#[derive(Debug, Clone, Args)]
pub(crate) struct At {
    /// The folder with the profiles [default: $PROCER_PROFILES, else . or ./profiles]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) profiles: Option<PathBuf>,
}

/// How services are.
#[derive(Debug, Clone, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) at: At,
    /// Which services [default: all]
    pub(crate) names: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on with what changes.
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// A change, and whether to wait for it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Change {
    #[command(flatten)]
    pub(crate) at: At,
    /// Which services [default: all]
    pub(crate) names: Vec<String>,
    /// Don't wait for what comes of it.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How long to wait.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    pub(crate) timeout: Duration,
}

/// Some services, or none.
#[derive(Debug, Clone, Args)]
pub(crate) struct Names {
    #[command(flatten)]
    pub(crate) at: At,
    /// Which services [default: the folder itself]
    pub(crate) names: Vec<String>,
}

/// A signal.
#[derive(Debug, Clone, Args)]
pub(crate) struct Signal {
    #[command(flatten)]
    pub(crate) at: At,
    /// The signal, by name or number.
    pub(crate) signal: String,
    /// Which services.
    #[arg(required = true)]
    pub(crate) names: Vec<String>,
}

/// What is waited for.
#[derive(Debug, Clone, Args)]
pub(crate) struct Wait {
    #[command(flatten)]
    pub(crate) at: At,
    /// Which services [default: all]
    pub(crate) names: Vec<String>,
    /// Wait until they are ready; this is the default.
    #[arg(long)]
    pub(crate) ready: bool,
    /// Wait until they are stopped.
    #[arg(long, conflicts_with = "ready")]
    pub(crate) down: bool,
    /// How long to wait.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    pub(crate) timeout: Duration,
}

/// Logs.
#[derive(Debug, Clone, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) at: At,
    /// Which service.
    pub(crate) name: String,
    /// So many of the last lines.
    #[arg(short = 'n', long, default_value_t = 10)]
    pub(crate) lines: usize,
    /// Go on with what comes.
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// What happens.
#[derive(Debug, Clone, Args)]
pub(crate) struct Events {
    #[command(flatten)]
    pub(crate) at: At,
    /// To which services [default: all]
    pub(crate) names: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The arguments, with the program's name in front.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Parsed {
    let line = match Line::try_parse_from(arguments) {
        Ok(line) => line,
        Err(error) => {
            // If nobody reads it, nobody has to.
            let _ = error.print();
            return Parsed::Told(if error.use_stderr() { Exit::Usage } else { Exit::Success });
        }
    };
    match line {
        Line { command: Some(command), .. } => Parsed::Command(command),
        Line { profiles_dir: Some(profiles), pid_file: Some(pid_file), foreground, .. } => {
            Parsed::Supervise(Plan { profiles, pid_file, foreground })
        }
        _ => Parsed::Told(Exit::Usage),
    }
}

/// The names of all commands, for the manual's test.
pub fn commands() -> Vec<String> {
    Line::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// The help of a command, for the manual's test.
pub fn help(name: &str) -> Option<String> {
    Some(Line::command().find_subcommand_mut(name)?.render_long_help().to_string())
}

fn time(text: &str) -> Result<Duration, String> {
    value::time(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Parsed {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn two_paths_are_the_contract() {
        assert!(matches!(parsed("procer /p /run/procer.pid"), Parsed::Supervise(plan) if !plan.foreground));
        assert!(matches!(parsed("procer --foreground /p x"), Parsed::Supervise(plan) if plan.foreground));
        assert!(matches!(parsed("procer /p x --foreground"), Parsed::Supervise(plan) if plan.foreground));
        assert!(matches!(parsed("procer ./status x"), Parsed::Supervise(_)));
        for wrong in [
            "procer",
            "procer /p",
            "procer a b c",
            "procer --foreground status",
            "procer signal HUP",
            "procer wait --timeout x",
        ] {
            assert!(matches!(parsed(wrong), Parsed::Told(Exit::Usage)), "{wrong}");
        }
    }

    #[test]
    fn commands_have_names_and_options() {
        let Parsed::Command(Command::Stop(change)) = parsed("procer stop -p /p a b --timeout 5s") else { panic!() };
        assert_eq!((change.names.len(), change.timeout, change.no_wait), (2, Duration::from_secs(5), false));
        assert!(matches!(parsed("procer --version"), Parsed::Told(Exit::Success)));
        assert!(commands().contains(&"status".to_owned()));
        assert!(help("logs").unwrap().contains("--follow"));
    }
}
