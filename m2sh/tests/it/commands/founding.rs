//! `m2sh new` and `m2sh profile new`: a deployment that works at once, and services for procer.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, test_kill_process};
use testkit::{Process, free_address, http, wait};

use super::bench::Bench;

/// m2sh in a deployment's folder.
struct Site {
    bench: Bench,
    address: SocketAddr,
}

impl Site {
    fn new() -> Self {
        let site = Self { bench: Bench::empty(), address: free_address() };
        let made = site.bench.m2sh(&format!("new site -port {} -why testing", site.address.port())).prints();
        assert_eq!(made, "Made site: cd site, then m2sh load and m2sh start -background\n");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bench.path("site").join(name)
    }

    fn m2sh(&self, words: &str) -> super::bench::M2sh {
        let mut m2sh = self.bench.m2sh(words);
        m2sh.command.current_dir(self.path(""));
        m2sh
    }

    /// Runs the program of a profile as procer does, and gives the process that the PID file names then.
    fn run(&self, profile: &str) -> Pid {
        let folder = self.path("profiles").join(profile);
        let pid_file = fs::read_to_string(folder.join("pid_file")).unwrap().trim().to_owned();
        let mut run = Command::new(folder.join("run"));
        run.env("PROCER_PIDFILE", &pid_file).env("PROCER_ACTION", profile).current_dir("/");
        // What goes on in the background keeps its output: that is a file, as procer's `run.log` is.
        let log = || File::create(self.bench.path("run.log")).unwrap();
        let status = run.stdin(Stdio::null()).stdout(log()).stderr(log()).status().unwrap();
        assert!(status.success(), "{}", fs::read_to_string(self.bench.path("run.log")).unwrap());
        Pid::from_raw(fs::read_to_string(pid_file).unwrap().trim().parse().unwrap()).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.m2sh("stop -every -murder").command.output();
    }
}

#[test]
fn a_new_folder_works_at_once() {
    let site = Site::new();
    for name in ["run", "logs", "tmp", "static", "profiles", "handlers"] {
        assert!(site.path(name).is_dir(), "{name}");
    }
    assert_eq!(site.m2sh("check").prints(), "config.rhai: 1 server, 1 host, 2 routes: sound\n");
    assert!(
        site.m2sh("load").prints().ends_with("Loaded 1 server, 1 host, 2 routes from config.rhai into config.sqlite\n")
    );
    site.m2sh("start -background").exits(0);
    let page = http::ask(site.address, "GET /", "").text();
    assert!(page.contains("<h1>site serves</h1>"), "{page}");
    assert!(site.m2sh("running").prints().starts_with("mongrel2 at PID "));
    site.m2sh("stop").prints();
    let log = site.m2sh("log").prints();
    let what: Vec<&str> = log.lines().map(|line| line.split_once(']').unwrap().0.rsplit(' ').next().unwrap()).collect();
    assert_eq!(what, ["new", "load", "start", "stop"]);
    assert!(log.lines().next().unwrap().ends_with(", new] testing"), "{log}");
}

#[test]
fn the_servers_profile_starts_it() {
    let site = Site::new();
    site.m2sh("load").prints();
    let pid = site.run("mongrel2");
    assert_eq!(site.m2sh("running").prints(), format!("mongrel2 at PID {} running.\n", pid.as_raw_nonzero()));
    let depends = |name: &str| fs::read_to_string(site.path("profiles").join(name).join("depends")).unwrap();
    assert_eq!((depends("mongrel2"), depends("hello")), (String::new(), "mongrel2\n".into()));
    for name in ["mongrel2", "hello"] {
        assert!(site.path("profiles").join(name).join("restart").exists(), "{name}");
    }
}

#[test]
fn the_handlers_profile_answers() {
    let Some(python) = testkit::python() else { return };
    let site = Site::new();
    site.m2sh("load").prints();
    site.run("mongrel2");
    // The Python that has what the handler needs goes by this name.
    let folder = python.parent().unwrap().display().to_string();
    let run = fs::read_to_string(site.path("profiles/hello/run")).unwrap();
    fs::write(site.path("profiles/hello/run"), run.replace("cd ", &format!("PATH={folder}:$PATH\ncd "))).unwrap();
    let pid = site.run("hello");
    let answer = http::ask(site.address, "GET /hello?to=you", "").text();
    assert!(answer.contains("query: to=you"), "{answer}");
    end(pid);
}

