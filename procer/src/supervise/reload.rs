//! The folder with all profiles, read at the start and again: only what has changed is touched.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::unit::Unit;
use super::{Id, Supervisor};
use crate::control::protocol::Kind;
use crate::order::Order;
use crate::profile::{self, Profile};
use crate::report::Level;
use crate::service::{Event, Rest, State};

/// A profile, or what is wrong with it.
type Read = Result<Profile, Vec<String>>;

impl Supervisor {
    /// Reads all profiles for the first time; what runs is adopted, what doesn't is started.
    ///
    /// # Errors
    /// The folder can't be read.
    pub(crate) fn load(&mut self) -> io::Result<()> {
        let found = read(&self.folder.path)?;
        self.say(Level::Info, None, &format!("process {} loads {} profiles", std::process::id(), found.len()));
        let mut ids = Vec::new();
        for (name, read) in found {
            ids.push(self.add(name, read));
        }
        self.sort();
        let new: Vec<Id> = ids.into_iter().filter(|id| !self.resume(*id)).collect();
        for id in new {
            self.begin(id);
        }
        self.forget_strangers();
        Ok(())
    }

    /// Reads all profiles again; gives what is wrong with them.
    pub(crate) fn reload(&mut self) -> Vec<String> {
        let found = match read(&self.folder.path) {
            Ok(found) => found,
            Err(error) => {
                let trouble = format!("cannot read the profiles again: {error}");
                self.say(Level::Error, None, &trouble);
                return vec![trouble];
            }
        };
        self.say(Level::Info, None, &format!("reads {} profiles again", found.len()));
        let gone: Vec<Id> =
            self.names.iter().filter(|(name, _)| !found.contains_key(*name)).map(|(_, id)| *id).collect();
        let mut new = Vec::new();
        for (name, read) in found {
            match self.names.get(&name).copied() {
                Some(id) => self.change(id, read),
                None => new.push(self.add(name, read)),
            }
        }
        self.sort();
        for id in gone {
            self.retire(id);
        }
        for id in new {
            if !self.resume(id) {
                self.begin(id);
            }
        }
        self.settle();
        self.units
            .values()
            .flat_map(|unit| unit.troubles.iter().map(|trouble| format!("{}/{trouble}", unit.name)))
            .collect()
    }

    fn add(&mut self, name: String, read: Read) -> Id {
        let id = self.next;
        self.next += 1;
        let folder = self.folder.path.join(&name);
        let unit = match read {
            Ok(profile) => Unit::new(name.clone(), profile),
            Err(troubles) => Unit::unsound(name.clone(), folder, troubles),
        };
        self.units.insert(id, unit);
        self.names.insert(name, id);
        self.complain(id);
        id
    }

    /// Says what is wrong, or not quite right, with a profile.
    fn complain(&self, id: Id) {
        let unit = &self.units[&id];
        for trouble in &unit.troubles {
            self.say(Level::Error, Some(id), trouble);
        }
        if unit.profile.is_exposed() {
            self.say(Level::Warning, Some(id), "`run` belongs to another user, and root runs it");
        }
    }

