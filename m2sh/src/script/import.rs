//! `import "other" as x;` reads `other.rhai` beside the script that says it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope};

use super::session::Session;
use super::source::read;
use super::stop::thrown;

/// How many files a script may import.
pub(super) const MOST_MODULES: usize = 100;
/// How long a chain of imports may be.
const MOST_NESTED: usize = 16;

/// Finds imported files, each of which runs once.
pub(super) struct Folder {
    session: Rc<Session>,
    /// What is being imported, outermost first.
    open: RefCell<Vec<PathBuf>>,
    done: RefCell<HashMap<PathBuf, Rc<Module>>>,
}

impl Folder {
    /// Imports for a run.
    pub(super) fn new(session: Rc<Session>) -> Self {
        let main = canonical(session.sources().main());
        Self { session, open: vec![main].into(), done: RefCell::default() }
    }

    fn path(&self, source: Option<&str>, name: &str) -> PathBuf {
        let name = if name.ends_with(".rhai") { name.to_owned() } else { format!("{name}.rhai") };
        let main = self.session.sources().main().to_owned();
        source.map_or(main, PathBuf::from).with_file_name(name)
    }

    fn check(&self, path: &Path) -> Result<(), Box<EvalAltResult>> {
        let open = self.open.borrow();
        if open.iter().any(|open| open == path) {
            let hint = "put what both need into a third script".to_owned();
            return Err(thrown("the script imports itself, directly or through another".into(), hint));
        }
        if open.len() > MOST_NESTED {
            return Err(thrown(format!("imports nest more than {MOST_NESTED} deep"), "import fewer scripts".into()));
        }
        if self.done.borrow().len() >= MOST_MODULES {
            return Err(thrown(format!("there are more than {MOST_MODULES} imports"), "import fewer scripts".into()));
        }
        Ok(())
    }

    fn load(&self, engine: &Engine, path: &Path) -> Result<Rc<Module>, Box<EvalAltResult>> {
        let text = read(path).map_err(|trouble| thrown(trouble.message, trouble.hint.unwrap_or_default()))?;
        self.session.add_source(path, &text);
        let source = path.to_string_lossy();
        let inside = |error| Box::new(EvalAltResult::ErrorInModule(source.to_string(), error, Position::NONE));
        let mut ast = engine.compile(&text).map_err(|error| inside(error.into()))?;
        ast.set_source(source.as_ref());
        Module::eval_ast_as_new(Scope::new(), &ast, engine).map(Into::into).map_err(inside)
    }
}

impl ModuleResolver for Folder {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        name: &str,
        position: Position,
    ) -> Result<Rc<Module>, Box<EvalAltResult>> {
        let path = self.path(source, name);
        let key = canonical(&path);
        if let Some(module) = self.done.borrow().get(&key) {
            return Ok(Rc::clone(module));
        }
        self.check(&key).map_err(|mut error| {
            error.set_position(position);
            error
        })?;
        self.open.borrow_mut().push(key.clone());
        let result = self.load(engine, &path);
        self.open.borrow_mut().pop();
        let module = result.map_err(|mut error| {
            if error.position().is_none() {
                error.set_position(position);
            }
            error
        })?;
        self.done.borrow_mut().insert(key, Rc::clone(&module));
        Ok(module)
    }
}

/// One name for one file, however it is written.
fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
