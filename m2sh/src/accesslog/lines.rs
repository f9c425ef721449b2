//! The lines of an access log: those that are there, the last ones of them, and those that come.
//!
//! A log is never read into memory whole, and a line that doesn't end is cut.  A file that is followed may be
//! replaced (rename and reopen) or truncated (copytruncate) meanwhile.

use std::collections::VecDeque;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::{Filter, Line};

/// What is behind that in a line is dropped; heads of requests are shorter, however they are escaped.
const MAX_LINE: usize = 256 * 1024;

/// How much is looked at first for the last lines.
const WINDOW: u64 = 256 * 1024;

const NONBLOCK: i32 = OFlags::NONBLOCK.bits().cast_signed();

/// Which lines are wanted, and how many that could not be read have been met.
#[derive(Debug, Default)]
pub struct Wanted {
    /// What entries have to have.
    pub filter: Filter,
    /// The lines that could not be read.
    pub unreadable: u64,
}

impl Wanted {
    fn take(&mut self, line: &[u8]) -> Option<Line> {
        let line = Line::parse(line);
        self.unreadable += u64::from(matches!(line, Line::Other(_)));
        self.filter.wants(&line).then_some(line)
    }
}

/// Lines from anywhere, one after the other.
#[derive(Debug)]
pub struct Stream<R> {
    reader: BufReader<R>,
    /// The beginning of a line whose end hasn't been read yet.
    begun: Vec<u8>,
}

impl<R: Read> Stream<R> {
    /// The lines of a reader.
    pub fn new(reader: R) -> Self {
        Self { reader: BufReader::with_capacity(64 * 1024, reader), begun: Vec::new() }
    }

