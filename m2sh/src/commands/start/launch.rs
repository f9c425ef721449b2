//! The command line of a server, with a program in front of it that gives root's rights if that is asked for.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use mongrel2::config::Server;
use rustix::fs::{Access, access};

use crate::error::Error;

/// How servers are run.
#[derive(Debug)]
pub(in crate::commands) struct Launch {
    /// This very program.
    program: PathBuf,
    db: PathBuf,
    /// What the server is told about fore- and background.
    pub(super) option: Option<&'static str>,
    pub(super) elevation: Option<Elevation>,
}

impl Launch {
    /// With the rights that there are, and as the setting says.
    ///
    /// # Errors
    /// The system can't say which program this is.
    pub(in crate::commands) fn new(db: &Path) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(|error| Error::cannot("find the program m2sh itself", error))?;
        Ok(Self { program, db: db.to_owned(), option: None, elevation: None })
    }

    /// The command line of a server: `mongrel2 DATABASE UUID`, and an option if need be.
    ///
    /// sudo doesn't pass on another name for a program, so there the name is the first argument.
    pub(in crate::commands) fn command(&self, server: &Server) -> Command {
        let mut command = match &self.elevation {
            Some(elevation) => elevation.command([self.program.as_os_str(), "mongrel2".as_ref()]),
            None => Command::new(&self.program),
        };
        if self.elevation.is_none() {
            command.arg0("mongrel2");
        }
        command.args([self.db.as_os_str(), server.uuid.as_ref()]).args(self.option);
        command
    }

    /// Becomes the server; gives why that is not possible.
    pub(super) fn replace(&self, server: &Server) -> Error {
        let mut command = self.command(server);
        let error = command.exec();
        not_run(&command, &error)
    }
}

/// A program that could not be run.
pub(in crate::commands) fn not_run(command: &Command, error: &io::Error) -> Error {
    Error::cannot(format!("run `{}`", command.get_program().display()), error)
}

/// A program that runs others as root.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::commands) struct Elevation(PathBuf);

impl Elevation {
    /// The one that is named; without a name sudo, or doas where there is none.
    pub(super) fn named(name: &Path) -> Self {
        Self::on(name, std::env::var_os("PATH").unwrap_or_default())
    }

    fn on(name: &Path, path: OsString) -> Self {
        if !name.as_os_str().is_empty() {
            return Self(name.to_owned());
        }
        let may_run = |name: &str| {
            let mut folders = std::env::split_paths(&path);
            folders.any(|folder| access(folder.join(name), Access::EXEC_OK).is_ok())
        };
        Self(if !may_run("sudo") && may_run("doas") { "doas" } else { "sudo" }.into())
    }

    fn command<'a>(&self, words: impl IntoIterator<Item = &'a OsStr>) -> Command {
        let mut command = Command::new(&self.0);
        command.args(words);
        command
    }

    /// Makes a folder that belongs to these.
    pub(super) fn make_folder(&self, folder: &Path, uid: u32, gid: u32) -> io::Result<()> {
        let mut command = self.command(["install", "-d", "-o"].map(OsStr::new));
        command.arg(uid.to_string()).arg("-g").arg(gid.to_string()).arg("--").arg(folder);
        let status: ExitStatus = command.stdout(Stdio::null()).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("`{}`: {status}", self.0.display()))) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn without_a_name_it_is_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let chosen = |name: &str| Elevation::on(Path::new(name), folder.path().into()).0;
        let executable = |name: &str| {
            fs::write(folder.path().join(name), "").unwrap();
            fs::set_permissions(folder.path().join(name), PermissionsExt::from_mode(0o755)).unwrap();
        };
        assert_eq!(chosen(""), Path::new("sudo"), "which is named when it can't be run");
        executable("doas");
        assert_eq!(chosen(""), Path::new("doas"));
        executable("sudo");
        assert_eq!(chosen(""), Path::new("sudo"));
        assert_eq!(chosen("/opt/su"), Path::new("/opt/su"));
    }
}
