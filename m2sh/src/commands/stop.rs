//! `m2sh stop`: ends servers, and waits until they have ended.
//!
//! All of several get the signal before the end of any of them is waited for.  SIGINT lets a server finish the answers
//! in progress.  With `-murder` it gets SIGTERM twice, which stops it at once, and then SIGKILL.

use std::io;
use std::time::{Duration, Instant};

use mongrel2::config::Settings;
use rustix::process::Signal;

use crate::args::Stop;
use crate::error::Error;
use crate::exit::Exit;
use crate::found::Found;
use crate::process::Process;
use crate::progress::during;
use crate::report::Report;
use crate::session::Session;

/// How much longer than it may take to finish its answers a server has to end.
const GRACE: Duration = Duration::from_secs(5);

/// A signal, and how long to wait for the end before the next one.
type Step = (Signal, Duration);

/// Two signals of a kind count as one if the second comes before the server has noticed the first.
const MURDER: [Step; 3] =
    [(Signal::TERM, Duration::from_millis(200)), (Signal::TERM, Duration::from_secs(2)), (Signal::KILL, GRACE)];

pub(super) fn run(args: &Stop, session: &mut Session) -> Result<Exit, Error> {
    let steps = if args.murder { MURDER.to_vec() } else { vec![(Signal::INT, drain_timeout(session)? + GRACE)] };
    let found: Vec<Found> = session.selected(&args.which, "stop")?.into_iter().map(Found::look).collect();
    let (mut alive, absent): (Vec<_>, Vec<_>) = found.iter().partition(|found| found.process().is_some());
    let mut report = Report::default();
    absent.into_iter().for_each(|found| report.absent(found));
    for (index, (signal, patience)) in steps.iter().enumerate() {
        alive.retain(|found| send(found, *signal, &mut report));
        if index == 0 && !alive.is_empty() {
            let entry = session.operator.entry("stop", args.because.why.as_deref());
            session.record(&entry.about(alive.iter().map(|found| &found.server)));
        }
        let deadline = Instant::now() + *patience;
        alive.retain(|found| !has_ended(found, deadline, &mut report));
    }
    alive.into_iter().for_each(|found| report.failed(&survived(found, args.murder)));
    report.finish(session)
}

/// A server is stopped whatever has become of its settings.
fn drain_timeout(session: &Session) -> Result<Duration, Error> {
    let settings = session.database()?.settings().unwrap_or_default();
    Ok(Settings::new(&settings).drain_timeout)
}

/// Whether the signal has been sent.
fn send(found: &Found, signal: Signal, report: &mut Report) -> bool {
    let sent = found.process().map_or(Ok(()), |process| process.signal(signal));
    if let Err(error) = &sent {
        report.failed(&refused("stop", found, error));
    }
    sent.is_ok()
}

fn has_ended(found: &Found, deadline: Instant, report: &mut Report) -> bool {
    let doing = format!("stop server {}", found.title());
    let wait = |process: &Process| during(&doing, || process.wait_until(deadline)).unwrap_or(false);
    let ended = found.process().is_none_or(wait);
    if ended {
        report.done("Stopped", found);
    }
    ended
}

/// A signal that could not be sent.
pub(super) fn refused(verb: &str, found: &Found, error: &io::Error) -> Error {
    let refusal = Error::cannot(format!("{verb} server {}", found.title()), error);
    match error.kind() {
        io::ErrorKind::PermissionDenied => refusal.hint("it belongs to another user: put `sudo` in front"),
        _ => refusal,
    }
}

fn survived(found: &Found, murder: bool) -> Error {
    let pid = found.pid().unwrap_or_default();
    let error = Error::cannot(format!("stop server {}", found.title()), format!("process {pid} still runs"));
    if murder { error } else { error.hint("wait, or stop it at once with `-murder`") }
}
