//! The pages of the manual, made from the same definitions as the command line.

use std::io;

use clap::Command;
use clap_mangen::Man;

/// What is so for every command.
const DASHES: &str = "Long options may be written with one dash or with two: -db and --db are the same.";

/// The pages with the names of their files.
pub(super) fn all(root: &Command, date: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let source = format!("{} {}", root.get_name(), root.get_version().unwrap_or_default());
    let commands: Vec<Command> = root.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    let noted = commands.into_iter().map(|command| command.after_help(DASHES));
    std::iter::once(root.clone()).chain(noted).map(|command| page(command, &source, date)).collect()
}

fn page(command: Command, source: &str, date: &str) -> io::Result<(String, Vec<u8>)> {
    let man = Man::new(command).source(source).date(date).manual("mongrel2");
    let mut text = Vec::new();
    man.render(&mut text)?;
    Ok((man.get_filename(), text))
}
