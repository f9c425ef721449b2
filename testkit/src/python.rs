//! A Python with the packages of the examples and their tests: a virtual environment in `target/test-python`, and beside it the
//! same packages as files, from which pip can install them without a network.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use crate::setup;

const PACKAGES: [&str; 3] = ["pyzmq>=25", "websockets>=15", "flask>=3"];

/// The interpreter of the virtual environment, which is made by the first call; `None` where there is no
/// `python3` with `venv`, or its packages can't be installed.
///
/// # Panics
/// Instead of `None` when the environment variable `CI` is `true`.
pub fn python() -> Option<PathBuf> {
    setup::or_skip("python3", prepare())
}

/// The folder with the packages as files (`PIP_FIND_LINKS`); `None` where there is no [`python`].
///
/// # Panics
/// Instead of `None` when the environment variable `CI` is `true`.
pub fn wheels() -> Option<PathBuf> {
    python().map(|_| folder().join("wheels"))
}

fn folder() -> PathBuf {
    setup::target().join("test-python")
}

fn prepare() -> io::Result<PathBuf> {
    let folder = folder();
    let wheels = folder.join("wheels");
    let venv = folder.join("venv");
    let interpreter = venv.join("bin/python");
    let version = setup::run(Command::new("python3").arg("--version"))?;
    setup::once(&folder, &format!("{version}{PACKAGES:?} and their files"), || {
        setup::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let pip = |verb: &[&str]| {
            setup::run(Command::new(&interpreter).args(["-m", "pip"]).args(verb).arg("--quiet").args(PACKAGES))
        };
        pip(&["download", "--dest", &wheels.display().to_string()])?;
        pip(&["install"]).map(drop)
    })?;
    Ok(interpreter)
}
