//! An application over its hosts: behind a real server, which streams long bodies or writes them to files, and alone.
//!
//! The same cases run over all of them.

mod cases;
mod client;
mod host;
mod sample;
mod stop;

use host::{Alone, Behind, Host};

#[test]
fn behind_a_server_that_streams() {
    all(&Behind::start("app/config.rhai"));
}

#[test]
fn behind_a_server_that_writes_files() {
    all(&Behind::start("app/files.rhai"));
}

#[test]
fn alone() {
    all(&Alone::start());
}

fn all(host: &dyn Host) {
    for (name, case) in cases::ALL {
        eprintln!("case: {name}");
        case(host);
        // Whatever has happened: nobody else has noticed.
        cases::hello(host);
    }
}
