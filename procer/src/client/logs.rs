//! The log of a service: its last lines, and those that come.
//!
//! The files are read directly: that needs no procer, and no rights but those to the files.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
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
    let mut current = None;
    for line in tail(&log, args.lines)? {
        out.write_all(&line)?;
    }
    let Some(mut news) = news else { return Ok(Exit::Success) };
    let mut at = Position::end(&log)?;
    loop {
        out.flush()?;
        at.go_on(&log, &mut current, &mut out)?;
        out.flush()?;
        news.wait().map_err(|error| Error::cannot("watch the log", error))?;
    }
}

/// The last lines of all files together.
fn tail(log: &Path, count: usize) -> Result<VecDeque<Vec<u8>>, Error> {
    let mut lines = VecDeque::new();
    let mut files = files(log)?;
    // From the youngest file back, as far as lines are missing.
    while let (true, Some(path)) = (lines.len() < count, files.pop()) {
        let mut part = VecDeque::new();
        let Ok(file) = File::open(&path) else { continue };
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            if part.len() + lines.len() == count {
                part.pop_front();
            }
            part.push_back(std::mem::take(&mut line));
        }
        part.append(&mut lines);
        lines = part;
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

/// How far the log has been printed.
struct Position {
    inode: u64,
    offset: u64,
}

impl Position {
    fn end(log: &Path) -> Result<Self, Error> {
        let found = std::fs::metadata(log.join("current")).ok();
        Ok(found.map_or(Self { inode: 0, offset: 0 }, |found| Self { inode: found.ino(), offset: found.len() }))
    }

    /// Prints what has come: the rest of the file, which may have been put aside, and of those behind it.
    fn go_on(&mut self, log: &Path, current: &mut Option<File>, out: &mut impl io::Write) -> Result<(), Error> {
        if current.is_none() {
            *current = self.open(log);
        }
        loop {
            if let Some(file) = current {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)?;
                out.write_all(&bytes)?;
            }
            let Some(next) = self.next(log)? else { return Ok(()) };
            *current = Some(next);
        }
    }

    fn open(&self, log: &Path) -> Option<File> {
        let mut file = File::open(log.join("current")).ok()?;
        if file.metadata().ok()?.ino() == self.inode {
            io::Seek::seek(&mut file, io::SeekFrom::Start(self.offset)).ok()?;
            return Some(file);
        }
        None
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
        let file = File::open(path)?;
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
