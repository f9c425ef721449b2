//! The access log and the error log.
//!
//! One thread writes both files.  Workers hand it bytes through a bounded queue and never wait: when the disk
//! is slower than the traffic, lines are dropped and counted, and the error log says how many.  Access lines
//! are collected per worker for a moment, so that a line doesn't cost a system call of its own.
//!
//! In the foreground both logs also go to the terminal: errors to stderr, requests in a human form to stdout.

use std::cell::RefCell;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use chrono::Utc;
use mongrel2::wire::tnetstring;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// How many messages the log thread may be behind.
const QUEUE: usize = 1024;

/// A worker hands its access lines over when they are this long together.
const BATCH: usize = 32 * 1024;

/// Where the log files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) access: PathBuf,
    pub(crate) error: PathBuf,
}

/// The way to the log thread.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Message {
    Access { lines: Vec<u8>, human: Vec<u8> },
    Error(Vec<u8>),
    Reopen(File, File),
    Stop,
}

/// The log thread; [`Writer::finish`] waits until everything is written.
#[derive(Debug)]
pub(crate) struct Writer {
    log: Log,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Opens both files and starts the thread.
    ///
    /// # Errors
    /// The file that can't be opened, and why.
    pub(crate) fn start(paths: &Paths) -> Result<Self, (PathBuf, io::Error)> {
        let (access, error) = paths.open()?;
        let (queue, messages) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let thread = {
            let files = Files { access, error, dropped: Arc::clone(&dropped), failing: false };
            std::thread::Builder::new()
                .name("log".into())
                .spawn(move || files.run(&messages))
                .map_err(|error| (PathBuf::new(), error))?
        };
        Ok(Self { log: Log { queue, dropped }, thread })
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Opens both files again, under new names or the old ones.
    ///
    /// # Errors
    /// The file that can't be opened, and why; the old ones stay in use.
    pub(crate) fn reopen(&self, paths: &Paths) -> Result<(), (PathBuf, io::Error)> {
        let (access, error) = paths.open()?;
        // The thread only goes away with the process.
        let _ = self.log.queue.send(Message::Reopen(access, error));
        Ok(())
    }

    /// Writes what is queued, and ends the thread.
    pub(crate) fn finish(self) {
        let _ = self.log.queue.send(Message::Stop);
        let _ = self.thread.join();
    }
}

impl Paths {
    fn open(&self) -> Result<(File, File), (PathBuf, io::Error)> {
        let open = |path: &Path| {
            OpenOptions::new().create(true).append(true).open(path).map_err(|error| (path.to_owned(), error))
        };
        Ok((open(&self.access)?, open(&self.error)?))
    }
}

impl Log {
    fn hand_over(&self, message: Message) {
        if self.queue.try_send(message).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Files {
    access: File,
    error: File,
    dropped: Arc<AtomicU64>,
    /// Whether the last write failed, which is said once.
    failing: bool,
}

impl Files {
    fn run(mut self, messages: &Receiver<Message>) {
        for message in messages {
            match message {
                Message::Access { lines, human } => {
                    let written = self.access.write_all(&lines);
                    self.note(written);
                    let _ = io::stdout().write_all(&human);
                }
                Message::Error(line) => self.error_line(&line),
                Message::Reopen(access, error) => (self.access, self.error) = (access, error),
                Message::Stop => return,
            }
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                self.error_line(&line(
                    &Level::WARN,
                    &format!("{dropped} batches of log lines were dropped: the disk is too slow"),
                ));
            }
        }
    }

    fn error_line(&mut self, line: &[u8]) {
        let written = self.error.write_all(line);
        self.note(written);
        let _ = io::stderr().write_all(line);
    }

    fn note(&mut self, written: io::Result<()>) {
        if let Err(error) = &written
            && !self.failing
        {
            let _ = io::stderr().write_all(&line(&Level::ERROR, &format!("cannot write a log: {error}")));
        }
        self.failing = written.is_err();
    }
}

/// One line of the error log: time, level, text without control characters.
fn line(level: &Level, text: &str) -> Vec<u8> {
    let time = Utc::now().format("%Y-%m-%dT%H:%M:%S%.3fZ");
    let mut line = format!("{time} [{level}] ").into_bytes();
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default().map(|escaped| escaped as u8));
        } else {
            line.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    line.push(b'\n');
    line
}

/// What the access log says about an answered request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Access<'a> {
    pub(crate) host: &'a str,
    pub(crate) peer: std::net::SocketAddr,
    /// Seconds since 1970.
    pub(crate) time: u64,
    pub(crate) method: &'a [u8],
    pub(crate) path: &'a [u8],
    pub(crate) version: &'static str,
    pub(crate) status: u16,
    /// Bytes of the body.
    pub(crate) bytes: u64,
}

/// The access lines of one worker that haven't been handed over yet.
#[derive(Debug)]
pub(crate) struct AccessLog {
    log: Log,
    foreground: bool,
    lines: RefCell<(Vec<u8>, Vec<u8>)>,
}

