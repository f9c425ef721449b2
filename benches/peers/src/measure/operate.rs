//! How long m2sh takes: ours, and that of the original.
//!
//! Both load the same file, in the language of the original.  A history is too long to be made by as many commands: the
//! library writes it, where no disk has to be waited for, and it is copied to where it is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use mongrel2::config::history::Entry;
use mongrel2::config::{Config, Database, Dir, Host, Route, Server, Target};
use tempfile::TempDir;

use crate::error::Error;
use crate::peer::{Kind, Peer};
use crate::row::Task;
use crate::usage;

/// A folder in memory, where there is one.
const MEMORY: &str = "/dev/shm";

const LOAD: &[&str] = &["load", "-db", "config.sqlite", "-config", "config.conf"];

/// What is done with a history.  The first is the one that changes it.
const HISTORY: [&[&str]; 5] =
    [&["rollback", "500"], &["log", "-n", "20"], &["blame", "/route-00500/"], &["generations"], &["log", "-stats"]];

/// How long a history is.
const GENERATIONS: usize = 1000;
const ENTRIES: usize = 100_000;
const ROUTES: usize = 1000;

/// A folder in which an m2sh works.
#[derive(Debug)]
pub(crate) struct Desk {
    folder: TempDir,
    m2sh: PathBuf,
    kind: Kind,
}

impl Desk {
    /// Prepares what a task needs.
    ///
    /// # Errors
    /// There is no m2sh beside the server, or it fails.
    pub(crate) fn prepare(peer: &Peer, task: Task) -> Result<Self, Error> {
        let m2sh = peer.program.with_file_name("m2sh");
        if !m2sh.exists() {
            return Err(Error::NoServer(m2sh.display().to_string()));
        }
        let folder = tempfile::tempdir().map_err(Error::doing("make a temporary folder"))?;
        let desk = Self { folder, m2sh, kind: peer.kind };
        match task {
            Task::Load { routes, folders } => desk.write_script(routes, folders)?,
            Task::List { routes, .. } => {
                desk.write_script(routes, routes)?;
                desk.run(LOAD)?;
            }
            Task::History => desk.write_history()?,
        }
        Ok(desk)
    }

    /// Does it once.
    ///
    /// # Errors
    /// m2sh fails.
    pub(crate) fn measure(&self, task: Task) -> Result<Vec<f64>, Error> {
        match task {
            Task::Load { .. } => {
                let _ = fs::remove_file(self.path("config.sqlite"));
                self.times(LOAD)
            }
            Task::List { what, .. } => self.times(&[&[what, "-db", "config.sqlite"], chosen(what, self.kind)].concat()),
            Task::History => {
                fs::copy(self.path("history.sqlite"), self.path("config.sqlite")).map_err(Error::doing("copy"))?;
                let mut times = HISTORY.iter().map(|words| self.time(words)).collect::<Result<Vec<f64>, _>>()?;
                times.push(self.size()?);
                Ok(times)
            }
        }
    }

    /// The time, the CPU time, and how large the database is then.
    fn times(&self, words: &[&str]) -> Result<Vec<f64>, Error> {
        let before = usage::children()?;
        let time = self.time(words)?;
        let cpu = usage::children()?.saturating_sub(before);
        Ok(vec![time, cpu.as_secs_f64(), self.size()?])
    }

    fn time(&self, words: &[&str]) -> Result<f64, Error> {
        let began = Instant::now();
        self.run(words)?;
        Ok(began.elapsed().as_secs_f64())
    }

    fn size(&self) -> Result<f64, Error> {
        let metadata = fs::metadata(self.path("config.sqlite")).map_err(Error::doing("look at the database"))?;
        Ok(metadata.len() as f64)
    }

