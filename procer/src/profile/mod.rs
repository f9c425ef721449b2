//! A profile: the folder of a service, read and understood.
//!
//! `read` gets the files, and trusts nobody else's folders; all other files here are pure.  What is wrong is told all at
//! once, each with its file and line.

mod env;
mod limits;
mod lines;
mod log;
mod read;
mod ready;
mod restart;
mod stop;
mod user;
pub(crate) mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use env::Env;
pub use limits::{Limit, Limits};
pub use log::Log;
pub(crate) use read::{may_follow, read};
pub use ready::{Check, HttpCheck, Ready};
pub use restart::{Restart, When};
pub use stop::Stop;
pub use user::{Account, Person};

use crate::signal::Signal;

/// How long `run` and the PID file may take by default.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// What a folder says about its service.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The folder.
    pub folder: PathBuf,
    /// What the file `run` was when it was read.
    pub run: Stamp,
    /// Where the PID of a service that goes into the background is found.
    pub pid_file: Option<PathBuf>,
    /// What has to be ready before.
    pub depends: Vec<String>,
    /// What is done when it has ended; `None` is nothing.
    pub restart: Option<Restart>,
    /// How it is stopped.
    pub stop: Stop,
    /// What tells it to read its configuration again.
    pub reload: Signal,
    /// When it counts as ready; `None` is as soon as it runs.
    pub ready: Option<Ready>,
    /// What becomes of those that need it, when it has ended.
    pub dependents: Dependents,
    /// Where its output goes; `None` is `run.log`.
    pub log: Option<Log>,
    /// Its variables.
    pub env: Env,
    /// Where it runs; `None` is the folder.
    pub directory: Option<PathBuf>,
    /// The mode bits that files don't get.
    pub umask: Option<u32>,
    /// Its niceness.
    pub nice: Option<i32>,
    /// What it may use.
    pub limits: Limits,
    /// Who it runs as; `None` is whoever procer runs as.
    pub user: Option<Account>,
    /// Whether it has more rights than the owner of its folder, as procer is root.
    pub privileged: bool,
    /// How long `run` and the PID file may take.
    pub start_timeout: Duration,
    /// Whether it waits for somebody to start it.
    pub down: bool,
}

/// What becomes of services that need one that has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dependents {
    /// Nothing.
    #[default]
    Leave,
    /// They are stopped, and started when it is ready again.
    Restart,
    /// They are stopped, and stay so.
    Stop,
}

/// What tells one version of a file from another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    changed: (i64, u64),
    owner: u32,
}

/// What was found under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum File {
    /// A text.
    Text(String),
    /// Something executable.
    Program(Stamp),
    /// More files.
    Folder(BTreeMap<String, File>),
    /// Nothing that can be read, and why.
    Fault(String),
}

/// A folder as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub folder: PathBuf,
    /// User and group who own it.
    pub owner: (u32, u32),
    /// Whether procer is root, so that it can become the owner.
    pub root: bool,
    /// The files by name, those that mean something.
    pub files: BTreeMap<String, File>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Where, below the folder.
    pub file: String,
    /// In which line.
    pub line: Option<usize>,
    /// What.
    pub problem: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}, line {line}: {}", self.file, self.problem),
            None => write!(formatter, "{}: {}", self.file, self.problem),
        }
    }
}

/// The files that are settings.
pub const FILES: [&str; 15] = [
    "depends",
    "dependents",
    "directory",
    "down",
    "env",
    "limits",
    "nice",
    "pid_file",
    "ready",
    "reload",
    "restart",
    "start_timeout",
    "stop",
    "umask",
    "user",
];

impl Profile {
    /// Understands a folder.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(source: &Source) -> Result<Self, Vec<Trouble>> {
        let mut reader = Reader { source, troubles: Vec::new() };
        let profile = reader.profile();
        if reader.troubles.is_empty() { Ok(profile) } else { Err(reader.troubles) }
    }

    /// Of a folder that says nothing, or nothing that can be understood.
    pub(crate) fn empty(folder: PathBuf) -> Self {
        let source = Source { folder, owner: (0, 0), root: false, files: BTreeMap::new() };
        Reader { source: &source, troubles: Vec::new() }.profile()
    }

    /// Whether what changed since `old` is of no use to a process that runs already.
    pub fn needs_restart(&self, old: &Self) -> bool {
        let process = |profile: &Self| {
            let Self { run, pid_file, env, directory, umask, nice, limits, user, .. } = profile.clone();
            let notify = profile.notifies();
            (run, pid_file, env, directory, umask, nice, limits.resources, user, notify, profile.log.is_some())
        };
        process(self) != process(old)
    }

    /// Whether it says itself when it is ready.
    pub fn notifies(&self) -> bool {
        self.ready.as_ref().is_some_and(|ready| ready.check == Check::Notify)
    }

    /// Whether `run` can be changed by somebody with less rights than it gets.
    pub fn is_exposed(&self) -> bool {
        self.privileged && self.run.owner != 0 && self.user.as_ref().is_none_or(|user| user.uid != self.run.owner)
    }
}

