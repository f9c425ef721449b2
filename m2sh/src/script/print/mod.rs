//! A configuration as a Rhai script that a person likes to read, and that loads to the same configuration.
//!
//! What has its default is left out; targets that several routes share and servers have names; the order is that
//! of the configuration.  A host that matches nothing is written as it serves: it matches its name.

mod literal;
mod names;

use mongrel2::config::secret::{Piece, pieces};
use mongrel2::config::{
    Config, Dir, Handler, Host, Proxy, Redirect, Route, Server, Target, Upstream, default_mimetypes,
};

use literal::{Literal, Object, setting, text};
use names::Names;

/// Writes a script; `head` are the lines of the comment that it begins with.
pub fn print<'a>(config: &Config, head: impl IntoIterator<Item = &'a str>) -> String {
    let mut printer = Printer { names: Names::of(config), said: String::new() };
    head.into_iter().for_each(|line| printer.comment(line));
    printer.targets();
    let servers = config.servers.iter().enumerate().map(|(s, server)| printer.server(s, server)).collect();
    printer.commit(config, servers);
    printer.said
}

/// Rhai compares each key of a map with all before it.
const MOST_KEYS: usize = 2000;

struct Printer<'a> {
    names: Names<'a>,
    said: String,
}

impl Printer<'_> {
    fn comment(&mut self, line: &str) {
        self.said.push_str(format!("// {line}").trim_end());
        self.said.push('\n');
    }

    fn heading(&mut self, line: &str) {
        if !self.said.is_empty() {
            self.said.push('\n');
        }
        self.comment(line);
    }

    fn variable(&mut self, name: &str, value: &Literal) {
        self.said.push_str(&format!("let {name} = "));
        value.write(&mut self.said, 0);
        self.said.push_str(";\n");
    }

    fn targets(&mut self) {
        let targets: Vec<_> = self.names.targets().map(|(target, name)| (name.to_owned(), literal(target))).collect();
        if !targets.is_empty() {
            self.heading("What several routes lead to.");
        }
        for (index, (name, target)) in targets.iter().enumerate() {
            self.said.push_str(if index == 0 { "" } else { "\n" });
            self.variable(name, target);
        }
    }

    /// A server, or its name.
    fn server(&mut self, s: usize, server: &Server) -> Literal {
        let literal = self.server_literal(server);
        let Some(name) = self.names.server(s).map(str::to_owned) else { return literal };
        let title =
            if server.name.is_empty() { "The server:".into() } else { format!("Server {}:", text(&server.name)) };
        let port = if server.use_ssl { "TLS port" } else { "port" };
        self.heading(&format!("{title} {port} {}.", server.port));
        self.variable(&name, &literal);
        Literal::Word(name)
    }

    fn server_literal(&self, server: &Server) -> Literal {
        let default = Server::default();
        let mut object = Object::new("Server");
        object.text("uuid", &server.uuid);
        object.text_unless("name", &server.name, &default.name);
        object.text_unless("chroot", &server.chroot, &default.chroot);
        object.text("access_log", &server.access_log);
        object.text("error_log", &server.error_log);
        object.number_unless("error_log_level", server.error_log_level, default.error_log_level);
        object.text("pid_file", &server.pid_file);
        object.text_unless("control_port", &server.control_port, &default.control_port);
        object.text_unless("bind_addr", &server.bind_addr, &default.bind_addr);
        object.number("port", server.port);
        object.truth("use_ssl", server.use_ssl);
        object.text("default_host", &server.default_host);
        object.list("hosts", server.hosts.iter().map(|host| self.host(host)));
        object.done()
    }

    fn host(&self, host: &Host) -> Literal {
        let mut object = Object::new("Host");
        object.text("name", &host.name);
        object.text_unless("matching", host.matching_or_name(), &host.name);
        if !host.aliases.is_empty() {
            object.list("aliases", host.aliases.iter().map(|alias| Literal::text(alias)));
        }
        object.truth("maintenance", host.maintenance);
        object.number_unless("hsts", host.hsts, 0);
        let pages = host.error_pages.iter().map(|(status, path)| (text(&status.to_string()), Literal::text(path)));
        object.map_unless_empty("error_pages", pages);
        object.give("routes", self.routes(&host.routes));
        object.done()
    }

    /// A map, which scripts have in the order of its keys; a list in any other order, or of very many.
    fn routes(&self, routes: &[Route]) -> Literal {
        let is_sorted = routes.windows(2).all(|pair| pair[0].path < pair[1].path);
        let is_key = |route: &Route| !route.reversed && !has_secret(&route.path);
        if is_sorted && routes.len() <= MOST_KEYS && routes.iter().all(is_key) {
            return Literal::map(routes.iter().map(|route| (text(&route.path), self.target(&route.target))));
        }
        Literal::List(routes.iter().map(|route| self.route(route)).collect())
    }

    fn route(&self, route: &Route) -> Literal {
        let mut object = Object::new("Route");
        object.text("path", &route.path);
        object.truth("reversed", route.reversed);
        object.give("target", self.target(&route.target));
        object.done()
    }

    fn target(&self, target: &Target) -> Literal {
        self.names.target(target).map_or_else(|| literal(target), |name| Literal::Word(name.to_owned()))
    }

    fn commit(&mut self, config: &Config, servers: Vec<Literal>) {
        let mut options = Vec::new();
        if !config.settings.is_empty() {
            let settings = config.settings.iter().map(|(name, value)| (text(name), setting(value)));
            options.push(("settings".to_owned(), Literal::map(settings)));
        }
        options.extend(mimetypes(config));
        self.heading("What is to be loaded.");
        self.said.push_str("commit(");
        Literal::List(servers).write(&mut self.said, 0);
        if !options.is_empty() {
            self.said.push_str(", ");
            Literal::Map(options).write(&mut self.said, 0);
        }
        self.said.push_str(");\n");
    }
}