    fn change(&mut self, id: Id, read: Read) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        match read {
            // What runs goes on with what it has.
            Err(troubles) if troubles == unit.troubles => {}
            Err(troubles) => {
                unit.troubles = troubles;
                self.complain(id);
            }
            Ok(profile) if unit.sound && unit.troubles.is_empty() && !unit.retired && profile == unit.profile => {}
            Ok(profile) => self.exchange(id, profile),
        }
    }

    /// Gives a service another profile; it is restarted if it has to be.
    fn exchange(&mut self, id: Id, profile: Profile) {
        self.await_no_file(id);
        let Some(unit) = self.units.get_mut(&id) else { return };
        let (was_sound, was_down, was_retired) = (unit.sound, unit.profile.down, unit.retired);
        let restart = was_sound && profile.needs_restart(&unit.profile);
        let checks = profile.ready != unit.profile.ready;
        let came_up = was_down && !profile.down || was_retired;
        unit.retired = false;
        unit.take(profile);
        self.await_file(id);
        self.complain(id);
        self.say(Level::Info, Some(id), "has another profile");
        if let Err(error) = self.renew_output(id) {
            self.say(Level::Error, Some(id), &format!("cannot open its log: {error}"));
        }
        let unit = &self.units[&id];
        let at_rest = unit.service.is_at_rest();
        match unit.service.state {
            _ if !was_sound => self.begin(id),
            _ if came_up => self.events.push_back((id, Event::Start)),
            State::Idle(Rest::Down) => {}
            // It may be that what kept it from running is gone.
            State::Idle(Rest::Failed(_)) => self.events.push_back((id, Event::Start)),
            _ if restart && !at_rest => self.events.push_back((id, Event::Restart)),
            State::Up { .. } if checks => {
                self.end_checks(id);
                self.check_again(id);
            }
            _ => {}
        }
        self.happened(id, Kind::Changed);
    }

    fn renew_output(&mut self, id: Id) -> io::Result<()> {
        if self.units[&id].output.is_some() { self.open_output(id) } else { Ok(()) }
    }

    fn check_again(&mut self, id: Id) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        let is_ready = unit.service.is_ready();
        match unit.profile.ready.clone() {
            Some(ready) => unit.checker = Some(crate::check::Checker::new(ready, is_ready, self.now.time)),
            None => self.events.push_back((id, Event::Ready)),
        }
    }

    /// The folder of a service is gone, and so goes the service.
    fn retire(&mut self, id: Id) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        unit.retired = true;
        let idle = matches!(unit.service.state, State::Idle(_));
        self.say(Level::Info, Some(id), "its folder is gone");
        if idle {
            self.happened(id, Kind::Removed);
            self.remove(id);
        } else {
            self.events.push_back((id, Event::Stop));
        }
    }

    /// Forgets a service that is at rest.
    pub(super) fn remove(&mut self, id: Id) {
        let Some(unit) = self.units.remove(&id) else { return };
        self.names.remove(&unit.name);
        if let Some(output) = &unit.output {
            self.poll.remove(&output.pipe);
        }
        if let Some(socket) = &unit.notify {
            self.poll.remove(socket);
        }
        // What stays behind is found again by a service of the same name, and harms nobody else.
        let _ = self.records.forget(&unit.name);
        let _ = self.outputs.forget(&unit.name);
        self.sort();
    }

    /// Finds out who needs whom, and tells everybody.
    fn sort(&mut self) {
        self.order = Order::new(self.units.values().map(|unit| (unit.name.as_str(), unit.profile.depends.as_slice())));
        let ids: Vec<Id> = self.units.keys().copied().collect();
        for id in ids {
            let unit = &self.units[&id];
            if let Some(fault) = self.order.fault(&unit.name)
                && matches!(unit.service.state, State::Idle(_))
            {
                let why = fault.to_string();
                self.say(Level::Error, Some(id), &why);
                self.units.get_mut(&id).expect("it was just there").service.state = State::Idle(Rest::Failed(why));
            }
            self.tell_needs(id);
        }
        self.settle();
        // One that failed as what it needs was missing has it now.
        let mended = |unit: &Unit| {
            unit.profile.depends.iter().len() > 0
                && matches!(&unit.service.state, State::Idle(Rest::Failed(why)) if why.starts_with("it depends on "))
                && self.order.fault(&unit.name).is_none()
        };
        let mended: Vec<Id> = self.units.iter().filter(|(_, unit)| mended(unit)).map(|(id, _)| *id).collect();
        for id in mended {
            self.begin(id);
        }
    }

    /// Goes on with a service as the last procer has left it; whether there is nothing left to do.
    fn resume(&mut self, id: Id) -> bool {
        let unit = &self.units[&id];
        let record = self.records.read(&unit.name);
        if !unit.sound {
            if record.is_some_and(|record| record.running.is_some()) {
                self.say(Level::Warning, Some(id), "what runs of it is left alone, as its profile is not sound");
            }
            return true;
        }
        let Some(record) = record else { return unit.profile.down && !self.adopt_by_file(id) || self.is_up(id) };
        self.units.get_mut(&id).expect("it was just there").recorded = Some(record.clone());
        if self.adopt(id, &record) {
            return true;
        }
        // Its process is gone, and what shall run is started.
        if !record.wanted {
            self.units.get_mut(&id).expect("it was just there").service.wanted = false;
        }
        self.write_down(id);
        !record.wanted
    }

    fn is_up(&self, id: Id) -> bool {
        self.units.get(&id).is_some_and(|unit| !matches!(unit.service.state, State::Idle(_)))
    }

    /// Starts a service, unless it can't be or shall not be.
    fn begin(&mut self, id: Id) {
        let unit = &self.units[&id];
        if unit.sound && self.order.fault(&unit.name).is_none() && !unit.profile.down {
            self.events.push_back((id, Event::Start));
        }
    }

    /// Records of services that have no folder any more: what runs of them is nobody's business.
    fn forget_strangers(&mut self) {
        for name in self.records.names().unwrap_or_default() {
            if self.names.contains_key(&name) {
                continue;
            }
            let running = self.records.read(&name).and_then(|record| record.running);
            let lives = running
                .as_ref()
                .is_some_and(|running| crate::process::start(running.process.pid) == Some(running.process.start));
            if let (true, Some(running)) = (lives, running) {
                let pid = running.process.pid;
                self.say(
                    Level::Warning,
                    None,
                    &format!("`{name}` has no folder any more; its process {pid} is left alone"),
                );
            } else {
                // It is tried again the next time.
                let _ = self.records.forget(&name);
            }
        }
    }
}

/// All folders in a folder, as profiles.
fn read(folder: &Path) -> io::Result<BTreeMap<String, Read>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let path = entry.path();
        if name.as_encoded_bytes().starts_with(b".") || !path.is_dir() {
            continue;
        }
        let name = match name.into_string() {
            Ok(name) => name,
            Err(name) => {
                let name = name.to_string_lossy().into_owned();
                found.insert(name, Err(vec!["its name is no text in UTF-8".into()]));
                continue;
            }
        };
        found.insert(name, understood(&path));
    }
    Ok(found)
}

fn understood(path: &Path) -> Read {
    let source = profile::read(path).map_err(|error| vec![error.to_string()])?;
    Profile::parse(&source).map_err(|troubles| troubles.iter().map(ToString::to_string).collect())
}