struct Reader<'a> {
    source: &'a Source,
    troubles: Vec<Trouble>,
}

impl<'a> Reader<'a> {
    fn profile(&mut self) -> Profile {
        let folder = &self.source.folder;
        let pid_file = self.word("pid_file", |text| Ok(folder.join(text)));
        Profile {
            folder: folder.clone(),
            run: self.run(),
            depends: self.text("depends").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
            restart: self.text("restart").map(|text| Restart::parse(text, &mut self.troubles)),
            stop: self.text("stop").map(|text| Stop::parse(text, &mut self.troubles)).unwrap_or_default(),
            reload: self.word("reload", value::signal).unwrap_or(Signal::HUP),
            ready: self.ready(),
            dependents: self.word("dependents", dependents).unwrap_or_default(),
            log: self.log(pid_file.is_some()),
            env: self.env(),
            directory: self.word("directory", |text| Ok(folder.join(text))),
            umask: self.word("umask", value::mode),
            nice: self.word("nice", |text| value::number(text, -20, 19)),
            limits: self.text("limits").map(|text| Limits::parse(text, &mut self.troubles)).unwrap_or_default(),
            user: self.user(),
            privileged: self.source.root && self.source.owner.0 == 0,
            start_timeout: self.word("start_timeout", value::time).unwrap_or(START_TIMEOUT),
            down: self.source.files.contains_key("down"),
            pid_file,
        }
    }

    fn trouble(&mut self, file: &str, problem: impl Into<String>) {
        self.troubles.push(Trouble { file: file.into(), line: None, problem: problem.into() });
    }

    fn run(&mut self) -> Stamp {
        match self.source.files.get("run") {
            Some(File::Program(stamp)) => return *stamp,
            Some(File::Text(_)) => self.trouble("run", "it is not executable; `chmod u+x` makes it so"),
            Some(File::Folder(_)) => self.trouble("run", "it is a folder"),
            Some(File::Fault(problem)) => self.trouble("run", problem.clone()),
            None => self.trouble("run", "there is no such file"),
        }
        Stamp::default()
    }

    fn text(&mut self, name: &str) -> Option<&'a str> {
        let source = self.source;
        match source.files.get(name)? {
            File::Text(text) => return Some(text),
            File::Fault(problem) => self.trouble(name, problem.clone()),
            File::Folder(_) => self.trouble(name, "it is a folder"),
            File::Program(_) => self.trouble(name, "it is executable; it has to be a plain file"),
        }
        None
    }

    /// A file with one value.
    fn word<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(name)?.lines().next().unwrap_or_default().trim();
        let parsed = if text.is_empty() { Err("it is empty".into()) } else { parse(text) };
        parsed.map_err(|problem| self.trouble(name, problem)).ok()
    }

    fn ready(&mut self) -> Option<Ready> {
        if let Some(File::Program(_)) = self.source.files.get("ready") {
            return Some(Ready::script(self.source.folder.join("ready")));
        }
        let folder: &Path = &self.source.folder;
        let text = self.text("ready")?.to_owned();
        Ready::parse(&text, folder, &mut self.troubles)
    }

    /// A service in the foreground always has a log; one in the background if it has the folder.
    fn log(&mut self, background: bool) -> Option<Log> {
        match self.source.files.get("log") {
            Some(File::Folder(files)) => Some(Log::parse(files, &mut self.troubles)),
            Some(File::Fault(problem)) => {
                self.trouble("log", problem.clone());
                None
            }
            Some(_) => {
                self.trouble("log", "it is no folder");
                None
            }
            None => (!background).then(Log::default),
        }
    }

    fn env(&mut self) -> Env {
        self.source.files.get("env").map(|file| env::parse(file, &mut self.troubles)).unwrap_or_default()
    }

    fn user(&mut self) -> Option<Account> {
        let (uid, gid) = self.source.owner;
        let named = self.word("user", Account::named);
        match named {
            Some(named) if self.source.root && (uid == 0 || named.uid == uid) => Some(named),
            Some(_) if self.source.root => {
                self.trouble("user", "only a folder of root's may name another user");
                None
            }
            Some(_) => {
                self.trouble("user", "procer has to be root for that");
                None
            }
            None => (self.source.root && uid != 0).then(|| Account::of(uid, gid)),
        }
    }
}

