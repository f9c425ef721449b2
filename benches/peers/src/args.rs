//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args as Group, Parser, Subcommand};

use crate::row::{ROWS, Row};

/// Compares this server with nginx, lighttpd, haproxy and the original mongrel2, as far as they are installed.
///
/// Servers take turns, since other programs disturb the machine: what counts are ratios within one run.
#[derive(Debug, Parser)]
#[command(name = "peers", args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) role: Option<Role>,

    /// What to measure; everything if nothing is given
    #[arg(value_name = "ROW", value_parser = PossibleValuesParser::new(ROWS.iter().map(|row| row.name)))]
    rows: Vec<String>,

    /// How long wrk asks a server in one turn
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,

    /// How many turns each server gets
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) rounds: u64,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Measure this binary, instead of building this checkout's
    #[arg(long, value_name = "MONGREL2")]
    pub(crate) server: Option<PathBuf>,

    /// Measure another build of this server too, say of an older commit
    #[arg(long, value_name = "MONGREL2")]
    pub(crate) against: Option<PathBuf>,
}

/// What this program is started for by itself.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(crate) enum Role {
    /// Be the handler of a server
    #[command(name = "be-handler", hide = true)]
    Handler(Place),
    /// Compare procer with runit and supervisord instead, as far as they are installed
    Supervisors(Crew),
}

/// What supervisors are measured with.
#[derive(Debug, Clone, PartialEq, Eq, Group)]
pub(crate) struct Crew {
    /// How many services they keep
    #[arg(default_values_t = [100, 500], value_name = "SERVICES")]
    pub(crate) services: Vec<usize>,

    /// How many turns each gets
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub(crate) rounds: usize,

    /// Measure this binary, instead of the one beside this program
    #[arg(long, value_name = "PROCER")]
    pub(crate) procer: Option<PathBuf>,
}

/// Where a handler finds its server.
#[derive(Debug, Clone, PartialEq, Eq, Group)]
pub(crate) struct Place {
    /// The server's `send_spec`
    pub(crate) requests: String,
    /// The server's `recv_spec`
    pub(crate) replies: String,
    /// The server's chroot
    pub(crate) folder: PathBuf,
}

impl Args {
    /// Reads them, or ends the program with a message.
    pub(crate) fn read() -> Self {
        Self::parse()
    }

    /// The rows to measure, in their usual order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &'static Row> {
        ROWS.iter().filter(|row| self.rows.is_empty() || self.rows.iter().any(|name| name == row.name))
    }

    /// The length of a turn.
    pub(crate) fn turn(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
        let args = Args::try_parse_from(["peers", "start", "1k", "--seconds", "1"]).unwrap();
        assert_eq!(args.rows().map(|row| row.name).collect::<Vec<_>>(), ["1k", "start"]);
        let all = Args::try_parse_from(["peers"].into_iter().chain(ROWS.iter().map(|row| row.name))).unwrap();
        assert_eq!(all.rows().count(), ROWS.len());
        assert!(Args::try_parse_from(["peers", "2k"]).is_err());
        let role = |words: &[&str]| Args::try_parse_from(words).unwrap().role.unwrap();
        let Role::Handler(place) = role(&["peers", "be-handler", "tcp://a", "tcp://b", "/c"]) else { panic!() };
        let crew = Crew { services: vec![100, 500], rounds: 3, procer: None };
        assert!(matches!(role(&["peers", "supervisors"]), Role::Supervisors(found) if found == crew));
        assert_eq!(place, Place { requests: "tcp://a".into(), replies: "tcp://b".into(), folder: "/c".into() });
    }
}
