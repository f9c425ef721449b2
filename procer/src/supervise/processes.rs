//! Processes of services: started, found, adopted, signalled, and gone.

use std::io;
use std::os::fd::AsFd as _;

use super::{Id, MEMORY, Supervisor};
use crate::folder::{ERROR_LOG, RUN_LOG};
use crate::output::Turn;
use crate::pidfile::{self, Disbelief};
use crate::poll::{For, Source};
use crate::process::{self, Watch};
use crate::profile::Profile;
use crate::record::Record;
use crate::report::Level;
use crate::service::{Event, How, Process, State};
use crate::signal::Signal;
use crate::spawn::{Child, Order};

impl Supervisor {
    /// Starts `run`, unless the PID file says that there is nothing to start.
    pub(super) fn start(&mut self, id: Id) {
        if let Some(process) = self.believed(id)
            && self.hold(id, process)
        {
            return self.step(id, Event::Found(process));
        }
        let path = self.units.get(&id).and_then(|unit| unit.profile.pid_file.as_deref());
        let written = path.and_then(pidfile::written);
        match self.spawn_run(id) {
            Ok(child) => {
                let process = child.process;
                let group = Some(process.pid);
                if let Some(unit) = self.units.get_mut(&id) {
                    (unit.group, unit.run) = (group, group);
                    unit.tried = Some(written);
                }
                let held = self.hold(id, process);
                debug_assert!(held, "a child that waits at its gate is there");
                self.step(id, Event::Spawned(process));
                child.go();
            }
            Err(error) => self.step(id, Event::Unspawnable(format!("`run` cannot be started: {error}"))),
        }
    }

    fn spawn_run(&mut self, id: Id) -> io::Result<Child> {
        self.open_output(id)?;
        self.open_notify(id)?;
        let unit = self.units.get(&id).ok_or(io::ErrorKind::NotFound)?;
        let output = match &unit.output {
            Some(_) => self.outputs.end(&unit.name)?,
            None => self.folder.log(RUN_LOG)?,
        };
        let program = unit.profile.folder.join("run");
        let env = self.variables(&unit.name, &unit.profile);
        self.nursery.spawn(&Order { program: &program, profile: &unit.profile, env, output: output.as_fd() })
    }

    /// What procer says to each program of a service.
    pub(super) fn variables(&self, name: &str, profile: &Profile) -> Vec<(String, String)> {
        let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let mut env = vec![
            ("PROCER_ACTION".to_owned(), name.to_owned()),
            ("PROCER_RUN_LOG".to_owned(), path(&self.folder.path_of(RUN_LOG))),
            ("PROCER_ERROR_LOG".to_owned(), path(&self.folder.path_of(ERROR_LOG))),
        ];
        env.extend(profile.pid_file.as_deref().map(|pid_file| ("PROCER_PIDFILE".to_owned(), path(pid_file))));
        if profile.notifies() {
            env.push(("NOTIFY_SOCKET".to_owned(), path(&self.notify_path(name))));
        }
        env
    }

    /// Opens what a service writes to, if it has a log of its own.
    pub(super) fn open_output(&mut self, id: Id) -> io::Result<()> {
        let Some(unit) = self.units.get_mut(&id) else { return Ok(()) };
        let Some(settings) = unit.profile.log.clone() else { return Ok(()) };
        if let Some(output) = &mut unit.output {
            output.set(settings);
            return Ok(());
        }
        let output = self.outputs.output(&unit.name, &unit.profile.folder, unit.owner(), settings)?;
        self.poll.add(&output.pipe, Source::Output(id), For::News)?;
        unit.output = Some(output);
        Ok(())
    }

    /// The process that the PID file names, if there is a reason to believe it.
    fn believed(&self, id: Id) -> Option<Process> {
        let unit = self.units.get(&id)?;
        let path = unit.profile.pid_file.as_deref()?;
        match pidfile::look(path, unit.uid()) {
            Ok(process) => match self.holder(process).filter(|holder| *holder != id) {
                Some(holder) => {
                    let holder = &self.units[&holder].name;
                    let text = format!("its PID file names process {}, which is `{holder}`", process.pid);
                    self.say(Level::Warning, Some(id), &text);
                    None
                }
                None => Some(process),
            },
            Err(Disbelief::Missing | Disbelief::Dead(_)) => None,
            Err(reason) => {
                self.say(
                    Level::Warning,
                    Some(id),
                    &format!("its PID file `{}` is not believed: {reason}", path.display()),
                );
                None
            }
        }
    }

    fn holder(&self, process: Process) -> Option<Id> {
        let holds = |unit: &super::Unit| unit.watch.as_ref().is_some_and(|watch| watch.process == process);
        self.units.iter().find(|(_, unit)| holds(unit)).map(|(id, _)| *id)
    }

