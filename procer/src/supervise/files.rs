//! PID files that appear: the folders in which they are waited for are watched by inotify(7).

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::{Id, Supervisor};
use crate::poll::{For, Poll, Source};
use crate::service::State;

/// How often a PID file is looked at whose folder can't be watched.
pub(super) const AGAIN: Duration = Duration::from_millis(100);

/// The folders that are watched.
pub(super) struct Files {
    fd: OwnedFd,
    /// With the number of services that wait for something in it.
    folders: HashMap<PathBuf, (i32, usize)>,
}

impl Files {
    /// None yet.
    pub(super) fn new(poll: &Poll) -> io::Result<Self> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        poll.add(&fd, Source::Files, For::Reading)?;
        Ok(Self { fd, folders: HashMap::new() })
    }

    fn watch(&mut self, folder: &Path) -> io::Result<()> {
        if let Some((_, count)) = self.folders.get_mut(folder) {
            *count += 1;
            return Ok(());
        }
        let flags = WatchFlags::CREATE | WatchFlags::CLOSE_WRITE | WatchFlags::MODIFY | WatchFlags::MOVED_TO;
        let number = inotify::add_watch(&self.fd, folder, flags | WatchFlags::ONLYDIR)?;
        self.folders.insert(folder.to_owned(), (number, 1));
        Ok(())
    }

    fn forget(&mut self, folder: &Path) {
        let Some((number, count)) = self.folders.get_mut(folder) else { return };
        *count -= 1;
        if *count == 0 {
            // Two paths may lead to one folder, which has one number.
            let number = *number;
            self.folders.remove(folder);
            if !self.folders.values().any(|(other, _)| *other == number) {
                // A folder that is gone is not watched any more.
                let _ = inotify::remove_watch(&self.fd, number);
            }
        }
    }

    /// Takes away what has been noticed.
    fn clear(&self) {
        let mut buffer = [const { MaybeUninit::uninit() }; 4096];
        let mut reader = inotify::Reader::new(&self.fd, &mut buffer);
        while reader.next().is_ok() {}
    }
}

impl Supervisor {
    /// Watches the folder of a PID file as long as it is waited for.
    pub(super) fn await_file(&mut self, id: Id) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        let waits = matches!(unit.service.state, State::Starting { .. } | State::Settling { .. });
        if waits == unit.awaited || !unit.policy.pid_file && waits {
            return;
        }
        unit.awaited = waits;
        unit.look = None;
        let folder = unit.profile.pid_file.as_deref().and_then(Path::parent).unwrap_or(&unit.profile.folder);
        if !waits {
            self.files.forget(folder);
        } else if self.files.watch(folder).is_err() {
            // It may not exist yet.
            unit.look = Some(self.now.time + AGAIN);
        }
    }

    /// A PID file isn't waited for any more, as there will be another one.
    pub(super) fn await_no_file(&mut self, id: Id) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        if std::mem::take(&mut unit.awaited) {
            unit.look = None;
            let folder = unit.profile.pid_file.as_deref().and_then(Path::parent).unwrap_or(&unit.profile.folder);
            self.files.forget(folder);
        }
    }

    /// Looks at all PID files that are waited for.
    pub(super) fn files_changed(&mut self) {
        self.files.clear();
        let waits = |state: &State| matches!(state, State::Starting { .. } | State::Settling { .. });
        let ids: Vec<Id> =
            self.units.iter().filter(|(_, unit)| waits(&unit.service.state)).map(|(id, _)| *id).collect();
        for id in ids {
            self.look(id);
        }
    }
}
