//! A browser: Chromium without a window.

use std::path::Path;
use std::process::Command;

use crate::setup;

/// Chromium, which runs until it is killed, and writes what a page says (`console.log`) to stderr; it keeps all that it
/// has to remember in that folder, whose path is short, as sockets' are.  `None` where there is none.
///
/// # Panics
/// Instead of `None` when the environment variable `CI` is `true`.
pub fn chromium(folder: &Path) -> Option<Command> {
    setup::or_skip("chromium", setup::run(Command::new("chromium").arg("--version")))?;
    let mut chromium = Command::new("chromium");
    // Root has no sandbox, containers have little shared memory, and another one with the same profile would take over.
    chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"]);
    chromium.args(["--no-first-run", "--disable-background-networking", "--enable-logging=stderr"]);
    chromium.arg(format!("--user-data-dir={}", folder.display()));
    // Killed, it would leave its temporary files where all programs have theirs.
    chromium.env("TMPDIR", folder);
    Some(chromium)
}
