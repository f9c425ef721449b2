//! From the command line to a procer that supervises.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::claim::{Claim, ClaimError};
use crate::daemon::{Caller, Side, detach};
use crate::error::Error;
use crate::folder::{Folder, OWN};
use crate::report::Report;
use crate::supervise::Supervisor;

/// What procer is to do.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The folder with all profiles.
    pub(crate) profiles: PathBuf,
    /// Where procer writes its own number.
    pub(crate) pid_file: PathBuf,
    /// Whether it stays where it was started.
    pub(crate) foreground: bool,
}

/// A procer that is ready to run, and the files that say so.
struct Ready {
    supervisor: Supervisor,
    lock: Claim,
    pid_file: Claim,
}

/// Supervises until it is told to end, in the background unless it shall not.
pub(crate) fn start(plan: &Plan) -> Result<ExitCode, Error> {
    let plan = Plan {
        profiles: std::path::absolute(&plan.profiles)
            .map_err(|error| Error::cannot("find the current folder", error))?,
        pid_file: std::path::absolute(&plan.pid_file)
            .map_err(|error| Error::cannot("find the current folder", error))?,
        ..*plan
    };
    if plan.foreground {
        return supervise(prepare(&plan)?).map(|()| ExitCode::SUCCESS);
    }
    match detach() {
        Ok(Side::Caller(code)) => Ok(code),
        Ok(Side::Daemon(caller)) => Ok(in_background(&plan, caller)),
        Err(error) => Err(Error::cannot("go into the background", error)),
    }
}

fn in_background(plan: &Plan, caller: Caller) -> ExitCode {
    let ready = match prepare(plan) {
        Ok(ready) => ready,
        Err(error) => {
            caller.failed(&error.lines());
            return ExitCode::FAILURE;
        }
    };
    // Whoever has started it may be gone; it goes on without.
    let _ = caller.supervising();
    if supervise(ready).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn prepare(plan: &Plan) -> Result<Ready, Error> {
    let shown = plan.profiles.display();
    let folder = Folder::open(&plan.profiles).map_err(|error| Error::cannot(format!("open `{shown}`"), error))?;
    let lock = claim(&folder.path.join(OWN).join("lock"), |pid| {
        Error::cannot(format!("supervise `{shown}`"), format!("process {pid} does already"))
            .hint(format!("`procer reload --profiles {shown}` has it read the profiles again, `procer quit` ends it"))
    })?;
    let pid_file = claim(&plan.pid_file, |pid| {
        Error::cannot(
            format!("write `{}`", plan.pid_file.display()),
            format!("process {pid} has written it, and still runs"),
        )
    })?;
    let report = Report { stderr: plan.foreground };
    let cannot = |error| Error::cannot("start", error);
    let mut supervisor = Supervisor::new(folder, report).map_err(cannot)?;
    supervisor.load().map_err(|error| Error::cannot(format!("read `{shown}`"), error))?;
    Ok(Ready { supervisor, lock, pid_file })
}

fn claim(path: &Path, held: impl FnOnce(i32) -> Error) -> Result<Claim, Error> {
    Claim::take(path).map_err(|error| match error {
        ClaimError::Held(pid) => held(pid),
        ClaimError::Io(error) => Error::cannot(format!("write `{}`", path.display()), error),
    })
}

fn supervise(ready: Ready) -> Result<(), Error> {
    let Ready { mut supervisor, lock, pid_file } = ready;
    let outcome = supervisor.run();
    lock.remove();
    // Whoever waits for the end of this file may start another procer then.
    pid_file.remove();
    // So may whoever waits for the end of the socket.
    drop(supervisor);
    outcome.map_err(|error| Error::cannot("supervise any more", error))
}
