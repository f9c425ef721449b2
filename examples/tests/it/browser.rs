//! A Chromium that scripts in Python drive: `devtools.py` is how.

use std::process::Command;

use tempfile::TempDir;
use testkit::{Process, wait};

use super::python;

/// A browser without a window.
pub(crate) struct Browser {
    address: String,
    _process: Process,
    _folder: TempDir,
}

impl Browser {
    /// Starts it; `None` without a Chromium, or a Python.
    pub(crate) fn start() -> Option<Self> {
        testkit::python()?;
        let folder = tempfile::tempdir().unwrap();
        let process = Process::start(testkit::chromium(folder.path())?.arg("--remote-debugging-port=0"));
        let address = wait::until("Chromium's address", || {
            let told = process.stderr();
            Some(told.split_once("DevTools listening on ")?.1.split_once('\n')?.0.trim().to_owned())
        });
        Some(Self { address, _process: process, _folder: folder })
    }

    /// A script that drives it; its first word is where the browser is.
    pub(crate) fn driver(&self, script: &str) -> Command {
        let mut command = python(script).expect("it was there when the browser was started");
        command.arg(&self.address);
        command
    }
}