    fn run(&self, words: &[&str]) -> Result<(), Error> {
        let mut command = Command::new(&self.m2sh);
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        // The original loads nothing without a name to log.
        command.env("LOGNAME", "peers").stderr(Stdio::piped());
        let output = command.output().map_err(Error::doing("run m2sh"))?;
        if output.status.success() { Ok(()) } else { Err(Error::M2sh(String::from_utf8_lossy(&output.stderr).into())) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_script(&self, routes: usize, folders: usize) -> Result<(), Error> {
        fs::write(self.path("config.conf"), script(routes, folders)).map_err(Error::doing("write a configuration"))
    }

    /// Writes a database with generations that differ by a port, and entries between them.
    fn write_history(&self) -> Result<(), Error> {
        let memory = Some(Path::new(MEMORY)).filter(|folder| folder.is_dir());
        let folder = memory.map_or_else(tempfile::tempdir, tempfile::tempdir_in);
        let folder = folder.map_err(Error::doing("make a temporary folder"))?;
        let path = folder.path().join("history.sqlite");
        let mut database = Database::open_or_create(&path)?;
        let entry = |what: &str| Entry {
            who: "operator".into(),
            what: what.into(),
            location: "peers".into(),
            how: "m2sh load -db config.sqlite -config config.rhai -why 'a change'".into(),
            why: "a change".into(),
            ..Entry::default()
        };
        for generation in 0..GENERATIONS {
            let config = config(generation);
            database.change(&entry("load"), |change| change.save(&config))?;
            for _ in 1..ENTRIES / GENERATIONS {
                database.change(&entry("commit"), |_| Ok(()))?;
            }
        }
        drop(database);
        fs::copy(path, self.path("history.sqlite")).map_err(Error::doing("copy a database"))?;
        Ok(())
    }
}

/// Which server and host is meant: the original has to be told.
fn chosen(what: &str, kind: Kind) -> &'static [&'static str] {
    match (what, kind) {
        ("hosts", Kind::Original) => &["-server", "main"],
        ("routes", Kind::Original) => &["-server", "main", "-host", "localhost"],
        _ => &[],
    }
}

/// A configuration in the language of the original.
fn script(routes: usize, folders: usize) -> String {
    let folder = |number: usize| {
        format!("d{number} = Dir(base='static/{number}/', index_file='index.html', default_ctype='text/plain')\n")
    };
    let route = |number: usize| format!("'/route-{number:05}/': d{}", number % folders);
    format!(
        "{}main = Server(uuid='f400bf85-4538-4f7a-8908-67e313d515c2', access_log='/logs/access.log',\n\
         error_log='/logs/error.log', chroot='./', pid_file='/run/mongrel2.pid', default_host='localhost',\n\
         name='main', port=6767, hosts=[Host(name='localhost', routes={{\n{}\n}})])\nservers = [main]\n",
        (0..folders).map(folder).collect::<String>(),
        (0..routes).map(route).collect::<Vec<_>>().join(",\n")
    )
}

fn config(generation: usize) -> Config {
    let dir = |number: usize| Dir {
        base: format!("static/{number}/"),
        index_file: "index.html".into(),
        default_ctype: "text/plain".into(),
        ..Dir::default()
    };
    let route = |number: usize| Route {
        path: format!("/route-{number:05}/"),
        reversed: false,
        target: Target::Dir(dir(number)),
    };
    let host = Host { name: "localhost".into(), routes: (0..ROUTES).map(route).collect(), ..Host::default() };
    let server = Server {
        uuid: "f400bf85-4538-4f7a-8908-67e313d515c2".into(),
        access_log: "/logs/access.log".into(),
        error_log: "/logs/error.log".into(),
        chroot: "./".into(),
        pid_file: "/run/mongrel2.pid".into(),
        default_host: "localhost".into(),
        name: "main".into(),
        port: i64::try_from(6767 + generation).expect("there are not that many"),
        hosts: vec![host],
        ..Server::default()
    };
    Config { servers: vec![server], ..Config::fresh() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_its_routes_and_folders() {
        let script = script(3, 2);
        assert_eq!(script.matches("= Dir(").count(), 2);
        assert!(script.contains("'/route-00002/': d0\n}"), "{script}");
    }
}
