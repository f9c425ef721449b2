//! A Python with the packages of the examples and their tests: a virtual environment in `target/test-python`.

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

fn prepare() -> io::Result<PathBuf> {
    let folder = setup::target().join("test-python");
    let venv = folder.join("venv");
    let interpreter = venv.join("bin/python");
    let version = setup::run(Command::new("python3").arg("--version"))?;
    setup::once(&folder, &format!("{version}{PACKAGES:?}"), || {
        setup::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        setup::run(Command::new(&interpreter).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
        Ok(())
    })?;
    Ok(interpreter)
}
