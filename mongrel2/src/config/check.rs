//! From a tree to a checked tree, or to all of its problems at once.
//!
//! Whoever holds a [`Checked`] need not ask again: ports fit, patterns compile, addresses parse, names refer
//! to something.  A problem says where it is as a [`Place`], which a script turns into a line and m2sh into
//! words; nothing here knows where the tree came from.

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path as FilePath;

use super::closest;
use super::paths::inside_chroot;
use super::settings::{self, Kind, Settings};
use super::tree::{Config, Dir, Handler, Host, Proxy, Route, Server, Target};
use crate::route::Path;

/// A configuration that a server can run.  Only [`check`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    config: Config,
    settings: Settings,
}

impl Checked {
    /// The values that were checked.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The server of that UUID.
    pub fn server(&self, uuid: &str) -> Option<&Server> {
        self.config.servers.iter().find(|server| server.uuid == uuid)
    }

    /// Gives the tree back.
    pub fn into_config(self) -> Config {
        self.config
    }
}

impl Server {
    /// Where to listen.
    ///
    /// # Panics
    /// If the server is not part of a checked configuration.
    pub fn address(&self) -> SocketAddr {
        let address: IpAddr = self.bind_addr.parse().expect("checked");
        SocketAddr::new(address, u16::try_from(self.port).expect("checked"))
    }
}

impl Route {
    /// The path, split and compiled.
    ///
    /// # Panics
    /// If the route is not part of a checked configuration.
    pub fn parsed_path(&self) -> Path {
        Path::parse(&self.path, self.reversed).expect("checked")
    }
}

impl Host {
    /// What the host's name in a request has to end with.
    ///
    /// # Panics
    /// If the host is not part of a checked configuration.
    pub fn parsed_matching(&self) -> Path {
        Path::parse(self.matching_or_name(), true).expect("checked")
    }

    /// `matching`, or the name of a host that doesn't say.
    pub fn matching_or_name(&self) -> &str {
        if self.matching.is_empty() { &self.name } else { &self.matching }
    }
}

/// Where in a tree something is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The configuration as a whole.
    Config,
    /// A server, by its index.
    Server(usize),
    /// A host, by the indices of server and host.
    Host(usize, usize),
    /// A route, by the indices of server, host and route.
    Route(usize, usize, usize),
    /// The target of a route.
    Target(usize, usize, usize),
    /// A setting, by its name.
    Setting(String),
    /// A media type, by its extension.
    Mimetype(String),
}

impl Place {
    /// The place in words, with the names that the tree has for it: `server `test`, host `localhost``.
    pub fn describe(&self, config: &Config) -> String {
        let server = |s: usize| format!("server `{}`", config.servers[s].label());
        let host = |s: usize, h: usize| format!("{}, host `{}`", server(s), config.servers[s].hosts[h].name);
        match self {
            Self::Config => "the configuration".into(),
            Self::Server(s) => server(*s),
            Self::Host(s, h) => host(*s, *h),
            Self::Route(s, h, r) | Self::Target(s, h, r) => {
                format!("{}, route `{}`", host(*s, *h), config.servers[*s].hosts[*h].routes[*r].path)
            }
            Self::Setting(name) => format!("setting `{name}`"),
            Self::Mimetype(extension) => format!("media type of `{extension}`"),
        }
    }
}

impl Server {
    /// What to call the server in a message: its name, or its UUID if it has none.
    pub fn label(&self) -> &str {
        if self.name.is_empty() { &self.uuid } else { &self.name }
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth saying; nothing is wrong.
    Note,
    /// `m2sh load` refuses it as a likely mistake; a server that finds it in its database goes on.
    Doubtful,
    /// No server can run with it.
    Error,
}

/// Something wrong with a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// The field it is about; empty if it is about the whole object.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// Place, message and hint in one line, for whoever has no script to point at.
    pub fn describe(&self, config: &Config) -> String {
        let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})"));
        match self.place {
            // These messages name their place.
            Place::Config | Place::Setting(_) | Place::Mimetype(_) => format!("{}{hint}", self.message),
            _ => format!("{}: {}{hint}", self.place.describe(config), self.message),
        }
    }
}

