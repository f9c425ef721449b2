//! A folder with profiles, and a procer for it; all that runs ends with the test.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;
use testkit::wait;

/// A program that runs until it is told to end.
pub(crate) const SLEEP: &str = "exec sleep 1000000";
/// One that goes into the background as the manual has it.
pub(crate) const DAEMON: &str = "nohup sleep 1000000 >/dev/null 2>&1 &\necho $! > $PROCER_PIDFILE";

/// The folder.
pub(crate) struct Stage {
    folder: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("profiles")).unwrap();
        Self { folder }
    }

    /// The folder with all profiles.
    pub(crate) fn profiles(&self) -> PathBuf {
        self.folder.path().join("profiles")
    }

    /// A path beside it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a service that runs a script, with files that have a name and a text each.
    pub(crate) fn service(&self, name: &str, script: &str, files: &[(&str, &str)]) {
        fs::create_dir_all(self.profiles().join(name)).unwrap();
        self.script(&format!("{name}/run"), script);
        for (file, text) in files {
            self.write(&format!("{name}/{file}"), text);
        }
    }

    /// A service that is restarted always.
    pub(crate) fn kept(&self, name: &str, script: &str) {
        self.service(name, script, &[("restart", "")]);
    }

    /// A service in the background.
    pub(crate) fn daemon(&self, name: &str) {
        self.service(name, DAEMON, &[("restart", ""), ("pid_file", &format!("{name}.pid"))]);
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.profiles().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn script(&self, file: &str, text: &str) {
        // Renamed into place: somebody may be running the old one.
        let draft = self.folder.path().join("draft");
        fs::write(&draft, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(draft, self.profiles().join(file)).unwrap();
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.profiles().join(file)).unwrap_or_default()
    }

    /// Starts procer, which goes into the background.
    pub(crate) fn start(&self) {
        let output = self.try_start();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn try_start(&self) -> Output {
        let mut procer = procer();
        procer.arg(self.profiles()).arg(self.path("procer.pid")).stdin(Stdio::null()).output().unwrap()
    }

    /// A command for the procer of this folder, its code and what it printed.
    pub(crate) fn tell(&self, words: &str) -> (i32, String) {
        let mut words = words.split(' ');
        let mut procer = procer();
        procer.arg(words.next().unwrap()).arg("--profiles").arg(self.profiles()).args(words);
        let Output { status, stdout, stderr } = procer.output().unwrap();
        let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        (status.code().unwrap(), text)
    }

    /// The same for one that has to work.
    pub(crate) fn told(&self, words: &str) -> String {
        let (code, text) = self.tell(words);
        assert_eq!(code, 0, "{words}: {text}\n{}", self.read("error.log"));
        text
    }

    /// procer's own process.
    pub(crate) fn procer(&self) -> i32 {
        number(&self.path("procer.pid")).expect("procer has started")
    }

    /// Kills procer, as nothing else can.
    pub(crate) fn kill_procer(&self) {
        let pid = self.procer();
        kill(pid);
        self.wait_for_no_procer();
    }

    /// Waits until nobody answers any more.
    pub(crate) fn wait_for_no_procer(&self) {
        wait::until("procer to be gone", || (self.tell("status").0 == 4).then_some(()));
    }

    /// How a service is, by the control socket.
    pub(crate) fn status(&self, name: &str) -> Value {
        let (_, text) = self.tell(&format!("status --json {name}"));
        let all: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        all[0].clone()
    }

    pub(crate) fn state(&self, name: &str) -> String {
        self.status(name)["state"].as_str().unwrap().to_owned()
    }

    pub(crate) fn why(&self, name: &str) -> String {
        self.status(name)["why"].as_str().unwrap_or_default().to_owned()
    }

    /// The process of a service.
    pub(crate) fn pid(&self, name: &str) -> i32 {
        i32::try_from(self.status(name)["pid"].as_i64().unwrap_or_else(|| panic!("`{name}` runs"))).unwrap()
    }

    pub(crate) fn wait_state(&self, name: &str, state: &str) {
        wait::until(&format!("`{name}` to be {state}"), || (self.state(name) == state).then_some(()));
    }

    /// Waits until a service is ready with another process.
    pub(crate) fn wait_other(&self, name: &str, pid: i32) -> i32 {
        wait::until(&format!("`{name}` to be another process"), || {
            let status = self.status(name);
            let other = status["pid"].as_i64().filter(|other| *other != i64::from(pid));
            other.filter(|_| status["state"] == "ready").map(|other| i32::try_from(other).unwrap())
        })
    }

    /// Waits until a file has a text in it.
    pub(crate) fn wait_text(&self, file: &str, text: &str) {
        wait::until(&format!("`{text}` in {file}"), || self.read(file).contains(text).then_some(()));
    }

    /// Waits until a service has so many processes: one that has just been forked has no environment to be known by.
    pub(crate) fn wait_processes(&self, name: &str, count: usize) {
        wait::until(&format!("`{name}` to have {count} processes"), || {
            (self.processes(name).len() == count).then_some(())
        });
    }

    /// All processes of a service, wherever they are, by their environment.
    pub(crate) fn processes(&self, name: &str) -> Vec<i32> {
        let log = format!("PROCER_ERROR_LOG={}/error.log", self.profiles().canonicalize().unwrap().display());
        let action = format!("PROCER_ACTION={name}");
        let has = |environ: &[u8], line: &str| environ.split(|byte| *byte == 0).any(|found| found == line.as_bytes());
        let of = |pid: i32| {
            let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
            (has(&environ, &log) && (name.is_empty() || has(&environ, &action))).then_some(pid)
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(of).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.read("error.log"));
        }
        if let Some(pid) = number(&self.path("procer.pid")).filter(|pid| is_procer(*pid)) {
            kill(pid);
        }
        // Until there are none: one may be making another.
        for _ in 0..100 {
            let left = self.processes("");
            if left.is_empty() {
                break;
            }
            left.into_iter().for_each(kill);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

/// The program.
pub(crate) fn procer() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_procer"));
    command.env_remove("PROCER_PROFILES");
    command
}

/// The number in a file.
pub(crate) fn number(file: &Path) -> Option<i32> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn is_procer(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "procer")
}

/// Kills one process.
pub(crate) fn kill(pid: i32) {
    send(pid, Signal::KILL);
}

/// Sends one process a signal; it may have ended.
pub(crate) fn send(pid: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// Sends a group of processes a signal.
pub(crate) fn send_group(pid: i32, signal: Signal) {
    let _ = kill_process_group(Pid::from_raw(pid).unwrap(), signal);
}

/// Whether a process is there, and more than what is left of one.
pub(crate) fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Whether this is root's process; tests of other users need that.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
