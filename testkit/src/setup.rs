//! Making something once under `target/`, however many test binaries want it at the same time, and what to
//! do when it can't be made.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's `target/`, wherever Cargo builds.
pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target")
}

/// Runs `make` unless it has succeeded in `folder` with the same `stamp` before; others wait meanwhile.
pub(crate) fn once(folder: &Path, stamp: &str, make: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    let ready = folder.join("ready");
    if fs::read_to_string(&ready).is_ok_and(|made| made == stamp) {
        return Ok(());
    }
    make()?;
    fs::write(ready, stamp)
}

/// Runs a command to its end and gives its stdout; its stderr is the error if it fails.
pub(crate) fn run(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(io::Error::other(format!("{command:?}: {}: {out}{err}", output.status)))
}

/// Says which test is skipped and why; a panic instead where nothing may be missing (`CI=true`).
pub(crate) fn or_skip<T>(name: &str, made: io::Result<T>) -> Option<T> {
    let error = match made {
        Ok(made) => return Some(made),
        Err(error) => error,
    };
    let thread = std::thread::current();
    let message = format!("skipped `{}`: cannot use `{name}`: {error}", thread.name().unwrap_or("a test"));
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
    // Written past the test harness, which would keep it to itself; nobody is hurt if stderr is closed.
    let _ = writeln!(io::stderr(), "{message}");
    None
}
