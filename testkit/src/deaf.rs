//! A socket at which nobody is let in.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::net::listen;

/// Holds the socket, and the only connection that may wait there.
#[derive(Debug)]
pub struct DeafSocket {
    _listener: UnixListener,
    _first: UnixStream,
}

impl DeafSocket {
    /// A socket in the file system: whoever connects waits as long as it lives.
    ///
    /// # Panics
    /// If it can't be made.
    pub fn at(path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("there is no such file yet");
        listen(&listener, 0).expect("it listens already");
        let first = UnixStream::connect(path).expect("one may wait");
        Self { _listener: listener, _first: first }
    }
}