/// Checks a whole configuration.
///
/// On success there may still be problems, of severities below [`Severity::Error`], sorted by place.
///
/// # Errors
/// All problems, at least one of them of severity [`Severity::Error`].
pub fn check(config: Config) -> Result<(Checked, Vec<Problem>), Vec<Problem>> {
    let mut checker = Checker::default();
    checker.config(&config);
    let mut problems = checker.problems;
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(problems);
    }
    let settings = Settings::new(&config.settings);
    Ok((Checked { config, settings }, problems))
}

#[derive(Default)]
struct Checker {
    problems: Vec<Problem>,
}

impl Checker {
    fn report(
        &mut self,
        severity: Severity,
        place: &Place,
        field: &'static str,
        message: String,
    ) -> &mut Option<String> {
        let problem = Problem { severity, place: place.clone(), field, message, hint: None };
        self.problems.push(problem);
        &mut self.problems.last_mut().expect("just pushed").hint
    }

    fn error(&mut self, place: &Place, field: &'static str, message: impl Into<String>) -> &mut Option<String> {
        self.report(Severity::Error, place, field, message.into())
    }

    fn config(&mut self, config: &Config) {
        if config.servers.is_empty() {
            *self.error(&Place::Config, "", "there is no server") =
                Some("give `commit` a list with a `Server(#{…})`".into());
        }
        let mut uuids = BTreeSet::new();
        for (s, server) in config.servers.iter().enumerate() {
            self.server(s, server);
            if !uuids.insert(&server.uuid) {
                let message = format!("the uuid `{}` belongs to another server already", server.uuid);
                *self.error(&Place::Server(s), "uuid", message) = Some("make a new one with `m2sh uuid`".into());
            }
        }
        for (name, value) in &config.settings {
            self.setting(name, value);
        }
        for (extension, mimetype) in &config.mimetypes {
            self.mimetype(extension, mimetype);
        }
    }

    fn server(&mut self, s: usize, server: &Server) {
        let place = Place::Server(s);
        self.uuid(&place, &server.uuid);
        self.port(&place, server.port);
        if server.bind_addr.parse::<IpAddr>().is_err() {
            let message = format!("`{}` is not an IP address", server.bind_addr);
            *self.error(&place, "bind_addr", message) = Some("0.0.0.0 is every IPv4 address, :: every address".into());
        }
        if !(0..=3).contains(&server.error_log_level) {
            let message = format!("{} is not a log level", server.error_log_level);
            *self.error(&place, "error_log_level", message) =
                Some("0 errors, 1 warnings, 2 information, 3 debugging".into());
        }
        let paths = [
            ("chroot", &server.chroot),
            ("access_log", &server.access_log),
            ("error_log", &server.error_log),
            ("pid_file", &server.pid_file),
        ];
        for (field, path) in paths {
            self.path(&place, field, path);
        }
        self.default_host(&place, server);
        for (h, host) in server.hosts.iter().enumerate() {
            self.host(s, h, host);
        }
        self.addresses(s, server);
        self.targets(s, server);
    }

    fn uuid(&mut self, place: &Place, uuid: &str) {
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if uuid.is_empty() {
            *self.error(place, "uuid", "a server needs a uuid") = Some("make one with `m2sh uuid`".into());
        } else if !uuid.chars().all(valid) {
            let message = format!("`{uuid}` has other characters than letters, digits and `-`");
            *self.error(place, "uuid", message) = Some("make one with `m2sh uuid`".into());
        }
    }

    fn port(&mut self, place: &Place, port: i64) {
        if !(1..=65_535).contains(&port) {
            *self.error(place, "port", format!("{port} is not a TCP port")) = Some("ports go from 1 to 65535".into());
        }
    }

    fn path(&mut self, place: &Place, field: &'static str, path: &str) {
        if path.is_empty() {
            self.error(place, field, format!("`{field}` is missing"));
        } else if path.contains('\0') {
            self.error(place, field, format!("`{field}` has a NUL byte in it"));
        } else if field != "chroot" && path.split('/').any(|part| part == "..") {
            *self.error(place, field, format!("`{path}` has `..` in it")) = Some("paths start at the chroot".into());
        }
    }

