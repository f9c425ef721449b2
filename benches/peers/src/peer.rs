//! The servers on this machine: found where packages put them, never installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::args::Args;
use crate::error::Error;

/// What a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Lighttpd,
    /// It has no files: only what it passes on.
    Haproxy,
    /// Debian's `mongrel2-core`.
    Original,
    Ours,
}

/// A server program.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) program: PathBuf,
    pub(crate) version: String,
}

impl Kind {
    /// Whether it reads our database.
    pub(crate) fn has_database(self) -> bool {
        matches!(self, Self::Original | Self::Ours)
    }

    /// The signal that makes it read its configuration again.
    pub(crate) fn reload(self) -> Signal {
        if self == Self::Lighttpd { Signal::USR1 } else { Signal::HUP }
    }
}

/// All servers that can be measured; says which are missing.
///
/// # Errors
/// Ours is missing.
pub(crate) fn find(args: &Args) -> Result<Vec<Peer>, Error> {
    let others = [("nginx", nginx()), ("lighttpd", lighttpd()), ("haproxy", haproxy()), ("mongrel2-core", original())];
    for (name, _) in others.iter().filter(|(_, found)| found.is_none()) {
        eprintln!("`{name}` is not installed and left out (apt-get install {name})");
    }
    let mut peers: Vec<Peer> = others.into_iter().filter_map(|(_, found)| found).collect();
    let program = args.server.clone().map_or_else(built, Ok)?;
    let version = args.server.as_ref().map_or_else(commit, |path| path.display().to_string());
    peers.push(ours("mongrel2", program, version)?);
    if let Some(program) = &args.against {
        peers.push(ours("against", program.clone(), program.display().to_string())?);
    }
    Ok(peers)
}

/// The server behind those that pass requests on.
///
/// # Errors
/// It isn't installed.
pub(crate) fn upstream() -> Result<Peer, Error> {
    nginx().ok_or(Error::NoUpstream)
}

fn nginx() -> Option<Peer> {
    let program = program("nginx")?;
    let version = first_line(Command::new(&program).arg("-v"));
    Some(Peer { name: "nginx", kind: Kind::Nginx, program, version: number(&version) })
}

fn lighttpd() -> Option<Peer> {
    let program = program("lighttpd")?;
    let version = first_line(Command::new(&program).arg("-v"));
    Some(Peer { name: "lighttpd", kind: Kind::Lighttpd, program, version: number(&version) })
}

fn haproxy() -> Option<Peer> {
    let program = program("haproxy")?;
    let version = first_line(Command::new(&program).arg("-v"));
    // `HAProxy version 2.6.12-1 2022/12/16 - …`
    let version = version.split(' ').nth(2).unwrap_or_default().to_owned();
    Some(Peer { name: "haproxy", kind: Kind::Haproxy, program, version })
}

/// The original has the name of ours: only its package says which one it is.
fn original() -> Option<Peer> {
    let files = output(Command::new("dpkg").args(["-L", "mongrel2-core"]));
    let program = PathBuf::from(files.lines().find(|line| line.ends_with("/bin/mongrel2"))?);
    let version = first_line(Command::new("dpkg-query").args(["-W", "-f", "${Version}", "mongrel2-core"]));
    Some(Peer { name: "mongrel2-core", kind: Kind::Original, program, version })
}

fn ours(name: &'static str, program: PathBuf, version: String) -> Result<Peer, Error> {
    let missing = || Error::NoServer(program.display().to_string());
    let program = program.canonicalize().map_err(|_| missing())?;
    Ok(Peer { name, kind: Kind::Ours, program, version })
}

/// This checkout's server: brought up to date if Cargo runs us, since a stale one would measure nothing.
fn built() -> Result<PathBuf, Error> {
    let own = std::env::current_exe().map_err(Error::doing("find this program"))?;
    let target = own.parent().and_then(Path::parent).unwrap_or(Path::new("target"));
    let program = target.join("release/mongrel2");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build
            .args(["build", "--release", "-p", "mongrel2-server", "-p", "m2sh"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        let built = build.stdout(Stdio::null()).status().map_err(Error::doing("build the server"))?;
        return if built.success() { Ok(program) } else { Err(Error::NoServer(program.display().to_string())) };
    }
    Ok(program)
}

fn commit() -> String {
    let mut git = Command::new("git");
    let commit = first_line(git.args(["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"]));
    format!("{} {commit}", env!("CARGO_PKG_VERSION"))
}

/// Looks a program up in `PATH`, and where system programs are that users don't have in theirs.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The first line that a command writes, wherever to; empty if it can't be run.
pub(crate) fn first_line(command: &mut Command) -> String {
    output(command).lines().next().unwrap_or_default().to_owned()
}

fn output(command: &mut Command) -> String {
    let Ok(output) = command.stdin(Stdio::null()).output() else { return String::new() };
    let bytes = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads `nginx version: nginx/1.22.1`, and `lighttpd/1.4.69 (ssl) - …`.
fn number(line: &str) -> String {
    line.split_once('/').and_then(|(_, version)| version.split(' ').next()).unwrap_or_default().to_owned()
}