    /// Watches a process as that of a service; whether it is still there.
    fn hold(&mut self, id: Id, process: Process) -> bool {
        let Ok(Some(watch)) = Watch::open(process) else { return false };
        let Some(unit) = self.units.get_mut(&id) else { return false };
        if self.poll.add(&watch.pidfd, Source::Main(id), For::Reading).is_err() {
            return false;
        }
        if let Some(old) = unit.watch.take() {
            self.poll.remove(&old.pidfd);
        }
        if let Some(group) = watch.group(unit.run) {
            unit.group = Some(group);
        } else if unit.run != Some(process.pid) {
            unit.group = None;
        }
        unit.watch = Some(watch);
        true
    }

    /// Looks whether the PID file names the process that is waited for.
    pub(super) fn look(&mut self, id: Id) {
        let Some(unit) = self.units.get(&id) else { return };
        let run = match unit.service.state {
            State::Starting { run, .. } => Some(run),
            State::Settling { .. } => None,
            _ => return,
        };
        let Some(path) = unit.profile.pid_file.as_deref() else { return };
        let process = match pidfile::look(path, unit.uid()) {
            Ok(process) => process,
            Err(Disbelief::Dead(_))
                if run.is_none() && unit.tried.is_some_and(|before| pidfile::written(path) != before) =>
            {
                let left = unit.group.is_some_and(process::has_members);
                return self.step(id, Event::Ended { how: How::Unknown, left });
            }
            // While it is written there may be anything in it; what it never came to is told when time is over.
            Err(_) => return,
        };
        if run.is_some_and(|run| run != process) || self.holder(process).is_some_and(|holder| holder != id) {
            return;
        }
        if run.is_some() || self.hold(id, process) {
            self.step(id, Event::Found(process));
        }
    }

    /// Goes on with what a procer before this one has started; whether there was something.
    pub(super) fn adopt(&mut self, id: Id, record: &Record) -> bool {
        let Some(running) = &record.running else { return false };
        let Some(unit) = self.units.get_mut(&id) else { return false };
        unit.run = running.group;
        if !self.hold(id, running.process) {
            return false;
        }
        if let Err(error) = self.open_output(id).and_then(|()| self.open_notify(id)) {
            self.say(Level::Error, Some(id), &format!("cannot open what it writes to: {error}"));
        }
        let (process, ready, run) = (running.process, running.ready, running.run);
        self.step(id, Event::Adopted { process, since: process::since(process), ready, run, wanted: record.wanted });
        true
    }

    /// Adopts what somebody else has started, by its PID file.
    pub(super) fn adopt_by_file(&mut self, id: Id) -> bool {
        let Some(process) = self.believed(id) else { return false };
        let held = self.hold(id, process);
        if held {
            let since = process::since(process);
            self.step(id, Event::Adopted { process, since, ready: false, run: false, wanted: true });
        }
        held
    }

    /// Asks the processes of a service to end.
    pub(super) fn stop_processes(&mut self, id: Id) {
        let Some(unit) = self.units.get(&id) else { return };
        let signal = unit.profile.stop.signal;
        self.signal(id, signal);
        // One that is held up would never hear of it.
        if let Some(signal) = Signal::parse("CONT") {
            self.signal(id, signal);
        }
    }

    /// Ends them.
    pub(super) fn kill_processes(&mut self, id: Id) {
        self.say(Level::Warning, Some(id), "does not end, and is killed");
        self.signal(id, Signal::KILL);
    }

    fn signal(&self, id: Id, signal: Signal) {
        let Some(unit) = self.units.get(&id) else { return };
        match (&unit.watch, unit.group) {
            // The group is asked for again: a process may have left it.
            (Some(watch), Some(group)) if watch.group(unit.run) == Some(group) => process::signal_group(group, signal),
            (Some(watch), _) => {
                if let Err(error) = watch.signal(signal) {
                    self.say(Level::Error, Some(id), &format!("cannot send {signal}: {error}"));
                }
            }
            (None, Some(group)) => process::signal_group(group, signal),
            (None, None) => {}
        }
    }

    /// Sends the process of a service a signal that somebody has asked for.
    pub(super) fn signal_main(&self, id: Id, signal: Signal) -> io::Result<()> {
        let watch = self.units.get(&id).and_then(|unit| unit.watch.as_ref());
        watch.ok_or_else(|| io::Error::other("it does not run"))?.signal(signal)
    }

