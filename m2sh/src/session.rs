//! What every command gets: where the database is, where output goes, and who is asking.
//!
//! It opens the database in the ways that commands need, and turns what can be wrong with it into messages
//! with the next command to type.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use mongrel2::config::history::{Entry, Logged};
use mongrel2::config::store::{Change, StoreError};
use mongrel2::config::{self, Checked, Config, Database, Problem, Server, Severity};

use crate::args::Which;
use crate::error::{Error, say};
use crate::facts::facts;
use crate::operator::Operator;
use crate::progress::during;
use crate::script;
use crate::select;
use crate::show::{Show, escape};
use crate::syslog;

/// One command's surroundings.
#[derive(Debug)]
pub struct Session {
    /// The configuration database.
    pub db: PathBuf,
    /// The output.
    pub show: Show,
    /// Who is at work.
    pub operator: Operator,
}

impl Session {
    /// Opens the database to read it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn database(&self) -> Result<Database, Error> {
        Database::open_to_read(&self.db).map_err(|error| self.cannot("use the database", error))
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// What is wrong with the database.
    pub fn config(&self) -> Result<Config, Error> {
        let database = self.database()?;
        during("read the configuration", || database.load()).map_err(|error| self.cannot("use the database", error))
    }

    /// Reads the configuration that a change would find: a fresh one where there is no database.
    ///
    /// # Errors
    /// What is wrong with the database.
    pub fn base(&self) -> Result<Config, Error> {
        if self.db.exists() { self.config() } else { Ok(Config::fresh()) }
    }

    /// Reads the configuration of a generation, in order to do that to it.
    ///
    /// # Errors
    /// There is no such generation, or nothing was kept of it; what is wrong with the database.
    pub fn generation(&self, number: i64, verb: &str) -> Result<Config, Error> {
        self.kept(number)?.ok_or_else(|| {
            Error::cannot(
                format!("{verb} generation {number}"),
                "there is no such generation, or nothing was kept of it",
            )
            .hint(format!("`m2sh generations -db {}` lists them", self.db.display()))
        })
    }

    /// Gives a configuration that was kept the secrets that it refers to: from where scripts get them, else those that the
    /// database has.
    ///
    /// # Errors
    /// One is missing.
    pub fn supply(&self, config: &mut Config, doing: &str) -> Result<(), Error> {
        let known = self.base().map(|base| base.secrets).unwrap_or_default();
        let supplied = script::supply(config, &facts(), &known);
        supplied.map_err(|(cause, hint)| Error::cannot(doing, cause).hint(hint))
    }

    /// Reads the configuration of a generation, if it was kept; its secrets are those of today.
    ///
    /// # Errors
    /// What is wrong with the database.
    pub fn kept(&self, number: i64) -> Result<Option<Config>, Error> {
        let read = |database: Database| {
            let Some(mut config) = database.generation(number)? else { return Ok(None) };
            config.keep_secrets(database.secrets()?);
            Ok(Some(config))
        };
        let (doing, database) = (format!("read generation {number}"), self.database()?);
        during(&doing, || read(database)).map_err(|error| self.cannot(doing, error))
    }

    /// Reads the configuration, and checks that servers can run with it.
    ///
    /// # Errors
    /// What is wrong with the database, or everything that is wrong with the configuration.
    pub fn checked(&self) -> Result<Checked, Error> {
        let config = self.config()?;
        config::check(config.clone())
            .map(|(checked, _)| checked)
            .map_err(|problems| self.faulty(&self.db, &config, &problems))
    }

    /// The servers that a command is about, without their hosts.
    ///
    /// This reads no more than their own rows, so that a server can be found whatever has become of the rest.
    ///
    /// # Errors
    /// What is wrong with the database, or with the selection.
    pub fn selected(&self, which: &Which, verb: &str) -> Result<Vec<Server>, Error> {
        let servers = self.database()?.servers().map_err(|error| self.cannot("use the database", error))?;
        self.choose(servers, which, verb)
    }

    /// The servers that a command is about, with everything in them.
    ///
    /// # Errors
    /// What is wrong with the database, or with the selection.
    pub fn selected_whole(&self, which: &Which, verb: &str) -> Result<Vec<Server>, Error> {
        self.choose(self.config()?.servers, which, verb)
    }

    /// Those of the servers that are meant.
    ///
    /// # Errors
    /// What is unclear about the selection.
    pub fn choose(&self, servers: Vec<Server>, which: &Which, verb: &str) -> Result<Vec<Server>, Error> {
        let chosen = select::select(&servers, which).map_err(|unclear| unclear.into_error(verb, &self.db))?;
        let all = servers.into_iter().enumerate();
        Ok(all.filter(|(index, _)| chosen.contains(index)).map(|(_, server)| server).collect())
    }

