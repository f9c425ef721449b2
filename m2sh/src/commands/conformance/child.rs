//! A program that ends with this one.

use std::fs::File;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
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
        // A Ctrl-C at the terminal is for m2sh, which lets the case that is being run end first.
        command.process_group(0);
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
            let late = format!("{what} takes longer than {} s", patience.as_secs());
            if let Some(cause) = self.end().or_else(|| (began.elapsed() > patience).then_some(late)) {
                let cause = format!("{cause}\n{}", last_lines(&self.log));
                return Err(Error::cannot(format!("use `{}`", self.name), cause));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// How it has ended, if it has.
    pub(super) fn end(&mut self) -> Option<String> {
        let status = self.program.try_wait().ok().flatten();
        status.map(|status| format!("`{}` has ended: {status}", self.name))
    }

    /// Asks it to end.
    pub(super) fn stop(&mut self) {
        if matches!(self.program.try_wait(), Ok(None)) {
            let pid = i32::try_from(self.program.id()).ok().and_then(Pid::from_raw);
            // It isn't waited for yet, so that this is its number.
            let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        }
    }

    /// Waits for its end, which is to be a good one, or by what [`Child::stop`] sends.
    ///
    /// # Errors
    /// It is another, or takes too long.
    pub(super) fn wait(&mut self, patience: Duration) -> Result<(), String> {
        let began = Instant::now();
        loop {
            match self.program.try_wait() {
                Ok(Some(status)) if status.success() || status.signal() == Some(Signal::TERM.as_raw()) => return Ok(()),
                Ok(Some(status)) => return Err(format!("`{}` has ended: {status}", self.name)),
                Ok(None) if began.elapsed() < patience => thread::sleep(PAUSE),
                Ok(None) => return Err(format!("`{}` hasn't ended after {} s", self.name, patience.as_secs())),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop();
        if self.wait(PATIENCE).is_err() {
            let _ = self.program.kill();
            let _ = self.program.wait();
        }
    }
}
