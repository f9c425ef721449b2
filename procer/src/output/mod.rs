//! The output of a service: from a named pipe into its log, line by line.
//!
//! The pipe lies in procer's own folder, and the service has it open for reading too: when procer dies the service neither
//! gets a SIGPIPE nor loses what it has written, and the next procer goes on reading.  The pipe is also where the end of a
//! line is waited for: procer looks at what is there without taking it (tee(2)), writes whole lines to the log, and only
//! then takes them.  So a line may be written twice if procer is killed in between, but is never lost.

mod rotate;

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, mkfifoat, openat};
use rustix::pipe::{SpliceFlags, tee};
use rustix::process::geteuid;

use crate::folder;
use crate::profile::Log;
use crate::report;
use rotate::Series;

/// As much as a pipe holds.
const PIPE: usize = 64 << 10;

/// A line that is longer becomes several.  A pipe is never full with less in it, whatever the sizes of the writes were.
const MAX_LINE: usize = 16 << 10;

/// Other services come to their turn after so many pipes full.
const TURN: usize = 16;

/// The pipes of all services, and what is needed to look into one.
#[derive(Debug)]
pub(crate) struct Outputs {
    folder: OwnedFd,
    look: (OwnedFd, File),
    buffer: Vec<u8>,
}

/// The output of one service.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) pipe: File,
    log: Series,
    settings: Log,
    lost: u64,
}

/// What can't be done at once is tried again after that time.
const SOON: Duration = Duration::from_secs(1);

/// What a turn has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turn {
    /// All whole lines are written.
    Done,
    /// There is more.
    More,
}

impl Outputs {
    /// The pipes in procer's own folder.
    pub(crate) fn open(own: &OwnedFd) -> io::Result<Self> {
        let (reader, writer) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC | rustix::pipe::PipeFlags::NONBLOCK)?;
        Ok(Self { folder: folder::within(own, "output")?, look: (writer, reader.into()), buffer: Vec::new() })
    }

    /// Opens the pipe of a service and its log, and makes what is missing, for `owner`.
    pub(crate) fn output(
        &self,
        name: &str,
        profile: &Path,
        owner: Option<(u32, u32)>,
        settings: Log,
    ) -> io::Result<Output> {
        match mkfifoat(&self.folder, name, Mode::RUSR | Mode::WUSR) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let pipe = self.pipe(name, OFlags::NONBLOCK)?;
        // A program that opens /dev/stdout opens the pipe by its name.
        if let (true, Some((uid, gid))) = (geteuid().is_root(), owner) {
            rustix::fs::fchown(
                &pipe,
                Some(rustix::process::Uid::from_raw(uid)),
                Some(rustix::process::Gid::from_raw(gid)),
            )?;
        }
        let log = Series::open(folder::log_folder(profile, owner)?, owner)?;
        Ok(Output { pipe, log, settings, lost: 0 })
    }

    /// The end for the service: one that waits for room, and may be read.
    pub(crate) fn end(&self, name: &str) -> io::Result<File> {
        self.pipe(name, OFlags::empty())
    }

    /// Removes the pipe of a service that is gone.
    pub(crate) fn forget(&self, name: &str) -> io::Result<()> {
        folder::remove(&self.folder, name)
    }

    fn pipe(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | flags;
        Ok(openat(&self.folder, name, flags, Mode::empty())?.into())
    }

    /// Writes the lines that have come; with `rest` also one that has no end yet.
    pub(crate) fn pump(&mut self, output: &mut Output, rest: bool) -> io::Result<Turn> {
        for _ in 0..TURN {
            let size = self.peek(output)?;
            let end = match self.buffer[..size].iter().rposition(|byte| *byte == b'\n') {
                Some(last) => last + 1,
                None if size >= MAX_LINE || rest && size > 0 => size,
                None => return Ok(Turn::Done),
            };
            output.write(&self.buffer[..end]);
            self.take(output, end)?;
        }
        Ok(Turn::More)
    }

    /// Looks at what is in a pipe.
    fn peek(&mut self, output: &Output) -> io::Result<usize> {
        self.buffer.resize(PIPE, 0);
        let size = match tee(&output.pipe, &self.look.0, PIPE, SpliceFlags::NONBLOCK) {
            Ok(size) => size,
            Err(rustix::io::Errno::AGAIN) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        self.look.1.read_exact(&mut self.buffer[..size])?;
        Ok(size)
    }

    /// Takes what has been written.
    fn take(&mut self, output: &mut Output, size: usize) -> io::Result<()> {
        output.pipe.read_exact(&mut self.buffer[..size])
    }

    /// Gives the memory back that a lot of output has taken.
    pub(crate) fn rest(&mut self) {
        self.buffer = Vec::new();
    }
}

