//! What root's server does before it serves, and what it can't do any more afterwards.
//!
//! These tests need root, and say so where they don't run.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};

use mongrel2::config::{Config, Database, Target};
use testkit::wait;

use crate::harness::{Answer, Client, Operator, Peer, Site, UUID, get, handler};
use crate::tls::keys::Authority;

/// Whom the chroot belongs to: nobody, on most systems.
const OWNER: u32 = 65534;

fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: {test} needs root");
    }
    root
}

/// A port that only root gets.
fn low_port() -> u16 {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let start = 600 + u16::try_from(std::process::id() % 300).unwrap();
    (start..1024).find(free).expect("not all of them are taken")
}

/// A deployment as `chown -R` leaves it, that goes into the background.
fn site() -> Site {
    Site::new().files("/").file("static/index.html", "index").setting("server.daemonize", "1")
}

fn give(path: &Path, owner: u32) {
    chown(path, Some(owner), Some(owner)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path(), owner));
    }
}

/// A server in the background; it ends with its test.
struct Daemon {
    site: Site,
    pid: u32,
}

impl Daemon {
    fn start(site: Site) -> Self {
        site.save();
        give(site.path(), OWNER);
        Self::start_as_is(site)
    }

    fn start_as_is(site: Site) -> Self {
        let output = site.command().output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        Self::of(site)
    }

    /// The one that is said to run there.
    fn of(site: Site) -> Self {
        let pid = fs::read_to_string(site.path().join("run/mongrel2.pid")).unwrap().trim().parse().unwrap();
        Self { site, pid }
    }

    fn change(&mut self, change: impl FnOnce(&mut Config)) {
        self.site.change(change);
        self.site.save();
    }

    fn get(&mut self, path: &str) -> Answer {
        let server = self.site.server();
        let mut client =
            Client::connect((server.bind_addr.parse::<std::net::IpAddr>().unwrap(), port(server.port)).into());
        client.send(get(path));
        client.answer()
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.pid.to_string()]).status().unwrap().success());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.site.path().join("logs/error.log")).unwrap()
    }

    fn wait_for_log(&self, text: &str) {
        wait::until(&format!("`{text}` in the error log"), || self.log().contains(text).then_some(()));
    }

    /// The values of a line of `/proc/PID/status`, of each thread.
    fn status(&self, name: &str) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid)).unwrap();
        let line = |path: &Path| {
            let status = fs::read_to_string(path.join("status")).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:")).map(str::to_owned));
            line.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        tasks.map(|task| line(&task.unwrap().path())).collect()
    }

    fn all_threads(&self, name: &str, expected: &str) {
        let values = self.status(name);
        assert!(values.iter().all(|value| value == expected), "{name}: {values:?}");
    }

    fn runs(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        // A zombie has ended; whoever has adopted it may not have noticed.
        !stat.is_empty() && !stat.contains(") Z ")
    }

    fn stop(&self) {
        self.signal("-TERM");
        wait::until("the daemon to end", || (!self.runs()).then_some(()));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let log = fs::read_to_string(self.site.path().join("logs/error.log"));
        eprint!("{}", log.unwrap_or_default());
        if self.runs() {
            self.signal("-KILL");
        }
    }
}

fn port(port: i64) -> u16 {
    u16::try_from(port).unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn refused(site: &Site) -> String {
    let output = site.command().output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("mongrel2: cannot start: "), "{text}");
    text
}

#[test]
fn it_serves_when_the_command_returns_and_has_no_rights_left() {
    if !is_root("it_serves_when_the_command_returns_and_has_no_rights_left") {
        return;
    }
    let mut site = site().route("/ask", Target::Handler(handler("one")));
    site.server().port = low_port().into();
    let mut daemon = Daemon::start(site);
    assert_eq!(daemon.get("/").text(), "index");
    let owner = format!("{OWNER} {OWNER} {OWNER} {OWNER}");
    daemon.all_threads("Uid", &owner);
    daemon.all_threads("Gid", &owner);
    daemon.all_threads("Groups", "");
    daemon.all_threads("NoNewPrivs", "1");
    for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        daemon.all_threads(set, "0000000000000000");
    }
    let link = |name: &str| fs::read_link(format!("/proc/{}/{name}", daemon.pid)).unwrap();
    let chroot = daemon.site.path().canonicalize().unwrap();
    assert_eq!((link("root"), link("cwd")), (chroot.clone(), chroot));
    for descriptor in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(link(descriptor), Path::new("/dev/null"));
    }
    let logs = ["logs/access.log", "logs/error.log"];
    for file in ["run/mongrel2.pid", "run/one.requests", "run/one.replies", "run/control"].into_iter().chain(logs) {
        let found = daemon.site.path().join(file).metadata().unwrap();
        assert_eq!((found.uid(), found.gid()), (OWNER, OWNER), "{file}");
    }
    let control = daemon.site.path().join("run/control");
    assert_eq!(control.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let answer = Operator::connect(daemon.site.path()).say("info");
    assert_eq!(answer["pid"], daemon.pid);
    // It leads a session of its own, so that no terminal reaches it.
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid)).unwrap();
    let session = stat.rsplit(") ").next().unwrap().split(' ').nth(3).unwrap().to_owned();
    assert_eq!(session, daemon.pid.to_string());
    daemon.stop();
    assert!(!daemon.site.path().join("run/mongrel2.pid").exists());
}

