//! What the access log is told, collected until it's worth handing over.

use std::cell::RefCell;
use std::net::SocketAddr;

use mongrel2::config::AccessLogFormat;

use super::form::{self, Clock};
use super::writer::{Log, Message};

/// A worker hands its access lines over when they are this long together.
const BATCH: usize = 32 * 1024;

/// What the access log says about an answered request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Access<'a> {
    pub(crate) host: &'a str,
    pub(crate) peer: SocketAddr,
    /// Seconds since 1970.
    pub(crate) time: u64,
    /// What was asked; `None` if it could not be understood.
    pub(crate) asked: Option<Asked<'a>>,
    pub(crate) status: u16,
    /// Bytes of the body.
    pub(crate) bytes: u64,
}

/// What the client said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a [u8],
    /// The request target with its query.
    pub(crate) uri: &'a [u8],
    /// The same without its query.
    pub(crate) path: &'a [u8],
    pub(crate) version: &'static str,
    pub(crate) referer: Option<&'a [u8]>,
    pub(crate) user_agent: Option<&'a [u8]>,
}

/// The access lines of one worker that haven't been handed over yet.
#[derive(Debug)]
pub(crate) struct AccessLog {
    log: Log,
    foreground: bool,
    lines: RefCell<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    file: Vec<u8>,
    human: Vec<u8>,
    clock: Clock,
}

impl AccessLog {
    pub(crate) fn new(log: Log, foreground: bool) -> Self {
        Self { log, foreground, lines: RefCell::default() }
    }

    /// Adds a line.  Gives whether it is the first since the last [`flush`](Self::flush), so that the caller
    /// makes sure that there will be a next one.
    pub(crate) fn add(&self, access: &Access<'_>, format: AccessLogFormat) -> bool {
        let mut lines = self.lines.borrow_mut();
        let Lines { file, human, clock } = &mut *lines;
        let first = file.is_empty();
        form::render(file, access, format, clock);
        if self.foreground {
            form::human(human, access);
        }
        let full = file.len() >= BATCH;
        drop(lines);
        if full {
            self.flush();
        }
        first && !full
    }

    /// Hands the lines over to the log thread.
    pub(crate) fn flush(&self) {
        let mut lines = self.lines.borrow_mut();
        let (lines, human) = (std::mem::take(&mut lines.file), std::mem::take(&mut lines.human));
        if !lines.is_empty() {
            self.log.hand_over(Message::Access { lines, human });
        }
    }
}
