//! The program `m2sh`: a thin main over the library.
//!
//! Under the name `mongrel2`, or with that word first, it is the server, so that one file is enough to deploy.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mongrel2_server::Allocator = mongrel2_server::Allocator;

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    let is_server = |word: &OsString| Path::new(word).file_name().is_some_and(|name| name == "mongrel2");
    if arguments.first().is_some_and(is_server) {
        return mongrel2_server::main(arguments.drain(1..));
    }
    if arguments.get(1).is_some_and(|word| word == "mongrel2") {
        return mongrel2_server::main(arguments.drain(2..));
    }
    m2sh::main(&arguments)
}