    /// Takes away all children that have ended; most of them nobody waits for.
    pub(super) fn reap(&mut self) {
        while let Some((pid, how)) = process::reap() {
            let is = |watch: &Watch| watch.process.pid == pid;
            if let Some(id) = self.units.iter().find(|(_, unit)| unit.watch.as_ref().is_some_and(is)).map(|(id, _)| *id)
            {
                self.ended(id, how);
            } else if let Some(number) =
                self.helpers.iter().find(|(_, helper)| is(&helper.watch)).map(|(number, _)| *number)
            {
                self.helper_done(number, how);
            }
            self.settle();
        }
        self.look_at_groups();
    }

    /// The kernel says that a process has ended.
    pub(super) fn main_ended(&mut self, id: Id) {
        let end = self.units.get(&id).and_then(|unit| unit.watch.as_ref()?.end());
        if let Some(how) = end {
            self.ended(id, how);
        }
    }

    fn ended(&mut self, id: Id, how: How) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        let Some(watch) = unit.watch.take() else { return };
        self.poll.remove(&watch.pidfd);
        let left = unit.group.is_some_and(process::has_members);
        let up = matches!(unit.service.state, State::Up { .. });
        self.pump(id);
        if !left {
            self.pump_rest(id);
        }
        // A service may have put another process in its place.
        if up
            && let Some(process) = self.believed(id)
            && self.hold(id, process)
        {
            return self.step(id, Event::Found(process));
        }
        self.step(id, Event::Ended { how, left });
    }

    /// Whether the rest of some group is waited for.
    pub(super) fn is_clearing(&self) -> bool {
        self.units.values().any(|unit| matches!(unit.service.state, State::Clearing { .. }))
    }

    /// Looks whether groups have become empty.
    pub(super) fn look_at_groups(&mut self) {
        let cleared = |unit: &super::Unit| {
            matches!(unit.service.state, State::Clearing { .. }) && !unit.group.is_some_and(process::has_members)
        };
        let ids: Vec<Id> = self.units.iter().filter(|(_, unit)| cleared(unit)).map(|(id, _)| *id).collect();
        for id in ids {
            self.pump(id);
            self.pump_rest(id);
            self.step(id, Event::Cleared);
            self.settle();
        }
    }

    /// Restarts what uses more memory than it may.
    pub(super) fn look_at_memory(&mut self) {
        let up = |unit: &super::Unit| {
            let limit = unit.profile.limits.memory.filter(|_| matches!(unit.service.state, State::Up { .. }))?;
            Some((limit, unit.group, unit.service.process()?.pid))
        };
        let limited: Vec<_> = self.units.iter().filter_map(|(id, unit)| Some((*id, up(unit)?))).collect();
        self.memory_due = (!limited.is_empty()).then(|| self.now.time + MEMORY);
        if limited.is_empty() {
            return;
        }
        let used = process::Memory::look();
        for (id, (limit, group, pid)) in limited {
            let size = group.map_or_else(|| used.of_process(pid), |group| used.of_group(group));
            if size > limit {
                let text = format!("it uses {} MiB of memory, more than {} MiB", size >> 20, limit >> 20);
                self.say(Level::Warning, Some(id), &text);
                self.events.push_back((id, Event::Excess(text)));
            }
        }
        self.settle();
    }

    /// Puts logs aside that are old enough.
    pub(super) fn look_at_ages(&mut self) {
        let outputs = self.units.values_mut().filter_map(|unit| unit.output.as_mut());
        let next = outputs.filter_map(crate::output::Output::age).min();
        self.ages_due = next.map(|left| self.now.time + left);
    }

    /// Writes what a service has said to its log.
    pub(super) fn pump(&mut self, id: Id) {
        let Some(output) = self.units.get_mut(&id).and_then(|unit| unit.output.as_mut()) else { return };
        let pumped = self.outputs.pump(output, false);
        if let Some(left) = output.left() {
            let due = self.now.time + left;
            self.ages_due = Some(self.ages_due.map_or(due, |earlier| earlier.min(due)));
        }
        match pumped {
            Ok(Turn::Done) => {}
            Ok(Turn::More) if self.busy.contains(&id) => {}
            Ok(Turn::More) => self.busy.push(id),
            Err(error) => self.say(Level::Error, Some(id), &format!("cannot read what it says: {error}")),
        }
    }

    /// The same, and a last line without an end.
    fn pump_rest(&mut self, id: Id) {
        let Some(output) = self.units.get_mut(&id).and_then(|unit| unit.output.as_mut()) else { return };
        if let Err(error) = self.outputs.pump(output, true) {
            self.say(Level::Error, Some(id), &format!("cannot read what it says: {error}"));
        }
    }

    /// Goes on with those that have more to say than a turn takes.
    pub(super) fn pump_busy(&mut self) {
        for id in std::mem::take(&mut self.busy) {
            self.pump(id);
        }
        if self.busy.is_empty() {
            self.outputs.rest();
        }
    }
}
