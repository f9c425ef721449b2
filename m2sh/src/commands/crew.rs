//! Several servers as children of one m2sh: `start -every` in the foreground waits for all, passes signals
//! on, and tells how each of them ended.
//!
//! Each child has a process group of its own, so that Ctrl-C reaches it once, through m2sh, and not a second
//! time from the terminal: the second signal would cut off the answers in progress.  Children behind sudo
//! stay in the terminal's group, as m2sh may not signal them and sudo may want a password.

use std::process::{Command, ExitStatus};

use mongrel2::config::Server;
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

use crate::error::{Error, say};
use crate::exit::Exit;
use crate::found::title;
use crate::process::Process;

use super::start::not_run;

/// Passed on to every child.
const FORWARDED: [(SignalKind, Signal); 3] = [
    (SignalKind::interrupt(), Signal::INT),
    (SignalKind::terminate(), Signal::TERM),
    (SignalKind::hangup(), Signal::HUP),
];

type Ended = (Box<Server>, std::io::Result<ExitStatus>);

/// Runs the commands, each with its server, until all have ended.
pub(super) fn run(commands: Vec<(Command, Server)>, sudo: bool) -> Result<Exit, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::cannot("wait for several servers", error))?;
    runtime.block_on(async {
        let mut signals = signals().map_err(|error| Error::cannot("listen for signals", error))?;
        let mut crew = Crew::default();
        let mut exit = Exit::Success;
        for (command, server) in commands {
            if let Err(error) = crew.spawn(server, command, sudo) {
                exit = error.tell();
            }
        }
        while let Some(event) = crew.event(&mut signals).await {
            match event {
                Event::Signal(signal) => crew.forward(signal),
                Event::Ended(ended) if tell(&ended) => {}
                Event::Ended(_) => exit = Exit::Failure,
            }
        }
        Ok(exit)
    })
}

enum Event {
    Signal(Signal),
    Ended(Ended),
}

#[derive(Default)]
struct Crew {
    ends: JoinSet<Ended>,
    processes: Vec<Process>,
}

impl Crew {
    fn spawn(&mut self, server: Server, mut command: Command, sudo: bool) -> Result<(), Error> {
        if !sudo {
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        let mut command = tokio::process::Command::from(command);
        let mut child = command.spawn().map_err(|error| not_run(command.as_std(), &error))?;
        let process = child.id().and_then(|pid| Process::open(pid).ok().flatten());
        self.processes.extend(process);
        self.ends.spawn(async move { (Box::new(server), child.wait().await) });
        Ok(())
    }

    /// What happens next; `None` once all have ended.
    async fn event(&mut self, signals: &mut UnboundedReceiver<Signal>) -> Option<Event> {
        tokio::select! {
            Some(signal) = signals.recv() => Some(Event::Signal(signal)),
            ended = self.ends.join_next() => ended.map(|ended| Event::Ended(ended.expect("waiting never panics"))),
        }
    }

    /// A child that has ended, or belongs to root, can't be signalled; both are as they should be.
    fn forward(&self, signal: Signal) {
        self.processes.iter().for_each(|process| drop(process.signal(signal)));
    }
}

/// The signals to pass on, as they come.
pub(super) fn signals() -> std::io::Result<UnboundedReceiver<Signal>> {
    let (sender, receiver) = unbounded_channel();
    for (kind, number) in FORWARDED {
        let (mut arrivals, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move { while arrivals.recv().await.is_some() && sender.send(number).is_ok() {} });
    }
    Ok(receiver)
}

/// Says how a server ended, and whether that was well.
fn tell((server, status): &Ended) -> bool {
    let title = title(server);
    match status {
        Ok(status) => say(&format!("Server {title} has ended: {status}")),
        Err(error) => say(&format!("Server {title} has ended: {error}")),
    }
    status.as_ref().is_ok_and(ExitStatus::success)
}
