//! From statements to objects, which the session takes as if a Rhai script had committed them.
//!
//! A name is evaluated when it is first needed, as names may be used before they are given a value.  How much is
//! made of a text is bounded: lists in lists of names could double with each line.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use mongrel2::config::closest;
use rhai::{Array, Dynamic, Map};

use super::tree::{Entry, Expr, Form, Statement};
use crate::script::lex::At;
use crate::script::object::{Object, Part};
use crate::script::session::{Commit, Session};
use crate::script::trouble::Level;
use crate::script::words::{NOUNS, found};

/// How deep names and values may lead into one another.
const MOST_DEPTH: usize = 500;
/// How many values may be made, those counted again that a name stands for.
const MOST_VALUES: usize = 2_000_000;
/// For how many names the most similar one is looked for, among all that there are.
const MOST_HINTS: usize = 50;
/// The names that say what is to be loaded.
const ROOTS: [&str; 3] = ["servers", "settings", "mimetypes"];

/// Evaluates what a file says, and commits it.
pub(super) fn evaluate(statements: &[Statement], session: &Rc<Session>) {
    let mut evaluator = Evaluator::new(session);
    evaluator.define(statements);
    evaluator.statements(statements);
    evaluator.commit();
    evaluator.unused();
}

/// What an expression stands for.
#[derive(Clone)]
struct Value {
    dynamic: Dynamic,
    /// How many values are in it.
    weight: usize,
    /// Whether it lacks something that was refused.
    partial: bool,
}

impl Value {
    fn plain(value: impl Into<Dynamic>) -> Self {
        Self { dynamic: value.into(), weight: 1, partial: false }
    }
}

/// How far a name has got.
enum State {
    Fresh,
    Busy,
    /// Nothing is inside if it was refused.
    Done(Option<Value>),
}

struct Name<'a> {
    entry: &'a Entry,
    state: State,
}

/// What is to be loaded, and where that is said.
type Committed = (At, Option<Value>, Map);

struct Evaluator<'a> {
    session: &'a Rc<Session>,
    names: HashMap<&'a str, Name<'a>>,
    used: BTreeSet<&'a str>,
    committed: Option<Committed>,
    depth: usize,
    made: usize,
    /// How many names there were that nothing has.
    nameless: usize,
}

impl<'a> Evaluator<'a> {
    fn new(session: &'a Rc<Session>) -> Self {
        let (names, used) = (HashMap::new(), BTreeSet::new());
        Self { session, names, used, committed: None, depth: 0, made: 0, nameless: 0 }
    }

    fn fault(&self, at: At, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.session.fault(self.session.sources().at(at), message, hint.into());
    }

    fn note(&self, at: At, message: String, hint: Option<String>) {
        self.session.report(self.session.sources().at(at), Level::Note, message, hint);
    }

    fn define(&mut self, statements: &'a [Statement]) {
        for statement in statements {
            let Statement::Assign(entry) = statement else { continue };
            if let Some(first) = self.names.insert(&entry.name, Name { entry, state: State::Fresh }) {
                let message = format!("`{}` gets another value: the one of line {}", entry.name, entry.at.0);
                self.note(first.entry.at, format!("{message} is all that counts"), None);
            }
        }
    }

    fn statements(&mut self, statements: &'a [Statement]) {
        for statement in statements {
            match statement {
                Statement::Assign(entry) => drop(self.name(&entry.name)),
                Statement::Add { name, at, field, field_at, value } => self.add((name, *at), (field, *field_at), value),
                Statement::Commit { at, servers, options } => {
                    let servers = self.eval(servers);
                    let options =
                        options.iter().filter_map(|entry| Some((&*entry.name, self.eval(&entry.value)?.dynamic)));
                    let options = options.map(|(name, value)| (name.into(), value)).collect();
                    self.committed = Some((*at, servers, options));
                }
            }
        }
    }

