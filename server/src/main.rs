//! The program `mongrel2`: a thin main over the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mongrel2_server::Allocator = mongrel2_server::Allocator;

fn main() -> ExitCode {
    mongrel2_server::main(std::env::args_os().skip(1))
}
