//! The program `mongrel2`: a thin main over the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    mongrel2_server::main(std::env::args_os().skip(1))
}
