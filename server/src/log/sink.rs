//! A log file that takes what it can: a full disk, or a pipe that nobody reads, costs lines and nothing else.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

/// How long a pipe may be full before lines for it are dropped.
const PATIENCE: Duration = Duration::from_secs(1);

/// Opens a log, or makes it.  Every line goes to the end, wherever that is by then: a file may be cut off at
/// any time by others (logrotate's `copytruncate`).
///
/// # Errors
/// What the system says.
pub(super) fn open(path: &Path) -> io::Result<File> {
    // A named pipe must not hold up the server: neither its start, without a reader, nor its log later.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let mut options = OpenOptions::new();
    options.create(true).append(true).custom_flags(flags);
    match options.open(path) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            options.read(true).open(path)
        }
        result => result,
    }
}

/// Waits until a file takes bytes; gives whether it does.
pub(super) fn writable(file: impl AsFd, patience: Duration) -> bool {
    let seconds = i64::try_from(patience.as_secs()).unwrap_or(i64::MAX);
    let patience = Timespec { tv_sec: seconds, tv_nsec: patience.subsec_nanos().into() };
    poll(&mut [PollFd::new(&file, PollFlags::OUT)], Some(&patience)).is_ok_and(|ready| ready > 0)
}

/// A log file.
#[derive(Debug)]
pub(super) struct Sink {
    /// What it is called in messages.
    name: &'static str,
    file: File,
    /// Whether the file ends in the middle of a line.
    torn: bool,
    /// Whether the last write failed, and the number of lines that were lost since the first that did.
    failing: Option<u64>,
}

/// What has changed about a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It takes nothing any more.
    Fails(String),
    /// It does so again.
    Recovers(String),
}

impl Sink {
    pub(super) fn new(name: &'static str, file: File) -> Self {
        Self { name, file, torn: false, failing: None }
    }

    /// Goes on in another file.
    pub(super) fn replace(&mut self, file: File) {
        (self.file, self.torn) = (file, false);
    }

    /// Writes whole lines, and gives what is worth telling.
    pub(super) fn write(&mut self, lines: &[u8]) -> Option<Change> {
        let mut rest = lines;
        let written = self.put(&mut rest);
        let lost = memchr::memchr_iter(b'\n', rest).count() as u64;
        match (written, self.failing) {
            (Ok(()), None) => None,
            (Ok(()), Some(lost)) => {
                self.failing = None;
                Some(Change::Recovers(format!("the {} can be written again; {lost} lines were lost", self.name)))
            }
            (Err(error), None) => {
                self.failing = Some(lost);
                Some(Change::Fails(format!("cannot write the {}: {error}", self.name)))
            }
            (Err(_), Some(before)) => {
                self.failing = Some(before + lost);
                None
            }
        }
    }

    /// Leaves in `rest` what could not be written.
    fn put(&mut self, rest: &mut &[u8]) -> io::Result<()> {
        if self.torn {
            self.put_some(b"\n")?;
            self.torn = false;
        }
        while !rest.is_empty() {
            let size = self.put_some(rest)?;
            self.torn = rest[size - 1] != b'\n';
            *rest = &rest[size..];
        }
        Ok(())
    }

    fn put_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.file.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Once it has failed, nothing waits for it any more.
                Err(error)
                    if error.kind() == ErrorKind::WouldBlock
                        && self.failing.is_none()
                        && writable(&self.file, PATIENCE) => {}
                result => return result,
            }
        }
    }

    /// What is still missing at the end.
    pub(super) fn lost(&self) -> Option<String> {
        self.failing.map(|lost| format!("{lost} lines of the {} were lost", self.name))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_full_disk_is_told_once() {
        let mut sink = Sink::new("access log", open("/dev/full".as_ref()).unwrap());
        let Some(Change::Fails(text)) = sink.write(b"1\n2\n") else { panic!("nothing fits there") };
        assert!(text.starts_with("cannot write the access log: No space left"), "{text}");
        assert_eq!(sink.write(b"3\n"), None);
        assert_eq!(sink.lost().unwrap(), "3 lines of the access log were lost");
        sink.replace(tempfile::tempfile().unwrap());
        assert_eq!(
            sink.write(b"4\n"),
            Some(Change::Recovers("the access log can be written again; 3 lines were lost".into()))
        );
        assert_eq!((sink.write(b"5\n"), sink.lost()), (None, None));
    }

    #[test]
    fn a_line_that_was_cut_off_does_not_run_into_the_next() {
        let (mut reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let mut sink = Sink::new("access log", File::from(std::os::fd::OwnedFd::from(writer)));
        // The kernel's default size of a pipe is 64 KiB.
        let long = [vec![b'x'; 1 << 20], b"\nlost\n".to_vec()].concat();
        assert!(matches!(sink.write(&long), Some(Change::Fails(_))));
        reader.read_exact(&mut vec![0; held(&reader)]).unwrap();
        let Some(Change::Recovers(text)) = sink.write(b"next\n") else { panic!("there is room now") };
        assert!(text.ends_with("2 lines were lost"), "{text}");
        drop(sink);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "\nnext\n");
    }

    fn held(reader: &io::PipeReader) -> usize {
        usize::try_from(rustix::io::ioctl_fionread(reader).unwrap()).unwrap()
    }

    #[test]
    fn a_named_pipe_without_a_reader_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(Sink::new("access log", open(&path).unwrap()).write(b"1\n"), None);
    }
}
