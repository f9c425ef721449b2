//! The exit codes, all of them.

use std::process::ExitCode;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Success,
    /// 1: it could not be done, or a service has failed; why is on stderr.
    Failure,
    /// 2: the command line makes no sense.
    Usage,
    /// 3: a service that was asked about isn't ready.
    NotReady,
    /// 4: no procer supervises the folder.
    NoProcer,
    /// 5: it has taken too long.
    Timeout,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::NotReady => 3,
            Exit::NoProcer => 4,
            Exit::Timeout => 5,
        })
    }
}
