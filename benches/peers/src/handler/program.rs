//! A handler that runs as a child of this process, and ends when it is dropped.

use std::io;
use std::process::{Child, Command, Stdio};

use crate::args::Place;
use crate::error::Error;

/// A running handler.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
}

impl Program {
    /// Starts one; it begins to take requests when the server listens to it.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn start(place: &Place) -> Result<Self, Error> {
        let own = std::env::current_exe().map_err(Error::doing("find this program"))?;
        let mut command = Command::new(own);
        command.arg("be-handler").arg(&place.requests).arg(&place.replies).arg(&place.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().map_err(Error::doing("start a handler"))?;
        Ok(Self { child })
    }

    /// Sees that it still runs.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn check(&mut self) -> io::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(io::Error::other(format!("it ended with {status}"))),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has nothing to put in order; if it has ended already, all the better.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