fn has_secret(text: &str) -> bool {
    pieces(text).iter().any(|piece| matches!(piece, Piece::Secret(_)))
}

/// What the media types differ in from those that are known; all of them if that is shorter.
fn mimetypes(config: &Config) -> Vec<(String, Literal)> {
    let known = default_mimetypes();
    let all = || config.mimetypes.iter().map(|(extension, mimetype)| (text(extension), Literal::text(mimetype)));
    let gone = known.keys().filter(|extension| !config.mimetypes.contains_key(*extension));
    let gone: Vec<_> = gone.map(|extension| (text(extension), Literal::Word("()".into()))).collect();
    let changed = config.mimetypes.iter().filter(|(extension, mimetype)| known.get(*extension) != Some(mimetype));
    let changed: Vec<_> = changed.map(|(extension, mimetype)| (text(extension), Literal::text(mimetype))).collect();
    if changed.len() + gone.len() > config.mimetypes.len() {
        let none = ("known_mimetypes".to_owned(), Literal::Word("false".into()));
        return vec![none, ("mimetypes".into(), Literal::map(all()))];
    }
    let differing: Vec<_> = changed.into_iter().chain(gone).collect();
    if differing.is_empty() { Vec::new() } else { vec![("mimetypes".into(), Literal::map(differing))] }
}

fn literal(target: &Target) -> Literal {
    match target {
        Target::Dir(dir) => dir_literal(dir),
        Target::Proxy(proxy) => proxy_literal(proxy),
        Target::Handler(handler) => handler_literal(handler),
        Target::Redirect(redirect) => redirect_literal(redirect),
    }
}

fn dir_literal(dir: &Dir) -> Literal {
    let mut object = Object::new("Dir");
    object.text("base", &dir.base);
    object.text_unless("index_file", &dir.index_file, "");
    object.text_unless("default_ctype", &dir.default_ctype, "");
    object.number_unless("cache_ttl", dir.cache_ttl, 0);
    object.truth("listing", dir.listing);
    object.done()
}

fn proxy_literal(proxy: &Proxy) -> Literal {
    let default = Proxy::default();
    let mut object = Object::new("Proxy");
    object.text("addr", &proxy.addr);
    object.number("port", proxy.port);
    if !proxy.upstreams.is_empty() {
        object.list("upstreams", proxy.upstreams.iter().map(upstream_literal));
    }
    object.text_unless("host", &proxy.host, &default.host);
    object.text_unless("balance", proxy.balance.as_str(), default.balance.as_str());
    for (field, number, default) in [
        ("connect_timeout", proxy.connect_timeout, default.connect_timeout),
        ("first_byte_timeout", proxy.first_byte_timeout, default.first_byte_timeout),
        ("idle_timeout", proxy.idle_timeout, default.idle_timeout),
        ("max_fails", proxy.max_fails, default.max_fails),
        ("fail_timeout", proxy.fail_timeout, default.fail_timeout),
    ] {
        object.number_unless(field, number, default);
    }
    if let Some(fallback) = &proxy.fallback {
        object.give("fallback", literal(fallback));
    }
    object.text_unless("session_cookie", &proxy.session_cookie, &default.session_cookie);
    object.number_unless("session_idle", proxy.session_idle, default.session_idle);
    object.number_unless("session_max", proxy.session_max, default.session_max);
    object.truth("session_forward", proxy.session_forward);
    object.done()
}

fn upstream_literal(upstream: &Upstream) -> Literal {
    let mut object = Object::new("Upstream");
    object.text("addr", &upstream.addr);
    object.number("port", upstream.port);
    object.done()
}

fn handler_literal(handler: &Handler) -> Literal {
    let default = Handler::default();
    let mut object = Object::new("Handler");
    object.text("send_spec", &handler.send_spec);
    object.text("send_ident", &handler.send_ident);
    object.text("recv_spec", &handler.recv_spec);
    object.text_unless("recv_ident", &handler.recv_ident, "");
    object.truth("raw_payload", handler.raw_payload);
    object.text_unless("protocol", handler.protocol.as_str(), default.protocol.as_str());
    object.text_unless("send_type", handler.send_type.as_str(), default.send_type.as_str());
    object.text_unless("sendfile_root", &handler.sendfile_root, "");
    object.done()
}

fn redirect_literal(redirect: &Redirect) -> Literal {
    let mut object = Object::new("Redirect");
    object.text("to", &redirect.to);
    object.number_unless("status", redirect.status, Redirect::default().status);
    object.done()
}

#[cfg(test)]
mod tests;
