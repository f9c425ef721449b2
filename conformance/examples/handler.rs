//! The conformance handler of the library for Rust, as a program.
//!
//! `m2sh conformance handler -- target/debug/examples/handler`; the suite adds the addresses of its server.

use std::error::Error;

use conformance::handler::own;
use mongrel2::handler::{Connection, HandlerError};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [requests_from, replies_to] = &args[..] else { return Err("usage: handler REQUESTS_FROM REPLIES_TO".into()) };
    let mut connection = Connection::connect("conformance", requests_from, replies_to)?;
    loop {
        match connection.recv().and_then(|request| own::answer(&mut connection, &request)) {
            Ok(()) => {}
            Err(error @ (HandlerError::Message { .. } | HandlerError::NoServer(_))) => eprintln!("skipped: {error}"),
            Err(error) => return Err(error.into()),
        }
    }
}
