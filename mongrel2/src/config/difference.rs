//! What is different between two configurations: object by object, field by field, in a stable order.
//!
//! Servers are matched by UUID, hosts by name, routes by path and `reversed`; several of the same path by their order.
//! Fields are compared by the names that they have in the tree, so that none is forgotten.  Only of equal
//! configurations there is no difference: that rows have another order is one, too.  What a change means for a server
//! says [`effect`](super::effect).

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::{self, Display, Formatter};
use std::hash::Hash;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::secret::HIDDEN;
use super::tree::{Config, Host, Route, Server};

/// One object that is not as it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What has become of it.
    #[serde(rename = "change")]
    pub kind: Kind,
    /// Which object it is.
    #[serde(serialize_with = "in_words")]
    pub path: Path,
    /// The fields that have changed, or all of an object that came or went.
    pub fields: Vec<Field>,
}

/// What has become of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has other fields, or another place among its like.
    Changed,
}

/// A field with what it was and what it is; none where the object has no such field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    /// The field's name in the tree; a dot leads into a field of fields, as in `fallback.base`.  `behind` is no field:
    /// it tells which object of the same kind comes before a moved one.
    #[serde(rename = "field")]
    pub name: String,
    /// The value in the old configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// The value in the new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// The kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Noun {
    /// A server.
    Server,
    /// A host of a server.
    Host,
    /// A route of a host, with its target.
    Route,
    /// A setting.
    Setting,
    /// A media type, by its extension.
    Mimetype,
    /// A secret, by its name; its value is never told.
    Secret,
}

impl Noun {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Server, Self::Host, Self::Route, Self::Setting, Self::Mimetype, Self::Secret];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Host => "host",
            Self::Route => "route",
            Self::Setting => "setting",
            Self::Mimetype => "mimetype",
            Self::Secret => "secret",
        }
    }
}

/// The names on the way to an object: `server hello, host localhost, route /x`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// From the outermost object to this one.
    pub steps: Vec<Step>,
}

/// An object among those of its kind in the same object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What it is.
    pub noun: Noun,
    /// What it is called.
    pub name: String,
    /// What it is told by where its name can change: a server's UUID; empty for anything else.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uuid: String,
}

impl Path {
    /// What the object is.
    pub fn noun(&self) -> Noun {
        self.steps.last().expect("the path of a change is never empty").noun
    }

    /// Whether the object is part of another one.
    pub fn is_within(&self, other: &Self) -> bool {
        self.steps.len() > other.steps.len() && self.steps.starts_with(&other.steps)
    }

    fn with(&self, noun: Noun, name: impl Into<String>, uuid: &str) -> Self {
        let step = Step { noun, name: name.into(), uuid: uuid.into() };
        Self { steps: self.steps.iter().cloned().chain([step]).collect() }
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, Step { noun, name, .. }) in self.steps.iter().enumerate() {
            write!(f, "{}{} {name}", if index == 0 { "" } else { ", " }, noun.word())?;
        }
        Ok(())
    }
}

fn in_words<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(path)
}

/// What a change has touched, without the values: enough to tell later whose work a field is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// What became of the object.
    pub change: Kind,
    /// Which object it is.
    pub path: Path,
    /// The fields that changed; none of an object that came or went, which did so with all that is in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// All that is different: servers in the order of the new configuration, each with its hosts and their routes behind
/// it, and those that are gone behind the others; then settings and media types by name.
pub fn difference(old: &Config, new: &Config) -> Vec<Change> {
    Walk::default().through(old, new)
}

/// The same without the fields of objects that came or went.
pub fn outline(old: &Config, new: &Config) -> Vec<Change> {
    Walk { detail: Detail::Names, ..Walk::default() }.through(old, new)
}

