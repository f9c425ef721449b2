//! The thread that writes both logs, and the ways to it.

use std::fs::File;
use std::io::{self, Stderr, Stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tracing::Level;

use super::echo::Echo;
use super::error::line;
use super::sink::{self, Change, Sink};

/// How many messages the log thread may be behind.
const QUEUE: usize = 1024;

/// Where the log files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) access: PathBuf,
    pub(crate) error: PathBuf,
}

/// Both files, open.
#[derive(Debug)]
pub(crate) struct Files {
    access: File,
    error: File,
}

/// The way to the log thread.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Message {
    Access { lines: Vec<u8>, human: Vec<u8> },
    Error(Vec<u8>),
    Reopen(Files),
    Detach(SyncSender<()>),
    Stop,
}

/// The log thread; [`Writer::finish`] waits until everything is written.
#[derive(Debug)]
pub(crate) struct Writer {
    log: Log,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no threads left.
    pub(crate) fn start(files: Files) -> io::Result<Self> {
        let (queue, messages) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let desk = Desk::new(files, Arc::clone(&dropped));
        let thread = std::thread::Builder::new().name("log".into()).spawn(move || desk.run(&messages))?;
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
        let files = paths.open()?;
        // The thread only goes away with the process.
        let _ = self.log.queue.send(Message::Reopen(files));
        Ok(())
    }

    /// Writes what is queued, to the terminal too, and from then on nothing there.
    pub(crate) fn detach(&self) {
        let (done, answer) = sync_channel(1);
        let _ = self.log.queue.send(Message::Detach(done));
        let _ = answer.recv();
    }

    /// Writes what is queued, and ends the thread.
    pub(crate) fn finish(self) {
        let _ = self.log.queue.send(Message::Stop);
        let _ = self.thread.join();
    }
}

impl Paths {
    /// Opens both files, or makes them.
    ///
    /// # Errors
    /// The file that can't be opened, and why.
    pub(crate) fn open(&self) -> Result<Files, (PathBuf, io::Error)> {
        let open = |path: &Path| sink::open(path).map_err(|error| (path.to_owned(), error));
        Ok(Files { access: open(&self.access)?, error: open(&self.error)? })
    }
}

impl Log {
    /// Queues a message; if there's no room it is dropped and counted.
    pub(super) fn hand_over(&self, message: Message) {
        if self.queue.try_send(message).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What the thread works with.
struct Desk {
    access: Sink,
    error: Sink,
    dropped: Arc<AtomicU64>,
    /// The terminal, in the foreground.
    terminal: Option<(Echo<Stdout>, Echo<Stderr>)>,
}

impl Desk {
    fn new(files: Files, dropped: Arc<AtomicU64>) -> Self {
        let terminal = Some((Echo::new(io::stdout()), Echo::new(io::stderr())));
        let (access, error) = (Sink::new("access log", files.access), Sink::new("error log", files.error));
        Self { access, error, dropped, terminal }
    }

    fn run(mut self, messages: &Receiver<Message>) {
        for message in messages {
            match message {
                Message::Access { lines, human } => self.access(&lines, &human),
                Message::Error(line) => self.error(&line),
                Message::Reopen(Files { access, error }) => {
                    self.access.replace(access);
                    self.error.replace(error);
                }
                Message::Detach(done) => {
                    self.terminal = None;
                    let _ = done.send(());
                }
                Message::Stop => break,
            }
            self.say_dropped();
        }
        for lost in [self.access.lost(), self.error.lost()].into_iter().flatten() {
            self.error(&line(&Level::WARN, &lost));
        }
    }

    fn access(&mut self, lines: &[u8], human: &[u8]) {
        let change = self.access.write(lines);
        if let Some((stdout, _)) = &mut self.terminal {
            stdout.write(human);
        }
        if let Some(change) = change {
            self.error(&change.line());
        }
    }

    fn error(&mut self, text: &[u8]) {
        let change = self.error.write(text);
        self.echo(text);
        if let Some(change) = change {
            // If the file has just failed this fails as well, and is counted.
            let _ = self.error.write(&change.line());
            self.echo(&change.line());
        }
    }

    fn echo(&mut self, text: &[u8]) {
        if let Some((_, stderr)) = &mut self.terminal {
            stderr.write(text);
        }
    }

    fn say_dropped(&mut self) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let text = format!("{dropped} batches of log lines were dropped: the disk is too slow");
            self.error(&line(&Level::WARN, &text));
        }
    }
}

impl Change {
    fn line(&self) -> Vec<u8> {
        match self {
            Self::Fails(text) => line(&Level::ERROR, text),
            Self::Recovers(text) => line(&Level::WARN, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use mongrel2::config::AccessLogFormat;

    use super::super::{Access, AccessLog};
    use super::*;

    const ACCESS: Access<'_> = Access {
        host: "localhost",
        peer: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 43718),
        time: 1_795_161_671,
        asked: None,
        status: 400,
        bytes: 0,
    };

    #[test]
    fn both_files_are_written_and_reopened() {
        let folder = tempfile::tempdir().unwrap();
        let paths = |name: &str| Paths { access: folder.path().join(name), error: folder.path().join("error") };
        let writer = Writer::start(paths("one").open().unwrap()).unwrap();
        let access = AccessLog::new(writer.log().clone(), false);
        assert!(access.add(&ACCESS, AccessLogFormat::Tnetstring));
        assert!(!access.add(&ACCESS, AccessLogFormat::Json));
        access.flush();
        writer.reopen(&paths("two")).unwrap();
        access.add(&ACCESS, AccessLogFormat::Common);
        access.flush();
        writer.finish();
        let lines = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap().lines().count();
        assert_eq!((lines("one"), lines("two")), (2, 1));
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths { access: folder.path().join("logs/access"), error: folder.path().join("error") };
        let (path, error) = paths.open().unwrap_err();
        assert_eq!((path, error.kind()), (paths.access, io::ErrorKind::NotFound));
    }
}
