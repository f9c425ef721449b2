//! The README's session runs as it is printed, in a copy of the folder that it needs.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::document;
use super::transcript::{self, Ports};

#[test]
fn the_readmes_session_runs() {
    let ports = Ports::free(&["6767", "9997", "9996"]);
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new("../examples/hello"), &folder.path().join("examples/hello"), &ports);
    transcript::run(&ports.put_into(&document("README.md")), folder.path(), &path(), |_| ());
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

/// Copies the files of a folder and of its folder `static`.
fn copy(from: &Path, to: &Path, ports: &Ports) {
    fs::create_dir_all(to.join("static")).unwrap();
    for name in ["hello.py", "static/index.html"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let script = fs::read_to_string(from.join("config.rhai")).unwrap();
    fs::write(to.join("config.rhai"), ports.put_into(&script)).unwrap();
}
