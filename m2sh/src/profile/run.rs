//! The program `run` of a profile: a shell script, for each way in which a command may become a service.
//!
//! Folders and commands come in, texts go out; for those that run m2sh, the system is asked which program that is.

use std::path::{Path, PathBuf};

use crate::args::DEFAULT_DB;
use crate::error::Error;
use crate::operator::quoted;

/// The program `run` for a command that stays in the foreground: puts it in the background, and tells its PID.
pub fn in_background(folder: &Path, command: &str) -> String {
    let shell = quoted(format!("exec {command}").as_ref());
    format!(
        "#!/bin/sh\n# Puts a program in the background, and tells procer its PID.\ncd {} || exit\n\
         nohup sh -c {shell} < /dev/null &\necho $! > \"$PROCER_PIDFILE\"\n",
        quoted(folder.as_os_str())
    )
}

/// The program `run` for a command that becomes the service.
pub fn in_foreground(folder: &Path, command: &str) -> String {
    let folder = quoted(folder.as_os_str());
    format!("#!/bin/sh\n# Becomes the program, which stays in the foreground.\ncd {folder} || exit\nexec {command}\n")
}

/// The program `run` for a command that goes into the background and writes its PID file by itself.
pub fn as_it_is(folder: &Path, command: &str) -> String {
    let folder = quoted(folder.as_os_str());
    format!(
        "#!/bin/sh\n# Runs a program that goes into the background by itself.\ncd {folder} || exit\nexec {command}\n"
    )
}

/// The program `run` for a server with the database in a folder.
///
/// # Errors
/// The system can't say which program this is.
pub(super) fn serving(folder: &Path, uuid: &str) -> Result<String, Error> {
    let (folder, program) = (quoted(folder.as_os_str()), this_program()?);
    let start = format!("exec {} start -db {DEFAULT_DB} -uuid {uuid} -background", quoted(program.as_os_str()));
    Ok(format!("#!/bin/sh\n# Starts the server, and ends when it serves.\ncd {folder} || exit\n{start}\n"))
}

/// This very program, for profiles that run it.
///
/// # Errors
/// The system can't say which it is.
pub fn this_program() -> Result<PathBuf, Error> {
    std::env::current_exe().map_err(|error| Error::cannot("find the program m2sh itself", error))
}
