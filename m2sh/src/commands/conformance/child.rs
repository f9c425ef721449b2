//! A program that ends with this one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child as Program, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::commands::start::not_run;
use crate::error::Error;
use crate::tail::last_lines;

/// How long a program may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// A program; its end is this value's.
#[derive(Debug)]
pub(super) struct Child {
    program: Program,
    name: String,
    /// What it prints.
    log: PathBuf,
}

impl Child {
    /// Starts it; what it prints goes into a file.
    ///
    /// # Errors
    /// It can't be run.
    pub(super) fn start(command: &mut Command, log: &Path) -> Result<Self, Error> {
        let name = command.get_program().display().to_string();
        let cannot = |error| Error::cannot(format!("write `{}`", log.display()), error);
        let (out, err) = File::create(log).and_then(|out| Ok((out.try_clone()?, out))).map_err(cannot)?;
        let program = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let program = program.map_err(|error| not_run(command, &error))?;
        Ok(Self { program, name, log: log.to_owned() })
    }

    /// Waits for something that it is going to do.
    ///
    /// # Errors
    /// It ends before that, or it takes too long.
    pub(super) fn until(&mut self, what: &str, patience: Duration, is_done: impl Fn() -> bool) -> Result<(), Error> {
        let began = Instant::now();
        while !is_done() {
            let cannot = |cause: String| {
                Error::cannot(format!("use `{}`", self.name), format!("{cause}\n{}", last_lines(&self.log)))
            };
            if let Ok(Some(status)) = self.program.try_wait() {
                return Err(cannot(format!("it has ended: {status}")));
            }
            if began.elapsed() > patience {
                return Err(cannot(format!("{what} takes longer than {} s", patience.as_secs())));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Why nothing can come of it any more; `None` while it runs.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = self.program.try_wait().ok().flatten()?;
        Some(format!("{status}\n{}", last_lines(&self.log)).trim_end().to_owned())
    }

    fn ends(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if !matches!(self.program.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(PAUSE);
        }
        false
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let pid = i32::try_from(self.program.id()).ok().and_then(Pid::from_raw);
        // It isn't waited for yet, so that this is its number.  One that has ended needs nothing.
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        if !self.ends() {
            let _ = self.program.kill();
            let _ = self.program.wait();
        }
    }
}