impl AccessLog {
    pub(crate) fn new(log: Log, foreground: bool) -> Self {
        Self { log, foreground, lines: RefCell::default() }
    }

    /// Adds a line.  Gives whether it is the first since the last [`flush`](Self::flush), so that the caller
    /// makes sure that there will be a next one.
    pub(crate) fn add(&self, access: &Access<'_>) -> bool {
        let mut lines = self.lines.borrow_mut();
        let first = lines.0.is_empty();
        render(&mut lines.0, access);
        if self.foreground {
            render_human(&mut lines.1, access);
        }
        let full = lines.0.len() >= BATCH;
        drop(lines);
        if full {
            self.flush();
        }
        first && !full
    }

    /// Hands the lines over to the log thread.
    pub(crate) fn flush(&self) {
        let (lines, human) = self.lines.take();
        if !lines.is_empty() {
            self.log.hand_over(Message::Access { lines, human });
        }
    }
}

/// The form of the original: a tnetstring list and a newline.
fn render(out: &mut Vec<u8>, access: &Access<'_>) {
    let mut list = Vec::with_capacity(160);
    tnetstring::string(&mut list, access.host.as_bytes());
    tnetstring::string(&mut list, access.peer.ip().to_string().as_bytes());
    tnetstring::integer(&mut list, access.peer.port().into());
    tnetstring::integer(&mut list, access.time);
    tnetstring::string(&mut list, access.method);
    tnetstring::string(&mut list, access.path);
    tnetstring::string(&mut list, access.version.as_bytes());
    tnetstring::integer(&mut list, access.status.into());
    tnetstring::integer(&mut list, access.bytes);
    out.extend_from_slice(list.len().to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(&list);
    out.extend_from_slice(b"]\n");
}

fn render_human(out: &mut Vec<u8>, access: &Access<'_>) {
    let Access { host, peer, method, path, status, bytes, .. } = access;
    let (method, path) = (method.escape_ascii(), path.escape_ascii());
    out.extend_from_slice(format!("{} {method} {host}{path} {status} {bytes}\n", peer.ip()).as_bytes());
}

/// `error_log_level`: the most talkative level that is written.
static MAX_LEVEL: AtomicU8 = AtomicU8::new(2);

/// Sets `error_log_level`: 0 errors, 1 warnings, 2 information, 3 debugging.
pub(crate) fn set_level(level: i64) {
    MAX_LEVEL.store(u8::try_from(level).unwrap_or(2), Ordering::Relaxed);
}

/// Sends everything that is said with `tracing` in this process to the error log.
pub(crate) fn install(log: &Log) {
    // There is one server in a process, so that this can't fail.
    let _ = tracing::subscriber::set_global_default(ErrorLog(log.clone()));
}

struct ErrorLog(Log);

impl Subscriber for ErrorLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let level = match *metadata.level() {
            Level::ERROR => 0,
            Level::WARN => 1,
            Level::INFO => 2,
            Level::DEBUG => 3,
            Level::TRACE => return false,
        };
        metadata.target().starts_with("mongrel2") && level <= MAX_LEVEL.load(Ordering::Relaxed)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.hand_over(Message::Error(line(event.metadata().level(), &text.0)));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// The message of an event, and its fields behind it as `name=value`.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        use fmt::Write;
        let written = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        written.expect("a String takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCESS: Access<'_> = Access {
        host: "localhost",
        peer: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 43718),
        time: 1_795_161_671,
        method: b"GET",
        path: b"/json",
        version: "HTTP/1.1",
        status: 200,
        bytes: 0,
    };

    #[test]
    fn a_line_is_that_of_the_original() {
        let mut out = Vec::new();
        render(&mut out, &ACCESS);
        let expected = include_str!("../tests/recorded/c-access.log").lines().nth(2).unwrap();
        assert_eq!(String::from_utf8(out).unwrap().trim_end(), expected);
    }

    #[test]
    fn control_characters_do_not_make_lines() {
        let line = String::from_utf8(line(&Level::WARN, "a\nb\u{1b}[31m")).unwrap();
        assert!(line.ends_with(" [WARN] a\\nb\\u{1b}[31m\n"), "{line}");
    }

    #[test]
    fn both_files_are_written_and_reopened() {
        let folder = tempfile::tempdir().unwrap();
        let paths = |name: &str| Paths { access: folder.path().join(name), error: folder.path().join("error") };
        let writer = Writer::start(&paths("one")).unwrap();
        let access = AccessLog::new(writer.log().clone(), false);
        assert!(access.add(&ACCESS));
        assert!(!access.add(&ACCESS));
        access.flush();
        writer.reopen(&paths("two")).unwrap();
        access.add(&ACCESS);
        access.flush();
        writer.finish();
        let lines = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap().lines().count();
        assert_eq!((lines("one"), lines("two")), (2, 1));
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths { access: folder.path().join("logs/access"), error: folder.path().join("error") };
        let (path, error) = Writer::start(&paths).unwrap_err();
        assert_eq!((path, error.kind()), (paths.access, io::ErrorKind::NotFound));
    }
}
