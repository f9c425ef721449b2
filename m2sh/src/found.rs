//! Selected servers with what their PID files say, and what is said about each of them.

use std::panic::resume_unwind;
use std::thread;

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
    /// Looks servers up, all of which have to be found or missed.
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
        let found = Self::look(server);
        found.trouble().map_or(Ok(found), Err)
    }

    /// Looks one up, as far as this user can see.
    pub fn look(server: Server) -> Self {
        Self { state: State::of(&server), server }
    }

    /// Why it can't be told whether it runs, if it can't.
    pub fn trouble(&self) -> Option<Error> {
        let State::Hidden(error) = &self.state else { return None };
        let path = escape(&self.server.pid_path().display().to_string());
        let error = Error::cannot(format!("tell whether server {} runs: its PID file {path}", self.title()), error);
        Some(error.hint("is it readable for you?  `sudo` is, if not"))
    }

    /// The server's process, if it runs.
    pub fn process(&self) -> Option<&Process> {
        match &self.state {
            State::Running(process) => Some(process),
            State::Stale | State::Missing | State::Hidden(_) => None,
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
            State::Hidden(_) => format!("PID file {path} can't be read for server {}", self.title()),
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

/// Does something for each of several servers, for all at the same time, and gives what came of it in their order.
pub fn each<T: Sync, R: Send>(items: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let act = &act;
    if let [item] = items {
        return vec![act(item)];
    }
    thread::scope(|scope| {
        let begun: Vec<_> =
            items.iter().map(|item| thread::Builder::new().spawn_scoped(scope, move || act(item)).ok()).collect();
        let ended = begun.into_iter().zip(items).map(|(thread, item)| match thread {
            Some(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // The system gives no more threads.
            None => act(item),
        });
        ended.collect()
    })
}

/// A server's name and UUID.
pub fn title(server: &Server) -> String {
    escape(format!("{} {}", server.name, server.uuid).trim_start())
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn each_is_done_while_the_others_are() {
        let all = Barrier::new(5);
        let numbers = each(&[1, 2, 3, 4, 5], |number| {
            all.wait();
            number * 2
        });
        assert_eq!(numbers, [2, 4, 6, 8, 10]);
        assert_eq!(each(&[] as &[i32], |number| *number), [] as [i32; 0]);
    }
}
