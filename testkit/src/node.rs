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
    /// The folder: scripts below it find the packages.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A command that runs a copy of the ES module `script`.  A copy, since a script's imports are looked up
    /// from the place where it lies.
    ///
    /// # Panics
    /// If it can't be copied.
    pub fn script(&self, script: &Path) -> Command {
        self.run(&copy(script, &self.folder))
    }

    /// The same for one of several modules of a folder, which import each other.
    ///
    /// # Panics
    /// If they can't be copied.
    pub fn module(&self, script: &Path) -> Command {
        let folder = script.parent().expect("a module lies in a folder");
        let name = folder.file_name().expect("the folder has a name");
        let copies = self.folder.join(name);
        fs::create_dir_all(&copies).expect("scripts can be copied to target/");
        let entries =
            fs::read_dir(folder).expect("the folder can be read").map(|entry| entry.expect("so can its entries"));
        let modules = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|is| is == "js"));
        modules.for_each(|module| drop(copy(&module, &copies)));
        self.run(&copies.join(script.file_name().expect("a module has a name")))
    }

    fn run(&self, script: &Path) -> Command {
        let mut command = Command::new("node");
        command.arg(script);
        command
    }
}

fn copy(script: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join(script.file_name().expect("a script has a name"));
    // Renamed into place, so that another test never runs half a script.
    let draft = folder.join(format!("draft-{}-{}", std::process::id(), unique()));
    fs::copy(script, &draft).and_then(|_| fs::rename(&draft, &copy)).expect("scripts can be copied to target/");
    copy
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