    /// Changes the database, together with its entry in the log.
    ///
    /// # Errors
    /// What is wrong with the database; nothing has changed then.
    pub fn change<T>(
        &self,
        doing: &str,
        entry: &Entry,
        change: impl FnOnce(&Change<'_>) -> Result<T, StoreError>,
    ) -> Result<T, Error> {
        during(doing, || Database::open_to_change(&self.db).and_then(|database| self.write(database, entry, change)))
            .map_err(|error| self.cannot(doing, error))
    }

    /// The same, with a database that is made if it doesn't exist.
    ///
    /// # Errors
    /// What is wrong with the database; nothing has changed then.
    pub fn create<T>(
        &self,
        doing: &str,
        entry: &Entry,
        change: impl FnOnce(&Change<'_>) -> Result<T, StoreError>,
    ) -> Result<T, Error> {
        during(doing, || Database::open_or_create(&self.db).and_then(|database| self.write(database, entry, change)))
            .map_err(|error| self.cannot(doing, error))
    }

    /// Says that others may read a database that holds secrets.
    pub fn warn_of_readers(&self) {
        let mode = fs::metadata(&self.db).map_or(0, |metadata| metadata.mode());
        if mode & 0o077 != 0 {
            let db = self.db.display();
            say(&format!("m2sh: warning: `{db}` holds secrets, and other users may read it\nhint: `chmod 600 {db}`"));
        }
    }

    /// Gives back to the file system what the database no longer needs.
    ///
    /// # Errors
    /// What is wrong with the database.
    pub fn shrink(&self) -> Result<(), StoreError> {
        Database::open_to_change(&self.db)?.shrink()
    }

    /// Changes the database, and tells the system's log, if that is wanted: also of the change that ends it.
    fn write<T>(
        &self,
        mut database: Database,
        entry: &Entry,
        change: impl FnOnce(&Change<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let before = syslog::socket(&database);
        let result = database.change(entry, change)?;
        let sockets = BTreeSet::from_iter([before, syslog::socket(&database)].into_iter().flatten());
        for socket in sockets {
            if let Ok(Some(entry)) = database.written()
                && let Err(error) = syslog::send(&socket, &self.db, &entry)
            {
                say(&format!("m2sh: warning: cannot tell the system's log: `{}`: {error}", socket.display()));
            }
        }
        Ok(result)
    }

    /// Writes to the log what happens to servers.
    ///
    /// A server can be started and stopped with a database that nobody may write: then there's a warning.
    pub fn record(&self, entry: &Entry) {
        let written = during("write to the log", || {
            Database::open_to_change(&self.db).and_then(|database| self.write(database, entry, |_| Ok(())))
        });
        if let Err(error) = written {
            say(&format!("m2sh: warning: cannot write to the log of `{}`: {error}", self.db.display()));
        }
    }

    /// An error of the database, with the next command to type.
    pub fn cannot(&self, doing: impl Display, error: StoreError) -> Error {
        let cause = match &error {
            StoreError::Row { .. }
            | StoreError::Locked
            | StoreError::ReadOnly
            | StoreError::Full
            | StoreError::Sqlite(_) => {
                format!("`{}`: {error}", self.db.display())
            }
            StoreError::Moved => self.moved(),
            _ => error.to_string(),
        };
        self.hint(&error).into_iter().fold(Error::cannot(doing, cause), Error::hint)
    }

    /// That the configuration is another one now, and whose work that is, if the log knows.
    fn moved(&self) -> String {
        let log = Database::open_to_read(&self.db).and_then(|database| database.log()).unwrap_or_default();
        let last = log.iter().rfind(|entry| matches!(entry.what.as_str(), "load" | "init"));
        let whose = last.map_or_else(String::new, |entry| {
            let Logged { who, location, happened_at, what, .. } = entry;
            escape(&format!("; the last {what} was by {who}@{location} at {happened_at}"))
        });
        format!("the configuration in `{}` has been changed meanwhile{whose}", self.db.display())
    }

    fn hint(&self, error: &StoreError) -> Option<String> {
        let db = self.db.display();
        Some(match error {
            StoreError::Missing(_) => format!("make it with `m2sh init -db {db}`, or name another with `-db`"),
            StoreError::Remote(_) => "copy it here, or run m2sh there".to_owned(),
            StoreError::NotADatabase(_) | StoreError::Foreign { .. } => {
                "name the configuration database with `-db`; `m2sh init` makes one".to_owned()
            }
            StoreError::Newer { .. } => "use the m2sh that wrote it, or a newer one".to_owned(),
            StoreError::Row { .. } => {
                format!("look at the row with `m2sh dump -db {db}`, and load a sound one with `m2sh load -db {db}`")
            }
            StoreError::Moved => format!("see with `m2sh plan -db {db}` what would change now"),
            StoreError::Locked => "try again when it is done".to_owned(),
            // SQLite writes beside it too.
            StoreError::ReadOnly => {
                format!("see who may write it and its folder with `ls -ld {db} {}`", folder(&self.db).display())
            }
            StoreError::Full => format!("make room: `df {}` tells how much there is", folder(&self.db).display()),
            StoreError::Sqlite(_) if self.lacks_folder() => {
                format!("make its folder with `mkdir -p {}`", folder(&self.db).display())
            }
            StoreError::Sqlite(_) => return None,
        })
    }

    fn lacks_folder(&self) -> bool {
        !folder(&self.db).is_dir()
    }

    /// All that is wrong with the configuration of a file.
    pub fn faulty(&self, file: &Path, config: &Config, problems: &[Problem]) -> Error {
        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
        let lines: Vec<String> = errors.map(|problem| problem.describe(config)).collect();
        let db = self.db.display();
        let cause = match &lines[..] {
            [line] => line.clone(),
            _ => format!("it has {} faults\n  {}", lines.len(), lines.join("\n  ")),
        };
        Error::cannot(format!("use the configuration in `{}`", file.display()), cause)
            .hint(format!("mend the script and load it with `m2sh load -db {db}`"))
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
