//! Programs that are run to their end, and with them what they have started: whoever stops to wait ends them all.

use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

/// How much of what a program complains of is told.
const TOLD: usize = 300;

/// Runs a program, and gives what it has written to stdout; or why it failed, in a line.
pub(super) async fn output(command: &mut Command) -> Result<String, String> {
    let program = Path::new(command.as_std().get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).display().to_string();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no `{name}`"),
        _ => format!("cannot run `{name}`: {error}"),
    })?;
    let group = Group(child.id());
    let output = child.wait_with_output().await.map_err(|error| format!("cannot wait for `{name}`: {error}"))?;
    group.has_ended();
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{name}`: {}", last_word(&said).unwrap_or_else(|| output.status.to_string())))
}

/// What a program has said last, if that isn't too much.
fn last_word(said: &str) -> Option<String> {
    let line = said.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(TOLD).collect())
}

/// The processes of a program; killed when dropped.
struct Group(Option<u32>);

impl Group {
    /// The number may be somebody else's from now on.
    fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.0.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        // They may have ended by now.
        let _ = leader.map(|pid| kill_process_group(pid, Signal::KILL));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_run_or_it_is_told_why_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for (script, expected) in [
            ("echo yes", Ok("yes\n")),
            ("echo no >&2; echo >&2; exit 1", Err("`sh`: no")),
            ("exit 3", Err("`sh`: exit status: 3")),
        ] {
            let said = runtime.block_on(output(Command::new("sh").args(["-c", script])));
            assert_eq!(said.as_deref().map_err(String::as_str), expected, "{script}");
        }
        let said = runtime.block_on(output(&mut Command::new("m2sh-has-no-such-program")));
        assert_eq!(said, Err("there is no `m2sh-has-no-such-program`".into()));
    }
}
