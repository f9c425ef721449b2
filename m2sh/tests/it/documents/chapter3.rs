//! Chapter 3 of the original's manual as a transcript: every command that it prints works word for word.
//!
//! The session is that of a user: where these tests are root's, it runs as somebody else, for root's servers go into the
//! background by themselves.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;

use super::document;
use super::transcript::{self, Ports};

/// A user without rights, on most systems.
const NOBODY: u32 = 65534;

#[test]
fn chapter_3_runs_as_printed() {
    check(&transcript());
}

#[test]
fn chapter_3_runs_with_two_dashes() {
    let doubled: Vec<String> = transcript().lines().map(doubled).collect();
    check(&(doubled.join("\n") + "\n"));
}

fn transcript() -> String {
    document("m2sh/tests/transcripts/chapter3.md")
}

fn check(transcript: &str) {
    let transcript = Ports::free(&["6767", "6768"]).put_into(transcript);
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files(&transcript) {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), text).unwrap();
    }
    let _end = End(folder.path());
    let path = programs(folder.path());
    if geteuid().is_root() {
        give(folder.path());
    }
    transcript::run(&transcript, folder.path(), &path, |shell| {
        if geteuid().is_root() {
            shell.uid(NOBODY).gid(NOBODY);
        }
    });
}

/// Stops what a session that has broken off has left in the background.
struct End<'a>(&'a Path);

impl Drop for End<'_> {
    fn drop(&mut self) {
        for db in ["tests/config.sqlite", "simple.sqlite", "config.sqlite"] {
            let mut stop = Command::new(env!("CARGO_BIN_EXE_m2sh"));
            let _ = stop.args(["stop", "-every", "-murder", "-db", db]).current_dir(self.0).output();
        }
    }
}

/// The files that a transcript shows, by their names.
fn files(transcript: &str) -> Vec<(&str, &str)> {
    let parts = transcript.split("\n```").collect::<Vec<_>>();
    let named = parts.iter().filter_map(|part| {
        let (fence, text) = part.split_once('\n')?;
        Some((fence.split_once(' ')?.1, text))
    });
    let files: Vec<_> = named.filter(|(name, _)| !name.contains(' ')).collect();
    assert_eq!(files.len(), 7, "{files:?}");
    files
}

/// Two dashes for one, before every long option of m2sh: in commands, and where the log prints them.
fn doubled(line: &str) -> String {
    let Some(at) = line.find("m2sh ").filter(|_| line.starts_with("$ ") || line.starts_with("[...")) else {
        return line.to_owned();
    };
    let (before, command) = line.split_at(at);
    let is_long =
        |word: &str| word.strip_prefix('-').is_some_and(|name| name.len() > 1 && name.starts_with(char::is_alphabetic));
    let (mine, others) = command.split_at(command.find(['|', '>']).unwrap_or(command.len()));
    let words = mine.split(' ').map(|word| if is_long(word) { format!("-{word}") } else { word.to_owned() });
    format!("{before}{}{others}", words.collect::<Vec<_>>().join(" "))
}

/// The path with m2sh first, where any user can run it, and something in the place of sudo, which nobody is asked about.
fn programs(folder: &Path) -> OsString {
    let programs = folder.join("bin");
    fs::create_dir(&programs).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_m2sh"), programs.join("m2sh")).unwrap();
    fs::write(programs.join("sudo"), "#!/bin/sh\nexec \"$@\"\n").unwrap();
    fs::set_permissions(programs.join("sudo"), fs::Permissions::from_mode(0o755)).unwrap();
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(&inherited))).unwrap()
}

/// Gives a folder to the session's user.
fn give(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
    }
}

#[test]
fn dashes_are_doubled_where_m2sh_gets_them() {
    for (line, expected) in [
        ("$ m2sh load -db a -config b", "$ m2sh load --db a --config b"),
        ("$ m2sh start -every > x 2>&1 &", "$ m2sh start --every > x 2>&1 &"),
        ("$ printf 'x' | m2sh control -name a", "$ printf 'x' | m2sh control --name a"),
        ("[...T..., init] m2sh init -db x", "[...T..., init] m2sh init --db x"),
        ("$ kill -INT $!", "$ kill -INT $!"),
        ("* Use -every to run them all.", "* Use -every to run them all."),
    ] {
        assert_eq!(doubled(line), expected);
    }
}