/// The same without values, and without what is in objects that came or went.
pub fn touched(old: &Config, new: &Config) -> Vec<Touch> {
    let changes = Walk { detail: Detail::Tops, ..Walk::default() }.through(old, new);
    let names = |fields: Vec<Field>| fields.into_iter().map(|field| field.name).filter(|name| name != BEHIND).collect();
    let touches = changes.into_iter().map(|Change { kind, path, fields }| Touch {
        change: kind,
        path,
        fields: if kind == Kind::Changed { names(fields) } else { Vec::new() },
    });
    touches.filter(|touch| touch.change != Kind::Changed || !touch.fields.is_empty()).collect()
}

/// What to call servers where two configurations are told apart: by name, and by UUID where that is not enough.
#[derive(Debug)]
pub(super) struct Labels<'a> {
    uuids: HashMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Labels<'a> {
    pub(super) fn of(old: &'a Config, new: &'a Config) -> Self {
        let mut uuids: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        for server in old.servers.iter().chain(&new.servers) {
            uuids.entry(server.label()).or_default().insert(&server.uuid);
        }
        Self { uuids }
    }

    pub(super) fn of_server(&self, server: &Server) -> String {
        match self.uuids.get(server.label()) {
            Some(uuids) if uuids.len() > 1 => format!("{} {}", server.name, server.uuid).trim_start().to_owned(),
            _ => server.label().to_owned(),
        }
    }
}

/// What stands for the place among its like in the fields of a moved object.
const BEHIND: &str = "behind";

/// What comes in lists and is told by a key.
trait Object: PartialEq {
    const NOUN: Noun;

    /// What it is matched by.
    fn key(&self) -> (&str, bool);

    /// What it is told by where its name can change.
    fn uuid(&self) -> &str {
        ""
    }

    /// Its own fields, without the objects that are part of it.
    fn fields(&self) -> Vec<(String, Value)>;

    /// Compares what is part of it; none where the object isn't there.
    fn compare_parts(_walk: &mut Walk, _path: &Path, _old: Option<&Self>, _new: Option<&Self>) {}
}

impl Object for Server {
    const NOUN: Noun = Noun::Server;

    fn key(&self) -> (&str, bool) {
        (&self.uuid, false)
    }

    fn uuid(&self) -> &str {
        &self.uuid
    }

    fn fields(&self) -> Vec<(String, Value)> {
        fields_but("hosts", &self.alone())
    }

    fn compare_parts(walk: &mut Walk, path: &Path, old: Option<&Self>, new: Option<&Self>) {
        let [old, new] = [old, new].map(|server| server.map_or(&[][..], |server| &server.hosts));
        walk.list(path, old, new, |host| host.name.clone());
    }
}

impl Object for Host {
    const NOUN: Noun = Noun::Host;

    fn key(&self) -> (&str, bool) {
        (&self.name, false)
    }

    fn fields(&self) -> Vec<(String, Value)> {
        fields_but("routes", &self.alone())
    }

    fn compare_parts(walk: &mut Walk, path: &Path, old: Option<&Self>, new: Option<&Self>) {
        let [old, new] = [old, new].map(|host| host.map_or(&[][..], |host| &host.routes));
        walk.list(path, old, new, |route| format!("{}{}", route.path, if route.reversed { " (reversed)" } else { "" }));
    }
}

impl Object for Route {
    const NOUN: Noun = Noun::Route;

    fn key(&self) -> (&str, bool) {
        (&self.path, self.reversed)
    }

    fn fields(&self) -> Vec<(String, Value)> {
        fields_but("", self)
    }
}

/// The fields of an object by their names, but for one that holds other objects.
fn fields_but(parts: &str, object: &impl Serialize) -> Vec<(String, Value)> {
    let Ok(Value::Object(mut map)) = serde_json::to_value(object) else {
        unreachable!("objects have fields of plain values");
    };
    map.shift_remove(parts);
    let mut fields = Vec::new();
    flatten("", map, &mut fields);
    fields
}