    /// The next line that is whole.  `None`: there is no more, or not yet.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            let room = MAX_LINE - self.begun.len();
            self.begun.extend_from_slice(&part[..part.len().min(room)]);
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.begun)));
            }
        }
    }

    /// The next line that is wanted, if it is there already.
    ///
    /// # Errors
    /// What the file says.
    pub fn wanted(&mut self, wanted: &mut Wanted) -> io::Result<Option<Line>> {
        while let Some(line) = self.next()? {
            if let Some(line) = wanted.take(&line) {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    /// A last line that has no end, once nothing comes any more.
    pub fn rest(&mut self, wanted: &mut Wanted) -> Option<Line> {
        let rest = std::mem::take(&mut self.begun);
        if rest.is_empty() { None } else { wanted.take(&rest) }
    }

    /// The last wanted lines, so many.
    ///
    /// # Errors
    /// What the file says.
    pub fn last(&mut self, count: usize, wanted: &mut Wanted) -> io::Result<VecDeque<Line>> {
        let mut lines = VecDeque::new();
        while let Some(line) = self.wanted(wanted)? {
            lines.push_back(line);
            if lines.len() > count {
                lines.pop_front();
            }
        }
        Ok(lines)
    }
}

/// A log that is a file.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    stream: Stream<File>,
}

impl LogFile {
    /// Opens one.
    ///
    /// # Errors
    /// What the system says; it is no regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        // A named pipe would wait for its writer, and take the lines away from who reads it.
        let file = OpenOptions::new().read(true).custom_flags(NONBLOCK).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        Ok(Self { path: path.to_owned(), stream: Stream::new(file) })
    }

    /// Its lines from where it is read to.
    pub fn stream(&mut self) -> &mut Stream<File> {
        &mut self.stream
    }

    /// The last wanted lines, so many, without reading more of a long file than is needed.  It is read to its end then.
    ///
    /// # Errors
    /// What the file says.
    pub fn last(&mut self, count: usize, wanted: &mut Wanted) -> io::Result<VecDeque<Line>> {
        let size = self.stream.reader.get_ref().metadata()?.len();
        let mut window = WINDOW;
        loop {
            let start = size.saturating_sub(window);
            wanted.unreadable = 0;
            self.begin_at(start)?;
            let lines = self.stream.last(count, wanted)?;
            if start == 0 || lines.len() >= count {
                return Ok(lines);
            }
            window = window.saturating_mul(4);
        }
    }

    /// Goes on with the first line that begins there or later.
    fn begin_at(&mut self, start: u64) -> io::Result<()> {
        self.stream.begun.clear();
        self.stream.reader.seek(SeekFrom::Start(start.saturating_sub(1)))?;
        if start > 0 {
            self.stream.next()?;
        }
        Ok(())
    }

    /// Goes on with the file that has taken the place of this one, or from the start if it was truncated.  Says whether
    /// there may be more to read.
    ///
    /// # Errors
    /// What the system says.
    pub fn renew(&mut self) -> io::Result<bool> {
        let now = match self.path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            now => now?,
        };
        let held = self.stream.reader.get_ref().metadata()?;
        if is_same(&now, &held) {
            let is_truncated = held.len() < self.stream.reader.stream_position()?;
            if is_truncated {
                self.begin_at(0)?;
            }
            return Ok(is_truncated);
        }
        // Only when the new file has something in it the old one has everything: it may lie there for a while before the
        // server learns of it.
        if now.len() == 0 || self.has_more()? {
            return Ok(false);
        }
        *self = Self::open(&self.path)?;
        Ok(true)
    }

    fn has_more(&mut self) -> io::Result<bool> {
        Ok(!self.stream.reader.fill_buf()?.is_empty())
    }
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    fn texts(lines: impl IntoIterator<Item = Line>) -> Vec<String> {
        let text = |line| match line {
            Line::Entry(entry) => entry.uri.unwrap_or_default(),
            Line::Other(line) => line,
        };
        lines.into_iter().map(text).collect()
    }

    /// What is there now.
    fn read(log: &mut LogFile) -> Vec<String> {
        let mut lines = Vec::new();
        let mut wanted = Wanted::default();
        loop {
            while let Some(line) = log.stream().wanted(&mut wanted).unwrap() {
                lines.push(line);
            }
            if !log.renew().unwrap() {
                return texts(lines);
            }
        }
    }

    fn append(path: &Path, text: &str) {
        fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        (folder, path)
    }

    #[test]
    fn a_file_that_grows_is_replaced_and_truncated() {
        let (folder, path) = folder();
        let old = folder.path().join("access.log.1");
        append(&path, "a\nb");
        let mut log = LogFile::open(&path).unwrap();
        assert_eq!(read(&mut log), ["a"]);
        append(&path, "c\n");
        assert_eq!(read(&mut log), ["bc"]);
        fs::rename(&path, &old).unwrap();
        append(&old, "d\n");
        assert_eq!(read(&mut log), ["d"]);
        append(&path, "");
        append(&old, "e\n");
        assert_eq!(read(&mut log), ["e"], "the server still writes to the old one");
        append(&old, "f\n");
        append(&path, "g\n");
        assert_eq!(read(&mut log), ["f", "g"]);
        append(&path, "h\n");
        assert_eq!(read(&mut log), ["h"]);
        fs::write(&path, "").unwrap();
        assert_eq!(read(&mut log), [""; 0]);
        append(&path, "i\n");
        assert_eq!(read(&mut log), ["i"]);
    }

    #[test]
    fn the_last_lines_of_a_long_file() {
        let (_folder, path) = folder();
        let lines: Vec<String> = (0..100_000).map(|number| format!("line {number}")).collect();
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        for count in [0, 1, 2, 10_000, 50_000, 99_999, 100_000, 200_000] {
            let mut log = LogFile::open(&path).unwrap();
            let last = texts(log.last(count, &mut Wanted::default()).unwrap());
            assert_eq!(last, lines[lines.len().saturating_sub(count)..], "{count}");
            append(&path, "more\n");
            assert_eq!(read(&mut log), ["more"]);
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(lines.join("\n").len() as u64 + 1).unwrap();
        }
    }

    #[test]
    fn a_line_is_cut_and_one_without_end_is_the_last() {
        let text = "x".repeat(3 * MAX_LINE) + "\nnext\nlast";
        let mut stream = Stream::new(text.as_bytes());
        let mut wanted = Wanted::default();
        let lines = texts(stream.last(9, &mut wanted).unwrap());
        assert_eq!((lines[0].len(), &lines[1][..], lines.len()), (MAX_LINE, "next", 2));
        assert_eq!(texts(stream.rest(&mut wanted)), ["last"]);
        assert_eq!((stream.rest(&mut wanted), wanted.unreadable), (None, 3));
    }

    #[test]
    fn a_pipe_is_no_log() {
        let (_folder, path) = folder();
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(LogFile::open(&path).is_err());
    }
}
