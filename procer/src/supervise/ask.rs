//! What clients of the control socket ask for.

use super::{Id, Supervisor};
use crate::control::protocol::{Reply, Request, Status};
use crate::report::Level;
use crate::service::Event;
use crate::signal::Signal;

impl Supervisor {
    /// A client has said something.
    pub(super) fn client(&mut self, number: u32) {
        self.control.write(number, &self.poll);
        for line in self.control.read(number, &self.poll) {
            let reply = match serde_json::from_str(&line) {
                Ok(request) => self.answer(number, request),
                Err(error) => Reply::refused(format!("that is no request: {error}")),
            };
            self.control.say(number, &reply, &self.poll);
            self.settle();
        }
    }

    fn answer(&mut self, number: u32, request: Request) -> Reply {
        match request {
            Request::Status { names } => self.with(&names, |_, _| Ok(())),
            Request::Start { names } => self.with(&names, Self::start_asked),
            Request::Stop { names } => self.stop_asked(&names),
            Request::Restart { names } => self.with(&names, Self::restart_asked),
            Request::Reload { names } if names.is_empty() => Reply { troubles: self.reload(), ..Reply::done() },
            Request::Reload { names } => self.with(&names, Self::reload_asked),
            Request::Signal { names, signal } => match Signal::parse(&signal) {
                Some(signal) => self.with(&names, |all, id| all.signal_asked(id, signal)),
                None => Reply::refused(format!("`{signal}` is no signal")),
            },
            Request::Events {} => {
                self.control.follow(number);
                self.with(&[], |_, _| Ok(()))
            }
            Request::Quit {} => {
                self.over = true;
                Reply::done()
            }
        }
    }

    /// Does something with each of the services; nothing is done if one of them doesn't exist.
    fn with(&mut self, names: &[String], mut act: impl FnMut(&mut Self, Id) -> Result<(), String>) -> Reply {
        let ids = match self.find(names) {
            Ok(ids) => ids,
            Err(error) => return Reply::refused(error),
        };
        let mut errors = Vec::new();
        for id in &ids {
            if let Err(error) = act(self, *id) {
                errors.push(format!("`{}`: {error}", self.units[id].name));
            }
        }
        self.settle();
        let services: Vec<Status> = ids.iter().filter_map(|id| self.status(*id)).collect();
        let error = (!errors.is_empty()).then(|| errors.join("; "));
        Reply { ok: error.is_none(), error, services, troubles: Vec::new() }
    }

    /// The services of these names, or all.
    fn find(&self, names: &[String]) -> Result<Vec<Id>, String> {
        if names.is_empty() {
            return Ok(self.names.values().copied().collect());
        }
        names.iter().map(|name| self.names.get(name).copied().ok_or_else(|| self.unknown(name))).collect()
    }

    fn unknown(&self, name: &str) -> String {
        let distance = |known: &&String| strsim::damerau_levenshtein(known, name);
        let near = self.names.keys().min_by_key(distance).filter(|known| distance(known) <= 2);
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        format!("there is no service `{name}`{hint}")
    }

    fn start_asked(&mut self, id: Id) -> Result<(), String> {
        self.can_run(id)?;
        self.units.get_mut(&id).expect("it was found").stopping = false;
        self.say(Level::Info, Some(id), "is to be started");
        self.events.push_back((id, Event::Start));
        Ok(())
    }

    fn restart_asked(&mut self, id: Id) -> Result<(), String> {
        self.can_run(id)?;
        self.units.get_mut(&id).expect("it was found").stopping = false;
        self.say(Level::Info, Some(id), "is to be restarted");
        self.events.push_back((id, Event::Restart));
        Ok(())
    }

    fn can_run(&self, id: Id) -> Result<(), String> {
        let unit = &self.units[&id];
        if !unit.sound {
            return Err(format!("its profile is not sound: {}", unit.troubles.join("; ")));
        }
        self.order.fault(&unit.name).map_or(Ok(()), |fault| Err(fault.to_string()))
    }

    /// Stops services, those first that need others; with one that its dependents can't do without go these.
    fn stop_asked(&mut self, names: &[String]) -> Reply {
        let ids = match self.find(names) {
            Ok(ids) => ids,
            Err(error) => return Reply::refused(error),
        };
        for id in &ids {
            self.say(Level::Info, Some(*id), "is to be stopped");
            self.units.get_mut(id).expect("it was found").stopping = true;
            self.stop_dependents(*id);
        }
        self.stop_in_order();
        self.settle();
        let services = ids.iter().filter_map(|id| self.status(*id)).collect();
        Reply { services, ..Reply::done() }
    }

    fn stop_dependents(&mut self, id: Id) {
        if self.units[&id].profile.dependents != crate::profile::Dependents::Stop {
            return;
        }
        let names: Vec<String> = self.order.needed_by(&self.units[&id].name).map(str::to_owned).collect();
        for dependent in names.iter().filter_map(|name| self.names.get(name).copied()).collect::<Vec<_>>() {
            let unit = self.units.get_mut(&dependent).expect("names are those of services");
            if !std::mem::replace(&mut unit.stopping, true) {
                self.stop_dependents(dependent);
            }
        }
    }

    fn reload_asked(&mut self, id: Id) -> Result<(), String> {
        self.signal_asked(id, self.units[&id].profile.reload)
    }

    fn signal_asked(&mut self, id: Id, signal: Signal) -> Result<(), String> {
        self.signal_main(id, signal).map_err(|error| error.to_string())?;
        self.say(Level::Info, Some(id), &format!("is sent {signal}, as somebody has asked for"));
        Ok(())
    }
}