fn flatten(prefix: &str, map: Map<String, Value>, fields: &mut Vec<(String, Value)>) {
    for (name, value) in map {
        match value {
            Value::Object(map) => flatten(&format!("{prefix}{name}."), map, fields),
            Value::Null => (),
            value => fields.push((format!("{prefix}{name}"), value)),
        }
    }
}

#[derive(Default)]
struct Walk {
    changes: Vec<Change>,
    detail: Detail,
}

/// What is wanted of objects that come or go.
#[derive(Default, PartialEq, Eq)]
enum Detail {
    /// Everything.
    #[default]
    Values,
    /// That they do, and that all does which is part of them.
    Names,
    /// That they do.
    Tops,
}

impl Walk {
    fn through(mut self, old: &Config, new: &Config) -> Vec<Change> {
        let labels = Labels::of(old, new);
        self.list(&Path::default(), &old.servers, &new.servers, |server| labels.of_server(server));
        self.entries(Noun::Setting, &old.settings, &new.settings);
        self.entries(Noun::Mimetype, &old.mimetypes, &new.mimetypes);
        self.entries(Noun::Secret, &old.secrets, &new.secrets);
        self.changes
    }

    fn list<T: Object>(&mut self, parent: &Path, old: &[T], new: &[T], label: impl Fn(&T) -> String) {
        if old == new {
            return;
        }
        let (old_labels, new_labels) = (numbered(old, &label), numbered(new, &label));
        let pairs = Pairs::of(old, new);
        let behind = pairs.behind(&old_labels, &new_labels);
        for (index, name) in new_labels.iter().enumerate() {
            let before = pairs.matched[index].map(|place| &old[place]);
            let path = parent.with(T::NOUN, name, new[index].uuid());
            self.object(&path, before, Some(&new[index]), behind[index].clone());
        }
        for index in pairs.gone {
            let path = parent.with(T::NOUN, &old_labels[index], old[index].uuid());
            self.object(&path, Some(&old[index]), None, None);
        }
    }

    fn object<T: Object>(&mut self, path: &Path, old: Option<&T>, new: Option<&T>, behind: Option<Field>) {
        if old == new && behind.is_none() {
            return;
        }
        let kind = kind(old.is_some(), new.is_some());
        if self.detail != Detail::Values && kind != Kind::Changed {
            self.tell(path, kind, Vec::new());
            if self.detail == Detail::Names {
                T::compare_parts(self, path, old, new);
            }
            return;
        }
        let fields = |object: Option<&T>| object.map(Object::fields).unwrap_or_default();
        let changed = changed(fields(old), fields(new)).into_iter().chain(behind).collect();
        self.tell(path, kind, changed);
        T::compare_parts(self, path, old, new);
    }

    fn entries(&mut self, noun: Noun, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names.into_iter().filter(|name| old.get(*name) != new.get(*name)) {
            let text = |text: &str| if noun == Noun::Secret { HIDDEN.into() } else { text.into() };
            let value = |map: &BTreeMap<String, String>| map.get(name).map(|value| text(value));
            let field = Field { name: "value".into(), from: value(old), to: value(new) };
            let kind = kind(field.from.is_some(), field.to.is_some());
            self.tell(&Path::default().with(noun, name, ""), kind, vec![field]);
        }
    }

    fn tell(&mut self, path: &Path, kind: Kind, fields: Vec<Field>) {
        if kind != Kind::Changed || !fields.is_empty() {
            self.changes.push(Change { kind, path: path.clone(), fields });
        }
    }
}

fn kind(was: bool, is: bool) -> Kind {
    match (was, is) {
        (false, _) => Kind::Added,
        (true, false) => Kind::Removed,
        (true, true) => Kind::Changed,
    }
}

