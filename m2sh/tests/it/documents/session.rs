//! The README's session runs as it is printed, under `sh -e`, in a copy of the folder that it needs.
//!
//! In a `console` block a line with `$ ` is a command, and the lines below it are what it prints; `...` stands for
//! anything in a line, or alone for any lines.  A command without such lines may print what it likes.  The ports
//! are replaced by free ones.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use testkit::wait;

use super::{blocks, document};

/// A command, and the lines that it has to print.
struct Step {
    command: String,
    expected: Vec<String>,
}

#[test]
fn the_readmes_session_runs() {
    let ports = Ports::free();
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new("../examples/hello"), &folder.path().join("examples/hello"), &ports);
    let steps = steps(&ports.put_into(&document("README.md")));
    let printed = Session::start(folder.path(), &steps).finish(&steps);
    assert_eq!(printed.len(), steps.len() + 1, "the session broke off:\n{}", printed.join("\n"));
    for (step, printed) in steps.iter().zip(&printed[1..]) {
        let lines: Vec<&str> = printed.trim_end().lines().collect();
        let expected: Vec<&str> = step.expected.iter().map(String::as_str).collect();
        let expected = without_blank_end(&expected);
        assert!(
            expected.is_empty() || lines_match(expected, &lines),
            "$ {}\n--- expected\n{}\n--- printed\n{printed}",
            step.command,
            expected.join("\n")
        );
    }
}

/// What separates the outputs of two commands.
const MARK: &str = "\n@@ next\n";

fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in blocks(readme, "console").iter().flat_map(|block| block.lines()) {
        match line.strip_prefix("$ ") {
            Some(command) => steps.push(Step { command: command.to_owned(), expected: Vec::new() }),
            None => steps.last_mut().expect("a block begins with a command").expected.push(line.to_owned()),
        }
    }
    steps
}

/// A running shell with everything that it has started.
struct Session {
    shell: Child,
    output: PathBuf,
}

impl Session {
    /// Output goes to a file: a pipe would stay open as long as anything runs in the background.
    fn start(folder: &Path, steps: &[Step]) -> Self {
        let commands = steps.iter().map(|step| format!("printf '{}'\n{}\n", MARK.escape_default(), step.command));
        let output = folder.join("output");
        let file = File::create(&output).unwrap();
        let mut shell = Command::new("sh");
        shell.arg("-ec").arg(commands.collect::<String>()).current_dir(folder).env("PATH", path()).env("no_proxy", "*");
        shell.stdin(Stdio::null()).stderr(file.try_clone().unwrap()).stdout(file).process_group(0);
        Self { shell: shell.spawn().unwrap(), output }
    }

    /// Waits for each step, and gives what was printed before the first and by each.
    fn finish(mut self, steps: &[Step]) -> Vec<String> {
        for (index, step) in steps.iter().enumerate() {
            wait::until(&format!("`{}` to end", step.command), || {
                let has_ended = self.shell.try_wait().unwrap().is_some();
                (has_ended || self.printed().len() > index + 2).then_some(())
            });
        }
        let status = self.shell.wait().unwrap();
        let printed = self.printed();
        assert!(status.success(), "{status}\n{}", printed.join("\n"));
        printed
    }

    fn printed(&self) -> Vec<String> {
        fs::read_to_string(&self.output).unwrap().split(MARK).map(str::to_owned).collect()
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

/// The path with the programs of this build first.
fn path() -> OsString {
    let programs = Path::new(env!("CARGO_BIN_EXE_m2sh")).parent().expect("it is in a folder");
    if !programs.join("hello").exists() {
        build_hello(programs);
    }
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(programs.to_owned()).chain(std::env::split_paths(&inherited))).unwrap()
}

/// `cargo test --workspace` has built the example already, `cargo test -p m2sh` may not.
fn build_hello(programs: &Path) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "-p", "hello", "--target-dir"]).arg(programs.parent().expect("it is in target"));
    if programs.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success(), "cannot build the example");
}

/// The ports of the README, and free ones in their place.
struct Ports([(&'static str, String); 3]);

impl Ports {
    fn free() -> Self {
        Self(["6767", "9997", "9996"].map(|port| (port, testkit::free_address().port().to_string())))
    }

    /// In two steps, as a new port may look like part of another old one.
    fn put_into(&self, text: &str) -> String {
        let marked = self.0.iter().fold(text.to_owned(), |text, (old, _)| text.replace(old, &format!("<port {old}>")));
        let open = |text: String, (old, new): &(&str, String)| text.replace(&format!("<port {old}>"), new);
        self.0.iter().fold(marked, open)
    }
}

/// Copies the files of a folder and of its folder `static`.
fn copy(from: &Path, to: &Path, ports: &Ports) {
    fs::create_dir_all(to.join("static")).unwrap();
    for name in ["hello.py", "static/index.html"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let script = fs::read_to_string(from.join("config.rhai")).unwrap();
    fs::write(to.join("config.rhai"), ports.put_into(&script)).unwrap();
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
