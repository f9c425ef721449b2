//! Each object of a tree looked at in turn; every problem is kept, none ends the search.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::path::Path as FilePath;

use super::{Place, Problem, Severity};
use crate::config::ciphers::Ciphers;
use crate::config::closest;
use crate::config::paths::inside_chroot;
use crate::config::secret::{Piece, pieces};
use crate::config::settings::{self, ClientCertificates, Form, Kind, Settings};
use crate::config::spec::spec_fault;
use crate::config::tree::{Config, Dir, Handler, Host, Proxy, Redirect, Route, Server, Target, Upstream};
use crate::redirect::{Location, STATUSES};
use crate::route::Path;

#[derive(Default)]
pub(super) struct Checker {
    pub(super) problems: Vec<Problem>,
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

    pub(super) fn config(&mut self, config: &Config) {
        if config.servers.is_empty() {
            *self.error(&Place::Config, "", "there is no server") =
                Some("give `commit` a list with a `Server(#{…})`".into());
        }
        let mut uuids = BTreeSet::new();
        for (s, server) in config.servers.iter().enumerate() {
            self.server(s, server);
            self.tls(s, server, &config.settings);
            if !uuids.insert(&server.uuid) {
                let message = format!("the uuid `{}` belongs to another server already", server.uuid);
                *self.error(&Place::Server(s), "uuid", message) = Some("make a new one with `m2sh uuid`".into());
            }
        }
        self.control_ports(config);
        for (name, value) in &config.settings {
            self.setting(name, value);
        }
        self.clients(config);
        for (extension, mimetype) in &config.mimetypes {
            self.mimetype(extension, mimetype);
        }
    }

