//! The exit codes, all of them.

use std::process::ExitCode;

/// How m2sh ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Success = 0,
    /// 1: it could not be done, and why is on stderr.
    Failure = 1,
    /// 2: the command line makes no sense.
    Usage = 2,
    /// 3: a server that `running`, `stop`, `reload` or `control` was asked about does not run.
    NotRunning = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
