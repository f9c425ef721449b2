//! Where it was measured, and with what.

use std::fmt;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::peer::Peer;
use crate::wrk::Wrk;

/// The machine and the programs.
#[derive(Debug)]
pub(crate) struct Machine {
    cores: usize,
    kernel: String,
    versions: Vec<(String, String)>,
}

impl Machine {
    /// Looks around.
    pub(crate) fn look(wrk: &Wrk, peers: &[Peer]) -> Self {
        let system = rustix::system::uname();
        let (name, release) = (system.sysname().to_string_lossy(), system.release().to_string_lossy());
        let programs = peers.iter().map(|peer| (peer.name.to_owned(), peer.version.clone()));
        Self {
            cores: thread::available_parallelism().map_or(1, usize::from),
            kernel: format!("{name} {release} {}", system.machine().to_string_lossy()),
            versions: programs.chain([("wrk".into(), wrk.version.clone())]).collect(),
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let versions: Map<String, Value> =
            self.versions.iter().map(|(name, version)| (name.clone(), version.as_str().into())).collect();
        json!({ "cores": self.cores, "kernel": self.kernel, "versions": versions })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{} cores, {}", self.cores, self.kernel)?;
        let versions: Vec<String> = self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        write!(formatter, "{}", versions.join(", "))
    }
}

/// Allows as many open connections as the system gives; the servers inherit it.
///
/// # Errors
/// The system refuses.
pub(crate) fn raise_descriptors() -> Result<(), Error> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    raised.map_err(|error| Error::doing("raise the limit of open files")(error.into()))
}