fn dependents(text: &str) -> Result<Dependents, String> {
    match text {
        "leave" => Ok(Dependents::Leave),
        "restart" => Ok(Dependents::Restart),
        "stop" => Ok(Dependents::Stop),
        _ => Err(format!("`{text}` is none of `leave`, `restart` and `stop`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(files: &[(&str, &str)]) -> Source {
        let text = |(name, text): &(&str, &str)| ((*name).to_owned(), File::Text((*text).to_owned()));
        let mut files: BTreeMap<String, File> = files.iter().map(text).collect();
        files.entry("run".into()).or_insert(File::Program(Stamp::default()));
        Source { folder: "/p/chat".into(), owner: (1000, 1000), root: false, files }
    }

    fn troubles(files: &[(&str, &str)]) -> Vec<String> {
        Profile::parse(&source(files)).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_manuals_profile() {
        let files = [("pid_file", "/p/chat/chat.pid\n"), ("restart", ""), ("depends", "\n")];
        let profile = Profile::parse(&source(&files)).unwrap();
        assert_eq!(profile.pid_file.as_deref(), Some(Path::new("/p/chat/chat.pid")));
        assert_eq!((profile.restart.as_ref(), profile.depends.len()), (Some(&Restart::default()), 0));
        assert_eq!((profile.log, profile.ready), (None, None));
    }

    #[test]
    fn a_run_alone_is_a_service_in_the_foreground() {
        let profile = Profile::parse(&source(&[("depends", "a b\nc")])).unwrap();
        assert_eq!(profile.depends, ["a", "b", "c"]);
        assert_eq!((profile.restart, profile.pid_file, profile.log), (None, None, Some(Log::default())));
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let files = [("pid_file", ""), ("umask", "9"), ("restart", "delay x"), ("user", "root"), ("dependents", "cry")];
        assert_eq!(
            troubles(&files),
            [
                "pid_file: it is empty",
                "restart, line 1: `delay`: `x` is no time such as `250ms`, `5s`, `2m`, `1h` or `7d`",
                "dependents: `cry` is none of `leave`, `restart` and `stop`",
                "umask: `9` is no mode such as `022`",
                "user: procer has to be root for that",
            ]
        );
        assert_eq!(troubles(&[("run", "#!/bin/sh")]), ["run: it is not executable; `chmod u+x` makes it so"]);
    }

    #[test]
    fn only_root_names_other_users() {
        let own = source(&[("user", "root")]);
        let problem = |source: &Source| Profile::parse(source).unwrap_err()[0].problem.clone();
        assert_eq!(problem(&Source { root: true, ..own.clone() }), "only a folder of root's may name another user");
        let roots = Source { root: true, owner: (0, 0), ..own };
        assert_eq!(Profile::parse(&roots).unwrap().user.unwrap().uid, 0);
        let unknown = Source { files: source(&[("user", "nobody-at-all")]).files, ..roots };
        assert_eq!(problem(&unknown), "there is no user `nobody-at-all`");
    }

    #[test]
    fn what_a_process_has_from_its_start_needs_another_start() {
        let old = Profile::parse(&source(&[("restart", "")])).unwrap();
        let changed = |files: &[(&str, &str)]| Profile::parse(&source(files)).unwrap().needs_restart(&old);
        assert!(!changed(&[("restart", "delay 5s"), ("stop", "timeout 1s"), ("ready", "tcp localhost:1")]));
        assert!(!changed(&[("limits", "memory 1G")]));
        for change in [("env", "A=1"), ("nice", "5"), ("umask", "077"), ("directory", "/"), ("limits", "core 0")] {
            assert!(changed(&[change]), "{change:?}");
        }
        assert!(changed(&[("ready", "notify")]), "it needs the socket");
    }
}
