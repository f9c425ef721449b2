//! From the objects that a script committed to a checked configuration.
//!
//! Remembers which object or key each place of the tree came from, so that a problem found by
//! `mongrel2::config::check` gets its line; drops a problem that only follows from a fault already reported.

use std::collections::BTreeMap;

use mongrel2::config::{Checked, Config, Host, Place, Problem, Route, Severity, Target, Upstream, check};
use rhai::{Array, Dynamic};

use super::Outcome;
use super::object::Object;
use super::options::{Options, option_spot};
use super::session::{Commit, Session};
use super::source::Spot;
use super::trouble::{Level, Troubles};
use super::words::{HOST, Kind, ROUTE, SERVER, UPSTREAM, found};

/// Checks what was committed, if something was.
///
/// # Errors
/// All that was reported in the whole run.
pub(super) fn outcome(session: &Session) -> Result<Outcome, Troubles> {
    let checked = session.first_commit().and_then(|commit| Builder::new(session, commit).outcome());
    match checked {
        Some(checked) if !session.is_faulty() => {
            Ok(Outcome { checked, notes: session.troubles(), origin: session.origin() })
        }
        _ => Err(session.troubles()),
    }
}

/// What a place of the tree came from.
enum Origin {
    Object(Object),
    /// An entry of a host's map of routes.
    Entry(Object, String),
}

impl Origin {
    fn object(&self) -> &Object {
        match self {
            Self::Object(object) | Self::Entry(object, _) => object,
        }
    }
}

struct Builder<'a> {
    session: &'a Session,
    commit: Commit,
    config: Config,
    origins: BTreeMap<Place, Origin>,
    /// Whether something was refused in the list of servers.
    partial: bool,
}

impl<'a> Builder<'a> {
    fn new(session: &'a Session, commit: Commit) -> Self {
        Self { session, commit, config: Config::default(), origins: BTreeMap::new(), partial: false }
    }

    fn outcome(mut self) -> Option<Checked> {
        self.servers();
        let options = Options::read(self.session, &self.commit);
        self.config.settings = options.settings;
        self.config.mimetypes = options.mimetypes;
        self.config.keep_secrets(self.session.secrets());
        let (checked, problems) = match check(std::mem::take(&mut self.config)) {
            Ok((checked, problems)) => (Some(checked), problems),
            Err(problems) => (None, problems),
        };
        problems.into_iter().for_each(|problem| self.report(problem));
        checked
    }

    fn servers(&mut self) {
        let Some(servers) = self.commit.servers.clone().try_cast::<Array>() else {
            let message = format!("`commit` takes a list of servers, not {}", found(&self.commit.servers));
            return self.refuse_server(message);
        };
        for (index, value) in servers.iter().enumerate() {
            match Object::of(&SERVER, value) {
                Some(server) => self.server(server),
                None => {
                    let message = format!("entry {index} of the list of servers is {}, not a Server", found(value));
                    self.refuse_server(message);
                }
            }
        }
    }

    fn refuse_server(&mut self, message: String) {
        self.partial = true;
        self.session.fault(self.commit.spot, message, Some("commit([server])".into()));
    }

    fn server(&mut self, object: Object) {
        self.needed(&object);
        let server = object.to_server();
        let hosts = object.list("hosts");
        let s = self.config.servers.len();
        self.origins.insert(Place::Server(s), Origin::Object(object.clone()));
        self.config.servers.push(server);
        for (index, value) in hosts.iter().enumerate() {
            match Object::of(&HOST, value) {
                Some(host) => self.host(s, host),
                None => self.refuse_entry(&object, "hosts", index, value),
            }
        }
    }

    fn host(&mut self, s: usize, object: Object) {
        self.needed(&object);
        let h = self.config.servers[s].hosts.len();
        let mut host = object.to_host();
        host.aliases = self.aliases(&object);
        host.error_pages = self.error_pages(&object);
        for (index, value) in object.list("routes").iter().enumerate() {
            match Object::of(&ROUTE, value) {
                Some(route) => self.route((s, h), &mut host, route),
                None => self.refuse_entry(&object, "routes", index, value),
            }
        }
        for (path, value) in object.map("routes") {
            self.entry((s, h), &mut host, &object, &path, &value);
        }
        self.origins.insert(Place::Host(s, h), Origin::Object(object));
        self.config.servers[s].hosts.push(host);
    }

    fn aliases(&self, object: &Object) -> Vec<String> {
        let mut aliases = Vec::new();
        for (index, value) in object.list("aliases").iter().enumerate() {
            match value.clone().into_string() {
                Ok(alias) => aliases.push(alias),
                Err(_) => self.refuse_entry(object, "aliases", index, value),
            }
        }
        aliases
    }

    fn error_pages(&self, object: &Object) -> BTreeMap<i64, String> {
        let mut pages = BTreeMap::new();
        for (key, value) in object.map("error_pages") {
            let status = key.parse().ok().filter(|status: &i64| status.to_string() == key);
            match (status, value.clone().into_string()) {
                (Some(status), Ok(path)) => drop(pages.insert(status, path)),
                (Some(status), Err(_)) => {
                    let message = format!("the error page {status} has to be a path, not {}", found(&value));
                    self.refuse_page(object, &key, message);
                }
                (None, _) => self.refuse_page(object, &key, format!("`{key}` is not the status of an error")),
            }
        }
        pages
    }

    fn refuse_page(&self, object: &Object, key: &str, message: String) {
        let hint = "error_pages: #{\"404\": \"/errors/404.html\"}".into();
        self.session.fault(self.entry_spot(object, "error_pages", key), message, Some(hint));
    }

