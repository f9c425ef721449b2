//! The workbench of these tests: a folder with a database, and the real m2sh running in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mongrel2::config::history::{Entry, Logged};
use mongrel2::config::{Config, Database, Dir, Handler, Host, Proxy, Redirect, Route, Server, Target};
use serde_json::Value;
use tempfile::TempDir;

/// A folder that is removed with this.
pub(super) struct Bench {
    folder: TempDir,
}

impl Bench {
    /// An empty folder.
    pub(super) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder whose config.sqlite has these servers.
    pub(super) fn with(servers: Vec<Server>) -> Self {
        let bench = Self::empty();
        bench.save(&Config { servers, ..Config::default() });
        bench
    }

    pub(super) fn save(&self, config: &Config) {
        let mut database = Database::open_or_create(&self.path("config.sqlite")).unwrap();
        let entry = Entry { what: "test".into(), ..Entry::default() };
        database.change(&entry, |change| change.save(config)).unwrap();
    }

    /// Puts a script there that says this.
    pub(super) fn script(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn sql(&self, sql: &str) {
        rusqlite::Connection::open(self.path("config.sqlite")).unwrap().execute_batch(sql).unwrap();
    }

    pub(super) fn log(&self) -> Vec<Logged> {
        Database::open_to_read(&self.path("config.sqlite")).unwrap().log().unwrap()
    }

    /// m2sh with these words, separated by blanks.
    pub(super) fn m2sh(&self, words: &str) -> M2sh {
        let mut command = Command::new(env!("CARGO_BIN_EXE_m2sh"));
        command.args(words.split_whitespace());
        M2sh { line: words.to_owned(), command: prepared(command, self.folder.path()) }
    }

    /// The same without the right to read and write what the files' modes don't allow, which root otherwise has.
    pub(super) fn humble_m2sh(&self, words: &str) -> M2sh {
        if !rustix::process::geteuid().is_root() {
            return self.m2sh(words);
        }
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-dac_override,-dac_read_search", "--", env!("CARGO_BIN_EXE_m2sh")]);
        command.args(words.split_whitespace());
        M2sh { line: words.to_owned(), command: prepared(command, self.folder.path()) }
    }
}

fn prepared(mut command: Command, folder: &Path) -> Command {
    command.current_dir(folder).stdin(Stdio::null()).env_remove("SUDO_USER").env_remove("DOAS_USER");
    command
}

/// A command line that is about to run.
#[must_use = "nothing happens until it runs"]
pub(super) struct M2sh {
    line: String,
    /// For what a test needs beyond words.
    pub(super) command: Command,
}

impl M2sh {
    /// One more word, which may have blanks in it.
    pub(super) fn word(mut self, word: &str) -> Self {
        self.command.arg(word);
        self
    }

    /// Runs it, and expects this exit code.
    pub(super) fn exits(mut self, code: i32) -> Output {
        let output = self.command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let output = Output { stdout: text(&output.stdout), stderr: text(&output.stderr), code: output.status.code() };
        assert_eq!(output.code, Some(code), "m2sh {}\n{}{}", self.line, output.stdout, output.stderr);
        output
    }

    /// Runs it, expects success and nothing on stderr, and gives what it prints.
    pub(super) fn prints(self) -> String {
        let line = self.line.clone();
        let output = self.exits(0);
        assert_eq!(output.stderr, "", "m2sh {line}");
        output.stdout
    }

    /// The same as JSON.
    pub(super) fn json(self) -> Value {
        serde_json::from_str(&self.word("--json").prints()).unwrap()
    }
}

/// What came of it.
pub(super) struct Output {
    pub(super) stdout: String,
    pub(super) stderr: String,
    code: Option<i32>,
}

impl Output {
    /// Expects these texts on stderr, and nothing on stdout.
    pub(super) fn complains(&self, texts: &[&str]) {
        assert_eq!(self.stdout, "");
        for text in texts {
            assert!(self.stderr.contains(text), "no `{text}` in:\n{}", self.stderr);
        }
    }
}

/// A server with nothing wrong with it.
pub(super) fn server(name: &str, uuid: &str, port: u16) -> Server {
    let host = Host { name: "localhost".into(), routes: routes(), ..Host::default() };
    let redirect = Redirect { to: "https://example.com$path".into(), status: 308 };
    let other = Host {
        name: "other".into(),
        matching: "example.com".into(),
        aliases: ["example.org", "example.net"].map(str::to_owned).into(),
        error_pages: [404, 503].map(|status| (status, format!("/{status}.html"))).into(),
        routes: vec![route("/old", Target::Redirect(redirect))],
        ..Host::default()
    };
    Server {
        uuid: uuid.into(),
        access_log: "/logs/access.log".into(),
        error_log: "/logs/error.log".into(),
        pid_file: format!("/run/{uuid}.pid"),
        chroot: "./".into(),
        default_host: "localhost".into(),
        name: name.into(),
        bind_addr: "127.0.0.1".into(),
        port: port.into(),
        hosts: vec![host, other],
        ..Server::default()
    }
}

fn route(path: &str, target: Target) -> Route {
    Route { path: path.into(), reversed: false, target }
}

fn routes() -> Vec<Route> {
    let dir = Dir { base: "static/".into(), index_file: "index.html".into(), ..Dir::default() };
    let handler = Handler {
        send_spec: "tcp://127.0.0.1:9997".into(),
        send_ident: "54c6".into(),
        recv_spec: "tcp://127.0.0.1:9996".into(),
        ..Handler::default()
    };
    let proxy = Proxy { addr: "127.0.0.1".into(), port: 8080, ..Proxy::default() };
    vec![
        route("/", Target::Proxy(proxy)),
        route("/static/", Target::Dir(dir)),
        route(r"/users/(\d+)$", Target::Handler(handler.clone())),
        route(r"/users/(\l+)$", Target::Handler(handler.clone())),
        route("@chat", Target::Handler(handler)),
    ]
}