impl Output {
    /// Follows other settings.
    pub(crate) fn set(&mut self, settings: Log) {
        self.settings = settings;
    }

    /// In what time the log is old enough to be put aside; `None` if it never is.
    pub(crate) fn left(&self) -> Option<Duration> {
        let (begun, age) = self.log.begun().zip(self.settings.age)?;
        Some((begun + age).saturating_sub(rotate::now()).max(SOON))
    }

    /// Puts the log aside if it is old enough; in what time the next one is.
    pub(crate) fn age(&mut self) -> Option<Duration> {
        // If that fails it is tried again soon.
        let _ = self.log.age(&self.settings);
        self.left()
    }

    fn write(&mut self, lines: &[u8]) {
        let stamp = if self.settings.timestamps { report::time() } else { String::new() };
        if self.lost > 0 {
            let note =
                format!("{}procer: {} lines were lost, as they could not be written\n", prefix(&stamp), self.lost);
            if self.log.write(note.as_bytes(), &self.settings).is_ok() {
                self.lost = 0;
            }
        }
        let mut text = Vec::with_capacity(lines.len() + lines.len() / 2 + 64);
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if self.settings.timestamps {
                text.extend_from_slice(prefix(&stamp).as_bytes());
            }
            text.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                text.push(b'\n');
            }
            // A file is put aside at the end of a line.
            if self.log.is_full(text.len(), &self.settings) {
                self.flush(&mut text);
            }
        }
        self.flush(&mut text);
    }

    fn flush(&mut self, text: &mut Vec<u8>) {
        if !text.is_empty() && self.log.write(text, &self.settings).is_err() {
            // A full disk costs lines, but stops no service.
            self.lost += text.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
        text.clear();
    }
}