    fn default_host(&mut self, place: &Place, server: &Server) {
        let names = || server.hosts.iter().map(|host| host.name.as_str());
        if server.hosts.is_empty() {
            *self.error(place, "hosts", "a server needs a host") =
                Some("hosts: [Host(#{name: \"localhost\", routes: #{…}})]".into());
        } else if !names().any(|name| name == server.default_host) {
            let message = format!("no host has the name `{}` of the default_host", server.default_host);
            let hint = closest(&server.default_host, names()).map(|name| format!("did you mean `{name}`?"));
            *self.error(place, "default_host", message) =
                hint.or_else(|| Some(format!("the hosts are: {}", names().collect::<Vec<_>>().join(", "))));
        }
        let mut seen = BTreeSet::new();
        for host in &server.hosts {
            if !seen.insert(host.matching_or_name()) {
                let message = format!("two hosts match `{}`", host.matching_or_name());
                *self.error(place, "hosts", message) = Some("put the routes of both into one host".into());
            }
        }
    }

    fn host(&mut self, s: usize, h: usize, host: &Host) {
        let place = Place::Host(s, h);
        if host.name.is_empty() {
            self.error(&place, "name", "a host needs a name");
        } else if let Err(error) = Path::parse(host.matching_or_name(), true) {
            self.error(&place, "matching", format!("cannot use the pattern `{}`: {error}", host.matching_or_name()));
        }
        for (r, route) in host.routes.iter().enumerate() {
            self.route(&Place::Route(s, h, r), route);
        }
    }

