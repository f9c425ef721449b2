//! The values that a script makes and changes: a server, a host, a route or a target, and the lists in them.
//!
//! They are handles: a variable, a list and a map can hold the same object, and a change is seen by all, as in
//! the manual's Python.  A field that doesn't exist or has the wrong type is reported where it is given, and
//! the object goes on without it.

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mongrel2::config::closest;
use rhai::{Array, Dynamic, Map};

use super::session::Session;
use super::source::Spot;
use super::words::{Field, Kind, Noun};

/// An object of a configuration.
#[derive(Debug, Clone)]
pub(super) struct Object(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    noun: &'static Noun,
    /// The call that made it.
    origin: Spot,
    fields: RefCell<Fields>,
}

#[derive(Debug, Default)]
struct Fields {
    /// All have the type that the field takes.
    values: BTreeMap<&'static str, Dynamic>,
    /// Where fields and entries were given, unless in the call that made the object.
    spots: BTreeMap<(&'static str, String), Spot>,
    /// About these something has been said already.
    faulty: BTreeSet<&'static str>,
}

/// The lists and maps that may grow after an object was made have as many entries at most.
pub(super) const MOST_ENTRIES: usize = 100_000;

impl Object {
    /// The object that a call makes.
    pub(super) fn new(noun: &'static Noun, given: Map, origin: Spot, session: &Session) -> Self {
        let object = Self(Rc::new(Inner { noun, origin, fields: RefCell::default() }));
        for (name, value) in given {
            match noun.field(&name) {
                Some(field) if field.kind.takes(&value) => object.keep(field, value),
                field => object.refuse(field, &name, &value, session.sources().key(origin, &[&name]), session),
            }
        }
        object
    }

    /// What it is.
    pub(super) fn noun(&self) -> &'static Noun {
        self.0.noun
    }

    /// The call that made it.
    pub(super) fn origin(&self) -> Spot {
        self.0.origin
    }

    /// Changes a field; `spot` is the assignment.
    pub(super) fn set(&self, name: &str, value: Dynamic, spot: Spot, session: &Session) {
        let value = match value.read_lock::<Part>() {
            // Rhai writes `main.hosts` back after `main.hosts.push(…)`.
            Some(part) if part.is_of(self, name) => return,
            Some(part) => part.value(),
            None => value.clone(),
        };
        match self.noun().field(name) {
            Some(field) if field.kind.takes(&value) => {
                self.keep(field, value);
                let mut fields = self.0.fields.borrow_mut();
                fields.spots.retain(|(of, _), _| *of != field.name);
                fields.spots.insert((field.name, String::new()), spot);
            }
            field => self.refuse(field, name, &value, spot, session),
        }
    }

    fn keep(&self, field: &'static Field, value: Dynamic) {
        let mut fields = self.0.fields.borrow_mut();
        fields.faulty.remove(field.name);
        fields.values.insert(field.name, value);
    }

    fn refuse(&self, field: Option<&'static Field>, name: &str, value: &Dynamic, spot: Spot, session: &Session) {
        match field {
            Some(field) => {
                let message = format!("`{name}` has to be {}, not {}", field.kind.wanted(), field.kind.got(value));
                session.fault(spot, message, field.kind.advice(value).map(str::to_owned));
                self.mark(field.name);
            }
            None => {
                let message = format!("`{name}` is not a field of {}", self.noun().name);
                session.fault(spot, message, Some(self.noun().suggest(name)));
                closest(name, self.noun().names()).into_iter().for_each(|meant| self.mark_absent(meant));
            }
        }
    }

    /// Remembers that something has been said about a field.
    pub(super) fn mark(&self, field: &str) {
        let field = self.noun().field(field).expect("callers take it from the noun");
        self.0.fields.borrow_mut().faulty.insert(field.name);
    }

    /// A misspelt field is not missing too.
    fn mark_absent(&self, field: &str) {
        if !self.has(field) {
            self.mark(field);
        }
    }

    /// Whether something has been said about a field.
    pub(super) fn is_faulty(&self, field: &str) -> bool {
        self.0.fields.borrow().faulty.contains(field)
    }