#[test]
fn handlers_work_from_within_the_chroot() {
    if !is_root("handlers_work_from_within_the_chroot") {
        return;
    }
    let mut daemon = Daemon::start(site().route("/ask", Target::Handler(handler("one"))));
    let peer = Peer::connect(daemon.site.path(), "one");
    let server = daemon.site.server();
    let mut client = Client::connect(([127, 0, 0, 1], port(server.port)).into());
    client.send(get("/ask"));
    peer.answer(&[peer.request().id], "from a handler");
    assert_eq!(client.answer().text(), "from a handler");
    daemon.signal("-HUP");
    daemon.wait_for_log("reloaded in");
    client.send(get("/ask"));
    peer.answer(&[peer.request().id], "still");
    assert_eq!(client.answer().text(), "still");
}

#[test]
fn a_reload_works_without_the_rights() {
    if !is_root("a_reload_works_without_the_rights") {
        return;
    }
    let site = site().file("other/index.html", "other");
    let mut daemon = Daemon::start(site);
    let logs = daemon.site.path().join("logs");
    fs::rename(logs.join("error.log"), logs.join("error.log.1")).unwrap();
    daemon.change(|config| {
        let Target::Dir(dir) = &mut config.servers[0].hosts[0].routes[0].target else { unreachable!() };
        dir.base = "other/".into();
    });
    daemon.signal("-HUP");
    wait::until("the new log", || logs.join("error.log").exists().then_some(()));
    daemon.wait_for_log("reloaded in");
    assert_eq!(daemon.get("/").text(), "other");
    assert_eq!(logs.join("error.log").metadata().unwrap().uid(), OWNER);
    // What it had as root, root alone could give it again.
    let low = low_port();
    daemon.change(|config| config.servers[0].port = low.into());
    daemon.signal("-HUP");
    daemon.wait_for_log(&format!("cannot listen on 127.0.0.1:{low}: Permission denied"));
}

#[test]
fn the_database_has_to_lie_in_the_chroot() {
    if !is_root("the_database_has_to_lie_in_the_chroot") {
        return;
    }
    let mut site = site();
    let inner = site.path().join("static");
    site.server().chroot = inner.to_str().unwrap().into();
    site.save();
    let text = refused(&site);
    assert!(text.contains("lies outside the chroot"), "{text}");
    assert!(text.contains(&format!("hint: move it to {}/config.sqlite", inner.display())), "{text}");
}

#[test]
fn the_database_has_to_be_readable_later() {
    if !is_root("the_database_has_to_be_readable_later") {
        return;
    }
    let site = site();
    site.save();
    give(site.path(), OWNER);
    let database = site.path().join("config.sqlite");
    chown(&database, Some(0), Some(0)).unwrap();
    fs::set_permissions(&database, PermissionsExt::from_mode(0o600)).unwrap();
    let text = refused(&site);
    assert!(text.contains(&format!("user {OWNER}:{OWNER}, the owner of the chroot, cannot read")), "{text}");
    assert!(text.contains(&format!("hint: chown {OWNER}:{OWNER} {}", database.display())), "{text}");
}

#[test]
fn a_database_that_only_root_may_write_is_said_once() {
    if !is_root("a_database_that_only_root_may_write_is_said_once") {
        return;
    }
    let site = site();
    site.save();
    give(site.path(), OWNER);
    let database = site.path().join("config.sqlite");
    chown(&database, Some(0), Some(0)).unwrap();
    fs::set_permissions(&database, PermissionsExt::from_mode(0o644)).unwrap();
    let mut daemon = Daemon::start_as_is(site);
    daemon.wait_for_log("cannot write statistics to `config.sqlite`, they are kept until that works: ");
    assert_eq!(daemon.get("/").text(), "index");
    daemon.signal("-HUP");
    daemon.wait_for_log("reloaded in");
    daemon.stop();
    assert_eq!(daemon.log().matches("cannot write statistics").count(), 1, "{}", daemon.log());
}

#[test]
fn statistics_are_written_from_within_the_chroot() {
    if !is_root("statistics_are_written_from_within_the_chroot") {
        return;
    }
    let mut daemon = Daemon::start(site());
    assert_eq!(daemon.get("/").text(), "index");
    daemon.stop();
    let database = Database::open_to_read(&daemon.site.path().join("config.sqlite")).unwrap();
    let rows = database.statistics().unwrap();
    assert!(rows.iter().any(|row| row.name == "latency" && row.summary.n == 1), "{rows:?}");
    assert!(!daemon.log().contains("statistics"), "{}", daemon.log());
}

