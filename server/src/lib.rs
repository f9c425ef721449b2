//! The mongrel2 server.

pub mod pidfile;

use std::ffi::OsString;
use std::process::ExitCode;

/// The whole program: `mongrel2 DATABASE UUID`.
///
/// `arguments` are those behind the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let _ = arguments.into_iter();
    ExitCode::FAILURE
}
