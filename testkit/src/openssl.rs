//! The client that people look at TLS with.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::setup;

/// openssl; `None` where there is none.
///
/// # Panics
/// Instead of `None` when the environment variable `CI` is `true`.
pub fn openssl() -> Option<Openssl> {
    setup::or_skip("openssl", setup::run(Command::new("openssl").arg("version")))?;
    Some(Openssl)
}

/// An openssl that is there.
#[derive(Debug, Clone, Copy)]
pub struct Openssl;

impl Openssl {
    /// What `openssl s_client` says, of the session and of what the server answers, when it sends `input`; it waits
    /// until the server closes.
    ///
    /// # Panics
    /// When it can't be run.
    pub fn s_client(self, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-ign_eof"]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("openssl starts");
        // It may have ended already, if there is no session.
        let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("it is our child");
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
    }
}
