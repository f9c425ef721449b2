//! The log of a service's output: the files in its folder `log/`, one for each setting.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{File, Trouble, value};

/// When a log file is put aside for a new one, and how many are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// From which size on, in bytes.
    pub size: u64,
    /// From which age on; `None` is never.
    pub age: Option<Duration>,
    /// How many old ones are kept; 0 is all.
    pub keep: usize,
    /// Whether lines begin with the time.
    pub timestamps: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { size: 10 << 20, age: None, keep: 10, timestamps: true }
    }
}

impl Log {
    /// Of the files in the folder; those with other names are logs.
    pub(super) fn parse(files: &BTreeMap<String, File>, troubles: &mut Vec<Trouble>) -> Self {
        let mut log = Self::default();
        for (name, file) in files {
            let set = match file {
                File::Text(text) => log.set(name, text.trim()),
                File::Fault(problem) => Err(problem.clone()),
                _ => continue,
            };
            if let Err(problem) = set {
                troubles.push(Trouble { file: format!("log/{name}"), line: None, problem });
            }
        }
        log
    }

    /// The files that are settings.
    pub(super) const NAMES: [&'static str; 4] = ["age", "keep", "size", "timestamps"];

    fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        match name {
            "size" => value::size(text).map(|size| self.size = size.max(1)),
            "age" => value::time(text).map(|age| self.age = Some(age).filter(|age| !age.is_zero())),
            "keep" => value::number(text, 0, 1_000_000).map(|keep| self.keep = keep),
            "timestamps" => match text {
                "yes" | "no" => {
                    self.timestamps = text == "yes";
                    Ok(())
                }
                _ => Err(format!("`{text}` is neither `yes` nor `no`")),
            },
            _ => Ok(()),
        }
    }
}
