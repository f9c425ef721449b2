//! A child process that ends with its test, and whose stderr can be waited for.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::wait;

/// A running child; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stderr: Arc<Mutex<String>>,
}

impl Process {
    /// Starts a command; its stderr is read, and shown with the output of the test.
    ///
    /// # Panics
    /// If it can't be started.
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stderr = Arc::<Mutex<String>>::default();
        let pipe = child.stderr.take().expect("it was asked for");
        thread::spawn({
            let stderr = Arc::clone(&stderr);
            move || gather(pipe, &stderr)
        });
        Self { child, stderr }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the child hasn't ended yet.
    ///
    /// # Panics
    /// Never: it is our child.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// What the child has written to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the child has written `text` to stderr.
    ///
    /// # Panics
    /// When it hasn't by the deadline.
    pub fn wait_for_stderr(&self, text: &str) {
        wait::until(&format!("`{text}` on stderr"), || self.stderr().contains(text).then_some(()));
    }

    /// Waits until the child has ended by itself.
    ///
    /// # Panics
    /// When it hasn't by the deadline.
    pub fn wait(&mut self) -> ExitStatus {
        wait::until("the child to end", || self.child.try_wait().expect("it is our child"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; there is nothing else that can fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
        eprint!("{}", self.stderr());
    }
}

fn gather(pipe: impl Read, into: &Mutex<String>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while pipe.read_until(b'\n', &mut line).is_ok_and(|size| size > 0) {
        into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
}
