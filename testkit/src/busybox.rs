//! BusyBox, whose `httpd` runs CGI scripts.

use std::io;
use std::process::Command;

use crate::setup;

/// `busybox httpd`; `None` where there is none.
///
/// # Panics
/// Instead of `None` when the environment variable `CI` is `true`.
pub fn httpd() -> Option<Command> {
    setup::or_skip("busybox httpd", prepare())?;
    let mut httpd = Command::new("busybox");
    httpd.arg("httpd");
    Some(httpd)
}

fn prepare() -> io::Result<()> {
    let applets = setup::run(Command::new("busybox").arg("--list"))?;
    let has_httpd = applets.lines().any(|line| line == "httpd");
    has_httpd.then_some(()).ok_or_else(|| io::Error::other("it has no `httpd`"))
}
