//! A program that ends with this one, and with it all that it has started and left in its process group.

use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child as Program, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::interrupt::Interrupt;
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
    /// Its process, and its group; it is waited for only at the very end, so that the number stays its own.
    pid: Pid,
    name: String,
    /// What it prints.
    log: PathBuf,
    interrupt: Interrupt,
}

impl Child {
    /// Starts it; what it prints goes into a file.
    ///
    /// # Errors
    /// It can't be run.
    pub(super) fn start(command: &mut Command, log: &Path, interrupt: &Interrupt) -> Result<Self, Error> {
        let name = command.get_program().display().to_string();
        let cannot = |error| Error::cannot(format!("write `{}`", log.display()), error);
        let (out, err) = File::create(log).and_then(|out| Ok((out.try_clone()?, out))).map_err(cannot)?;
        // A Ctrl-C at the terminal is for m2sh, which lets the case that is being run end first.
        command.process_group(0);
        let program = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let program = program.map_err(|error| not_run(command, &error))?;
        let pid = i32::try_from(program.id()).ok().and_then(Pid::from_raw).expect("a process has a number");
        interrupt.concerns(pid);
        Ok(Self { program, pid, name, log: log.to_owned(), interrupt: interrupt.clone() })
    }

    /// Waits for something that it is going to do.
    ///
    /// # Errors
    /// It ends before that, or it takes too long.
    pub(super) fn until(&self, what: &str, patience: Duration, is_done: impl Fn() -> bool) -> Result<(), Error> {
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
    pub(super) fn end(&self) -> Option<String> {
        match self.looked_at() {
            Ok(None) => None,
            Ok(Some(End { how, .. })) => Some(how),
            Err(error) => Some(format!("`{}` can't be watched: {error}", self.name)),
        }
    }

    /// Asks it to end.
    pub(super) fn stop(&self) {
        // It may have ended already.
        let _ = kill_process_group(self.pid, Signal::TERM);
    }

    /// Waits for its end, which is to be a good one, or by what [`Child::stop`] sends.
    ///
    /// # Errors
    /// It is another, or takes too long.
    pub(super) fn wait(&self, patience: Duration) -> Result<(), String> {
        let began = Instant::now();
        loop {
            match self.looked_at().map_err(|error| error.to_string())? {
                Some(End { is_good: true, .. }) => return Ok(()),
                Some(End { how, .. }) => return Err(how),
                None if began.elapsed() < patience => thread::sleep(PAUSE),
                None => return Err(format!("`{}` hasn't ended after {} s", self.name, patience.as_secs())),
            }
        }
    }

    /// Its end, if that has come; it isn't waited for.
    fn looked_at(&self) -> io::Result<Option<End>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let Some(status) = waitid(WaitId::Pid(self.pid), options)? else { return Ok(None) };
        let raw = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => code << 8,
            (None, signal) => signal.unwrap_or_default(),
        };
        let status = std::process::ExitStatus::from_raw(raw);
        let is_good = status.success() || status.signal() == Some(Signal::TERM.as_raw());
        Ok(Some(End { is_good, how: format!("`{}` has ended: {status}", self.name) }))
    }
}

/// How a program has ended.
struct End {
    is_good: bool,
    how: String,
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop();
        // However it ends: what it has left behind is killed, and it too if it takes too long.
        let _ = self.wait(PATIENCE);
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.interrupt.concerns_no_more(self.pid);
        let _ = self.program.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_leaves_behind_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (log, pid) = (folder.path().join("log"), folder.path().join("pid"));
        let mut command = Command::new("sh");
        command.args(["-c", "(trap '' TERM; exec sleep 1000) & echo $! > $0; wait"]).arg(&pid);
        let child = Child::start(&mut command, &log, &Interrupt::default()).unwrap();
        let read = || std::fs::read_to_string(&pid).ok().and_then(|pid| pid.trim().parse().ok());
        child.until("its child", Duration::from_secs(30), || read().is_some()).unwrap();
        let left = Pid::from_raw(read().unwrap()).unwrap();
        drop(child);
        // It may still wait for init to notice.
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", left.as_raw_nonzero())).unwrap_or_default();
        let runs = || stat().rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'));
        testkit::wait::until("the end of what was left", || (!runs()).then_some(()));
    }

    #[test]
    fn ends_are_told() {
        let folder = tempfile::tempdir().unwrap();
        for (script, good, told) in [
            ("exit 0", true, "`sh` has ended: exit status: 0"),
            ("exit 3", false, "`sh` has ended: exit status: 3"),
            ("kill -TERM $$", true, "`sh` has ended: signal: 15 (SIGTERM)"),
            ("kill -KILL $$", false, "`sh` has ended: signal: 9 (SIGKILL)"),
        ] {
            let mut command = Command::new("sh");
            let log = folder.path().join("log");
            let child = Child::start(command.args(["-c", script]), &log, &Interrupt::default()).unwrap();
            let ended = child.wait(Duration::from_secs(30));
            assert_eq!(ended.is_ok(), good, "{script}");
            assert_eq!(child.end().as_deref(), Some(told));
        }
    }
}
