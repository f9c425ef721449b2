//! Selected servers with what their PID files say, and what is said about each of them.

use mongrel2::config::Server;
use serde_json::{Value, json};

use crate::error::Error;
use crate::process::{Process, State};
use crate::show::escape;

/// A server, and whether it runs.
#[derive(Debug)]
pub struct Found {
    /// The server's row.
    pub server: Server,
    state: State,
}

impl Found {
    /// Looks servers up.
    ///
    /// # Errors
    /// A PID file that can't be read.
    pub fn all(servers: Vec<Server>) -> Result<Vec<Self>, Error> {
        servers.into_iter().map(Self::one).collect()
    }

    /// Looks one up.
    ///
    /// # Errors
    /// Its PID file can't be read.
    pub fn one(server: Server) -> Result<Self, Error> {
        let state = State::of(&server).map_err(|error| {
            let path = server.pid_path();
            Error::cannot(format!("read the PID file `{}`", path.display()), error)
                .hint("is it readable for you?  `sudo` is, if not")
        })?;
        Ok(Self { server, state })
    }

    /// The server's process, if it runs.
    pub fn process(&self) -> Option<&Process> {
        match &self.state {
            State::Running(process) => Some(process),
            State::Stale | State::Missing => None,
        }
    }

    /// Its PID, if it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process().map(|process| process.pid)
    }

    /// Its name and UUID.
    pub fn title(&self) -> String {
        title(&self.server)
    }

    /// Says that it doesn't run.
    pub fn absence(&self) -> String {
        let path = escape(&self.server.pid_path().display().to_string());
        match self.state {
            State::Stale => format!("PID file {path} is stale for server {}", self.title()),
            _ => format!("PID file {path} not found for server {}", self.title()),
        }
    }

    /// The server for programs, with one more field.
    pub fn json(&self, field: &str, value: impl Into<Value>) -> Value {
        json!({
            "name": self.server.name,
            "default_host": self.server.default_host,
            "uuid": self.server.uuid,
            "pid_file": self.server.pid_path().display().to_string(),
            "pid": self.pid(),
            field: value.into(),
        })
    }
}

/// A server's name and UUID.
pub fn title(server: &Server) -> String {
    escape(format!("{} {}", server.name, server.uuid).trim_start())
}