/// The fields that differ, in their new order; those that are gone behind them.
fn changed(old: Vec<(String, Value)>, new: Vec<(String, Value)>) -> Vec<Field> {
    let mut old: Vec<Option<(String, Value)>> = old.into_iter().map(Some).collect();
    let mut take = |name: &str| {
        let place = old.iter_mut().find(|field| field.as_ref().is_some_and(|field| field.0 == name));
        place.and_then(Option::take).map(|field| field.1)
    };
    let kept = new.into_iter().map(|(name, to)| Field { from: take(&name), to: Some(to), name });
    let mut fields: Vec<Field> = kept.filter(|field| field.from != field.to).collect();
    fields.extend(old.into_iter().flatten().map(|(name, from)| Field { name, from: Some(from), to: None }));
    fields
}

/// What objects are called: several of the same key get a number.
fn numbered<T: Object>(objects: &[T], label: impl Fn(&T) -> String) -> Vec<String> {
    let mut seen: HashMap<(&str, bool), usize> = HashMap::new();
    let name = |object| {
        let count = seen.entry(T::key(object)).or_default();
        *count += 1;
        if *count == 1 { label(object) } else { format!("{} ({count})", label(object)) }
    };
    objects.iter().map(name).collect()
}

/// Which objects of two lists are the same ones.
struct Pairs {
    /// For each new one the place of the old one.
    matched: Vec<Option<usize>>,
    /// The places of the old ones that are gone.
    gone: Vec<usize>,
}

impl Pairs {
    fn of<T: Object>(old: &[T], new: &[T]) -> Self {
        let mut waiting = places(old.iter().map(Object::key));
        let matched: Vec<_> =
            new.iter().map(|object| waiting.get_mut(&object.key()).and_then(VecDeque::pop_front)).collect();
        let mut gone: Vec<usize> = waiting.into_values().flatten().collect();
        gone.sort_unstable();
        Self { matched, gone }
    }

    /// For each new object that has been moved among those that stay: behind which it was, and behind which it is.
    ///
    /// As few as possible count as moved.  One that goes along with the one before it is not told.
    fn behind(&self, old_labels: &[String], new_labels: &[String]) -> Vec<Option<Field>> {
        let kept: Vec<(usize, usize)> =
            self.matched.iter().enumerate().filter_map(|(new, old)| Some((new, (*old)?))).collect();
        let places: Vec<usize> = kept.iter().map(|(_, old)| *old).collect();
        let mut sorted = places.clone();
        sorted.sort_unstable();
        let mut behind = vec![None; new_labels.len()];
        for index in moved(&places) {
            let (new, old) = kept[index];
            let rank = sorted.binary_search(&old).expect("it is one of them");
            let before_it = rank.checked_sub(1).map(|rank| sorted[rank]);
            let before_now = index.checked_sub(1).map(|index| kept[index]);
            if before_it != before_now.map(|(_, old)| old) {
                let from = before_it.map(|place| old_labels[place].as_str().into());
                let to = before_now.map(|(place, _)| new_labels[place].as_str().into());
                behind[new] = Some(Field { name: BEHIND.into(), from, to });
            }
        }
        behind
    }
}

fn places<K: Eq + Hash>(keys: impl Iterator<Item = K>) -> HashMap<K, VecDeque<usize>> {
    let mut places: HashMap<K, VecDeque<usize>> = HashMap::new();
    keys.enumerate().for_each(|(place, key)| places.entry(key).or_default().push_back(place));
    places
}

/// The indices of all numbers but those of a longest rising sequence.
fn moved(numbers: &[usize]) -> Vec<usize> {
    // For each length the index of the lowest number that ends a rising sequence of it.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(numbers.len());
    for (index, number) in numbers.iter().enumerate() {
        let length = ends.partition_point(|end| numbers[*end] < *number);
        before.push(length.checked_sub(1).map(|length| ends[length]));
        if length == ends.len() { ends.push(index) } else { ends[length] = index }
    }
    let mut is_moved = vec![true; numbers.len()];
    let mut stays = ends.last().copied();
    while let Some(index) = stays {
        is_moved[index] = false;
        stays = before[index];
    }
    (0..numbers.len()).filter(|index| is_moved[*index]).collect()
}

#[cfg(test)]
mod tests;
