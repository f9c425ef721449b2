//! The log of a service: its last lines, and those that come.
//!
//! The files are read directly: that needs no procer, and no rights but those to the files.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::mem::MaybeUninit;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::link::folder;
use crate::args::Logs;
use crate::error::Error;
use crate::exit::Exit;

pub(super) fn run(args: &Logs) -> Result<Exit, Error> {
    let profile = folder(&args.at).join(&args.name);
    let log = profile.join("log");
    if !profile.is_dir() {
        return Err(Error::cannot(format!("read the log of `{}`", args.name), "there is no such folder"));
    }
    if !log.is_dir() {
        let hint = "what it says is in `run.log` beside the profiles; a folder `log` in its own gives it a log";
        return Err(Error::cannot(format!("read the log of `{}`", args.name), "it has none").hint(hint));
    }
    // Watched before anything is read, so that nothing is missed.
    let news = args.follow.then(|| watch(&log)).transpose().map_err(|error| Error::cannot("watch the log", error))?;
    let mut out = io::stdout().lock();
    let (lines, mut position) = tail(&log, args.lines)?;
    for line in lines {
        out.write_all(&line)?;
    }
    out.flush()?;
    let Some(mut news) = news else { return Ok(Exit::Success) };
    loop {
        position.go_on(&log, &mut out)?;
        out.flush()?;
        news.wait().map_err(|error| Error::cannot("watch the log", error))?;
    }
}

/// The last lines of all files together, and where the youngest one ends.
fn tail(log: &Path, count: usize) -> Result<(VecDeque<Vec<u8>>, Position), Error> {
    let mut lines = VecDeque::new();
    let mut position = Position::default();
    let mut files = files(log)?;
    // From the youngest file back, as far as lines are missing.
    while let Some(path) = files.pop() {
        let Ok(file) = File::open(&path) else { continue };
        let mut reader = BufReader::new(file);
        let part = last(&mut reader, count - lines.len())?;
        if position.file.is_none() {
            let file = reader.into_inner();
            position = Position { inode: file.metadata()?.ino(), file: Some(file) };
        }
        lines = part.into_iter().chain(lines).collect();
        if lines.len() >= count {
            break;
        }
    }
    Ok((lines, position))
}

/// The last lines of one file.
fn last(reader: &mut impl io::BufRead, count: usize) -> io::Result<VecDeque<Vec<u8>>> {
    let mut lines = VecDeque::new();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        lines.push_back(std::mem::take(&mut line));
        if lines.len() > count {
            lines.pop_front();
        }
    }
    Ok(lines)
}

/// All files of a log, the youngest last.
fn files(log: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = std::fs::read_dir(log).map_err(|error| Error::cannot(format!("read `{}`", log.display()), error))?;
    let is_log = |path: &PathBuf| {
        path.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            name == "current" || name.starts_with(|c: char| c.is_ascii_digit()) && name.ends_with('Z')
        })
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_log).collect();
    // `current` sorts behind all digits.
    files.sort();
    Ok(files)
}

/// How far the log has been printed: to where this file has been read.
#[derive(Default)]
struct Position {
    inode: u64,
    file: Option<File>,
}

impl Position {
    /// Prints what has come: the rest of the file, which may have been put aside, and of those behind it.
    fn go_on(&mut self, log: &Path, out: &mut impl io::Write) -> Result<(), Error> {
        loop {
            if let Some(file) = &mut self.file {
                io::copy(file, out)?;
            }
            let Some(next) = self.next(log)? else { return Ok(()) };
            // What was written before it was put aside, and after it was read.
            if let Some(file) = &mut self.file.replace(next) {
                io::copy(file, out)?;
            }
        }
    }

    /// The file behind the one that is read, once that has been put aside.
    fn next(&mut self, log: &Path) -> Result<Option<File>, Error> {
        let files = files(log)?;
        let inode = |path: &PathBuf| std::fs::metadata(path).map(|found| found.ino()).ok();
        let at = files.iter().position(|path| inode(path) == Some(self.inode));
        let next = match at {
            Some(index) => files.get(index + 1),
            // It is gone, or there was none: what there is now is new.
            None => files.last(),
        };
        let Some(path) = next else { return Ok(None) };
        let file = match File::open(path) {
            Ok(file) => file,
            // It is just being put aside, which is news again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        self.inode = file.metadata()?.ino();
        Ok(Some(file))
    }
}

/// The folder of a log, watched.
struct News(rustix::fd::OwnedFd);

fn watch(log: &Path) -> io::Result<News> {
    let fd = inotify::init(CreateFlags::CLOEXEC)?;
    inotify::add_watch(&fd, log, WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO)?;
    Ok(News(fd))
}

impl News {
    fn wait(&mut self) -> io::Result<()> {
        let mut buffer = [const { MaybeUninit::uninit() }; 4096];
        inotify::Reader::new(&self.0, &mut buffer).next()?;
        Ok(())
    }
}
