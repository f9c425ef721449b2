//! Runs a configuration script and checks what it says, and writes one.  Only this module knows Rhai, and only
//! `original` the original's language; `language` tells one from the other.
//!
//! A script comes in as a path, with the facts of the world that it may ask for; out goes a checked
//! configuration, or every fault at once with file, line, column and hint.  Nothing here reads the process's
//! environment or writes a database; a script's `print` and `debug` go to stderr.

mod build;
mod convert;
mod definitions;
mod engine;
mod import;
mod language;
mod lex;
mod object;
mod options;
mod original;
mod print;
mod scan;
mod secret;
mod session;
mod source;
mod stop;
mod trouble;
mod words;

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::Path;
use std::rc::Rc;
use std::thread;

use mongrel2::config::store::origin::Origin;
use mongrel2::config::{Checked, Config};

pub use definitions::definitions;
pub use print::print;
pub use trouble::{Level, Trouble, Troubles};

use language::Language;
use session::Session;
use source::read;

/// What a script may know of the world: the answers of `env` and `hostname`.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The environment's variables.
    pub variables: BTreeMap<String, String>,
    /// The machine's name.
    pub hostname: String,
}

/// What a good script says.
#[derive(Debug)]
pub struct Outcome {
    /// The configuration.
    pub checked: Checked,
    /// What is worth saying though nothing is wrong.
    pub notes: Troubles,
    /// What it was made of.
    pub origin: Origin,
}

/// Gives a configuration the secrets that it refers to: those of `facts`, else those that are `known`.
///
/// # Errors
/// The first that is missing, and what to do about it.
pub fn supply(config: &mut Config, facts: &Facts, known: &BTreeMap<String, String>) -> Result<(), (String, String)> {
    for name in config.secret_names() {
        let value = secret::find(&name, facts).or_else(|why| known.get(&name).cloned().ok_or(why))?;
        config.secrets.insert(name, value);
    }
    Ok(())
}

/// Both languages are evaluated by recursion.  On a stack of its own, a script's limits are the same in every
/// build and on every thread; memory is only used where the recursion really goes.
const STACK: usize = 256 << 20;

/// Runs a script and checks what it says.
///
/// # Errors
/// All that is wrong, by file and line; what stopped the script, if something did, and what was found before.
pub fn run(path: &Path, facts: &Facts) -> Result<Outcome, Troubles> {
    deeply(path, || run_here(path, facts))
}

/// Runs a file in the language of the original and nothing else, and gives its first comment along.
///
/// # Errors
/// All that is wrong, or that it is a Rhai script.
pub fn run_original(path: &Path) -> Result<(Outcome, Vec<String>), Troubles> {
    deeply(path, || run_original_here(path))
}

/// Does on a stack of its own what has to do with the script at `path`.
fn deeply<T: Send>(path: &Path, run: impl FnOnce() -> Result<T, Troubles> + Send) -> Result<T, Troubles> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run);
        match thread.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(error) => {
                let message = format!("cannot start a thread for `{}`: {error}", path.display());
                Err(Trouble::general(message, "free some memory, or raise the limits of this user").into())
            }
        }
    })
}

fn run_original_here(path: &Path) -> Result<(Outcome, Vec<String>), Troubles> {
    let text = read(path).map_err(|trouble| *trouble)?;
    if Language::of(&text) != Language::Original {
        let message = format!("`{}` is a Rhai script, as far as its beginning tells", path.display());
        let hint = "one in the language of the original begins with `NAME = …` or a `#` comment";
        return Err(Trouble::general(message, hint).into());
    }
    let head = original::head(&text).into_iter().map(str::to_owned).collect();
    Ok((original::run(path, &text)?, head))
}

fn run_here(path: &Path, facts: &Facts) -> Result<Outcome, Troubles> {
    let text = read(path).map_err(|trouble| *trouble)?;
    match Language::of(&text) {
        Language::Original => original::run(path, &text),
        Language::Rhai { sure: true } => run_rhai(path, facts, &text),
        Language::Rhai { sure: false } => run_rhai(path, facts, &text).map_err(language::doubt),
    }
}

fn run_rhai(path: &Path, facts: &Facts, text: &str) -> Result<Outcome, Troubles> {
    let session = Rc::new(Session::new(facts.clone(), path, text));
    let engine = engine::new(&session);
    let result = engine.compile(text).map_err(Into::into).and_then(|mut ast| {
        ast.set_source(path.to_string_lossy().as_ref());
        engine.run_ast(&ast)
    });
    match result {
        Ok(()) if !session.has_commit() => session.not_committed(),
        Ok(()) => (),
        Err(error) => stop::report(&session, &error),
    }
    build::outcome(&session)
}