#[test]
fn procer_keeps_a_new_folder_running() {
    let site = Site::new();
    site.m2sh("load").prints();
    // What the handler needs beyond Python is another test's.
    fs::remove_dir_all(site.path("profiles/hello")).unwrap();
    site.m2sh("procs").exits(1).complains(&["procer: cannot ask the procer of `./profiles`: there is none"]);
    let mut procer = site.m2sh("procer profiles run/procer.pid --foreground");
    let _procer = Process::start(procer.command.stdout(Stdio::null()));
    wait::until("procer", || site.path("profiles/.procer").exists().then_some(()));
    let pid = || {
        wait::until("the server", || {
            let rows = site.m2sh("procs --json").command.output().unwrap().stdout;
            let rows: serde_json::Value = serde_json::from_slice(&rows).ok()?;
            let row = rows.as_array()?.iter().find(|row| row["name"] == "mongrel2" && row["state"] == "ready")?;
            row["pid"].as_i64().and_then(|pid| Pid::from_raw(pid.try_into().ok()?))
        })
    };
    let first = pid();
    assert_eq!(site.m2sh("running").prints(), format!("mongrel2 at PID {} running.\n", first.as_raw_nonzero()));
    let row = site.m2sh("procs mongrel2").prints();
    assert!(row.starts_with(&format!("mongrel2\tready\t{}\t", first.as_raw_nonzero())), "{row}");
    end(first);
    wait::until("another server", || (pid() != first).then_some(()));
    site.m2sh("procs nobody").exits(1);
    site.m2sh("procer quit --profiles profiles").exits(0);
}

fn end(pid: Pid) {
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    // Who has started it has ended, and somebody else waits for it.
    wait::until("its end", || (test_kill_process(pid).is_err() || is_dead(pid)).then_some(()));
}

fn is_dead(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with('Z'))
}

#[test]
fn what_is_there_is_not_written_over() {
    let site = Site::new();
    let before = fs::read_to_string(site.path("config.rhai")).unwrap();
    let again = site.bench.m2sh("new site").exits(1);
    again.complains(&["m2sh: cannot make the folder `site`: there is something in it already", "hint: name another"]);
    assert_eq!(fs::read_to_string(site.path("config.rhai")).unwrap(), before);
    fs::create_dir(site.bench.path("empty")).unwrap();
    site.bench.m2sh("new empty").prints();
    site.bench.m2sh("new a/b").exits(1).complains(&["cannot make `", "hint: `mkdir -p "]);
    assert!(!site.bench.path("a").exists());
    site.bench.m2sh("new other -db x.sqlite").exits(2).complains(&["the folder gets its own"]);
}

#[test]
fn a_profile_runs_a_program_in_the_background() {
    let site = Site::new();
    let made = site
        .m2sh("profile new sleeper -restart -depends mongrel2 hello -why naps -run")
        .word("sleep 600; exit 1")
        .prints();
    assert_eq!(made, "Made profiles/sleeper\n");
    let read = |name: &str| fs::read_to_string(site.path("profiles/sleeper").join(name)).unwrap();
    assert_eq!((read("depends"), read("restart")), ("mongrel2\nhello\n".into(), String::new()));
    let pid = site.run("sleeper");
    assert!(test_kill_process(pid).is_ok() && !is_dead(pid));
    end(pid);
    let log = site.m2sh("log").prints();
    assert!(log.lines().last().unwrap().ends_with(", profile] naps"), "{log}");
    assert!(!Path::new(&site.path("profiles/.sleeper.new")).exists());
}

#[test]
fn a_profile_of_a_program_with_a_pid_file_of_its_own() {
    let site = Site::new();
    let json = site
        .m2sh("profile new own --pid-file run/own.pid --depends mongrel2,hello --run")
        .word("echo $$ > run/own.pid")
        .json();
    let pid_file = site.path("run/own.pid").canonicalize().unwrap_or(site.path("run/own.pid"));
    assert_eq!(json["pid_file"], pid_file.display().to_string());
    assert_eq!(json["depends"], serde_json::json!(["mongrel2", "hello"]));
    assert!(!site.path("profiles/own/restart").exists());
    let run = fs::read_to_string(site.path("profiles/own/run")).unwrap();
    assert!(run.ends_with("\nexec echo $$ > run/own.pid\n"), "{run}");
}

#[test]
fn profiles_that_make_no_sense() {
    let site = Site::new();
    for (words, code, texts) in [
        ("new hello -run x", 1, ["there is `profiles/hello` already", "hint: name another"]),
        ("new a -run x -depends mongrel", 1, ["there is no profile `mongrel`", "hint: did you mean `mongrel2`?"]),
        (
            "new a -run x -depends qqq",
            1,
            ["there is no profile `qqq`", "every profile that there is: `hello`, `mongrel2`"],
        ),
        ("new a -run x -depends a", 1, ["it would depend on itself: a -> a", ""]),
        (
            "new a -run x -dir nowhere",
            1,
            ["the folder of profiles `nowhere`: No such file", "hint: name it with `-dir`"],
        ),
        ("new ../a -run x", 2, ["`../a` is no name of a profile", ""]),
        ("new .a -run x", 2, ["it begins with a dot", ""]),
        ("new a/b -run x", 2, ["`a/b` is no name of a profile", "letters, digits"]),
        ("old a -run x", 2, ["invalid value 'old'", "[possible values: new]"]),
    ] {
        site.m2sh(&format!("profile {words}")).exits(code).complains(&texts);
    }
    fs::write(site.path("profiles/hello/depends"), "mongrel2 later\n").unwrap();
    let circle = "it would depend on itself: later -> hello -> later";
    site.m2sh("profile new later -run x -depends hello").exits(1).complains(&[circle]);
    assert_eq!(fs::read_dir(site.path("profiles")).unwrap().count(), 2);
}