fn prefix(stamp: &str) -> String {
    if stamp.is_empty() { String::new() } else { format!("{stamp} ") }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    struct Stage {
        temporary: tempfile::TempDir,
        folder: folder::Folder,
        outputs: Outputs,
    }

    impl Stage {
        fn new() -> Self {
            let temporary = tempfile::tempdir().unwrap();
            let folder = folder::Folder::open(temporary.path()).unwrap();
            fs::create_dir(temporary.path().join("chat")).unwrap();
            let outputs = Outputs::open(&folder.own).unwrap();
            Self { temporary, folder, outputs }
        }

        fn output(&self, settings: Log) -> Output {
            self.outputs.output("chat", &self.temporary.path().join("chat"), None, settings).unwrap()
        }

        fn logs(&self) -> Vec<String> {
            let entries = fs::read_dir(self.temporary.path().join("chat/log")).unwrap();
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }

        fn text(&self, name: &str) -> String {
            fs::read_to_string(self.temporary.path().join("chat/log").join(name)).unwrap()
        }
    }

    fn bare() -> Log {
        Log { timestamps: false, ..Log::default() }
    }

    #[test]
    fn lines_are_written_when_they_are_whole() {
        let mut stage = Stage::new();
        let mut output = stage.output(bare());
        let mut end = stage.outputs.end("chat").unwrap();
        end.write_all(b"one\ntw").unwrap();
        stage.outputs.pump(&mut output, false).unwrap();
        assert_eq!(stage.text("current"), "one\n");
        end.write_all(b"o\nthree").unwrap();
        stage.outputs.pump(&mut output, false).unwrap();
        assert_eq!(stage.text("current"), "one\ntwo\n");
        stage.outputs.pump(&mut output, true).unwrap();
        assert_eq!(stage.text("current"), "one\ntwo\nthree\n");
        end.write_all(&vec![b'x'; 60_000]).unwrap();
        stage.outputs.pump(&mut output, false).unwrap();
        assert_eq!(stage.text("current").len(), 14 + 60_001, "a long line doesn't wait for its end");
    }

    #[test]
    fn nothing_is_lost_when_procer_comes_again() {
        let mut stage = Stage::new();
        let output = stage.output(bare());
        let mut end = stage.outputs.end("chat").unwrap();
        end.write_all(b"before\nhal").unwrap();
        drop(output);
        stage.outputs = Outputs::open(&stage.folder.own).unwrap();
        end.write_all(b"f\nafter\n").unwrap();
        let mut output = stage.output(bare());
        stage.outputs.pump(&mut output, false).unwrap();
        assert_eq!(stage.text("current"), "before\nhalf\nafter\n");
    }

    #[test]
    fn lines_begin_with_the_time() {
        let mut stage = Stage::new();
        let mut output = stage.output(Log::default());
        stage.outputs.end("chat").unwrap().write_all(b"hello\n").unwrap();
        stage.outputs.pump(&mut output, false).unwrap();
        let text = stage.text("current");
        let (time, rest) = text.split_once(' ').unwrap();
        assert_eq!((chrono::DateTime::parse_from_rfc3339(time).is_ok(), rest), (true, "hello\n"));
    }

    #[test]
    fn ten_thousand_files_hold_every_line_and_no_descriptor() {
        let mut stage = Stage::new();
        let mut output = stage.output(Log { size: 1, keep: 0, ..bare() });
        let mut end = stage.outputs.end("chat").unwrap();
        let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
        let before = descriptors();
        for hundred in 0..100 {
            let lines: String = (0..100).map(|n| format!("line {}\n", hundred * 100 + n)).collect();
            end.write_all(lines.as_bytes()).unwrap();
            stage.outputs.pump(&mut output, false).unwrap();
        }
        // Other tests of this process have some too.
        assert!(descriptors() < before + 1000, "{before} → {}", descriptors());
        let logs = stage.logs();
        let all: String = logs.iter().map(|name| stage.text(name)).collect();
        let wanted: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
        assert_eq!((logs.len(), all == wanted), (10_000, true));
    }

    #[test]
    fn old_files_go() {
        let mut stage = Stage::new();
        let mut output = stage.output(Log { size: 10, keep: 3, ..bare() });
        fs::write(stage.temporary.path().join("chat/log/keep"), "3").unwrap();
        for n in 0..50 {
            stage.outputs.end("chat").unwrap().write_all(format!("a line {n}\n").as_bytes()).unwrap();
            stage.outputs.pump(&mut output, false).unwrap();
        }
        let logs = stage.logs();
        assert_eq!(logs.len(), 4, "three old ones and the settings: {logs:?}");
        assert_eq!(stage.text(&logs[2]), "a line 49\n");
    }

    #[test]
    fn a_full_disk_costs_lines_which_are_counted() {
        let mut stage = Stage::new();
        let mut output = stage.output(bare());
        let current = stage.temporary.path().join("chat/log/current");
        let mut end = stage.outputs.end("chat").unwrap();
        fs::create_dir(&current).unwrap();
        end.write_all(b"one\ntwo\n").unwrap();
        assert_eq!(stage.outputs.pump(&mut output, false).unwrap(), Turn::Done, "the service goes on");
        fs::remove_dir(&current).unwrap();
        end.write_all(b"three\n").unwrap();
        stage.outputs.pump(&mut output, false).unwrap();
        assert_eq!(stage.text("current"), "procer: 2 lines were lost, as they could not be written\nthree\n");
    }
}
