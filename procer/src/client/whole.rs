//! All of a procer at once, for programs that run one of their own: from the first start to the end of everything.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::link::Link;
use super::{Goal, reach};
use crate::args::At;
use crate::control::protocol::{Phase, Request, Status};
use crate::error::Error;
use crate::signal::Signal;

/// Has services started, and waits for nothing.
///
/// # Errors
/// There is no procer, no such service, or one can't be started at all.
pub fn start(profiles: PathBuf, names: Vec<String>) -> Result<(), Error> {
    Link::open(&At { profiles: Some(profiles) })?.ask(&Request::Start { names }).map(drop)
}

/// Waits until nothing more is to be expected of services that were started: each is ready, or has ended, or waits for one that
/// has.  What isn't over by the timeout is given as it is then.
///
/// # Errors
/// There is no procer, or no such service.
pub fn settled(profiles: PathBuf, names: Vec<String>, timeout: Duration) -> Result<Vec<Status>, Error> {
    let deadline = Instant::now() + timeout;
    let mut link = Link::open(&At { profiles: Some(profiles) })?;
    // Heard from the beginning, so that nothing is missed.
    link.ask(&Request::Events {})?;
    let services = link.ask(&Request::Status { names })?.services;
    let mut all: BTreeMap<String, Status> =
        services.into_iter().map(|service| (service.name.clone(), service)).collect();
    while !is_settled(all.values().map(|service| service.state)) {
        match link.event(Some(deadline)) {
            Ok(happened) => {
                all.entry(happened.service.name.clone()).and_modify(|service| *service = happened.service);
            }
            Err(_) if Instant::now() >= deadline => break,
            Err(error) => return Err(error),
        }
    }
    Ok(all.into_values().collect())
}

/// Whether services of these states stay as they are, but for tries that are made again and again.
fn is_settled(states: impl Iterator<Item = Phase>) -> bool {
    let states: Vec<Phase> = states.collect();
    let any = |phases: &[Phase]| states.iter().any(|state| phases.contains(state));
    let is_moving = any(&[Phase::Starting, Phase::Up, Phase::Stopping]);
    // Who waits does so for one of the others.
    !is_moving && (!any(&[Phase::Down, Phase::Waiting]) || any(&[Phase::Delayed, Phase::Failed]))
}

/// Has the profiles read again.  What is wrong with one is in procer's log, and keeps nobody else from running.
///
/// # Errors
/// There is no procer.
pub fn reload(profiles: PathBuf) -> Result<(), Error> {
    Link::open(&At { profiles: Some(profiles) })?.ask(&Request::Reload { names: Vec::new() }).map(drop)
}

/// Stops all services, those first that need others, and then ends procer.
///
/// # Errors
/// There is no procer, or a service doesn't end in time; then procer goes on.
pub fn end(profiles: PathBuf, timeout: Duration) -> Result<(), Error> {
    let mut link = Link::open(&At { profiles: Some(profiles) })?;
    link.ask(&Request::Events {})?;
    let reply = link.ask(&Request::Stop { names: Vec::new() })?;
    reach(&mut link, reply, Goal::Down, timeout)?;
    link.ask(&Request::Quit {})?;
    link.wait_for_end();
    Ok(())
}

/// Kills all services that still run, for who doesn't want to wait for them to [`end`].
///
/// # Errors
/// There is no procer.
pub fn kill(profiles: PathBuf) -> Result<(), Error> {
    let mut link = Link::open(&At { profiles: Some(profiles) })?;
    let all = link.ask(&Request::Status { names: Vec::new() })?.services;
    let running = all.into_iter().filter(|service| service.pid.is_some());
    for service in running {
        // It may have ended by now.
        let _ = link.ask(&Request::Signal { names: vec![service.name], signal: Signal::KILL.to_string() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_settled_while_something_moves() {
        for (states, expected) in [
            (&[][..], true),
            (&[Phase::Ready, Phase::Exited], true),
            (&[Phase::Ready, Phase::Waiting], false),
            (&[Phase::Ready, Phase::Down], false),
            (&[Phase::Delayed, Phase::Waiting], true),
            (&[Phase::Delayed, Phase::Starting], false),
            (&[Phase::Failed, Phase::Ready, Phase::Up], false),
            (&[Phase::Stopping], false),
        ] {
            assert_eq!(is_settled(states.iter().copied()), expected, "{states:?}");
        }
    }
}
