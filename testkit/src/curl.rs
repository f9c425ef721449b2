//! The client that people try servers with.

use std::process::Command;

use crate::setup;

/// curl, which says what is wrong and nothing else; `None` where there is none.
///
/// # Panics
/// Instead of `None` when the environment variable `CI` is `true`.
pub fn curl() -> Option<Command> {
    setup::or_skip("curl", setup::run(Command::new("curl").arg("--version")))?;
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--noproxy", "*"]);
    Some(curl)
}
