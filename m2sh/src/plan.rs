//! A saved plan: a configuration, and which one it is to replace.
//!
//! It is a JSON file, made by `m2sh plan -o FILE` and read by `m2sh load -plan FILE`, perhaps on another day and by
//! another operator.

use std::fs;
use std::path::Path;

use chrono::Utc;
use mongrel2::config::Config;
use mongrel2::config::store::origin::Origin;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::operator::Operator;
use crate::script::Outcome;

/// The form of the file that this version writes and reads.
const VERSION: u32 = 1;

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    version: u32,
    /// The script that the plan was made from.
    pub script: String,
    /// UTC.
    pub made_at: String,
    /// User and machine.
    pub made_by: String,
    /// The SHA-256 of the configuration that the plan is for.
    pub base: String,
    /// The configuration that takes its place.
    pub config: Config,
    /// What it was made of.
    #[serde(default)]
    pub origin: Origin,
}

impl Plan {
    /// A plan of this moment.
    pub fn new(script: &Path, operator: &Operator, base: &Config, outcome: Outcome) -> Self {
        Self {
            version: VERSION,
            script: script.display().to_string(),
            made_at: Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            made_by: format!("{}@{}", operator.who, operator.location),
            base: base.digest(),
            config: outcome.checked.into_written(),
            origin: outcome.origin,
        }
    }

    /// Writes the file; one that is there is replaced.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let mut text = serde_json::to_string_pretty(self).expect("a plan is plain values");
        text.push('\n');
        fs::write(path, text).map_err(|error| Error::cannot(format!("write the plan `{}`", path.display()), error))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It can't be read, or is no plan of this version.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let cannot = |cause: String| Error::cannot(format!("read the plan `{}`", path.display()), cause);
        let text = fs::read_to_string(path).map_err(|error| cannot(error.to_string()))?;
        let hint = format!("make it with `m2sh plan -o {}`", path.display());
        match serde_json::from_str::<Self>(&text) {
            Ok(plan) if plan.version == VERSION => Ok(plan),
            Ok(plan) => Err(cannot(format!("its version is {}, this m2sh knows {VERSION}", plan.version)).hint(hint)),
            Err(error) => Err(cannot(format!("it is no plan of this m2sh ({error})")).hint(hint)),
        }
    }
}