    fn route(&mut self, place: &Place, route: &Route) {
        let path = &route.path;
        let socket = path.starts_with(['@', '<']);
        if !route.reversed && !path.starts_with(['/', '@', '<', '(']) {
            let message = format!("the route `{path}` starts with none of `/`, `@` and `<`");
            *self.error(place, "path", message) = Some(format!("did you mean `/{path}`?"));
        } else if path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            self.error(
                place,
                "path",
                format!("the route `{}` has a blank or a control character in it", path.escape_debug()),
            );
        } else if let Err(error) = Path::parse(path, route.reversed) {
            self.error(place, "path", format!("cannot use the pattern of route `{path}`: {error}"));
        } else if socket && !matches!(route.target, Target::Handler(_)) {
            let message = format!("the route `{path}` takes socket messages, which only a Handler can answer");
            self.error(place, "target", message);
        }
    }

    /// Each distinct target once, at the first route that has it.
    fn targets(&mut self, s: usize, server: &Server) {
        let mut seen = HashSet::new();
        for (h, host) in server.hosts.iter().enumerate() {
            for (r, route) in host.routes.iter().enumerate() {
                if seen.insert(&route.target) {
                    let place = Place::Target(s, h, r);
                    self.target(&place, &route.target);
                    if let Target::Dir(dir) = &route.target {
                        self.exposure(&place, server, dir);
                    }
                }
            }
        }
    }

    /// A directory must not publish the server's own files (the manual, section 4.9).
    fn exposure(&mut self, place: &Place, server: &Server, dir: &Dir) {
        let base = inside_chroot(&dir.base);
        let private =
            [("access_log", &server.access_log), ("error_log", &server.error_log), ("pid_file", &server.pid_file)];
        let exposed = private.into_iter().find(|(_, path)| inside_chroot(path).starts_with(&base));
        if !dir.base.is_empty() && base == FilePath::new(".") {
            let message = format!("the base `{}` is the whole chroot, with the database and the logs in it", dir.base);
            *self.error(place, "base", message) = Some("put what is to be served into a folder of its own".into());
        } else if let Some((field, path)) = exposed {
            let message = format!("the base `{}` would publish the server's {field} `{path}`", dir.base);
            *self.error(place, "base", message) = Some("put what is to be served into a folder of its own".into());
        }
    }

    fn target(&mut self, place: &Place, target: &Target) {
        match target {
            Target::Dir(dir) => self.dir(place, dir),
            Target::Proxy(proxy) => self.proxy(place, proxy),
            Target::Handler(handler) => self.handler(place, handler),
        }
    }

    fn dir(&mut self, place: &Place, dir: &Dir) {
        self.path(place, "base", &dir.base);
        if dir.index_file.contains(['/', '\0']) {
            self.error(place, "index_file", format!("`{}` is not the name of a file", dir.index_file));
        }
        if dir.default_ctype.chars().any(char::is_control) {
            self.error(place, "default_ctype", "`default_ctype` has a control character in it");
        }
        if dir.cache_ttl < 0 {
            self.error(place, "cache_ttl", format!("{} is not a number of seconds", dir.cache_ttl));
        }
    }

    fn proxy(&mut self, place: &Place, proxy: &Proxy) {
        if proxy.addr.is_empty() || proxy.addr.contains(['/', ' ']) {
            let message = format!("`{}` is not a host name or an IP address", proxy.addr);
            *self.error(place, "addr", message) = Some("addr: \"127.0.0.1\", port: 8080".into());
        }
        self.port(place, proxy.port);
    }

    fn handler(&mut self, place: &Place, handler: &Handler) {
        self.spec(place, "send_spec", &handler.send_spec);
        self.spec(place, "recv_spec", &handler.recv_spec);
        if handler.send_ident.is_empty() || handler.send_ident.contains(|c: char| c <= ' ' || c == '\x7f') {
            let message = format!("`{}` cannot be the first word of a message", handler.send_ident.escape_debug());
            *self.error(place, "send_ident", message) = Some("make one with `m2sh uuid`".into());
        }
    }

    fn spec(&mut self, place: &Place, field: &'static str, spec: &str) {
        let fault = match spec.split_once("://") {
            Some(("tcp", address)) => tcp_fault(address),
            Some(("ipc", "")) => Some("an ipc address needs a path".to_owned()),
            Some(("ipc", _)) => None,
            Some(("inproc", _)) => Some("`inproc` does not leave the process, so that no handler could connect".into()),
            Some((kind @ ("pgm" | "epgm" | "norm"), _)) => {
                Some(format!("`{kind}` carries neither PUSH nor replies to SUB from several senders"))
            }
            _ => Some("it is no ZeroMQ address".into()),
        };
        if let Some(fault) = fault {
            *self.error(place, field, format!("cannot use the address `{spec}`: {fault}")) =
                Some("tcp://127.0.0.1:9999, or ipc://run/handler".into());
        }
    }

    /// An address can be bound once: for requests or for replies, and by handlers that agree about the rest.
    fn addresses(&mut self, s: usize, server: &Server) {
        let handlers = || {
            server.hosts.iter().enumerate().flat_map(move |(h, host)| {
                host.routes.iter().enumerate().filter_map(move |(r, route)| match &route.target {
                    Target::Handler(handler) => Some((Place::Target(s, h, r), handler)),
                    _ => None,
                })
            })
        };
        let receives: BTreeSet<&str> = handlers().map(|(_, handler)| handler.recv_spec.as_str()).collect();
        let mut reported = BTreeSet::new();
        for (place, handler) in handlers() {
            let spec = handler.send_spec.as_str();
            if receives.contains(spec) && reported.insert(spec) {
                let message = format!("the address `{spec}` is both a send_spec and a recv_spec");
                *self.error(&place, "send_spec", message) = Some("each direction needs an address of its own".into());
            }
        }
    }

    fn setting(&mut self, name: &str, value: &str) {
        let place = Place::Setting(name.to_owned());
        match settings::known(name).map(|known| known.kind) {
            None => {
                let hint = closest(name, settings::KNOWN.iter().map(|known| known.name));
                *self.report(Severity::Doubtful, &place, "", format!("there is no setting `{name}`")) =
                    hint.map(|hint| format!("did you mean `{hint}`?"));
            }
            Some(Kind::NoEffect(why)) => {
                self.report(Severity::Note, &place, "", format!("the setting `{name}` has no effect: {why}"));
            }
            Some(Kind::Word(words)) if words.contains(&value) => {}
            Some(Kind::Word(words)) => {
                let message = format!("the setting `{name}` is `{value}`, not one of {}", words.join(", "));
                *self.error(&place, "", message) = Some(match closest(value, words.iter().copied()) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("the default is {}", words[0]),
                });
            }
            Some(Kind::Number { default, min, max }) => {
                let number = settings::parse_number(value);
                if !number.is_some_and(|number| (min..=max).contains(&number)) {
                    let message = format!("the setting `{name}` is `{value}`, not a number from {min} to {max}");
                    *self.error(&place, "", message) = Some(format!("the default is {default}"));
                }
            }
        }
    }

    fn mimetype(&mut self, extension: &str, mimetype: &str) {
        let place = Place::Mimetype(extension.to_owned());
        if !extension.starts_with('.') {
            *self.error(&place, "", format!("the extension `{extension}` does not start with a dot")) =
                Some(format!("did you mean `.{extension}`?"));
        }
        if !mimetype.contains('/') || mimetype.chars().any(char::is_control) {
            self.error(&place, "", format!("the extension `{extension}` has `{mimetype}`, which is not a media type"));
        }
    }
}

