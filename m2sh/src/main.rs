//! The program `m2sh`: a thin main over the library.
//!
//! Under the name `mongrel2`, `procer` or `ws2http`, or with that word first, it is the server, the supervisor or the bridge, so
//! that one file is enough to deploy.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mongrel2_server::Allocator = mongrel2_server::Allocator;

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    let name = |word: &OsString| Path::new(word).file_name().map(OsString::from);
    let Some(program) = arguments.first().and_then(name).and_then(|name| program(&name)) else {
        return match arguments.get(1).and_then(|word| program(word)) {
            Some(program) => program(arguments.split_off(2)),
            None => m2sh::main(&arguments),
        };
    };
    program(arguments.split_off(1))
}

/// Another program that this one can be; it is given the arguments behind its name.
fn program(name: &OsStr) -> Option<fn(Vec<OsString>) -> ExitCode> {
    match name.to_str()? {
        "mongrel2" => Some(mongrel2_server::main),
        "procer" => Some(procer::main),
        "ws2http" => Some(ws2http::main),
        _ => None,
    }
}
