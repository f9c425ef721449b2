//! Python and its packages: those that are installed, or else a virtual environment in the folder.

use std::fs;
use std::path::Path;

use tokio::process::Command;

use crate::error::say;

use super::child::output;
use super::tools::Lack;

/// The folder of the virtual environment, in which profiles look for Python first.
pub(super) const VENV: &str = "venv";

/// What demos import, pip's name for it, and that of Debian's package.
const MODULES: [(&str, &str, &str); 2] = [("zmq", "pyzmq", "python3-zmq"), ("flask", "flask", "python3-flask")];

/// Says which of its arguments can be imported.
const PROBE: &str = "
import sys
assert sys.version_info >= (3, 9), 'this is older than 3.9'
for name in sys.argv[1:]:
    try:
        __import__(name)
        print(name)
    except Exception:
        pass
";

/// The Python that demos run with.
#[derive(Debug)]
pub(super) struct Python {
    /// What it can import.
    modules: Vec<String>,
    /// Why it can't import the rest.
    trouble: String,
}

impl Python {
    /// Finds one that can import everything; makes a virtual environment if there is none.
    ///
    /// # Errors
    /// There is no Python at all.
    pub(super) async fn look(folder: &Path) -> Result<Self, Lack> {
        let venv = folder.join(VENV);
        let own = venv.join("bin/python3");
        if let Ok(modules) = importable(&own).await
            && modules.len() == MODULES.len()
        {
            return Ok(Self { modules, trouble: String::new() });
        }
        // What can't import everything is of no use, and would be in the way.
        let _ = fs::remove_dir_all(&venv);
        let modules = importable("python3".as_ref())
            .await
            .map_err(|why| Lack { why, hint: "apt-get install python3 python3-venv".into() })?;
        if modules.len() == MODULES.len() {
            return Ok(Self { modules, trouble: String::new() });
        }
        say(&format!("m2sh: installing pyzmq and flask into `{}` with pip, which takes a while", venv.display()));
        match install(&venv).await {
            Ok(modules) => Ok(Self { modules, trouble: String::new() }),
            Err(trouble) => {
                let _ = fs::remove_dir_all(&venv);
                Ok(Self { modules, trouble: format!(", and pip can't install it: {trouble}") })
            }
        }
    }

    /// Why it can't import a module, if it can't.
    pub(super) fn lack(&self, module: &str) -> Option<Lack> {
        if self.modules.iter().any(|name| name == module) {
            return None;
        }
        let (_, _, package) = MODULES.iter().find(|(name, ..)| *name == module)?;
        let why = format!("Python has no module `{module}`{}", self.trouble);
        Some(Lack { why, hint: format!("apt-get install {package}") })
    }
}

async fn importable(python: &Path) -> Result<Vec<String>, String> {
    let mut command = Command::new(python);
    let told = output(command.args(["-c", PROBE]).args(MODULES.map(|(name, ..)| name))).await?;
    Ok(told.lines().map(str::to_owned).collect())
}

async fn install(venv: &Path) -> Result<Vec<String>, String> {
    output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv)).await?;
    let python = venv.join("bin/python3");
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    // Without a network it shall not take minutes to find that out.
    pip.args(["--retries", "1", "--timeout", "15"]).args(MODULES.map(|(_, name, _)| name));
    output(&mut pip).await?;
    let modules = importable(&python).await?;
    if modules.len() == MODULES.len() { Ok(modules) } else { Err("what it has installed can't be imported".into()) }
}
