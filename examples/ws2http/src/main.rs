//! The program `ws2http`: a thin main over the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ws2http::main(std::env::args_os().skip(1))
}
