//! `m2sh running`: whether servers run, by their PID files.  One that doesn't makes the exit code 3.

use crate::args::Which;
use crate::error::Error;
use crate::exit::Exit;
use crate::found::Found;
use crate::session::Session;
use crate::show::Form;

pub(super) fn run(which: &Which, session: &mut Session) -> Result<Exit, Error> {
    let found = Found::all(session.selected(which, "look for")?)?;
    if session.show.form() == Form::Json {
        session
            .show
            .json(&found.iter().map(|found| found.json("running", found.pid().is_some())).collect::<Vec<_>>())?;
    } else {
        found.iter().try_for_each(|found| session.show.line(&line(found, which.every)))?;
    }
    let all = found.iter().all(|found| found.process().is_some());
    Ok(if all { Exit::Success } else { Exit::NotRunning })
}

/// The sentences of the manual's section 3.9, and the one that scripts look for.
fn line(found: &Found, every: bool) -> String {
    match found.pid() {
        None => found.absence(),
        Some(pid) if every => format!("Found server {} RUNNING at PID {pid}", found.title()),
        Some(pid) => format!("mongrel2 at PID {pid} running."),
    }
}
