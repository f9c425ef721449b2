//! A difference in words: a mark, the object's path and its fields, `+ server hello`, `~ setting x: 1 -> 2`.
//!
//! The whole of it for `m2sh plan`, and a short form for `m2sh load`, where what comes or goes with its parts is one line.

use mongrel2::config::difference::{Change, Field, Kind, Noun};
use serde_json::Value;

use crate::show::{Colour, Show, escape};

/// The short form has no more lines.
const MOST: usize = 20;

/// The short form tells the values of so many fields of an object, and of more only their names.
const MOST_FIELDS: usize = 3;

/// How many objects come, change and go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// New ones.
    pub add: usize,
    /// Changed ones.
    pub change: usize,
    /// Those that go.
    pub remove: usize,
}

impl Counts {
    /// Counts them.
    pub fn of(changes: &[Change]) -> Self {
        let count = |kind| changes.iter().filter(|change| change.kind == kind).count();
        Self { add: count(Kind::Added), change: count(Kind::Changed), remove: count(Kind::Removed) }
    }
}

/// Every object on a line, and its fields below it.
pub fn whole(changes: &[Change], show: &Show) -> Vec<String> {
    changes.iter().flat_map(|change| [head(change, show)].into_iter().chain(fields(change))).collect()
}

/// A line for each object that isn't part of one that comes or goes as a whole; not too many lines, and what goes
/// rather than the rest.
pub fn short(changes: &[Change], show: &Show) -> Vec<String> {
    let mut groups: Vec<&[Change]> = Vec::new();
    let mut rest = changes;
    while !rest.is_empty() {
        let (group, others) = rest.split_at(1 + parts(rest));
        groups.push(group);
        rest = others;
    }
    let (told, left) = most(groups);
    let lines = told.iter().map(|group| brief(&group[0], &group[1..], show));
    let more = match (left.len(), goings(&left)) {
        (0, _) => None,
        (more, 0) => Some(format!("… and {more} more")),
        (more, goings) => {
            Some(format!("… and {more} more, of which {goings} {}", if goings == 1 { "goes" } else { "go" }))
        }
    };
    lines.chain(more).collect()
}

/// What is told and what is left out, each in its order.
fn most(groups: Vec<&[Change]>) -> (Vec<&[Change]>, Vec<&[Change]>) {
    let (mut going, mut others) = (MOST, MOST.saturating_sub(goings(&groups)));
    groups.into_iter().partition(|group| {
        let room = if goes(group) { &mut going } else { &mut others };
        let is_told = *room > 0;
        *room = room.saturating_sub(1);
        is_told
    })
}

fn goings(groups: &[&[Change]]) -> usize {
    groups.iter().filter(|group| goes(group)).count()
}

fn goes(group: &[Change]) -> bool {
    group[0].kind == Kind::Removed
}

/// How many of the changes behind the first are part of it as it comes or goes.
fn parts(changes: &[Change]) -> usize {
    let (first, rest) = changes.split_first().expect("there is a first one");
    match first.kind {
        Kind::Changed => 0,
        Kind::Added | Kind::Removed => rest.iter().take_while(|change| change.path.is_within(&first.path)).count(),
    }
}

fn brief(change: &Change, parts: &[Change], show: &Show) -> String {
    let head = head(change, show);
    let count = |noun| parts.iter().filter(|part| part.path.noun() == noun).count();
    let counts = [(count(Noun::Host), "host"), (count(Noun::Route), "route")];
    let counts: Vec<_> = counts.iter().filter(|(count, _)| *count > 0).map(|(n, noun)| counted(*n, noun)).collect();
    if change.kind != Kind::Changed || is_pair(change) {
        return if counts.is_empty() { head } else { format!("{head} ({})", counts.join(", ")) };
    }
    let fields: Vec<_> = match &change.fields[..] {
        few if few.len() <= MOST_FIELDS => few.iter().map(|field| format!("{} {}", field.name, arrow(field))).collect(),
        many => many.iter().map(|field| field.name.clone()).collect(),
    };
    format!("{head}: {}", fields.join(", "))
}

/// Mark and path; of a setting or media type the value, too.
fn head(change: &Change, show: &Show) -> String {
    let (mark, colour) = match change.kind {
        Kind::Added => ("+", Colour::Green),
        Kind::Removed => ("-", Colour::Red),
        Kind::Changed => ("~", Colour::Yellow),
    };
    let head = format!("{} {}", show.painted(mark, colour), escape(&change.path.to_string()));
    match &change.fields[..] {
        [field] if is_pair(change) && change.kind != Kind::Removed => format!("{head}: {}", arrow(field)),
        _ => head,
    }
}

fn fields(change: &Change) -> Vec<String> {
    let is_told = |field: &&Field| match change.kind {
        Kind::Added => !field.to.as_ref().is_some_and(is_empty),
        Kind::Removed => false,
        Kind::Changed => true,
    };
    if is_pair(change) {
        return Vec::new();
    }
    change.fields.iter().filter(is_told).map(|field| format!("    {}: {}", field.name, arrow(field))).collect()
}