    /// A `Route(#{…})` in a list of routes.
    fn route(&mut self, (s, h): (usize, usize), host: &mut Host, object: Object) {
        self.needed(&object);
        let Some(target) = object.value("target").and_then(|value| value.clone().try_cast::<Object>()) else {
            return;
        };
        let r = host.routes.len();
        host.routes.push(object.to_route(self.target(&target)));
        self.origins.insert(Place::Route(s, h, r), Origin::Object(object));
        self.origins.insert(Place::Target(s, h, r), Origin::Object(target));
    }

    /// A path and its target in a map of routes.
    fn entry(&mut self, (s, h): (usize, usize), host: &mut Host, object: &Object, path: &str, value: &Dynamic) {
        let target = if Kind::Target.takes(value) { value.clone().try_cast::<Object>() } else { None };
        let Some(target) = target else {
            let wanted = Kind::Target.wanted();
            let message = format!("the route `{path}` has to lead to {wanted}, not {}", found(value));
            return self.session.fault(self.entry_spot(object, "routes", path), message, None);
        };
        let r = host.routes.len();
        host.routes.push(Route { path: path.to_owned(), reversed: false, target: self.target(&target) });
        self.origins.insert(Place::Route(s, h, r), Origin::Entry(object.clone(), path.to_owned()));
        self.origins.insert(Place::Target(s, h, r), Origin::Object(target));
    }

    /// What an object leads to, with what lies in it.
    fn target(&self, object: &Object) -> Target {
        self.needed(object);
        let mut target = object.to_target();
        if let Target::Proxy(proxy) = &mut target {
            proxy.upstreams = self.upstreams(object);
            let fallback = object.value("fallback").and_then(|value| value.clone().try_cast::<Object>());
            proxy.fallback = fallback.map(|fallback| Box::new(self.target(&fallback)));
        }
        target
    }

    fn upstreams(&self, object: &Object) -> Vec<Upstream> {
        let mut upstreams = Vec::new();
        for (index, value) in object.list("upstreams").iter().enumerate() {
            match Object::of(&UPSTREAM, value) {
                Some(upstream) => {
                    self.needed(&upstream);
                    upstreams.push(upstream.to_upstream());
                }
                None => self.refuse_entry(object, "upstreams", index, value),
            }
        }
        upstreams
    }

    fn refuse_entry(&self, object: &Object, field: &'static str, index: usize, value: &Dynamic) {
        let spot = object.entry_spot(field, &index.to_string());
        let spot = spot.unwrap_or_else(|| object.spot(field, self.session));
        let noun = object.noun().field(field).and_then(|field| field.kind.entries()).expect("it is a list");
        let message = format!("`{field}` has to be a list of {noun}, but entry {index} is {}", found(value));
        self.session.fault(spot, message, None);
        object.mark(field);
    }

    /// Reports the fields that an object lacks.
    fn needed(&self, object: &Object) {
        let noun = object.noun();
        for field in noun.fields {
            let Some(how) = field.needed else { continue };
            if !object.has(field.name) && !object.is_faulty(field.name) {
                let message = format!("this {} has no `{}`", noun.name, field.name);
                self.session.fault(object.origin(), message, Some(how.into()));
                object.mark(field.name);
            }
        }
    }

    fn report(&self, problem: Problem) {
        if let Some(spot) = self.spot(&problem) {
            let level = if problem.severity == Severity::Note { Level::Note } else { Level::Error };
            self.session.report(spot, level, problem.message, problem.hint);
        }
    }

    /// Where a problem is; `None` if it only follows from what has been reported.
    fn spot(&self, problem: &Problem) -> Option<Spot> {
        let origin = match &problem.place {
            Place::Config => return (!self.partial).then_some(self.commit.spot),
            Place::Setting(name) => return Some(option_spot(self.session, &self.commit, &["settings", name])),
            Place::Mimetype(extension) => {
                return Some(option_spot(self.session, &self.commit, &["mimetypes", extension]));
            }
            Place::ErrorPage(s, h, status) => {
                let host = self.origins.get(&Place::Host(*s, *h))?.object();
                return Some(self.entry_spot(host, "error_pages", &status.to_string()));
            }
            place => self.origins.get(place)?,
        };
        let object = match origin {
            Origin::Entry(host, path) => return Some(self.entry_spot(host, "routes", path)),
            Origin::Object(object) => object,
        };
        let field = match problem.field {
            "" => return Some(object.origin()),
            "matching" if !object.has("matching") => "name",
            field => field,
        };
        (!object.is_faulty(field) && !self.follows(problem)).then(|| object.spot(field, self.session))
    }

    /// Whether a problem of a server's hosts may come from a host that was refused or has no proper name.
    fn follows(&self, problem: &Problem) -> bool {
        let Place::Server(server) = problem.place else { return false };
        let hosts = self.origins.range(Place::Host(server, 0)..=Place::Host(server, usize::MAX));
        let mut objects = hosts.map(|(_, host)| host).chain(self.origins.get(&problem.place));
        let is_faulty = |object: &Object| ["hosts", "name", "matching"].iter().any(|field| object.is_faulty(field));
        ["default_host", "hosts"].contains(&problem.field)
            && objects.any(|origin| matches!(origin, Origin::Object(object) if is_faulty(object)))
    }

    /// Where an entry of a host's map was given.
    fn entry_spot(&self, host: &Object, field: &str, key: &str) -> Spot {
        let changed = host.entry_spot(field, key).or_else(|| host.entry_spot(field, ""));
        changed.unwrap_or_else(|| self.session.sources().key(host.origin(), &[field, key]))
    }
}