    /// `name.field.add(value)`
    fn add(&mut self, (name, at): (&'a str, At), (field, field_at): (&str, At), value: &'a Expr) {
        let value = self.eval(value);
        let Some(target) = self.refer(name, at) else { return };
        let Some(object) = target.dynamic.clone().try_cast::<Object>() else {
            return self.fault(at, format!("`{name}` is {}, and has no fields", found(&target.dynamic)), None);
        };
        let spot = self.session.sources().at(field_at);
        let added = match (Part::new(&object, field), value) {
            (Some(part), Some(value)) => part.add(None, value.dynamic, spot).is_ok(),
            (Some(_), None) => return object.mark(field),
            (None, _) => false,
        };
        if !added {
            let message = format!("nothing can be added to `{field}` of {}", object.noun().name);
            self.fault(field_at, message, "main.hosts.add(host)".to_owned());
        }
    }

    /// Commits what `commit(…)` said, or what `servers`, `settings` and `mimetypes` are.
    fn commit(&mut self) {
        let (at, servers, options) = match self.committed.take() {
            Some(committed) => committed,
            None => match self.roots() {
                Some(committed) => committed,
                None => return,
            },
        };
        let spot = self.session.sources().at(at);
        let Some(Value { dynamic: servers, partial, .. }) = servers else { return };
        if !servers.is_array() {
            let message = format!("`servers` has to be a list of Server, not {}", found(&servers));
            return self.fault(at, message, "servers = [main]".to_owned());
        }
        let is_empty = servers.read_lock::<Array>().is_some_and(|servers| servers.is_empty());
        if !(partial && is_empty) {
            self.session.commit(Commit { spot, servers, options: options.into() });
        }
    }

    fn roots(&mut self) -> Option<Committed> {
        let Some(at) = self.names.get("servers").map(|name| name.entry.at) else {
            let unused = self.names.keys().filter(|name| !self.used.contains(**name));
            let hint = closest("servers", unused.copied()).map(|name| format!("did you mean `servers` by `{name}`?"));
            let spot = self.session.sources().whole();
            let hint = hint.unwrap_or_else(|| "end it with `servers = [main]`".into());
            self.session.fault(spot, "the file never says which `servers` there are", Some(hint));
            return None;
        };
        let servers = self.name("servers");
        let mut options = Map::new();
        for name in ["settings", "mimetypes"] {
            if self.names.contains_key(name)
                && let Some(value) = self.name(name)
            {
                options.insert(name.into(), value.dynamic);
            }
        }
        Some((at, servers, options))
    }

    /// A name that nothing uses is a misspelt root if it looks like one.
    fn unused(&self) {
        for (name, Name { entry, .. }) in &self.names {
            let root = closest(name, ROOTS).filter(|root| root != name && !self.names.contains_key(root));
            if let Some(root) = root.filter(|_| !self.used.contains(name)) {
                self.note(entry.at, format!("nothing uses `{name}`"), Some(format!("did you mean `{root}`?")));
            }
        }
    }

    /// What a name stands for.
    fn name(&mut self, name: &str) -> Option<Value> {
        let Name { entry, state } = self.names.get_mut(name)?;
        match state {
            State::Done(value) => return value.clone(),
            State::Busy => return None,
            State::Fresh => *state = State::Busy,
        }
        let (key, expr) = (entry.name.as_str(), &entry.value);
        let value = self.eval(expr);
        self.names.get_mut(key).expect("names are not taken away").state = State::Done(value.clone());
        value
    }

    /// What a name stands for where it is used.
    fn refer(&mut self, name: &'a str, at: At) -> Option<Value> {
        self.used.insert(name);
        match self.names.get(name).map(|name| &name.state) {
            None => {
                self.nameless(name, at);
                return None;
            }
            Some(State::Busy) => {
                self.fault(at, format!("`{name}` is made of itself"), None);
                return None;
            }
            Some(_) => {}
        }
        let value = self.name(name)?;
        self.spend(value.weight, at)?;
        Some(value)
    }

    fn nameless(&mut self, name: &str, at: At) {
        self.nameless += 1;
        let close = (self.nameless <= MOST_HINTS).then(|| closest(name, self.names.keys().copied())).flatten();
        self.fault(at, format!("there is no `{name}`"), close.map(|close| format!("did you mean `{close}`?")));
    }

    /// Counts values that are made; nothing if there are too many.
    fn spend(&mut self, values: usize, at: At) -> Option<()> {
        let before = self.made;
        self.made = before.saturating_add(values);
        if before <= MOST_VALUES && self.made > MOST_VALUES {
            self.fault(at, format!("this makes more than {MOST_VALUES} values"), None);
        }
        (self.made <= MOST_VALUES).then_some(())
    }

    /// What an expression stands for; nothing if it was refused, which has been told then.
    fn eval(&mut self, expr: &'a Expr) -> Option<Value> {
        if self.depth == MOST_DEPTH {
            self.fault(expr.at, format!("values lead into one another more than {MOST_DEPTH} deep"), None);
            return None;
        }
        self.spend(1, expr.at)?;
        self.depth += 1;
        let value = self.form(expr);
        self.depth -= 1;
        value
    }

    fn form(&mut self, expr: &'a Expr) -> Option<Value> {
        match &expr.form {
            Form::Text(text) => Some(Value::plain(text.clone())),
            Form::Number(number, _) => Some(Value::plain(*number)),
            Form::Truth(truth) => Some(Value::plain(*truth)),
            Form::Nothing => Some(Value::plain(())),
            Form::Name(name) => self.refer(name, expr.at),
            Form::Call(name, fields) => self.call(name, expr.at, fields),
            Form::List(entries) => Some(self.list(entries)),
            Form::Dict(entries) => Some(self.dict(entries)),
            Form::Negative(operand) => {
                let operand = self.number(operand)?;
                self.calculated(operand.checked_neg(), expr.at)
            }
            Form::Binary(left, mark, right) => {
                let (left, right) = (self.number(left)?, self.number(right)?);
                let result = match mark {
                    '+' => left.checked_add(right),
                    '-' => left.checked_sub(right),
                    '*' => left.checked_mul(right),
                    _ => left.checked_div(right),
                };
                self.calculated(result, expr.at)
            }
        }
    }

    fn number(&mut self, expr: &'a Expr) -> Option<i64> {
        let value = self.eval(expr)?.dynamic;
        let number = value.as_int().ok();
        if number.is_none() {
            self.fault(expr.at, format!("only numbers can be calculated with, not {}", found(&value)), None);
        }
        number
    }

    fn calculated(&self, result: Option<i64>, at: At) -> Option<Value> {
        if result.is_none() {
            self.fault(at, "the result is no number that fits", None);
        }
        result.map(Value::plain)
    }

    fn list(&mut self, entries: &'a [Expr]) -> Value {
        let (mut list, mut weight, mut partial) = (Array::new(), 1, false);
        for entry in entries {
            match self.eval(entry) {
                Some(value) => {
                    weight += value.weight;
                    partial |= value.partial;
                    list.push(value.dynamic);
                }
                None => partial = true,
            }
        }
        Value { dynamic: list.into(), weight, partial }
    }

    fn dict(&mut self, entries: &'a [Entry]) -> Value {
        let (mut map, mut weight) = (Map::new(), 1);
        for entry in entries {
            let digits = match &entry.value.form {
                // A file's rights are `0600`, which is not 600.
                Form::Number(_, Some(digits)) => Some(Value::plain(digits.clone())),
                _ => None,
            };
            let Some(value) = digits.or_else(|| self.eval(&entry.value)) else { continue };
            weight += value.weight;
            if map.insert(entry.name.as_str().into(), value.dynamic).is_some() {
                self.repeated(entry);
            }
        }
        Value { dynamic: map.into(), weight, partial: false }
    }

    fn repeated(&self, entry: &Entry) {
        let message = format!("`{}` is there already: only this one counts", entry.name.escape_debug());
        self.note(entry.at, message, None);
    }

    fn call(&mut self, name: &'a str, at: At, entries: &'a [Entry]) -> Option<Value> {
        let noun = NOUNS.into_iter().find(|noun| noun.name == name);
        let (mut fields, mut refused) = (Map::new(), Vec::new());
        for entry in entries {
            let value = self.eval(&entry.value);
            if noun.is_some_and(|noun| noun.name == "Server") && entry.name == "filters" {
                self.note(entry.at, "filters have no effect: this version has none".into(), None);
                continue;
            }
            if value.as_ref().is_none_or(|value| value.partial) {
                refused.push(entry.name.as_str());
            }
            if let Some(Value { dynamic, .. }) = value
                && !dynamic.is_unit()
                && fields.insert(entry.name.as_str().into(), dynamic).is_some()
            {
                self.repeated(entry);
            }
        }
        let Some(noun) = noun else { return self.unknown(name, at) };
        let object = Object::new(noun, fields, self.session.sources().at(at), self.session);
        refused.into_iter().filter(|field| noun.field(field).is_some()).for_each(|field| object.mark(field));
        Some(Value::plain(Dynamic::from(object)))
    }

    fn unknown(&self, name: &str, at: At) -> Option<Value> {
        if name == "Filter" {
            return Some(Value::plain(()));
        }
        let names = || NOUNS.iter().map(|noun| noun.name);
        let hint = closest(name, names()).map(|close| format!("did you mean `{close}`?"));
        let hint = hint.unwrap_or_else(|| format!("there are {}", names().collect::<Vec<_>>().join(", ")));
        self.fault(at, format!("there is no `{name}`"), hint);
        None
    }
}
