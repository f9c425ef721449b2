//! PHP for the command line, with the extension that speaks ZeroMQ.

use std::io;
use std::process::Command;

use crate::setup;

/// `php`; `None` where there is none, or it has no extension `zmq`.
///
/// # Panics
/// Instead of `None` when the environment variable `CI` is `true`.
pub fn php() -> Option<Command> {
    setup::or_skip("php", prepare())?;
    Some(Command::new("php"))
}

fn prepare() -> io::Result<()> {
    let extensions = setup::run(Command::new("php").arg("-m"))?;
    let has_zmq = extensions.lines().any(|line| line == "zmq");
    has_zmq.then_some(()).ok_or_else(|| io::Error::other("it has no extension `zmq`"))
}
