//! A terminal, and somebody who sits at it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use testkit::wait;

use super::bench::Bench;

/// Ctrl-C.
pub(super) const INTERRUPT: &str = "\u{3}";

/// Ctrl-D.
pub(super) const END: &str = "\u{4}";

/// The two ends of a terminal: the person's, and the program's.
pub(super) fn terminal() -> (File, OwnedFd) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let program = open(ptsname(&person, Vec::new()).unwrap(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    tcsetwinsize(&person, Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    (person.into(), program)
}

/// Somebody who types to m2sh and reads what it says.
pub(super) struct Person {
    terminal: File,
    seen: Arc<Mutex<String>>,
    /// How much of that has been expected.
    read: usize,
    child: Child,
    reader: Option<JoinHandle<()>>,
}

impl Person {
    /// Starts m2sh with these words at a terminal of its own; its home is the folder `home`.
    pub(super) fn at(bench: &Bench, words: &str) -> Self {
        Self::with(bench, words, |_| {})
    }

    /// The same with another environment.
    pub(super) fn with(bench: &Bench, words: &str, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_m2sh"));
        command.args(words.split_whitespace()).env("HOME", bench.path("home")).env("TERM", "xterm");
        std::fs::create_dir_all(bench.path("home")).unwrap();
        for name in ["XDG_STATE_HOME", "NO_COLOR", "SUDO_USER", "CI", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        change(command.current_dir(bench.path("")));
        Self::runs(&command)
    }

    /// Any program at a terminal of its own.
    pub(super) fn runs(program: &Command) -> Self {
        let mut command = Command::new("setsid");
        // Ctrl-C is for who has this terminal as the controlling one.
        command.args(["--ctty", "--wait"]).arg(program.get_program()).args(program.get_args());
        program.get_current_dir().map(|folder| command.current_dir(folder));
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let (terminal, program) = terminal();
        let end = || program.try_clone().unwrap();
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let seen = Arc::<Mutex<String>>::default();
        let reader = thread::spawn({
            let (mut terminal, seen) = (terminal.try_clone().unwrap(), Arc::clone(&seen));
            move || {
                let mut bytes = [0; 4096];
                // A terminal that nobody writes to any more is an error.
                while let Ok(count @ 1..) = terminal.read(&mut bytes) {
                    seen.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
                }
            }
        });
        Self { terminal, seen, read: 0, child, reader: Some(reader) }
    }

    pub(super) fn types(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until something is shown behind what was expected before.
    pub(super) fn sees(&mut self, text: &str) {
        let read = self.read;
        let found = |seen: &str| seen[read..].find(text).map(|at| read + at + text.len());
        let seen = Arc::clone(&self.seen);
        let _shown = Shown(&seen);
        self.read = wait::until(&format!("`{text}` on the terminal"), || found(&seen.lock().unwrap()));
    }

    /// Waits for the end, and gives the exit code.
    pub(super) fn ends(self) -> Option<i32> {
        self.ends_having_seen().0
    }

    /// The same, and everything that was shown.
    pub(super) fn ends_having_seen(mut self) -> (Option<i32>, String) {
        let seen = Arc::clone(&self.seen);
        let _shown = Shown(&seen);
        let status = wait::until("the end", || self.child.try_wait().unwrap());
        self.reader.take().unwrap().join().unwrap();
        let seen = seen.lock().unwrap().clone();
        (status.code(), seen)
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells what was on the terminal if a test fails.
struct Shown<'a>(&'a Mutex<String>);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("on the terminal: {:?}", self.0.lock().unwrap());
        }
    }
}