    /// What other programs have to know before they read secrets: a configuration that still refers to them is looked at.
    pub(super) fn secrets(&mut self, written: &Config) {
        let has_secret = |text: &str| {
            let is_secret =
                |piece: &Piece<'_>| matches!(piece, Piece::Secret(name) if written.secrets.contains_key(*name));
            pieces(text).iter().any(is_secret)
        };
        for (s, server) in written.servers.iter().enumerate() {
            for (field, text) in [
                ("uuid", &server.uuid),
                ("name", &server.name),
                ("default_host", &server.default_host),
                ("chroot", &server.chroot),
                ("pid_file", &server.pid_file),
                ("control_port", &server.control_port),
            ] {
                if has_secret(text) {
                    let message = format!("the {field} of a server cannot be a secret");
                    *self.error(&Place::Server(s), field, message) = Some("m2sh finds the server by it".into());
                }
            }
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
        if !server.control_port.is_empty() {
            self.spec(&place, "control_port", &server.control_port);
        }
        self.default_host(&place, server);
        self.matchings(s, server);
        for (h, host) in server.hosts.iter().enumerate() {
            self.host(s, h, host);
        }
        self.addresses(s, server);
        self.targets(s, server);
    }

    /// What has to do with TLS: it needs certificates, which nobody may be able to fetch.
    fn tls(&mut self, s: usize, server: &Server, settings: &BTreeMap<String, String>) {
        let settings = Settings::new(settings);
        let place = Place::Server(s);
        if server.use_ssl && settings.certdir.is_none() {
            *self.error(&place, "use_ssl", "TLS needs certificates, and there is no setting `certdir`") =
                Some("commit([…], #{ settings: #{ \"certdir\": \"/certs/\" } }), and `m2sh cert -new`".into());
        }
        for (h, host) in server.hosts.iter().enumerate().filter(|(_, host)| host.hsts > 0 && !server.use_ssl) {
            let message = format!("the hsts of host `{}` is never said: the server does not speak TLS", host.name);
            self.report(Severity::Note, &Place::Host(s, h), "hsts", message);
        }
        let private = [("certdir", settings.certdir), ("ssl.ca_chain", settings.ca_chain)];
        for (name, path) in private.iter().filter_map(|(name, path)| Some((name, path.as_ref()?))) {
            self.published(s, server, &|base| {
                inside_chroot(path).starts_with(base).then(|| format!("publish the {name} `{path}`"))
            });
        }
    }

    /// Whoever has to show a certificate needs somebody who has signed it, and the other way round.
    fn clients(&mut self, config: &Config) {
        let settings = Settings::new(&config.settings);
        let place = |name: &str| Place::Setting(name.into());
        if !config.servers.iter().any(|server| server.use_ssl) {
            return;
        }
        match (settings.client_certificates, settings.ca_chain) {
            (ClientCertificates::Required, None) => {
                let message = "with the setting `ssl.verify_required` and no `ssl.ca_chain` no client would be let in";
                *self.error(&place("ssl.verify_required"), "", message) =
                    Some("\"ssl.ca_chain\": \"/certs/clients.pem\"".into());
            }
            (ClientCertificates::NotAsked, Some(_)) => {
                let message = "the setting `ssl.ca_chain` has no effect: no client is asked for a certificate".into();
                *self.report(Severity::Note, &place("ssl.ca_chain"), "", message) =
                    Some("\"ssl.verify_required\": 1, or \"ssl.verify_optional\": 1".into());
            }
            _ => {}
        }
    }

    /// Reports targets below whose published folder lies what `exposes` knows.
    fn published(&mut self, s: usize, server: &Server, exposes: &dyn Fn(&FilePath) -> Option<String>) {
        for (h, host) in server.hosts.iter().enumerate() {
            for (r, route) in host.routes.iter().enumerate() {
                if let Some((field, path)) = route.target.published()
                    && let Some(what) = exposes(&inside_chroot(path))
                {
                    let message = format!("the {field} `{path}` would {what}");
                    *self.error(&Place::Target(s, h, r), field, message) =
                        Some("put what is to be served into a folder of its own".into());
                }
            }
        }
    }

    /// Two servers at the same control port can't run at the same time.
    fn control_ports(&mut self, config: &Config) {
        let setting = Settings::new(&config.settings).control_port;
        let mut seen = BTreeMap::new();
        for (s, server) in config.servers.iter().enumerate() {
            let spec = server.control_port_or(&setting);
            let place = match spec.strip_prefix("ipc://") {
                Some(path) => server.under_chroot(path),
                None => spec.into(),
            };
            // A server that is there twice is told of elsewhere.
            if let Some(first) = seen.insert(place, server).filter(|first| first.uuid != server.uuid) {
                let first = first.label();
                let message = format!(
                    "it has the control port of server `{first}`, `{spec}`: only one of them can run at a time"
                );
                let hint = format!("control_port: \"ipc://run/{}.control\"", server.label());
                *self.report(Severity::Note, &Place::Server(s), "control_port", message) = Some(hint);
            }
        }
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
    }

    /// Two hosts that match the same would leave one of them without requests.
    fn matchings(&mut self, s: usize, server: &Server) {
        let mut seen = BTreeSet::new();
        for host in &server.hosts {
            if !seen.insert(host.matching_or_name()) {
                let message = format!("two hosts match `{}`", host.matching_or_name());
                *self.error(&Place::Server(s), "hosts", message) = Some("put the routes of both into one host".into());
            }
        }
        let aliases = server.hosts.iter().enumerate().flat_map(|(h, host)| host.aliases.iter().map(move |a| (h, a)));
        for (h, alias) in aliases {
            if !seen.insert(alias) {
                let message = format!("the alias `{alias}` is what a host matches already");
                *self.error(&Place::Host(s, h), "aliases", message) = Some("keep it in one of them".into());
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
        if host.hsts < 0 {
            self.error(&place, "hsts", format!("{} is not a number of seconds", host.hsts));
        }
        for alias in &host.aliases {
            self.alias(&place, alias);
        }
        for (status, path) in &host.error_pages {
            self.error_page(&Place::ErrorPage(s, h, *status), *status, path);
        }
        for (r, route) in host.routes.iter().enumerate() {
            self.route(&Place::Route(s, h, r), route);
        }
    }

    fn alias(&mut self, place: &Place, alias: &str) {
        if alias.is_empty() {
            *self.error(place, "aliases", "an alias is empty") = Some("aliases: [\"www.example.com\"]".into());
        } else if let Err(error) = Path::parse(alias, true) {
            self.error(place, "aliases", format!("cannot use the pattern `{alias}`: {error}"));
        }
    }

    fn error_page(&mut self, place: &Place, status: i64, path: &str) {
        if !(400..=599).contains(&status) {
            *self.error(place, "error_pages", format!("{status} is not the status of an error")) =
                Some("errors go from 400 to 599".into());
        } else if path.is_empty() {
            *self.error(place, "error_pages", format!("the error page {status} has no path")) =
                Some("it is the path of a file, from the chroot".into());
        } else {
            self.path(place, "error_pages", path);
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
                    if let Some((field, path)) = route.target.published() {
                        self.exposure(&place, server, field, path);
                    }
                }
            }
        }
    }

    /// A directory that clients get files from must not hold the server's own (the manual, section 4.9).
    fn exposure(&mut self, place: &Place, server: &Server, field: &'static str, path: &str) {
        let base = inside_chroot(path);
        let private =
            [("access_log", &server.access_log), ("error_log", &server.error_log), ("pid_file", &server.pid_file)];
        let exposed = private.into_iter().find(|(_, path)| inside_chroot(path).starts_with(&base));
        let message = match exposed {
            _ if base == FilePath::new(".") => {
                format!("the {field} `{path}` is the whole chroot, with the database and the logs in it")
            }
            Some((name, file)) => format!("the {field} `{path}` would publish the server's {name} `{file}`"),
            None => return,
        };
        *self.error(place, field, message) = Some("put what is to be served into a folder of its own".into());
    }

    fn target(&mut self, place: &Place, target: &Target) {
        match target {
            Target::Dir(dir) => self.dir(place, dir),
            Target::Proxy(proxy) => self.proxy(place, proxy),
            Target::Handler(handler) => self.handler(place, handler),
            Target::Redirect(redirect) => self.redirect(place, redirect),
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
        if !is_upstream(&proxy.addr) {
            let message = format!("`{}` is not a host name or an IP address", proxy.addr.escape_debug());
            *self.error(place, "addr", message) = Some("addr: \"127.0.0.1\", port: 8080".into());
        }
        self.port(place, proxy.port);
        for Upstream { addr, port } in &proxy.upstreams {
            if !is_upstream(addr) || !(1..=65_535).contains(port) {
                let message =
                    format!("the upstream `{}:{port}` is not a host name or an IP address", addr.escape_debug());
                *self.error(place, "upstreams", format!("{message} with a TCP port")) =
                    Some("upstreams: [Upstream(#{ addr: \"127.0.0.1\", port: 8081 })]".into());
            }
        }
        if proxy.host.bytes().any(|byte| byte <= b' ' || byte >= 0x7f || b"/?#@,".contains(&byte)) {
            let message = format!("`{}` is not the value of a Host header", proxy.host.escape_debug());
            *self.error(place, "host", message) = Some("host: \"example.com\"".into());
        }
        self.proxy_numbers(place, proxy);
        if let Some(fallback) = &proxy.fallback {
            match &**fallback {
                Target::Dir(dir) => self.dir(place, dir),
                Target::Redirect(redirect) => self.redirect(place, redirect),
                Target::Proxy(_) | Target::Handler(_) => {
                    self.error(place, "fallback", "a fallback is a Dir or a Redirect");
                }
            }
        }
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if !proxy.session_cookie.bytes().all(is_token) {
            let message = format!("`{}` cannot be the name of a cookie", proxy.session_cookie.escape_debug());
            *self.error(place, "session_cookie", message) = Some("session_cookie: \"session\"".into());
        }
    }

    fn proxy_numbers(&mut self, place: &Place, proxy: &Proxy) {
        const LONGEST: i64 = 10 * 365 * 86_400;
        for (field, seconds, least) in [
            ("connect_timeout", proxy.connect_timeout, 1),
            ("first_byte_timeout", proxy.first_byte_timeout, 1),
            ("idle_timeout", proxy.idle_timeout, 1),
            ("fail_timeout", proxy.fail_timeout, 1),
            ("session_idle", proxy.session_idle, 1),
            ("session_max", proxy.session_max, 0),
        ] {
            if !(least..=LONGEST).contains(&seconds) {
                let message = format!("{seconds} is not a number of seconds from {least} to {LONGEST}");
                self.error(place, field, message);
            }
        }
        if !(0..=1_000_000).contains(&proxy.max_fails) {
            self.error(place, "max_fails", format!("{} is not a number from 0 to 1000000", proxy.max_fails));
        }
    }

    fn handler(&mut self, place: &Place, handler: &Handler) {
        self.spec(place, "send_spec", &handler.send_spec);
        self.spec(place, "recv_spec", &handler.recv_spec);
        if handler.send_ident.is_empty() || handler.send_ident.contains(|c: char| c <= ' ' || c == '\x7f') {
            let message = format!("`{}` cannot be the first word of a message", handler.send_ident.escape_debug());
            *self.error(place, "send_ident", message) = Some("make one with `m2sh uuid`".into());
        }
        if !handler.sendfile_root.is_empty() {
            self.path(place, "sendfile_root", &handler.sendfile_root);
        }
    }

    fn redirect(&mut self, place: &Place, redirect: &Redirect) {
        if let Err(fault) = Location::parse(&redirect.to) {
            *self.error(place, "to", format!("cannot redirect to `{}`: {fault}", redirect.to.escape_debug())) =
                Some(fault.hint());
        }
        if !STATUSES.iter().any(|status| i64::from(*status) == redirect.status) {
            *self.error(place, "status", format!("{} is not the status of a redirect", redirect.status)) =
                Some("301 and 308 are for good, 302 and 307 for now, 303 is for the answer to a form".into());
        }
    }

    fn spec(&mut self, place: &Place, field: &'static str, spec: &str) {
        if let Some(fault) = spec_fault(spec) {
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
        let mut types = BTreeMap::new();
        for (place, handler) in handlers() {
            let first = *types.entry(handler.send_spec.as_str()).or_insert(handler.send_type);
            if first != handler.send_type {
                let message = format!("the address `{}` is of two kinds: `push` and `pub`", handler.send_spec);
                *self.error(&place, "send_type", message) = Some("each kind needs an address of its own".into());
            }
        }
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
            Some(Kind::Text { form, .. }) => {
                if let Some(fault) = form.fault(value) {
                    let message = format!("the setting `{name}` cannot be `{}`: {fault}", value.escape_debug());
                    *self.error(&place, "", message) = Some(format!("it is {}", form.words()));
                } else if form == Form::Ciphers {
                    for (message, hint) in Ciphers::parse(value).notes() {
                        *self.report(Severity::Note, &place, "", message) = hint;
                    }
                }
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

/// Whether a text is the name or the address of an upstream.
fn is_upstream(addr: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    addr.parse::<IpAddr>().is_ok() || (!addr.is_empty() && addr.len() <= 253 && addr.bytes().all(is_name))
}
