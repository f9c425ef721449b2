//! The way into the background: procer goes on in a child, and the process that was started waits until the child
//! supervises, or passes on why it doesn't.
//!
//! What goes through the pipe between them is the exit code, one byte, and the text for stderr.

use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::process::ExitCode;

use nix::unistd::{ForkResult, fork};
use rustix::process::{chdir, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

/// Which of the two processes this is.
pub(crate) enum Side {
    /// The one that was started, once the other has spoken.
    Caller(ExitCode),
    /// procer.
    Daemon(Caller),
}

/// Who has started procer, and wants to know what comes of it.
#[derive(Debug)]
pub(crate) struct Caller {
    pipe: PipeWriter,
    null: File,
}

/// Splits this process in two.
///
/// There must be no other thread yet.
///
/// # Errors
/// What the system says.
pub(crate) fn detach() -> io::Result<Side> {
    let (reader, pipe) = io::pipe()?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    // SAFETY: there is one thread, so that no lock is held, and the child is a whole copy of this process.
    match unsafe { fork() }? {
        ForkResult::Parent { .. } => {
            drop(pipe);
            Ok(Side::Caller(verdict(reader)))
        }
        ForkResult::Child => {
            drop(reader);
            setsid()?;
            // No folder is kept from being unmounted.
            chdir("/")?;
            Ok(Side::Daemon(Caller { pipe, null }))
        }
    }
}

/// Waits for the daemon's word, and passes it on.
fn verdict(mut reader: PipeReader) -> ExitCode {
    let mut word = Vec::new();
    // What was read before an error counts.
    let _ = reader.read_to_end(&mut word);
    let Some((code, text)) = word.split_first() else {
        // Nobody is left to be told but the terminal.
        let _ = writeln!(io::stderr(), "procer: cannot start: it has ended without a word");
        return ExitCode::FAILURE;
    };
    let _ = io::stderr().write_all(text);
    ExitCode::from(*code)
}

impl Caller {
    /// Says that procer supervises: who waits may go, and what is said from then on has no terminal.
    ///
    /// # Errors
    /// Nobody waits any more.
    pub(crate) fn supervising(self) -> io::Result<()> {
        let Self { mut pipe, null } = self;
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        dup2_stderr(&null)?;
        pipe.write_all(&[0])
    }

    /// Says why it doesn't.
    pub(crate) fn failed(mut self, text: &str) {
        // Where nobody listens there is nobody to tell.
        let _ = self.pipe.write_all(&[&[1], text.as_bytes()].concat());
    }
}