#[test]
fn failures_reach_the_terminal() {
    if !is_root("failures_reach_the_terminal") {
        return;
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut site = site();
    site.server().port = taken.local_addr().unwrap().port().into();
    site.save();
    give(site.path(), OWNER);
    let text = refused(&site);
    assert!(text.contains("cannot listen on 127.0.0.1:") && text.contains("hint: see who listens there"), "{text}");
    drop(taken);
    let daemon = Daemon::start_as_is(site);
    let text = refused(&daemon.site);
    assert!(text.contains(&format!("already running as process {}", daemon.pid)), "{text}");
    fs::remove_dir_all(daemon.site.path().join("logs")).unwrap();
    daemon.stop();
    assert!(refused(&daemon.site).contains("hint: mkdir -p logs"));
}

#[test]
fn files_of_root_become_the_owners_and_folders_are_told() {
    if !is_root("files_of_root_become_the_owners_and_folders_are_told") {
        return;
    }
    let site = site().file("logs/access.log", "");
    site.save();
    chown(site.path(), Some(OWNER), Some(OWNER)).unwrap();
    let output = site.command().output().unwrap();
    assert!(
        text(&output).contains(&format!("/logs` can't be made anew by the server: chown {OWNER}")),
        "{}",
        text(&output)
    );
    let daemon = Daemon::of(site);
    assert_eq!(daemon.site.path().join("logs/access.log").metadata().unwrap().uid(), OWNER);
    daemon.signal("-HUP");
    daemon.wait_for_log("reloaded in");
}

#[test]
fn in_the_foreground_it_is_locked_in_as_well() {
    if !is_root("in_the_foreground_it_is_locked_in_as_well") {
        return;
    }
    let site = site().setting("server.daemonize", "0");
    site.save();
    give(site.path(), OWNER);
    let running = site.start();
    assert_eq!(running.get("/").text(), "index");
    let daemon = Daemon::of(Site::new().file("run/mongrel2.pid", format!("{}\n", running.process.id())));
    daemon.all_threads("Uid", &format!("{OWNER} {OWNER} {OWNER} {OWNER}"));
    assert!(!running.process.stderr().contains("stays root"));
}

#[test]
fn a_chroot_of_root_leaves_it_root_and_says_so() {
    if !is_root("a_chroot_of_root_leaves_it_root_and_says_so") {
        return;
    }
    let site = site();
    site.save();
    let output = site.command().output().unwrap();
    assert!(text(&output).contains("[WARN] the server stays root"), "{}", text(&output));
    let mut daemon = Daemon::of(site);
    assert_eq!(daemon.get("/").text(), "index");
    daemon.all_threads("Uid", "0 0 0 0");
    daemon.all_threads("NoNewPrivs", "1");
}

#[test]
fn a_daemon_gives_clients_no_more_than_drain_timeout() {
    if !is_root("a_daemon_gives_clients_no_more_than_drain_timeout") {
        return;
    }
    let mut daemon = Daemon::start(site().setting("server.drain_timeout", "1"));
    let address = ([127, 0, 0, 1], port(daemon.site.server().port)).into();
    let mut client = Client::connect(address);
    // The answer to the first request shows that the server has read what it has of the second.
    client.send([&get("/"), "GET / HTTP/1.1\r\nHost: never fin"].concat());
    assert_eq!(client.answer().status, 200);
    daemon.stop();
    assert!(client.is_closed());
    assert!(daemon.log().contains("1 connections were closed in the middle"), "{}", daemon.log());
    assert!(!daemon.site.path().join("run/mongrel2.pid").exists());
}

#[test]
fn certificates_are_read_as_the_owner_who_has_to_read_them_again() {
    if !is_root("certificates") {
        return;
    }
    let authority = Authority::new("authority");
    let tls = || {
        let mut site = site().setting("certdir", "certs");
        site.server().use_ssl = true;
        authority.issue("localhost").write(&site.path().join("certs"), UUID);
        site
    };
    let daemon = Daemon::start(tls());
    let address = daemon.site.address();
    let ask = || {
        let mut client = Client::secure(address, &authority.client().config(), "localhost");
        client.send(get("/"));
        assert_eq!(client.answer().text(), "index");
    };
    ask();
    daemon.signal("-HUP");
    daemon.wait_for_log("] reloaded in");
    ask();
    assert!(!daemon.log().contains("[WARN"), "{}", daemon.log());
    let site = tls();
    site.save();
    give(site.path(), OWNER);
    let key = site.path().join(format!("certs/{UUID}.key"));
    chown(&key, Some(0), Some(0)).unwrap();
    let output = site.command().output().unwrap();
    let said = text(&output);
    assert!(output.status.code() == Some(1) && said.contains("Permission denied"), "{said}");
    assert!(said.contains(&format!("chown {OWNER} {}", key.display())), "{said}");
}
