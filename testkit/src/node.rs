//! A Node.js with the packages of the examples and their tests: `target/test-node`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, io};

use crate::setup;

const PACKAGES: [&str; 2] = ["zeromq@6", "ws@8"];

/// A folder with installed packages, where scripts find them.
#[derive(Debug, Clone)]
pub struct Node {
    folder: PathBuf,
}

/// The folder, which is made by the first call; `None` where there is no `node` and `npm`, or the packages
/// can't be installed.
///
/// # Panics
/// Instead of `None` when the environment variable `CI` is `true`.
pub fn node() -> Option<Node> {
    setup::or_skip("node", prepare())
}

impl Node {
    /// A command that runs a copy of the ES module `script`.  A copy, since a script's imports are looked up
    /// from the place where it lies.
    ///
    /// # Panics
    /// If it can't be copied.
    pub fn script(&self, script: &Path) -> Command {
        let name = script.file_name().expect("a script has a name");
        let copy = self.folder.join(name);
        // Renamed into place, so that another test never runs half a script.
        let draft = self.folder.join(format!("draft-{}-{}", std::process::id(), unique()));
        fs::copy(script, &draft).and_then(|_| fs::rename(&draft, &copy)).expect("scripts can be copied to target/");
        let mut command = Command::new("node");
        command.arg(copy);
        command
    }
}

fn unique() -> usize {
    static DRAFTS: AtomicUsize = AtomicUsize::new(0);
    DRAFTS.fetch_add(1, Ordering::Relaxed)
}

fn prepare() -> io::Result<Node> {
    let folder = setup::target().join("test-node");
    let version = setup::run(Command::new("node").arg("--version"))?;
    setup::once(&folder, &format!("{version}{PACKAGES:?}"), || {
        fs::write(folder.join("package.json"), r#"{"private": true, "type": "module"}"#)?;
        let mut npm = Command::new("npm");
        setup::run(npm.current_dir(&folder).args(["install", "--no-audit", "--no-fund"]).args(PACKAGES))?;
        Ok(())
    })?;
    Ok(Node { folder })
}
