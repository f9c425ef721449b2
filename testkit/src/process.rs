//! A child process that ends with its test, and whose stderr can be waited for.

use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::wait;

/// A running child; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stderr: Arc<Stderr>,
}

/// What a child says.
#[derive(Debug)]
struct Stderr {
    pipe: ChildStderr,
    text: Mutex<Vec<u8>>,
}

impl Process {
    /// Starts a command; its stderr is read, and shown with the output of the test.
    ///
    /// # Panics
    /// If it can't be started.
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let pipe = child.stderr.take().expect("it was asked for");
        let stderr = Arc::new(Stderr { pipe, text: Mutex::default() });
        thread::spawn({
            let stderr = Arc::clone(&stderr);
            move || stderr.gather()
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
        String::from_utf8_lossy(&self.stderr.text()).into_owned()
    }

    /// Waits until the child has written `text` to stderr.
    ///
    /// # Panics
    /// When it hasn't by the deadline.
    pub fn wait_for_stderr(&self, text: &str) {
        wait::until(&format!("`{text}` on stderr"), || self.stderr().contains(text).then_some(()));
    }

    /// Waits until the child has ended by itself; then all that it has said is there.
    ///
    /// # Panics
    /// When it hasn't by the deadline.
    pub fn wait(&mut self) -> ExitStatus {
        let status = wait::until("the child to end", || self.child.try_wait().expect("it is our child"));
        self.stderr.take();
        status
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

impl Stderr {
    /// Takes whatever comes, to its end.
    fn gather(&self) {
        while self.is_readable(None) && self.take() {}
    }

    /// Takes what is there now; gives whether more may come.
    fn take(&self) -> bool {
        // Who waits for the child's end takes it too: one at a time, or the other would wait at an empty pipe.
        let mut text = self.text();
        while self.is_readable(Some(Timespec::default())) {
            let mut piece = [0; 4096];
            match rustix::io::read(&self.pipe, &mut piece) {
                Ok(size) if size > 0 => text.extend(&piece[..size]),
                _ => return false,
            }
        }
        true
    }

    fn is_readable(&self, patience: Option<Timespec>) -> bool {
        let mut pipe = [PollFd::new(&self.pipe, PollFlags::IN)];
        let ready = rustix::io::retry_on_intr(|| poll(&mut pipe, patience.as_ref()));
        ready.expect("it is a pipe") > 0
    }

    fn text(&self) -> MutexGuard<'_, Vec<u8>> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
