//! Whether services are ready: questions when it is time, answers when they come.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use rustix::process::{Gid, Uid, geteuid};

use super::{Id, Supervisor};
use crate::check::{Connection, Probe, Progress};
use crate::control::reach;
use crate::folder;
use crate::poll::{For, Source};
use crate::profile::Check;
use crate::service::Event;

/// The longest address of a socket (unix(7)), with its end.
const MAX_ADDRESS: usize = 108;
/// The longest message that is read.
const MAX_MESSAGE: usize = 4096;

impl Supervisor {
    /// Asks a service, or gives up waiting for its answer, if it is time.
    pub(super) fn ask_if_due(&mut self, id: Id) {
        let time = self.now.time;
        let Some(checker) = self.units.get_mut(&id).and_then(|unit| unit.checker.as_mut()) else { return };
        if checker.due().is_none_or(|due| due > time) {
            return;
        }
        if checker.probe.is_some() {
            return self.answered(id, Err("it does not answer in time".into()));
        }
        let by = time + checker.ready.timeout;
        let (check, timeout) = (checker.ready.check.clone(), checker.ready.timeout);
        let probe = match &check {
            Check::Script(path) => self.run_check(id, path, timeout).map(Probe::Script),
            check => Connection::open(check, by).map(Probe::Connection),
        };
        match probe {
            Ok(Probe::Connection(connection)) => self.connect(id, connection),
            Ok(probe) => self.probing(id, probe),
            Err(error) => self.answered(id, Err(error.to_string())),
        }
    }

    fn probing(&mut self, id: Id, probe: Probe) {
        if let Some(checker) = self.units.get_mut(&id).and_then(|unit| unit.checker.as_mut()) {
            checker.probe = Some(probe);
        }
    }

    fn connect(&mut self, id: Id, connection: Connection) {
        match self.poll.add(connection.fd(), Source::Probe(id), For::Writing) {
            Ok(()) => self.probing(id, Probe::Connection(connection)),
            Err(error) => self.answered(id, Err(error.to_string())),
        }
    }

    /// A connection has got further.
    pub(super) fn probed(&mut self, id: Id) {
        let Some(checker) = self.units.get_mut(&id).and_then(|unit| unit.checker.as_mut()) else { return };
        let Some(Probe::Connection(connection)) = &mut checker.probe else { return };
        match connection.go_on() {
            Progress::Needs(what) => self.poll.change(connection.fd(), Source::Probe(id), what),
            Progress::Over(answer) => self.answered(id, answer),
        }
    }

    /// A script has answered.
    pub(super) fn checked(&mut self, id: Id, number: u32, answer: Result<(), String>) {
        let checker = self.units.get_mut(&id).and_then(|unit| unit.checker.as_mut());
        let waits =
            checker.is_some_and(|checker| matches!(checker.probe, Some(Probe::Script(waits)) if waits == number));
        if waits {
            self.answered(id, answer);
        }
    }

    fn answered(&mut self, id: Id, answer: Result<(), String>) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        let Some(checker) = unit.checker.as_mut() else { return };
        if let Some(Probe::Connection(connection)) = &checker.probe {
            self.poll.remove(connection.fd());
        }
        if let Err(why) = &answer
            && !unit.service.is_ready()
        {
            unit.why = Some(why.clone());
        }
        if let Some(event) = checker.answered(answer, self.now.time) {
            self.events.push_back((id, event));
        }
    }

    /// Nobody is asked any more.
    pub(super) fn end_checks(&mut self, id: Id) {
        let checker = self.units.get_mut(&id).and_then(|unit| unit.checker.take());
        match checker.and_then(|checker| checker.probe) {
            Some(Probe::Connection(connection)) => self.poll.remove(connection.fd()),
            Some(Probe::Script(number)) => self.kill_helper(number),
            None => {}
        }
    }

    /// Where a service says that it is ready.
    pub(super) fn notify_path(&self, name: &str) -> PathBuf {
        self.folder.own_path("notify").join(name)
    }

    /// Opens that place, if the service says so itself.
    pub(super) fn open_notify(&mut self, id: Id) -> io::Result<()> {
        let Some(unit) = self.units.get(&id) else { return Ok(()) };
        if !unit.profile.notifies() || unit.notify.is_some() {
            return Ok(());
        }
        let path = self.notify_path(&unit.name);
        if path.as_os_str().len() >= MAX_ADDRESS {
            return Err(io::Error::other(format!("`{}` is too long for the address of a socket", path.display())));
        }
        let folder = folder::within(&self.folder.own, "notify")?;
        folder::remove(&folder, &unit.name)?;
        let near = reach(&folder, &unit.name);
        let socket = UnixDatagram::bind(&near)?;
        std::fs::set_permissions(&near, std::fs::Permissions::from_mode(0o600))?;
        if let (true, Some((uid, gid))) = (geteuid().is_root(), unit.owner()) {
            rustix::fs::chownat(
                &folder,
                &*unit.name,
                Some(Uid::from_raw(uid)),
                Some(Gid::from_raw(gid)),
                rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
            )?;
        }
        socket.set_nonblocking(true)?;
        self.poll.add(&socket, Source::Notify(id), For::Reading)?;
        self.units.get_mut(&id).expect("it was there before").notify = Some(socket);
        Ok(())
    }

    /// A service says something about itself (sd_notify(3)).
    pub(super) fn notified(&mut self, id: Id) {
        let mut buffer = [0; MAX_MESSAGE];
        let Some(unit) = self.units.get_mut(&id) else { return };
        let Some(socket) = &unit.notify else { return };
        let Ok(size) = socket.recv(&mut buffer) else { return };
        for line in String::from_utf8_lossy(&buffer[..size]).lines() {
            match line.split_once('=') {
                Some(("READY", "1")) if unit.profile.notifies() => self.events.push_back((id, Event::Ready)),
                Some(("STATUS", words)) => unit.words = Some(words.to_owned()).filter(|words| !words.is_empty()),
                _ => {}
            }
        }
    }
}
