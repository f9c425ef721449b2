//! The control port of a running server: known to be that server's, and asked as long as the server lives.
//!
//! What can be said there is in `mongrel2::wire::control`; how it is told is left to the commands.

use std::time::{Duration, Instant};

use mongrel2::config::Server;
use mongrel2::control::{Client, ClientError};
use mongrel2::wire::control::{Command, Failure, Table};
use mongrel2::wire::tnetstring::Value;
use thiserror::Error;

use crate::process::Process;

/// How long a server may take to say who it is.
const HELLO: Duration = Duration::from_secs(5);

/// How long an answer may take: a reload takes a while, and others wait for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked whether the server still runs.
const TICK: Duration = Duration::from_millis(100);

/// An open control port.
pub struct Port<'a> {
    client: Client,
    process: &'a Process,
    /// What the server has told of itself.
    pub info: Table,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum PortError {
    /// Nobody answers there, or nothing sensible.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It belongs to somebody else.
    #[error("another process answers at the control port `{0}`")]
    Stranger(String),
    /// The server refuses.
    #[error(transparent)]
    Refused(#[from] Failure),
    /// The server has gone.
    #[error("it has ended")]
    Ended,
    /// The time was up.
    #[error("no answer in {} s; see its error log", .0.as_secs())]
    Late(Duration),
}

impl<'a> Port<'a> {
    /// The control port of a server that runs as this process; `setting` is where those are that name none.
    ///
    /// # Errors
    /// It is not there for this user, or is another process'.
    pub fn open(server: &Server, setting: &str, process: &'a Process) -> Result<Self, PortError> {
        let spec = server.outside(server.control_port_or(setting));
        let client = Client::connect(&spec)?;
        let info = client.ask(&Command::Info, HELLO)?.map_err(PortError::Refused)?;
        match number(&info, "pid") == Some(process.pid.into()) {
            true => Ok(Self { client, process, info }),
            false => Err(PortError::Stranger(spec)),
        }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// There is none, or it is a refusal.
    pub fn ask(&self, command: &Command) -> Result<Table, PortError> {
        self.ask_within(command, PATIENCE)
    }

    /// The same, with less patience or more.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal.
    pub fn ask_within(&self, command: &Command, patience: Duration) -> Result<Table, PortError> {
        let deadline = Instant::now() + patience;
        self.client.send(command)?;
        loop {
            // Looked at first: a server may answer and end.
            let has_ended = self.process.wait(Duration::ZERO).unwrap_or(false);
            match self.client.answer(TICK)? {
                Some(answer) => return Ok(answer?),
                None if has_ended => return Err(PortError::Ended),
                None if Instant::now() > deadline => return Err(PortError::Late(patience)),
                None => {}
            }
        }
    }
}

/// A text in the first row of a table.
pub fn word(table: &Table, column: &str) -> Option<String> {
    match table.value(table.rows.first()?, column)? {
        Value::String(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    }
}

/// A number in the first row of a table.
pub fn number(table: &Table, column: &str) -> Option<i64> {
    match table.value(table.rows.first()?, column)? {
        Value::Integer(number) => Some(*number),
        _ => None,
    }
}
