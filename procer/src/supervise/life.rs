//! Events go to services, and what they want done is done; what others learn of it.

use std::time::Duration;

use super::{Id, MEMORY, Supervisor};
use crate::check::Checker;
use crate::control::protocol::{Happened, Kind, Status};
use crate::profile::Dependents;
use crate::record::Running;
use crate::report::{self, Level};
use crate::service::{Action, After, Event, News, State, step};

impl Supervisor {
    /// Gives services all events that wait for them.
    pub(super) fn settle(&mut self) {
        while let Some((id, event)) = self.events.pop_front() {
            self.step(id, event);
        }
    }

    /// Gives a service an event, at once.
    pub(super) fn step(&mut self, id: Id, event: Event) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        let before = unit.service.state.clone();
        let service = std::mem::take(&mut unit.service);
        let (service, actions) = step(service, &unit.policy, event, &self.now);
        unit.service = service;
        let changed = unit.service.state != before;
        for action in actions {
            self.act(id, action);
        }
        self.put_in_order(id);
        if changed {
            self.changed(id, &before);
        }
    }

    fn act(&mut self, id: Id, action: Action) {
        match action {
            Action::Run => self.start(id),
            Action::Look => self.look(id),
            Action::Check => self.begin_checks(id),
            Action::Stop => self.stop_processes(id),
            Action::Kill => self.kill_processes(id),
            Action::Tell(news) => self.tell(id, news),
        }
    }

    /// What belongs to a state is there, and what doesn't is not.
    fn put_in_order(&mut self, id: Id) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        let process = unit.service.process();
        if let Some(watch) = unit.watch.take_if(|watch| Some(watch.process) != process) {
            self.poll.remove(&watch.pidfd);
        }
        let up = matches!(unit.service.state, State::Up { .. });
        if !up {
            unit.words = None;
            self.end_checks(id);
        }
        self.await_file(id);
        let Some(unit) = self.units.get(&id) else { return };
        if up && unit.profile.limits.memory.is_some() && self.memory_due.is_none() {
            self.memory_due = Some(self.now.time + MEMORY);
        }
        self.write_down(id);
    }

    /// Keeps on disk what the next procer has to know.
    pub(super) fn write_down(&mut self, id: Id) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        let run = matches!(unit.service.state, State::Starting { .. } | State::Stopping { run: true, .. });
        let running = unit.service.process().map(|process| Running {
            process,
            executable: None,
            group: unit.group,
            run,
            ready: unit.service.is_ready(),
        });
        // What does as its profile says and doesn't run needs no record.
        let worth = running.is_some() || unit.service.wanted == unit.profile.down && !unit.retired;
        let record = worth.then(|| self.records.record(unit.service.wanted, running));
        if record == unit.recorded {
            return;
        }
        let written = match &record {
            Some(record) => {
                let mut record = record.clone();
                if let Some(running) = record.running.as_mut().filter(|_| unit.policy.pid_file && !run) {
                    running.executable = crate::process::executable(running.process.pid);
                }
                self.records.write(&unit.name, &record)
            }
            None => self.records.forget(&unit.name),
        };
        match written {
            Ok(()) => unit.recorded = record,
            Err(error) => self.say(Level::Error, Some(id), &format!("cannot write down what runs: {error}")),
        }
    }

    /// What a change of state means to others.
    fn changed(&mut self, id: Id, before: &State) {
        self.tell_dependents(id);
        let Some(unit) = self.units.get(&id) else { return };
        let began = matches!(unit.service.state, State::Launching | State::Waiting);
        if began
            && matches!(
                before,
                State::Stopping { after: After::Again, .. } | State::Clearing { after: After::Again, .. }
            )
        {
            self.lose(id, false);
        }
        self.stop_in_order();
        self.happened(id, Kind::Changed);
        self.remove_retired(id);
    }

    /// Whether those that need a service may run.
    pub(super) fn tell_dependents(&mut self, id: Id) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        let met = unit.is_met();
        if met == std::mem::replace(&mut unit.met, met) {
            return;
        }
        let name = unit.name.clone();
        let dependents: Vec<Id> =
            self.order.needed_by(&name).filter_map(|name| self.names.get(name).copied()).collect();
        for dependent in dependents {
            self.tell_needs(dependent);
        }
    }

    /// Tells a service whether all that it needs is ready.
    pub(super) fn tell_needs(&mut self, id: Id) {
        let Some(unit) = self.units.get(&id) else { return };
        let met = self.missing(&unit.name).is_empty();
        if met != unit.service.met {
            self.events.push_back((id, Event::Needs(met)));
        }
    }

    /// What a service needs and that isn't ready.
    fn missing(&self, name: &str) -> Vec<String> {
        let is_met = |need: &&str| self.names.get(*need).and_then(|id| self.units.get(id)).is_some_and(|unit| unit.met);
        self.order.needs(name).filter(|need| !is_met(need)).map(|need| format!("`{need}`")).collect()
    }

    /// A service has ended; those that need it learn what its profile says about that.
    fn lose(&mut self, id: Id, good: bool) {
        let Some(unit) = self.units.get(&id) else { return };
        let event = match unit.profile.dependents {
            Dependents::Leave => return,
            Dependents::Restart => Event::Lost,
            Dependents::Stop if good => Event::LostForGood,
            Dependents::Stop => return,
        };
        let names: Vec<String> = self.order.needed_by(&unit.name).map(str::to_owned).collect();
        for name in names {
            if let Some(dependent) = self.names.get(&name) {
                self.events.push_back((*dependent, event.clone()));
            }
        }
    }

    /// Stops services that shall be stopped, as soon as nobody needs them any more.
    pub(super) fn stop_in_order(&mut self) {
        let stopping: Vec<Id> = self.units.iter().filter(|(_, unit)| unit.stopping).map(|(id, _)| *id).collect();
        let free: Vec<Id> = stopping.iter().copied().filter(|id| !self.is_needed(*id)).collect();
        // Where each needs another one there is no order.
        let stuck = free.is_empty() && !self.units.values().any(|unit| unit.service.is_ending());
        for id in if stuck { stopping } else { free } {
            self.units.get_mut(&id).expect("it was just found").stopping = false;
            self.events.push_back((id, Event::Stop));
        }
    }

    /// Whether something needs a service that is to be stopped too, and isn't yet.
    fn is_needed(&self, id: Id) -> bool {
        let dependents = self.order.needed_by(&self.units[&id].name).filter_map(|name| self.names.get(name));
        let mut dependents = dependents.filter(|dependent| **dependent != id).map(|dependent| &self.units[dependent]);
        // One that rests is stopped already, and nothing will be heard of it.
        let rests = |state: &State| matches!(state, State::Idle(_));
        dependents.any(|unit| unit.stopping && !rests(&unit.service.state) || unit.service.is_ending())
    }

    fn remove_retired(&mut self, id: Id) {
        if self.units.get(&id).is_some_and(|unit| unit.retired && matches!(unit.service.state, State::Idle(_))) {
            self.happened(id, Kind::Removed);
            self.remove(id);
        }
    }

    /// Says it in the log, to hooks and to those who follow.
    fn tell(&mut self, id: Id, news: News) {
        let (level, kind, hook, text) = match &news {
            News::Started(process) => {
                (Level::Info, Kind::Started, Some("on_start"), format!("runs as process {}", process.pid))
            }
            News::Adopted(process) => {
                (Level::Info, Kind::Started, None, format!("still runs as process {}", process.pid))
            }
            News::Ready => (Level::Info, Kind::Ready, Some("on_ready"), "is ready".into()),
            News::Unready(why) => (Level::Warning, Kind::Unready, None, format!("is not ready any more: {why}")),
            News::Died(why) => (Level::Warning, Kind::Died, Some("on_die"), format!("has died: {why}")),
            News::Delayed(wait) => {
                (Level::Info, Kind::Delayed, None, format!("is started again in {}", rounded(*wait)))
            }
            News::Failed(why) => (Level::Error, Kind::Failed, Some("on_fail"), format!("has failed: {why}")),
            News::Stopped => (Level::Info, Kind::Stopped, None, "is stopped".into()),
        };
        if let Some(unit) = self.units.get_mut(&id) {
            match &news {
                News::Died(why) => unit.why = Some(why.to_string()),
                News::Failed(why) | News::Unready(why) => unit.why = Some(why.clone()),
                News::Ready | News::Stopped => unit.why = None,
                News::Started(_) | News::Adopted(_) | News::Delayed(_) => {}
            }
        }
        self.say(level, Some(id), &text);
        self.happened(id, kind);
        if let Some(hook) = hook {
            self.run_hook(id, hook, kind);
        }
        if matches!(news, News::Died(_) | News::Failed(_) | News::Stopped) {
            self.lose(id, true);
        }
    }

    /// Tells those who follow.
    pub(super) fn happened(&mut self, id: Id, event: Kind) {
        if !self.control.is_followed() {
            return;
        }
        if let Some(service) = self.status(id) {
            self.control.tell(&Happened { time: report::time(), event, service }, &self.poll);
        }
    }

    /// How a service is.
    pub(super) fn status(&self, id: Id) -> Option<Status> {
        let unit = self.units.get(&id)?;
        Some(unit.status(self.now.time, &self.missing(&unit.name)))
    }

    fn begin_checks(&mut self, id: Id) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        let ready = unit.profile.ready.clone();
        unit.checker = ready.map(|ready| Checker::new(ready, unit.service.is_ready(), self.now.time));
    }
}

fn rounded(wait: Duration) -> String {
    format!("{:.1} s", wait.as_secs_f64())
}
