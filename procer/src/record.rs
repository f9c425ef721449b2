//! What procer writes down about a service, so that the next procer finds it again.
//!
//! A process is found by its number and the time of its start; after another boot of the machine nothing is.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, openat};
use serde::{Deserialize, Serialize};

use crate::folder;
use crate::service::Process;

/// What is written down about one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The boot of the machine.
    pub(crate) boot: String,
    /// Whether the service shall run.
    pub(crate) wanted: bool,
    /// What runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) running: Option<Running>,
}

/// A process of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Which.
    pub(crate) process: Process,
    /// What it executed when it was written down.
    pub(crate) executable: Option<String>,
    /// The group that may be signalled as a whole.
    pub(crate) group: Option<i32>,
    /// Whether it is that of `run`, in front of a service in the background.
    pub(crate) run: bool,
    /// Whether it was ready.
    pub(crate) ready: bool,
}

/// The folder with all records.
#[derive(Debug)]
pub(crate) struct Records {
    folder: OwnedFd,
    boot: String,
}

impl Records {
    /// Those in procer's own folder.
    pub(crate) fn open(own: &OwnedFd, boot: String) -> io::Result<Self> {
        Ok(Self { folder: folder::within(own, "services")?, boot })
    }

    /// A record of this boot.
    pub(crate) fn record(&self, wanted: bool, running: Option<Running>) -> Record {
        Record { boot: self.boot.clone(), wanted, running }
    }

    /// What is written about a service, as far as it still means anything.
    pub(crate) fn read(&self, name: &str) -> Option<Record> {
        let file =
            openat(&self.folder, name, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty()).ok()?;
        let record: Record = serde_json::from_reader(File::from(file)).ok()?;
        (record.boot == self.boot).then_some(record)
    }

    /// Writes it down.
    pub(crate) fn write(&self, name: &str, record: &Record) -> io::Result<()> {
        let text = serde_json::to_vec(record).map_err(io::Error::other)?;
        folder::replace(&self.folder, name, &text)
    }

    /// Forgets it.
    pub(crate) fn forget(&self, name: &str) -> io::Result<()> {
        folder::remove(&self.folder, name)
    }

    /// The names of all services that something is written about.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let entries = rustix::fs::Dir::read_from(&self.folder)?;
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        Ok(names.filter(|name| !name.starts_with('.')).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_of_one_boot() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = crate::folder::Folder::open(temporary.path()).unwrap();
        let records = Records::open(&folder.own, "today".into()).unwrap();
        let process = Process { pid: 5, start: 6 };
        let running = Running { process, executable: None, group: Some(5), run: false, ready: true };
        let record = records.record(true, Some(running));
        records.write("chat", &record).unwrap();
        assert_eq!(records.read("chat"), Some(record));
        assert_eq!(records.names().unwrap(), ["chat"]);
        let later = Records::open(&folder.own, "tomorrow".into()).unwrap();
        assert_eq!(later.read("chat"), None);
        std::fs::write(temporary.path().join(".procer/services/chat"), "{\"boot\":").unwrap();
        assert_eq!(records.read("chat"), None, "half a record is none");
        records.forget("chat").unwrap();
        assert_eq!(records.names().unwrap(), Vec::<String>::new());
    }
}
