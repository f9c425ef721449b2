//! The program `procer`: a thin main over the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    procer::main(std::env::args_os().skip(1))
}
