//! A folder with an example's configuration, as its README has it made: m2sh loads, starts and stops.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::{Process, free_address, program};

/// A deployment with ports of its own, in a folder that goes with it.
#[derive(Debug)]
pub struct Deployment {
    folder: TempDir,
    ports: Vec<u16>,
}

impl Deployment {
    /// Copies the script `config` to `config.rhai`; each of the `ports` that it names becomes a free one.
    ///
    /// # Panics
    /// If the script can't be read, or the folder not be written.
    pub fn of(config: impl AsRef<Path>, ports: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let deployment = Self { folder, ports: ports.iter().map(|_| free_address().port()).collect() };
        let script = fs::read_to_string(config).expect("the example has a configuration");
        let script = renumbered(&script, ports, &deployment.ports);
        // Root's server would go into the background; and on a busy machine handlers take long to start.
        let script = script.replace("commit([main]);", "commit([main], #{ settings: #{} });");
        let script = script.replace("settings: #{", "settings: #{ \"server.daemonize\": 0, \"handler.wait\": 60, ");
        fs::write(deployment.path().join("config.rhai"), script).expect("the folder is ours");
        deployment
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The address on this machine with the port that took the place of the one at `index`.
    pub fn address(&self, index: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports[index]))
    }

    /// The same as a ZeroMQ address.
    pub fn endpoint(&self, index: usize) -> String {
        format!("tcp://{}", self.address(index))
    }

    /// m2sh in the folder, with these words.
    pub fn m2sh(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program("m2sh"));
        command.args(words).current_dir(self.path());
        command
    }

    /// Runs m2sh to its end and gives what it printed.
    ///
    /// # Panics
    /// If it fails.
    pub fn told(&self, words: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.m2sh(words).output().expect("m2sh can be run");
        let text = String::from_utf8_lossy(&stdout).into_owned();
        assert!(status.success(), "m2sh {words:?}: {text}{}", String::from_utf8_lossy(&stderr));
        text
    }

    /// Loads and starts, and waits until the server listens.
    ///
    /// # Panics
    /// If it doesn't.
    pub fn start(&self) -> Process {
        self.told(&["load"]);
        let server = Process::start(self.m2sh(&["start"]).stdout(Stdio::null()));
        server.wait_for_stderr("listens on");
        server
    }
}

/// A script with the ports `new` in place of the ports `old`.
fn renumbered(script: &str, old: &[&str], new: &[u16]) -> String {
    // Marked first: a new port may have an old one in it, as 29982 has 9982.
    let mark = |index: usize| format!("\0{index}\0");
    let marked =
        old.iter().enumerate().fold(script.to_owned(), |script, (index, port)| script.replace(port, &mark(index)));
    new.iter().enumerate().fold(marked, |script, (index, port)| script.replace(&mark(index), &port.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_port_may_have_an_old_one_in_it() {
        assert_eq!(
            renumbered("6767, 9983, 9982", &["6767", "9983", "9982"], &[29982, 29983, 6767]),
            "29982, 29983, 6767"
        );
    }
}
