//! `m2sh demo --all`: every demo driven as a user would, with the steps of its own test, and how all of it begins and ends.

mod drive;
mod ends;
mod missing;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use testkit::http::{Answer, ask};
use testkit::{Process, program, wait};

/// Where the demos are run.
struct Place {
    folder: TempDir,
    /// What the folder of the demos is called in it.
    name: String,
    address: SocketAddr,
    /// Where programs are looked for.
    path: String,
}

impl Place {
    /// With all that the machine has; Python and Node.js as tests have them, so that nothing has to be installed.
    fn new() -> Self {
        let here = std::env::var("PATH").unwrap();
        let python = testkit::python().map(|python| format!("{}:", python.parent().unwrap().display()));
        // JavaScript's packages are looked for upwards.
        let folder = testkit::node().map_or_else(tempfile::tempdir, |node| tempfile::tempdir_in(node.folder()));
        Self::with(folder.unwrap(), python.unwrap_or_default() + &here)
    }

    /// With no program but Python, and that without any package, and as Debian has it without `python3-venv`: what runs is
    /// little, and quickly there.  `None` without a Python.
    fn with_python() -> Option<Self> {
        Self::with_a_python("case $2 in venv) echo 'ensurepip is not available' >&2; exit 1;; esac")
    }

    /// The same, but it can make virtual environments.
    fn with_python_and_venv() -> Option<Self> {
        Self::with_a_python("")
    }

    fn with_a_python(first: &str) -> Option<Self> {
        let python = testkit::python()?;
        let place = Self::bare();
        // `-S`: it doesn't look where packages are.
        let script = format!("#!/bin/sh\n{first}\nexec '{}' -S \"$@\"\n", python.canonicalize().unwrap().display());
        let own = Path::new(&place.path).join("python3");
        fs::write(&own, script).unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
        Some(place)
    }

    /// With no program at all.
    fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        Self::with(folder, bin.display().to_string())
    }

    fn with(folder: TempDir, path: String) -> Self {
        Self { folder, name: "demo-all".into(), address: testkit::free_address(), path }
    }

    /// Something in the folder of the demos.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(&self.name).join(name)
    }

    fn m2sh(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program("m2sh"));
        command.args(words).current_dir(self.folder.path()).env("PATH", &self.path);
        // No package is fetched from anywhere.
        command.env("PIP_NO_INDEX", "1").env("npm_config_offline", "true");
        for name in ["DEMO_PORT", "DEMO_FOLDER", "PYTHONPATH", "PROCER_PROFILES"] {
            command.env_remove(name);
        }
        command
    }

    fn told(&self, words: &[&str]) -> Output {
        self.m2sh(words).stdin(Stdio::null()).output().unwrap()
    }

    fn demo(&self) -> Command {
        self.m2sh(&["demo", "--all", "--port", &self.address.port().to_string()])
    }

    /// Starts everything, and waits until m2sh has said what there is to try.
    fn start(&self) -> Demo<'_> {
        let demo = self.begin(&mut self.demo());
        wait::until("procer", || self.path("run/procer.pid").exists().then_some(()));
        wait::until("the server", || self.path("run/mongrel2.pid").exists().then_some(()));
        demo.is_ready();
        demo
    }

    fn begin(&self, command: &mut Command) -> Demo<'_> {
        let printed = self.folder.path().join("printed");
        let process = Process::start(command.stdout(File::create(&printed).unwrap()));
        Demo { place: self, process, printed }
    }

    /// Runs it where it can't run.
    fn refuses(&self, command: &mut Command, texts: &[&str]) {
        let output = command.stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
        texts.iter().for_each(|text| assert!(stderr.contains(text), "no `{text}` in:\n{stderr}"));
    }

    /// How services are, as `m2sh procs` says it.
    fn services(&self) -> Vec<Value> {
        let output = self.told(&["procs", "--json", "-profiles", "demo-all/profiles"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// The process of a service that is ready.
    fn process(&self, name: &str) -> Option<Pid> {
        let services = self.services();
        let service = services.iter().find(|service| service["name"] == name && service["state"] == "ready")?;
        Pid::from_raw(i32::try_from(service["pid"].as_i64()?).unwrap())
    }

    /// All processes that run, procer's among them.
    fn processes(&self) -> Vec<Pid> {
        let services = self.services();
        let services = services.iter().filter_map(|service| service["pid"].as_i64());
        let own = fs::read_to_string(self.path("run/procer.pid")).unwrap().trim().parse::<i64>().unwrap();
        services.chain([own]).map(|pid| Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()).collect()
    }

    /// Nothing of it runs any more.
    fn is_deserted(&self, processes: &[Pid]) {
        for pid in processes {
            assert!(!runs(*pid), "{pid:?} still runs");
        }
        for name in ["mongrel2.pid", "procer.pid", "demo.pid"] {
            assert!(!self.path("run").join(name).exists(), "{name} is still there");
        }
        std::net::TcpListener::bind(self.address).unwrap();
    }
}

impl Drop for Place {
    /// A test that fails leaves nothing running either.
    fn drop(&mut self) {
        let profiles = self.path("profiles");
        if profiles.exists() {
            self.told(&["procer", "stop", "--timeout", "20s", "--profiles", profiles.to_str().unwrap()]);
            self.told(&["procer", "quit", "--profiles", profiles.to_str().unwrap()]);
        }
    }
}

/// Running demos.
struct Demo<'a> {
    place: &'a Place,
    process: Process,
    printed: PathBuf,
}

impl Demo<'_> {
    fn is_ready(&self) {
        wait::until("the last line", || self.printed().contains("Ctrl-C").then_some(()));
    }

    fn printed(&self) -> String {
        fs::read_to_string(&self.printed).unwrap()
    }

    fn ask(&self, line: &str) -> Answer {
        ask(self.place.address, line, "")
    }

    /// What the page is told of all demos.
    fn told(&self) -> Vec<Value> {
        let told: Value = serde_json::from_slice(&self.ask("GET /demos").body).unwrap();
        told["demos"].as_array().unwrap().clone()
    }

    /// What it is told of one.
    fn told_of(&self, name: &str) -> Value {
        self.told().into_iter().find(|demo| demo["name"] == name).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap(), signal).unwrap();
    }

    /// Ends it with a signal, and gives what it has said.
    fn end(mut self, signal: Signal) -> String {
        self.signal(signal);
        assert_eq!(self.process.wait().code(), Some(0), "{}", self.process.stderr());
        self.process.stderr()
    }
}

/// Whether a process does something: one that has ended may still wait for init to notice.
fn runs(pid: Pid) -> bool {
    let stat = text(Path::new(&format!("/proc/{}/stat", pid.as_raw_nonzero())));
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

/// A file's text; empty if there is none.
fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
