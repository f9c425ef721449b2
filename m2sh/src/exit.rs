//! The exit codes, all of them.

use std::process::ExitCode;

/// How m2sh ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Success,
    /// 1: it could not be done, and why is on stderr.
    Failure,
    /// 2: the command line makes no sense.
    Usage,
    /// 2: `plan` has found that something would change, `diff` that something differs.
    Changes,
    /// 3: a server that `running`, `stop`, `reload` or `control` was asked about does not run.
    NotRunning,
    /// What a line of `shell` or of the prompt of `control` has ended with.
    Line(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage | Exit::Changes => 2,
            Exit::NotRunning => 3,
            Exit::Line(code) => code,
        })
    }
}
