//! Where the paths of a demo lead in the server's configuration, by the tables that the server itself goes by.  Pure.

use mongrel2::config::{Host, Route, Server, Target};
use mongrel2::route::{Found, Hosts, Path, Routes};

use super::demos::Demo;

/// The name by which browsers and probes ask for the server.
const HOST: &[u8] = b"localhost";

/// The addresses of a demo's Handler: its `send_spec` and its `recv_spec`.
pub(super) fn sockets(demo: &Demo) -> [String; 2] {
    ["requests", "replies"].map(|end| format!("ipc://run/{}.{end}", demo.name))
}

/// The port of the Proxy that a path leads to, if it leads to one.
pub(super) fn upstream(server: &Server, path: &str) -> Option<i64> {
    match &route(server, path)?.target {
        Target::Proxy(proxy) => Some(proxy.port),
        _ => None,
    }
}

/// What a script that somebody has edited doesn't have any more for a demo.
pub(super) fn missing(demo: &Demo, server: &Server) -> Option<String> {
    if demo.services.iter().any(|(_, command)| command.contains("@UPSTREAM@")) {
        let mut paths = std::iter::once(demo.link).chain(demo.probe);
        return paths.find(|path| upstream(server, path).is_none()).map(|path| format!("Proxy for {path}"));
    }
    if !is_handled(demo, server) {
        let probed = demo.probe.map_or_else(String::new, |path| format!(" for {path}"));
        return Some(format!("Handler at `{}`{probed}", sockets(demo)[0]));
    }
    is_lost(demo, server).then(|| format!("route for {}", demo.link))
}

/// Whether the demo's programs get requests: those for its probe, or any.
fn is_handled(demo: &Demo, server: &Server) -> bool {
    match demo.probe {
        Some(path) => route(server, path).is_some_and(|route| is_own(route, demo)),
        None => server.hosts.iter().flat_map(|host| &host.routes).any(|route| is_own(route, demo)),
    }
}

/// Whether a route is one to the demo's programs.
fn is_own(route: &Route, demo: &Demo) -> bool {
    match &route.target {
        Target::Handler(handler) => [&handler.send_spec, &handler.recv_spec] == sockets(demo).each_ref(),
        _ => false,
    }
}

/// Whether the link leads to another demo's programs, or to no files but those of the page with all demos.
fn is_lost(demo: &Demo, server: &Server) -> bool {
    let Some(route) = route(server, demo.link) else { return true };
    let is_page = path(demo.link).ends_with(".html");
    match route.target {
        Target::Handler(_) => !is_own(route, demo),
        _ => route.path == "/" && !is_page,
    }
}

/// The route that answers a path, or leads to it by its last slash.
fn route<'a>(server: &'a Server, link: &str) -> Option<&'a Route> {
    let parsed = |route: &'a Route| Some((Path::parse(&route.path, route.reversed).ok()?, route));
    let routes = Routes::new(host(server)?.routes.iter().filter_map(parsed));
    match routes.find(path(link).as_bytes()) {
        Found::Rule(rule) | Found::Slash(rule) => Some(rule.value),
        Found::Nothing => None,
    }
}

fn host(server: &Server) -> Option<&Host> {
    let matching = |host: &Host| Path::parse(host.matching_or_name(), true).ok();
    let hosts = Hosts::new(server.hosts.iter().filter_map(|host| Some((matching(host)?, host))));
    let default = || server.hosts.iter().find(|host| host.name == server.default_host);
    hosts.find(HOST).copied().or_else(default)
}

/// A link without its query.
fn path(link: &str) -> &str {
    link.split('?').next().unwrap_or(link)
}

#[cfg(test)]
mod tests {
    use super::super::super::folder::{Folder, SCRIPT};
    use super::super::contents::contents;
    use super::super::demos::DEMOS;
    use super::*;

    /// The server of a folder as it is made.
    fn server() -> Server {
        let root = tempfile::tempdir().unwrap();
        Folder::at(root.path(), contents(root.path(), None).unwrap()).unwrap().fill().unwrap();
        let outcome = crate::script::run(&root.path().join(SCRIPT), &crate::script::Facts::default()).unwrap();
        outcome.checked.config().servers[0].clone()
    }

    /// What each demo misses.
    fn all(server: &Server) -> Vec<(&'static str, String)> {
        DEMOS.iter().filter_map(|demo| Some((demo.name, missing(demo, server)?))).collect()
    }

    #[test]
    fn a_route_that_was_taken_out_is_missed_by_its_demo_alone() {
        assert_eq!(all(&server()), []);
        for (route, name, expected) in [
            ("/hello", "hello", "Handler at `ipc://run/hello.requests` for /hello"),
            ("/upload", "upload", "Handler at `ipc://run/upload.requests` for /upload"),
            ("/chatdemo/", "chat", "route for /chatdemo/"),
            ("/chatdemo/socket", "chat", "Handler at `ipc://run/chat.requests` for /chatdemo/socket"),
            ("@bbs", "bbs", "Handler at `ipc://run/bbs.requests`"),
            ("/source/", "bbs", "route for /source/bbs/README.md"),
            ("/files/", "scatter", "Handler at `ipc://run/scatter.requests` for /files/nothing"),
            ("/pinned/", "pinned", "Proxy for /pinned/"),
            ("/web/", "web", "Proxy for /web/form"),
            ("/ws2http/", "ws2http", "route for /ws2http/"),
            ("/ws2http/socket($)", "ws2http", "Handler at `ipc://run/ws2http.requests` for /ws2http/socket"),
        ] {
            let mut server = server();
            let before = server.hosts[0].routes.len();
            server.hosts[0].routes.retain(|other| other.path != route);
            assert_eq!(server.hosts[0].routes.len(), before - 1, "{route}");
            assert_eq!(all(&server), [(name, expected.to_owned())], "{route}");
        }
    }

    #[test]
    fn a_handler_with_another_address_is_not_the_demos() {
        let mut server = server();
        for route in &mut server.hosts[0].routes {
            if let Target::Handler(handler) = &mut route.target {
                handler.recv_spec = handler.recv_spec.replace("hello", "other");
            }
        }
        assert_eq!(all(&server), [("hello", "Handler at `ipc://run/hello.requests` for /hello".to_owned())]);
    }

    #[test]
    fn nothing_leads_anywhere_without_hosts() {
        let mut server = server();
        server.hosts.clear();
        assert_eq!(all(&server).len(), DEMOS.len());
    }
}
