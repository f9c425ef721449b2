//! What one run of a script collects while Rhai runs it: faults, places, and what was committed.
//!
//! Rhai's functions hold it together, so everything is behind cells; no borrow outlives a method.

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mongrel2::config::secret::reference;
use mongrel2::config::store::origin::Origin;
use rhai::{Dynamic, NativeCallContext, Position};

use super::Facts;
use super::scan::Index;
use super::secret;
use super::source::{Sources, Spot};
use super::trouble::{Level, Troubles};

/// A run of a script.
#[derive(Debug)]
pub(super) struct Session {
    /// What the script may know of the world.
    facts: Facts,
    asked: RefCell<Asked>,
    sources: RefCell<Sources>,
    faults: RefCell<Vec<Fault>>,
    commits: RefCell<Vec<Commit>>,
}

/// What the script has asked of the world.
#[derive(Debug, Default)]
struct Asked {
    variables: BTreeSet<String>,
    hostname: Option<String>,
    secrets: BTreeMap<String, String>,
}

/// What will be a trouble.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    spot: Spot,
    level: Level,
    message: String,
    hint: Option<String>,
}

/// A call of `commit`.
#[derive(Debug, Clone)]
pub(super) struct Commit {
    /// Where it is.
    pub(super) spot: Spot,
    /// Its first argument.
    pub(super) servers: Dynamic,
    /// Its second argument, or `()`.
    pub(super) options: Dynamic,
}

/// Nobody reads more, and a loop could make millions.
const MOST_FAULTS: usize = 1000;

impl Session {
    /// A run of the script at `path`, which has that text.
    pub(super) fn new(facts: Facts, path: &Path, text: &str) -> Self {
        let sources = Sources::new(path, text).into();
        Self { sources, ..Self::empty(facts) }
    }

    /// A run of a file in another language, whose places are known.
    pub(super) fn indexed(path: &Path, text: &str, index: Index) -> Self {
        let sources = Sources::indexed(path, text, index).into();
        Self { sources, ..Self::empty(Facts::default()) }
    }

    fn empty(facts: Facts) -> Self {
        Self {
            facts,
            asked: RefCell::default(),
            sources: RefCell::default(),
            faults: RefCell::default(),
            commits: RefCell::default(),
        }
    }

    /// A variable of the environment.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.asked.borrow_mut().variables.insert(name.to_owned());
        self.facts.variables.get(name).map(String::as_str)
    }

    /// The machine's name.
    pub(super) fn hostname(&self) -> String {
        self.asked.borrow_mut().hostname.insert(self.facts.hostname.clone()).clone()
    }

    /// What refers to a secret, whose value is remembered.
    ///
    /// # Errors
    /// What is wrong with it, and what to do about it.
    pub(super) fn secret(&self, name: &str) -> Result<String, (String, String)> {
        let value = secret::find(name, &self.facts)?;
        self.asked.borrow_mut().secrets.insert(name.to_owned(), value);
        Ok(reference(name))
    }

    /// The secrets that were asked for.
    pub(super) fn secrets(&self) -> BTreeMap<String, String> {
        self.asked.borrow().secrets.clone()
    }

    /// What the run was made of.
    pub(super) fn origin(&self) -> Origin {
        let asked = self.asked.borrow();
        Origin {
            files: self.sources().files().collect(),
            variables: asked.variables.iter().cloned().collect(),
            hostname: asked.hostname.clone(),
        }
    }

    /// The files of the run.
    pub(super) fn sources(&self) -> Ref<'_, Sources> {
        self.sources.borrow()
    }

    /// Remembers an imported file.
    pub(super) fn add_source(&self, path: &Path, text: &str) {
        self.sources.borrow_mut().add(path, text);
    }

    /// Where a call is.
    pub(super) fn spot(&self, context: &NativeCallContext<'_>) -> Spot {
        self.sources().spot(context.call_source(), context.call_position())
    }

    /// Reports something wrong.
    pub(super) fn fault(&self, spot: Spot, message: impl Into<String>, hint: Option<String>) {
        self.report(spot, Level::Error, message.into(), hint);
    }

    /// Reports something.  What a loop repeats is kept once.
    pub(super) fn report(&self, spot: Spot, level: Level, message: String, hint: Option<String>) {
        let mut faults = self.faults.borrow_mut();
        let fault = Fault { spot, level, message, hint };
        if faults.len() < MOST_FAULTS && !faults.contains(&fault) {
            faults.push(fault);
        }
    }

    /// Whether something wrong was reported.
    pub(super) fn is_faulty(&self) -> bool {
        self.faults.borrow().iter().any(|fault| fault.level == Level::Error)
    }

    /// All that was reported, in the order of files and lines.
    pub(super) fn troubles(&self) -> Troubles {
        let sources = self.sources();
        let mut faults = self.faults.take();
        faults.sort_by_key(|fault| fault.spot);
        faults.into_iter().map(|fault| sources.trouble(fault.spot, fault.level, fault.message, fault.hint)).collect()
    }

    /// Takes a call of `commit`; there can be one.
    pub(super) fn commit(&self, commit: Commit) {
        let first = self.first_commit().map(|first| self.sources().describe(first.spot));
        match first {
            None => self.commits.borrow_mut().push(commit),
            Some(first) => {
                let hint = format!("the first call is at {first}: give it all servers");
                self.fault(commit.spot, "`commit` can be called only once", Some(hint));
            }
        }
    }

    /// The first call of `commit`.
    pub(super) fn first_commit(&self) -> Option<Commit> {
        self.commits.borrow().first().cloned()
    }

    /// Whether `commit` was called.
    pub(super) fn has_commit(&self) -> bool {
        !self.commits.borrow().is_empty()
    }

    /// Reports that `commit` was never called.
    pub(super) fn not_committed(&self) {
        let spot = self.sources().spot(None, Position::NONE);
        self.fault(spot, "the script never calls `commit`", Some("end it with `commit([server])`".into()));
    }
}
