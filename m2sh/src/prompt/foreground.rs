//! What is typed at a prompt runs in a process of its own, in the foreground: this very program, with those words.
//!
//! So Ctrl-C at the terminal ends the command (a server that it has become, a log that is followed) and not the prompt;
//! nothing that a command does to its process is felt by the next one.  Both are of one process group: Ctrl-Z stops both.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, Stdio};

use tokio::signal::unix::{SignalKind, signal};

use crate::error::Error;
use crate::exit::Exit;

/// This very program, when another one lies at its path by now, or none.
const REPLACED: &str = "/proc/self/exe";

/// From now on Ctrl-C and Ctrl-\ are for the commands alone.
///
/// They are caught and not ignored: what is ignored stays so in a command.
///
/// # Errors
/// What the system says.
pub fn take_interrupts() -> Result<(), Error> {
    let catch = || -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let _entered = runtime.enter();
        // The handlers stay when these are dropped.
        drop([signal(SignalKind::interrupt())?, signal(SignalKind::quit())?]);
        Ok(())
    };
    catch().map_err(|error| Error::cannot("listen for signals", error))
}

/// Runs m2sh with these words, and waits for its end.
///
/// # Errors
/// It can't be run.
pub fn run(words: impl IntoIterator<Item = impl AsRef<OsStr>>, stdin: Stdio) -> Result<Exit, Error> {
    let program = std::env::current_exe().ok().filter(|program| program.exists());
    let status = Command::new(program.unwrap_or(REPLACED.into())).arg0("m2sh").args(words).stdin(stdin).status();
    status.map(exit).map_err(|error| Error::cannot("run the program m2sh itself", error))
}

/// As a shell sees it: 128 and the number of the signal that has ended it.
fn exit(status: ExitStatus) -> Exit {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    match u8::try_from(code) {
        Ok(0) => Exit::Success,
        Ok(code) => Exit::Line(code),
        Err(_) => Exit::Failure,
    }
}
