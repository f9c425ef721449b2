//! A sound configuration, and each way to break it.

use super::*;
use crate::config::tree::{Dir, Handler, Proxy, Target, Upstream};
use crate::redirect::STATUSES;

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
            route("/old", Target::Proxy(Proxy { addr: "127.0.0.1".into(), port: 80, ..Proxy::default() })),
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
    expect_target(
        3,
        Target::Proxy(Proxy { addr: "http://x".into(), port: 80, ..Proxy::default() }),
        "addr",
        "not a host name",
    );
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
        (|h| h.sendfile_root = "../x".into(), "sendfile_root", "`..`"),
        (|h| h.sendfile_root = "/".into(), "sendfile_root", "the whole chroot"),
        (|h| h.sendfile_root = "logs".into(), "sendfile_root", "would publish the server's access_log"),
        (|h| h.send_spec = h.recv_spec.clone(), "send_spec", "both a send_spec and a recv_spec"),
    ] {
        expect_target(1, handler(change), field, message);
    }
}

#[test]
fn redirects() {
    let redirect = |to: &str, status| Target::Redirect(Redirect { to: to.into(), status });
    expect_target(0, redirect("example.com", 301), "to", "it begins with none of");
    expect_target(0, redirect("/$pth", 301), "to", "there is no `$pth`");
    expect_target(0, redirect("/", 300), "status", "300 is not the status of a redirect");
    for status in STATUSES {
        let mut config = sound();
        config.servers[0].hosts[0].routes[0].target = redirect("https://$host$path$query", status.into());
        assert_eq!(check(config).unwrap().1, [], "{status}");
    }
}

#[test]
fn aliases() {
    let expect_aliases = |aliases: &[&str], message: &str| {
        let set = |config: &mut Config| {
            config.servers[0].hosts[0].aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        };
        expect(set, Place::Host(0, 0), "aliases", message);
    };
    expect_aliases(&[""], "an alias is empty");
    expect_aliases(&["([).org"], "cannot use the pattern `([).org`");
    expect_aliases(&["localhost"], "the alias `localhost` is what a host matches already");
    expect_aliases(&["a", "b", "a"], "the alias `a` is what");
    let two = |config: &mut Config| {
        let other = Host { name: "other".into(), aliases: vec!["localhost".into()], ..Host::default() };
        config.servers[0].hosts.push(other);
    };
    expect(two, Place::Host(0, 1), "aliases", "the alias `localhost` is what");
}

#[test]
fn error_pages() {
    let expect_page = |status, path: &str, message: &str| {
        let set = |config: &mut Config| {
            drop(config.servers[0].hosts[0].error_pages.insert(status, path.into()));
        };
        expect(set, Place::ErrorPage(0, 0, status), "error_pages", message);
    };
    expect_page(200, "/x.html", "200 is not the status of an error");
    expect_page(404, "", "the error page 404 has no path");
    expect_page(404, "/../x.html", "`/../x.html` has `..` in it");
    expect_page(404, "/x\0.html", "has a NUL byte");
    let mut config = sound();
    config.servers[0].hosts[0].error_pages = [400, 599].map(|status| (status, "/x.html".to_owned())).into();
    assert_eq!(check(config).unwrap().1, []);
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
fn a_control_port_is_one_servers() {
    let notes = |chroot: &str, first: &str, second: &str| {
        let mut config = sound();
        let mut other = config.servers[0].clone();
        (other.uuid, other.name, other.chroot) = ("other".into(), "other".into(), chroot.into());
        config.servers[0].control_port = first.into();
        other.control_port = second.into();
        config.servers.push(other);
        let (_, problems) = check(config).unwrap();
        problems.into_iter().map(|problem| (problem.severity, problem.place, problem.field)).collect::<Vec<_>>()
    };
    let note = vec![(Severity::Note, Place::Server(1), "control_port")];
    let chroot = sound().servers[0].chroot.clone();
    assert_eq!(notes(&chroot, "", ""), note);
    assert_eq!(notes(&chroot, "ipc://run/control", "ipc:///run/control"), note);
    assert_eq!(notes("/other", "tcp://127.0.0.1:5000", "tcp://127.0.0.1:5000"), note);
    assert_eq!(notes("/other", "", ""), []);
    assert_eq!(notes(&chroot, "", "ipc://run/other.control"), []);
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

/// What a change of a sound proxy is told; `field` is where.
fn expect_proxy(change: impl FnOnce(&mut Proxy), field: &str, message: &str) {
    let mut proxy = Proxy { addr: "localhost".into(), port: 80, ..Proxy::default() };
    change(&mut proxy);
    expect_target(3, Target::Proxy(proxy), field, message);
}

#[test]
fn proxies() {
    let upstream = |addr: &str, port| vec![Upstream { addr: addr.into(), port }];
    expect_proxy(|proxy| proxy.addr = "a b".into(), "addr", "`a b` is not a host name");
    expect_proxy(|proxy| proxy.upstreams = upstream("", 80), "upstreams", "`:80`");
    expect_proxy(|proxy| proxy.upstreams = upstream("b", 0), "upstreams", "`b:0`");
    expect_proxy(|proxy| proxy.host = "a\r\nb".into(), "host", "not the value of a Host header");
    expect_proxy(|proxy| proxy.connect_timeout = 0, "connect_timeout", "0 is not a number of seconds");
    expect_proxy(|proxy| proxy.session_max = -1, "session_max", "-1 is not");
    expect_proxy(|proxy| proxy.max_fails = -1, "max_fails", "-1 is not");
    expect_proxy(|proxy| proxy.session_cookie = "a;b".into(), "session_cookie", "cannot be the name of a cookie");
    let fallback = Target::Proxy(Proxy::default());
    expect_proxy(|proxy| proxy.fallback = Some(Box::new(fallback)), "fallback", "a Dir or a Redirect");
    let logs = Target::Dir(Dir { base: "logs".into(), ..Dir::default() });
    expect_proxy(|proxy| proxy.fallback = Some(Box::new(logs)), "base", "would publish the server's access_log");
}

#[test]
fn certificates_are_needed_and_never_published() {
    expect_server(|server| server.use_ssl = true, "use_ssl", "no setting `certdir`");
    let with_certdir = |config: &mut Config, path: &str| {
        config.servers[0].use_ssl = true;
        config.settings.insert("certdir".into(), path.into());
    };
    let place = Place::Target(0, 0, 0);
    expect(|config| with_certdir(config, "/static/certs/"), place, "base", "would publish the certdir");
    let mut config = sound();
    with_certdir(&mut config, "/certs/");
    assert_eq!(check(config.clone()).unwrap().1, []);
    // Nobody to have signed what clients show.
    let required = |config: &mut Config| {
        with_certdir(config, "/certs/");
        config.settings.insert("ssl.verify_required".into(), "1".into());
    };
    expect(required, Place::Setting("ssl.verify_required".into()), "", "no client would be let in");
    required(&mut config);
    config.settings.insert("ssl.ca_chain".into(), "/certs/clients.pem".into());
    assert_eq!(check(config.clone()).unwrap().1, []);
    config.settings.remove("ssl.verify_required");
    let notes = check(config.clone()).unwrap().1;
    assert_eq!(notes[0].message, "the setting `ssl.ca_chain` has no effect: no client is asked for a certificate");
    config.settings.insert("ssl.verify_optional".into(), "1".into());
    config.settings.insert("ssl_ciphers".into(), "RC4 ECDHE-RSA-AES128-GCM-SHA256".into());
    let notes = check(config).unwrap().1;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert_eq!(notes[0].message, "ssl_ciphers names `RC4`, which servers do not have; it is skipped");
}
