//! A stand-in for the module that runs configuration scripts.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use mongrel2::config::Checked;
use serde::Serialize;

/// What a script may know of the world.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The environment's variables.
    pub variables: BTreeMap<String, String>,
    /// The machine's name.
    pub hostname: String,
}

/// What came out.
#[derive(Debug)]
pub struct Outcome {
    /// The configuration.
    pub checked: Checked,
    /// What is worth saying.
    pub notes: Troubles,
}

/// What is wrong.
#[derive(Debug, Serialize)]
pub struct Troubles(Vec<String>);

impl Troubles {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Troubles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join("\n"))
    }
}

/// Runs a script.
///
/// # Errors
/// Always, in this stand-in.
pub fn run(path: &Path, _: &Facts) -> Result<Outcome, Troubles> {
    Err(Troubles(vec![format!("error: cannot run `{}`: scripts are not there yet", path.display())]))
}
