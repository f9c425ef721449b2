//! Programs of which a test needs no more than to run them.

use std::process::Command;

use crate::setup;

/// A program by its name, if running it with `--version` succeeds; `None` where there is none.
///
/// # Panics
/// Instead of `None` when the environment variable `CI` is `true`.
pub fn installed(name: &str) -> Option<Command> {
    setup::or_skip(name, setup::run(Command::new(name).arg("--version")))?;
    Some(Command::new(name))
}
