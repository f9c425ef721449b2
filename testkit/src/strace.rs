//! The tracer by which a program is killed at any of its steps.

use std::process::Command;

use crate::setup;

/// strace; `None` where there is none, or where nothing may be traced.
///
/// # Panics
/// Instead of `None` when the environment variable `CI` is `true`.
pub fn strace() -> Option<Strace> {
    setup::or_skip("strace", setup::run(Command::new("strace").args(["-o", "/dev/null", "true"])))?;
    Some(Strace)
}

/// A strace that is there.
#[derive(Debug, Clone, Copy)]
pub struct Strace;

impl Strace {
    /// The command that runs another, and kills it (SIGKILL) when it is about to make that system call the `nth` time.  It
    /// ends as the other does.
    pub fn killing(self, command: &Command, call: &str, nth: usize) -> Command {
        let mut strace = Command::new("strace");
        // `?`: not every machine has all calls.
        strace.args(["-o", "/dev/null", "-e", &format!("inject=?{call}:signal=SIGKILL:when={nth}"), "--"]);
        strace.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => strace.env(name, value),
                None => strace.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            strace.current_dir(folder);
        }
        strace
    }
}
