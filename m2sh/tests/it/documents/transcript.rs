//! A session as a document prints it, run by a shell: commands, and what they have to print.
//!
//! In a `console` block a line with `$ ` is a command, and the lines below it are what it prints; `...` stands for
//! anything in a line, or alone for any lines.  A command without such lines may print what it likes.  Ports are replaced
//! by free ones.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process_group};
use testkit::wait;

use super::blocks;

/// What separates the outputs of two commands.
const MARK: &str = "\n@@ next\n";

/// A command, and the lines that it has to print.
struct Step {
    command: String,
    expected: Vec<String>,
}

/// Runs the session of a document in a folder, under `sh -e`, with programs from this path; `prepare` changes the shell's
/// command.
pub(super) fn run(document: &str, folder: &Path, path: &OsStr, prepare: impl FnOnce(&mut Command)) {
    let steps = steps(document);
    let printed = Session::start(folder, path, &steps, prepare).finish(&steps);
    assert_eq!(printed.len(), steps.len() + 1, "the session broke off:\n{}", shortened(&printed));
    let told: Vec<String> = steps.iter().zip(&printed[1..]).filter_map(|(step, printed)| step.fault(printed)).collect();
    assert!(told.is_empty(), "{}", told.join("\n\n"));
}

impl Step {
    /// What is not as it has to be.
    fn fault(&self, printed: &str) -> Option<String> {
        let lines: Vec<&str> = printed.trim_end().lines().collect();
        let expected: Vec<&str> = self.expected.iter().map(String::as_str).collect();
        let expected = without_blank_end(&expected);
        let is_right = expected.is_empty() || lines_match(expected, &lines);
        let (command, expected) = (&self.command, expected.join("\n"));
        (!is_right).then(|| format!("$ {command}\n--- expected\n{expected}\n--- printed\n{printed}"))
    }
}

fn steps(document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in blocks(document, "console").iter().flat_map(|block| block.lines()) {
        match line.strip_prefix("$ ") {
            Some(command) => steps.push(Step { command: command.to_owned(), expected: Vec::new() }),
            None => steps.last_mut().expect("a block begins with a command").expected.push(line.to_owned()),
        }
    }
    steps
}

/// The last things that were printed, without what is too long for anybody to read.
fn shortened(printed: &[String]) -> String {
    let last = printed[printed.len().saturating_sub(5)..].iter().flat_map(|printed| printed.lines());
    last.map(|line| line.chars().take(200).collect()).collect::<Vec<String>>().join("\n")
}

/// A running shell with everything that it has started.
struct Session {
    shell: Child,
    output: PathBuf,
}

impl Session {
    /// Output goes to a file: a pipe would stay open as long as anything runs in the background.
    fn start(folder: &Path, path: &OsStr, steps: &[Step], prepare: impl FnOnce(&mut Command)) -> Self {
        let commands = steps.iter().map(|step| format!("printf '{}'\n{}\n", MARK.escape_default(), step.command));
        let output = folder.join("output");
        let file = File::create(&output).unwrap();
        let mut shell = Command::new("sh");
        shell.arg("-ec").arg(commands.collect::<String>()).current_dir(folder).env("PATH", path).env("no_proxy", "*");
        shell.stdin(Stdio::null()).stderr(file.try_clone().unwrap()).stdout(file).process_group(0);
        prepare(&mut shell);
        Self { shell: shell.spawn().unwrap(), output }
    }

    /// Waits for each step, and gives what was printed before the first and by each.
    fn finish(mut self, steps: &[Step]) -> Vec<String> {
        for (index, step) in steps.iter().enumerate() {
            let begun = Instant::now();
            wait::until(&format!("`{}` to end", step.command), || {
                let (has_ended, printed) = (self.shell.try_wait().unwrap().is_some(), self.printed());
                // What was said until then tells more than that it takes long.
                assert!(begun.elapsed() < wait::DEADLINE, "`{}` does not end:\n{}", step.command, shortened(&printed));
                (has_ended || printed.len() > index + 2).then_some(())
            });
        }
        let status = self.shell.wait().unwrap();
        let printed = self.printed();
        assert!(status.success(), "{status}\n{}", shortened(&printed));
        printed
    }

    fn printed(&self) -> Vec<String> {
        let output = fs::read(&self.output).unwrap();
        String::from_utf8_lossy(&output).split(MARK).map(str::to_owned).collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let group = i32::try_from(self.shell.id()).ok().and_then(Pid::from_raw).expect("it was spawned");
        // After a session that went well nothing is left.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.shell.wait();
    }
}

/// The ports of a document, and free ones in their place.
pub(super) struct Ports(Vec<(&'static str, String)>);

impl Ports {
    pub(super) fn free(ports: &[&'static str]) -> Self {
        Self(ports.iter().map(|port| (*port, testkit::free_address().port().to_string())).collect())
    }

    /// In two steps, as a new port may look like part of another old one.
    pub(super) fn put_into(&self, text: &str) -> String {
        let marked = self.0.iter().fold(text.to_owned(), |text, (old, _)| text.replace(old, &format!("<port {old}>")));
        let open = |text: String, (old, new): &(&str, String)| text.replace(&format!("<port {old}>"), new);
        self.0.iter().fold(marked, open)
    }
}

fn without_blank_end<'a, 'b>(lines: &'a [&'b str]) -> &'a [&'b str] {
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    &lines[..end]
}

fn lines_match(expected: &[&str], printed: &[&str]) -> bool {
    match (expected.split_first(), printed.split_first()) {
        (None, printed) => printed.is_none(),
        (Some((&"...", rest)), None) => lines_match(rest, printed),
        (Some((&"...", rest)), Some((_, later))) => lines_match(rest, printed) || lines_match(expected, later),
        (Some(_), None) => false,
        (Some((pattern, rest)), Some((line, later))) => line_matches(pattern, line) && lines_match(rest, later),
    }
}

fn line_matches(pattern: &str, line: &str) -> bool {
    let Some((first, rest)) = pattern.split_once("...") else { return pattern == line };
    let Some(line) = line.strip_prefix(first) else { return false };
    line.char_indices().map(|(at, _)| at).chain([line.len()]).any(|at| line_matches(rest, &line[at..]))
}

#[test]
fn dots_stand_for_anything() {
    for (expected, printed, matches) in [
        ("a", "a", true),
        ("a", "b", false),
        ("a", "a\nb", false),
        ("a...c", "abc", true),
        ("a...", "a", true),
        ("a...c", "ab", false),
        ("a\n...", "a", true),
        ("a\n...\nc", "a\nb\nb\nc", true),
        ("a\n...\nc", "a\nb", false),
    ] {
        let [expected_lines, printed_lines] = [expected, printed].map(|text| text.lines().collect::<Vec<_>>());
        assert_eq!(lines_match(&expected_lines, &printed_lines), matches, "{expected:?} {printed:?}");
    }
}