    /// Whether a field was given.
    pub(super) fn has(&self, field: &str) -> bool {
        self.0.fields.borrow().values.contains_key(field)
    }

    /// The value of a field, if it was given.
    pub(super) fn value(&self, field: &str) -> Option<Ref<'_, Dynamic>> {
        Ref::filter_map(self.0.fields.borrow(), |fields| fields.values.get(field)).ok()
    }

    /// Where a field was given; the object itself if that can't be told.
    pub(super) fn spot(&self, field: &str, session: &Session) -> Spot {
        self.entry_spot(field, "").unwrap_or_else(|| session.sources().key(self.origin(), &[field]))
    }

    /// Where an entry of a list or map was given, if after the object was made.
    pub(super) fn entry_spot(&self, field: &str, entry: &str) -> Option<Spot> {
        let field = self.noun().field(field)?;
        self.0.fields.borrow().spots.get(&(field.name, entry.to_owned())).copied()
    }
}

/// The list or map in a field of an object: `main.hosts`, `host.routes`, `host.aliases`.
#[derive(Debug, Clone)]
pub(super) struct Part {
    object: Object,
    field: &'static Field,
}

/// Why a part can't be changed like that.
pub(super) enum Refusal {
    /// It is a list, and a key was given.
    List,
    /// It is a map of routes, and no key was given.
    Map,
    /// It is a map of error pages, and no key was given.
    Pages,
    /// It has [`MOST_ENTRIES`].
    Full,
}

impl Part {
    /// The list or map in that field of an object, if it has one.
    pub(super) fn new(object: &Object, name: &str) -> Option<Self> {
        let field = object.noun().field(name)?;
        field.kind.entries().map(|_| Self { object: object.clone(), field })
    }

    fn is_of(&self, object: &Object, name: &str) -> bool {
        Rc::ptr_eq(&self.object.0, &object.0) && self.field.name == name
    }

    /// What is in it; `()` if it was never given.
    pub(super) fn value(&self) -> Dynamic {
        self.object.value(self.field.name).map_or(Dynamic::UNIT, |value| value.clone())
    }

    /// The values of a list, or the keys of a map.
    pub(super) fn entries(&self) -> Vec<Dynamic> {
        let value = self.value();
        match value.read_lock::<Map>() {
            Some(map) => map.keys().map(|key| key.as_str().into()).collect(),
            None => value.clone().try_cast::<Array>().unwrap_or_default(),
        }
    }

    /// Adds an entry: to a list without a key, to a map with one.
    pub(super) fn add(&self, key: Option<&str>, value: Dynamic, spot: Spot) -> Result<(), Refusal> {
        let fields = &mut *self.object.0.fields.borrow_mut();
        let empty = || if key.is_some() { Map::new().into() } else { Array::new().into() };
        match (self.field.kind, key) {
            (Kind::Hosts | Kind::Texts | Kind::Upstreams, Some(_)) => return Err(Refusal::List),
            (Kind::Pages, None) => return Err(Refusal::Pages),
            _ => {}
        }
        let held = fields.values.entry(self.field.name).or_insert_with(empty);
        let entry = match key {
            Some(key) => insert(&mut *held.write_lock().ok_or(Refusal::List)?, key, value)?,
            None => push(&mut *held.write_lock().ok_or(Refusal::Map)?, value)?,
        };
        fields.spots.insert((self.field.name, entry), spot);
        Ok(())
    }
}

impl IntoIterator for Part {
    type Item = Dynamic;
    type IntoIter = std::vec::IntoIter<Dynamic>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries().into_iter()
    }
}

/// What the new entry is called: its key.
fn insert(map: &mut Map, key: &str, value: Dynamic) -> Result<String, Refusal> {
    if map.len() >= MOST_ENTRIES && !map.contains_key(key) {
        return Err(Refusal::Full);
    }
    map.insert(key.into(), value);
    Ok(key.to_owned())
}

/// What the new entry is called: its index.
fn push(list: &mut Array, value: Dynamic) -> Result<String, Refusal> {
    if list.len() >= MOST_ENTRIES {
        return Err(Refusal::Full);
    }
    list.push(value);
    Ok((list.len() - 1).to_string())
}
