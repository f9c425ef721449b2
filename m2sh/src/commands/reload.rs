//! `m2sh reload`: lets servers read the database again, once it is known that they can.

use rustix::process::Signal;

use crate::args::Act;
use crate::error::Error;
use crate::exit::Exit;
use crate::found::Found;
use crate::report::Report;
use crate::session::Session;

use super::stop::refused;

pub(super) fn run(args: &Act, session: &mut Session) -> Result<Exit, Error> {
    let servers = session.selected(&args.which, "reload")?;
    session.checked()?;
    let found = Found::all(servers)?;
    let report = found.iter().fold(Report::default(), reload);
    if report.any_done() {
        session.record(&session.operator.entry("reload", args.because.why.as_deref()));
    }
    report.finish(session)
}

fn reload(mut report: Report, found: &Found) -> Report {
    let Some(process) = found.process() else {
        report.absent(found);
        return report;
    };
    match process.signal(Signal::HUP) {
        Ok(()) => report.done("Reloading", found),
        Err(error) => report.failed(&refused("reload", found, &error)),
    }
    report
}