/// Whether it is a name with a value and nothing else.
fn is_pair(change: &Change) -> bool {
    matches!(change.path.noun(), Noun::Setting | Noun::Mimetype | Noun::Secret)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        other => *other == Value::Bool(false),
    }
}

fn arrow(field: &Field) -> String {
    match (&field.from, &field.to) {
        (None, Some(to)) if field.name != "behind" => text(to),
        (from, to) => format!("{} -> {}", text_or_none(from.as_ref()), text_or_none(to.as_ref())),
    }
}

fn text_or_none(value: Option<&Value>) -> String {
    value.map_or_else(|| "(none)".into(), text)
}

/// A value; a text that could be taken for something else has quotes.
fn text(value: &Value) -> String {
    let is_plain = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "\"()".contains(c));
    match value {
        Value::String(text) if is_plain(text) => escape(text),
        other => escape(&other.to_string()),
    }
}

/// A number of things: `1 host`, `2 hosts`.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use mongrel2::config::difference::difference;
    use mongrel2::config::{Config, Dir, Host, Route, Server, Target};

    use super::*;
    use crate::show::Form;

    fn config() -> Config {
        let target = Target::Dir(Dir { base: "static/".into(), ..Dir::default() });
        let routes = vec![Route { path: "/".into(), reversed: false, target }];
        let hosts = vec![Host { name: "localhost".into(), routes, ..Host::default() }];
        let server = Server { uuid: "1".into(), name: "hello".into(), port: 6767, hosts, ..Server::default() };
        Config { servers: vec![server], settings: [("a".to_owned(), "1".to_owned())].into(), ..Config::default() }
    }

    fn check(old: &Config, new: &Config, whole_lines: &[&str], short_lines: &[&str]) {
        let show = Show::new(Form::Lines, Vec::new());
        let changes = difference(old, new);
        assert_eq!(whole(&changes, &show), whole_lines);
        assert_eq!(short(&changes, &show), short_lines);
    }

    #[test]
    fn what_comes() {
        let whole = [
            "+ server hello",
            "    uuid: 1",
            "    error_log_level: 2",
            "    chroot: /var/www",
            "    name: hello",
            "    bind_addr: 0.0.0.0",
            "    port: 6767",
            "+ server hello, host localhost",
            "    name: localhost",
            "    hsts: 0",
            "+ server hello, host localhost, route /",
            "    path: /",
            "    target_type: dir",
            "    base: static/",
            "    cache_ttl: 0",
            "+ setting a: 1",
        ];
        check(&Config::default(), &config(), &whole, &["+ server hello (1 host, 1 route)", "+ setting a: 1"]);
    }

    #[test]
    fn what_goes() {
        let whole = [
            "- server hello",
            "- server hello, host localhost",
            "- server hello, host localhost, route /",
            "- setting a",
        ];
        check(&config(), &Config::default(), &whole, &["- server hello (1 host, 1 route)", "- setting a"]);
    }

    #[test]
    fn what_changes() {
        let mut new = config();
        new.servers[0].port = 80;
        new.servers[0].access_log = "/a b\u{1b}".into();
        new.servers[0].hosts[0].error_pages.insert(404, "/x".into());
        new.settings.insert("a".into(), "2".into());
        let whole = [
            "~ server hello",
            r#"    access_log: "" -> "/a b\u001b""#,
            "    port: 6767 -> 80",
            "~ server hello, host localhost",
            "    error_pages.404: /x",
            "~ setting a: 1 -> 2",
        ];
        let short = [
            r#"~ server hello: access_log "" -> "/a b\u001b", port 6767 -> 80"#,
            "~ server hello, host localhost: error_pages.404 /x",
            "~ setting a: 1 -> 2",
        ];
        check(&config(), &new, &whole, &short);
    }

    #[test]
    fn the_short_form_ends_at_some_point() {
        let settings = (10..35).map(|number| (format!("s{number}"), String::new())).collect();
        let changes = difference(&Config::default(), &Config { settings, ..Config::default() });
        let lines = short(&changes, &Show::new(Form::Lines, Vec::new()));
        assert_eq!((lines.len(), &lines[19][..], &lines[20][..]), (21, r#"+ setting s29: """#, "… and 5 more"));
    }

    #[test]
    fn what_goes_is_told_rather_than_the_rest() {
        let settings = |range: std::ops::Range<u8>| Config {
            settings: range.map(|number| (format!("s{number}"), String::new())).collect(),
            ..Config::default()
        };
        let lines = |old, new| short(&difference(&settings(old), &settings(new)), &Show::new(Form::Lines, Vec::new()));
        let few = lines(40..42, 10..35);
        assert_eq!(few.len(), 21);
        assert_eq!(few[17..], [r#"+ setting s27: """#, "- setting s40", "- setting s41", "… and 7 more"]);
        let many = lines(10..35, 40..42);
        assert_eq!((&many[19][..], &many[20][..]), ("- setting s29", "… and 7 more, of which 5 go"));
    }

    #[test]
    fn counts() {
        let mut new = config();
        new.settings.clear();
        new.servers[0].port = 80;
        let expected = Counts { add: 0, change: 1, remove: 1 };
        assert_eq!(Counts::of(&difference(&config(), &new)), expected);
    }
}
