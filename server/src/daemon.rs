//! The way into the background: the server goes on in a child, and the process that was started waits until
//! the child serves, or passes on why it doesn't.
//!
//! What goes through the pipe between them is the exit code, one byte, and the text for stderr.

use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::process::ExitCode;

use nix::unistd::{ForkResult, fork};
use rustix::fs::Mode;
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, getppid, set_parent_process_death_signal, setsid, umask, waitpid,
};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

/// Which of the two processes this is.
pub(crate) enum Side {
    /// The one that was started, once the other has spoken.
    Caller(ExitCode),
    /// The server.
    Daemon(Caller),
}

/// Who has started the server, and wants to know what comes of it.
#[derive(Debug)]
pub(crate) enum Caller {
    /// Somebody who looks at the terminal, or has looked.
    Terminal,
    /// A process that waits.
    Waiting { pipe: PipeWriter, null: File },
}

/// Splits this process in two.
///
/// There must be no other thread yet.
///
/// # Errors
/// What the system says.
pub(crate) fn detach() -> io::Result<Side> {
    let (reader, pipe) = io::pipe()?;
    // In the chroot there is none.
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let caller = getpid();
    // SAFETY: there is one thread, so that no lock is held, and the child is a whole copy of this process.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            drop(pipe);
            Ok(Side::Caller(verdict(reader, Pid::from_raw(child.as_raw()))))
        }
        ForkResult::Child => {
            drop(reader);
            // Who has been interrupted leaves nothing behind that nobody has asked for.
            set_parent_process_death_signal(Some(Signal::KILL))?;
            if getppid() != Some(caller) {
                // Who has ended before that sends no signal.
                return Err(io::Error::other("who has started it is gone"));
            }
            setsid()?;
            umask(Mode::WGRP | Mode::WOTH);
            Ok(Side::Daemon(Caller::Waiting { pipe, null }))
        }
    }
}

/// Waits for the daemon's word, and passes it on.
fn verdict(mut reader: PipeReader, daemon: Option<Pid>) -> ExitCode {
    let mut word = Vec::new();
    // What was read before an error counts.
    let _ = reader.read_to_end(&mut word);
    if let Some((code, text)) = word.split_first() {
        let _ = io::stderr().write_all(text);
        return ExitCode::from(*code);
    }
    let ended = waitpid(daemon, WaitOptions::empty()).ok().flatten();
    let how = ended.map(|(_, status)| format!(": {status:?}")).unwrap_or_default();
    eprintln!("mongrel2: cannot start: the server has ended without a word{how}");
    ExitCode::FAILURE
}

impl Caller {
    /// Whether there is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal)
    }

    /// Says that the server serves: who waits may go, and what is said from then on has no terminal.
    ///
    /// # Errors
    /// Nobody waits any more.
    pub(crate) fn serving(&mut self) -> io::Result<()> {
        let Self::Waiting { mut pipe, null } = std::mem::replace(self, Self::Terminal) else { return Ok(()) };
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        dup2_stderr(&null)?;
        // From here on the server outlives who has started it.
        set_parent_process_death_signal(None)?;
        pipe.write_all(&[0])
    }

    /// Says why it doesn't.
    pub(crate) fn failed(self, code: u8, text: &str) -> ExitCode {
        // Where nobody listens there is nobody to tell.
        let _ = match self {
            Self::Terminal => io::stderr().write_all(text.as_bytes()),
            Self::Waiting { mut pipe, .. } => pipe.write_all(&[&[code], text.as_bytes()].concat()),
        };
        ExitCode::from(code)
    }
}