fn tcp_fault(address: &str) -> Option<String> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Some("a tcp address needs a port".into());
    };
    if host.is_empty() {
        return Some("a tcp address needs an IP address or interface before its port".into());
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => None,
        _ => Some(format!("`{port}` is not a TCP port")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration with nothing wrong in it.
    fn sound() -> Config {
        let handler = Handler {
            send_spec: "tcp://127.0.0.1:9999".into(),
            send_ident: "54c6755b".into(),
            recv_spec: "tcp://127.0.0.1:9998".into(),
            ..Handler::default()
        };
        let dir = Dir { base: "static/".into(), index_file: "index.html".into(), ..Dir::default() };
        let route = |path: &str, target| Route { path: path.into(), reversed: false, target };
        let host = Host {
            name: "localhost".into(),
            routes: vec![
                route("/static/", Target::Dir(dir)),
                route("/x", Target::Handler(handler.clone())),
                route("@chat", Target::Handler(handler)),
                route("/old", Target::Proxy(Proxy { addr: "127.0.0.1".into(), port: 80 })),
            ],
            ..Host::default()
        };
        let server = Server {
            uuid: "f400bf85-4538".into(),
            access_log: "/logs/access.log".into(),
            error_log: "/logs/error.log".into(),
            pid_file: "/run/mongrel2.pid".into(),
            default_host: "localhost".into(),
            name: "test".into(),
            port: 6767,
            hosts: vec![host],
            ..Server::default()
        };
        Config { servers: vec![server], ..Config::default() }
    }

    /// Breaks a sound configuration, and checks that the first problem's place, field and message are these.
    fn expect(breakage: impl FnOnce(&mut Config), place: Place, field: &str, message: &str) {
        let mut config = sound();
        breakage(&mut config);
        let problems = match super::check(config) {
            Ok((_, problems)) => problems,
            Err(problems) => problems,
        };
        let first = problems.first().unwrap_or_else(|| panic!("no problem, wanted: {message}"));
        assert_eq!((&first.place, first.field), (&place, field), "{first:?}");
        assert!(first.message.contains(message), "`{}` does not contain `{message}`", first.message);
        assert_eq!(problems.len(), 1, "{problems:#?}");
    }

    fn expect_server(breakage: impl FnOnce(&mut Server), field: &str, message: &str) {
        expect(|config| breakage(&mut config.servers[0]), Place::Server(0), field, message);
    }

    fn expect_target(index: usize, target: Target, field: &str, message: &str) {
        expect(
            |config| config.servers[0].hosts[0].routes[index].target = target,
            Place::Target(0, 0, index),
            field,
            message,
        );
    }

    #[test]
    fn a_sound_configuration_passes() {
        let (checked, problems) = check(sound()).unwrap();
        assert_eq!(problems, []);
        assert_eq!(checked.server("f400bf85-4538").unwrap().address().port(), 6767);
    }

    #[test]
    fn servers() {
        expect(|config| config.servers.clear(), Place::Config, "", "there is no server");
        expect_server(|server| server.uuid.clear(), "uuid", "needs a uuid");
        expect_server(|server| server.uuid = "a b".into(), "uuid", "other characters");
        expect_server(|server| server.port = 0, "port", "0 is not a TCP port");
        expect_server(|server| server.port = 70_000, "port", "70000 is not a TCP port");
        expect_server(|server| server.bind_addr = "nowhere".into(), "bind_addr", "not an IP address");
        expect_server(|server| server.error_log_level = 9, "error_log_level", "9 is not a log level");
        expect_server(|server| server.pid_file.clear(), "pid_file", "missing");
        expect_server(|server| server.access_log = "/../x".into(), "access_log", "`..`");
        expect_server(|server| server.default_host = "localhots".into(), "default_host", "no host has the name");
        expect_server(|server| server.hosts.push(server.hosts[0].clone()), "hosts", "two hosts match `localhost`");
        expect(
            |config| config.servers.push(config.servers[0].clone()),
            Place::Server(1),
            "uuid",
            "belongs to another server",
        );
    }

    #[test]
    fn routes() {
        let expect_path = |path: &str, message: &str| {
            expect(
                |config| config.servers[0].hosts[0].routes[1].path = path.into(),
                Place::Route(0, 0, 1),
                "path",
                message,
            );
        };
        expect_path("static", "starts with none of");
        expect_path("/a b", "blank");
        expect_path("/a/([0-9)", "`[` at byte 1 has no `]`");
        expect_path("/a/(x", "`(` has no `)`");
        expect(
            |config| config.servers[0].hosts[0].routes[0].path = "@files".into(),
            Place::Route(0, 0, 0),
            "target",
            "only a Handler",
        );
        expect(
            |config| config.servers[0].hosts[0].matching = "([).org".into(),
            Place::Host(0, 0),
            "matching",
            "cannot use the pattern",
        );
    }

    #[test]
    fn targets() {
        expect_target(0, Target::Dir(Dir::default()), "base", "`base` is missing");
        expect_target(0, Target::Dir(Dir { base: "../x".into(), ..Dir::default() }), "base", "`..`");
        let base = |base: &str| Target::Dir(Dir { base: base.into(), ..Dir::default() });
        for path in ["/", ".", "./"] {
            expect_target(0, base(path), "base", "the whole chroot");
        }
        expect_target(0, base("logs"), "base", "would publish the server's access_log");
        expect_target(0, base("/run/"), "base", "would publish the server's pid_file");
        expect_target(3, Target::Proxy(Proxy { addr: "http://x".into(), port: 80 }), "addr", "not a host name");
        let handler = |change: fn(&mut Handler)| {
            let Target::Handler(mut handler) = sound().servers[0].hosts[0].routes[1].target.clone() else { panic!() };
            change(&mut handler);
            Target::Handler(handler)
        };
        for (change, field, message) in [
            ((|h| h.send_spec = "inproc://x".into()) as fn(&mut Handler), "send_spec", "`inproc` does not leave"),
            (|h| h.recv_spec = "epgm://x".into(), "recv_spec", "`epgm` carries"),
            (|h| h.send_spec = "udp://x:1".into(), "send_spec", "no ZeroMQ address"),
            (|h| h.send_spec = "tcp://127.0.0.1".into(), "send_spec", "needs a port"),
            (|h| h.send_spec = "tcp://127.0.0.1:x".into(), "send_spec", "`x` is not a TCP port"),
            (|h| h.send_spec = "tcp://:99".into(), "send_spec", "needs an IP address"),
            (|h| h.send_spec = "ipc://".into(), "send_spec", "needs a path"),
            (|h| h.send_ident = "a b".into(), "send_ident", "first word"),
            (|h| h.send_spec = h.recv_spec.clone(), "send_spec", "both a send_spec and a recv_spec"),
        ] {
            expect_target(1, handler(change), field, message);
        }
    }

    #[test]
    fn settings_and_mimetypes() {
        let setting = |name: &str, value: &str, message: &str| {
            expect(
                |config| drop(config.settings.insert(name.into(), value.into())),
                Place::Setting(name.into()),
                "",
                message,
            );
        };
        setting("limits.url_pat", "1", "there is no setting");
        setting("limits.url_path", "many", "not a number from");
        setting("limits.url_path", "1", "not a number from 16");
        setting("superpoll.max_fd", "1", "has no effect");
        setting("access_log.format", "xml", "not one of tnetstring, common, combined, json");
        setting("server.daemonize", "2", "not a number from 0 to 1");
        expect(
            |config| drop(config.mimetypes.insert("txt".into(), "text/plain".into())),
            Place::Mimetype("txt".into()),
            "",
            "start with a dot",
        );
    }

    #[test]
    fn a_word_that_is_almost_one() {
        let mut config = sound();
        config.settings.insert("access_log.format".into(), "combine".into());
        assert_eq!(check(config).unwrap_err()[0].hint.as_deref(), Some("did you mean `combined`?"));
    }

    #[test]
    fn all_problems_come_at_once_in_order() {
        let mut config = sound();
        config.servers[0].port = 0;
        config.servers[0].uuid.clear();
        config.servers[0].hosts[0].routes[1].path = "x".into();
        config.settings.insert("nonsense".into(), "1".into());
        let problems = check(config).unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:#?}");
        assert!(problems.is_sorted_by_key(|problem| problem.place.clone()));
    }

    #[test]
    fn a_doubtful_setting_does_not_stop_a_server() {
        let mut config = sound();
        config.settings.insert("superpoll.max_fdd".into(), "1".into());
        let (_, problems) = check(config).unwrap();
        assert_eq!(problems[0].severity, Severity::Doubtful);
        assert_eq!(problems[0].hint.as_deref(), Some("did you mean `superpoll.max_fd`?"));
    }
}
