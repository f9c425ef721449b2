use proptest::prelude::*;

use super::*;
use crate::config::{Dir, Handler, Proxy, Redirect, Target, Upstream};

fn route(path: &str, base: &str) -> Route {
    Route { path: path.into(), reversed: false, target: Target::Dir(Dir { base: base.into(), ..Dir::default() }) }
}

fn host(name: &str, paths: &[&str]) -> Host {
    let routes = paths.iter().map(|path| route(path, "static/")).collect();
    Host { name: name.into(), routes, ..Host::default() }
}

fn server(uuid: &str, name: &str) -> Server {
    let hosts = vec![host("localhost", &["/", "/x", "/y"])];
    Server { uuid: uuid.into(), name: name.into(), port: 6767, hosts, ..Server::default() }
}

fn base() -> Config {
    let settings = [("limits.min_ping".to_owned(), "120".to_owned())].into();
    let mimetypes = [(".txt".to_owned(), "text/plain".to_owned())].into();
    Config { servers: vec![server("1", "hello"), server("2", "")], settings, mimetypes, ..Config::default() }
}

/// A change as a line: `~ server hello: port 1 -> 2`; what is missing is a dash.
fn line(change: &Change) -> String {
    let mark = ["+", "-", "~"][change.kind as usize];
    let text = |value: &Option<Value>| value.as_ref().map_or("-".into(), Value::to_string);
    let field = |field: &Field| format!("{} {} -> {}", field.name, text(&field.from), text(&field.to));
    let fields: Vec<_> = change.fields.iter().map(field).collect();
    match change.kind {
        Kind::Changed => format!("{mark} {}: {}", change.path, fields.join(", ")),
        Kind::Added | Kind::Removed => format!("{mark} {}", change.path),
    }
}

fn check(edit: impl FnOnce(&mut Config), expected: &[&str]) {
    let mut new = base();
    edit(&mut new);
    let lines: Vec<_> = difference(&base(), &new).iter().map(line).collect();
    assert_eq!(lines, expected);
}

#[test]
fn nothing() {
    check(|_| (), &[]);
}

#[test]
fn fields_of_each_object() {
    check(|config| config.servers[0].port = 80, &["~ server hello: port 6767 -> 80"]);
    check(|config| config.servers[1].name = "b".into(), &[r#"~ server b: name "" -> "b""#]);
    check(|config| config.servers[1].use_ssl = true, &["~ server 2: use_ssl false -> true"]);
    let of_host = "~ server hello, host localhost";
    check(|config| config.servers[0].hosts[0].hsts = 1, &[&format!("{of_host}: hsts 0 -> 1")]);
    let pages = format!(r#"{of_host}: aliases [] -> ["a"], error_pages.404 - -> "/404.html""#);
    check(
        |config| {
            let host = &mut config.servers[0].hosts[0];
            host.aliases.push("a".into());
            host.error_pages.insert(404, "/404.html".into());
        },
        &[&pages],
    );
    check(
        |config| config.servers[0].hosts[0].routes[1] = route("/x", "other/"),
        &[r#"~ server hello, host localhost, route /x: base "static/" -> "other/""#],
    );
}

#[test]
fn settings_and_media_types() {
    check(
        |config| {
            config.settings.insert("limits.min_ping".into(), "60".into());
            config.settings.insert("certdir".into(), "/certs/".into());
            config.mimetypes = [(".md".to_owned(), "text/markdown".to_owned())].into();
        },
        &[
            "+ setting certdir",
            r#"~ setting limits.min_ping: value "120" -> "60""#,
            "+ mimetype .md",
            "- mimetype .txt",
        ],
    );
}

#[test]
fn what_comes_and_goes_does_with_all_its_parts() {
    check(
        |config| config.servers[1] = server("3", "c"),
        &[
            "+ server c",
            "+ server c, host localhost",
            "+ server c, host localhost, route /",
            "+ server c, host localhost, route /x",
            "+ server c, host localhost, route /y",
            "- server 2",
            "- server 2, host localhost",
            "- server 2, host localhost, route /",
            "- server 2, host localhost, route /x",
            "- server 2, host localhost, route /y",
        ],
    );
    check(
        |config| config.servers[0].hosts[0].name = "example.com".into(),
        &[
            "+ server hello, host example.com",
            "+ server hello, host example.com, route /",
            "+ server hello, host example.com, route /x",
            "+ server hello, host example.com, route /y",
            "- server hello, host localhost",
            "- server hello, host localhost, route /",
            "- server hello, host localhost, route /x",
            "- server hello, host localhost, route /y",
        ],
    );
}

#[test]
fn what_is_new_has_all_its_fields() {
    let new = Config { settings: [("a".to_owned(), "1".to_owned())].into(), ..Config::default() };
    let field = Field { name: "value".into(), from: None, to: Some("1".into()) };
    assert_eq!(difference(&Config::default(), &new)[0].fields, [field]);
    let changes = difference(&Config::default(), &base());
    let names = |index: usize| changes[index].fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>();
    assert_eq!((names(0)[0], names(0).len(), names(0).contains(&"hosts")), ("uuid", 12, false));
    assert_eq!(names(2)[..3], ["path", "reversed", "target_type"]);
    assert!(changes.iter().all(|change| change.fields.iter().all(|field| field.from.is_none())));
}

#[test]
fn a_uuid_tells_servers_of_the_same_name() {
    check(|config| config.servers[1].name = "hello".into(), &[r#"~ server hello 2: name "" -> "hello""#]);
    let new = Config { servers: vec![server("7", "hello"), server("2", "")], ..base() };
    let lines: Vec<_> = difference(&base(), &new).iter().map(line).collect();
    assert_eq!((&lines[0][..], &lines[5][..]), ("+ server hello 7", "- server hello 1"));
}

#[test]
fn a_target_of_another_kind() {
    let redirect = Redirect { to: "/a".into(), status: 301 };
    let expected = concat!(
        r#"~ server hello, host localhost, route /x: target_type "dir" -> "redirect", to - -> "/a", status - -> 301, "#,
        r#"base "static/" -> -, index_file "" -> -, default_ctype "" -> -, cache_ttl 0 -> -, listing false -> -"#,
    );
    check(|config| config.servers[0].hosts[0].routes[1].target = Target::Redirect(redirect), &[expected]);
}

#[test]
fn fields_of_fields() {
    let with = |proxy: Proxy| {
        let mut config = base();
        config.servers[0].hosts[0].routes[1].target = Target::Proxy(proxy);
        config
    };
    let dir = Target::Dir(Dir { base: "down/".into(), ..Dir::default() });
    let upstream = Upstream { addr: "b".into(), port: 1 };
    let proxy = Proxy { fallback: Some(dir.into()), upstreams: vec![upstream], ..Proxy::default() };
    let changes = difference(&with(Proxy::default()), &with(proxy));
    let expected =
        r#"upstreams [] -> [{"addr":"b","port":1}], fallback.target_type - -> "dir", fallback.base - -> "down/""#;
    assert!(line(&changes[0]).contains(expected), "{}", line(&changes[0]));
}

#[test]
fn a_reversed_route_is_another_one() {
    check(
        |config| config.servers[0].hosts[0].routes[1].reversed = true,
        &["+ server hello, host localhost, route /x (reversed)", "- server hello, host localhost, route /x"],
    );
}

#[test]
fn several_of_the_same_path_go_by_their_order() {
    let old = Config { servers: vec![Server { hosts: vec![host("h", &["/", "/"])], ..server("1", "a") }], ..base() };
    let mut new = old.clone();
    new.servers[0].hosts[0].routes[1] = route("/", "b/");
    new.servers[0].hosts[0].routes.push(route("/", "c/"));
    let lines: Vec<_> = difference(&old, &new).iter().map(line).collect();
    let expected = [r#"~ server a, host h, route / (2): base "static/" -> "b/""#, "+ server a, host h, route / (3)"];
    assert_eq!(lines, expected);
}

#[test]
fn another_order_is_a_difference() {
    let moved = |order: [usize; 3], expected: &[&str]| {
        let edit = |config: &mut Config| {
            let routes = &mut config.servers[0].hosts[0].routes;
            *routes = order.map(|index| routes[index].clone()).into();
        };
        let expected: Vec<_> =
            expected.iter().map(|text| format!("~ server hello, host localhost, route {text}")).collect();
        check(edit, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    };
    moved([0, 2, 1], &[r#"/y: behind "/x" -> "/""#]);
    moved([2, 0, 1], &[r#"/y: behind "/x" -> -"#]);
    moved([1, 2, 0], &[r#"/: behind - -> "/y""#]);
    moved([2, 1, 0], &[r#"/y: behind "/x" -> -"#, r#"/x: behind "/" -> "/y""#]);
    check(|config| config.servers.swap(0, 1), &[r#"~ server 2: behind "hello" -> -"#]);
}

#[test]
fn json_for_programs() {
    let mut new = base();
    new.settings.clear();
    let expected = serde_json::json!([
        {"change": "removed", "path": "setting limits.min_ping", "fields": [{"field": "value", "from": "120"}]},
    ]);
    assert_eq!(serde_json::to_value(difference(&base(), &new)).unwrap(), expected);
}

#[test]
fn a_path_knows_what_it_is_within() {
    let changes = difference(&Config::default(), &base());
    let (server, route) = (&changes[0].path, &changes[2].path);
    assert!(route.is_within(server) && !server.is_within(route) && !server.is_within(server));
    assert_eq!((server.noun(), route.noun()), (Noun::Server, Noun::Route));
}

#[test]
fn few_are_moved() {
    for (numbers, expected) in [
        (&[][..], &[][..]),
        (&[0, 1, 2], &[]),
        (&[2, 0, 1], &[0]),
        (&[1, 2, 3, 0], &[3]),
        (&[0, 3, 1, 2, 4], &[1]),
        (&[1, 0, 3, 2], &[0, 2]),
    ] {
        assert_eq!(moved(numbers), expected, "{numbers:?}");
    }
}

fn targets() -> impl Strategy<Value = Target> {
    prop_oneof![
        "[ab]?".prop_map(|base| Target::Dir(Dir { base, ..Dir::default() })),
        "[ab]?".prop_map(|send_ident| Target::Handler(Handler { send_ident, ..Handler::default() })),
        ("[ab]?", any::<bool>()).prop_map(|(addr, falls)| {
            let fallback = falls.then(|| Target::Dir(Dir::default()).into());
            Target::Proxy(Proxy { addr, fallback, ..Proxy::default() })
        }),
    ]
}

fn routes() -> impl Strategy<Value = Route> {
    ("/[ab]?", any::<bool>(), targets()).prop_map(|(path, reversed, target)| Route { path, reversed, target })
}

fn hosts() -> impl Strategy<Value = Host> {
    let pages = prop::collection::btree_map(404..406i64, "[ab]", 0..2);
    let list = prop::collection::vec(routes(), 0..5);
    ("[ab]", pages, list).prop_map(|(name, error_pages, routes)| Host { name, error_pages, routes, ..Host::default() })
}

fn configs() -> impl Strategy<Value = Config> {
    let server = ("[12]", "[ab]?", prop::collection::vec(hosts(), 0..3));
    let server = server.prop_map(|(uuid, name, hosts)| Server { uuid, name, hosts, ..Server::default() });
    let map = || prop::collection::btree_map("[ab]", "[ab]", 0..2);
    (prop::collection::vec(server, 0..3), map(), map(), map())
        .prop_map(|(servers, settings, mimetypes, secrets)| Config { servers, settings, mimetypes, secrets })
}

fn count(changes: &[Change], kind: Kind) -> usize {
    changes.iter().filter(|change| change.kind == kind).count()
}

proptest! {
    #[test]
    fn only_equal_configurations_have_none(old in configs(), new in configs()) {
        prop_assert_eq!(difference(&old, &old), []);
        prop_assert_eq!(difference(&old, &new).is_empty(), old == new);
    }

    #[test]
    fn any_other_order_is_a_difference(old in configs(), seed in any::<prop::sample::Index>()) {
        let mut new = old.clone();
        let server = new.servers.iter_mut().find(|server| server.hosts.iter().any(|host| host.routes.len() > 1));
        if let Some(host) = server.and_then(|server| server.hosts.iter_mut().find(|host| host.routes.len() > 1)) {
            let length = host.routes.len();
            host.routes.rotate_left(seed.index(length));
        }
        prop_assert_eq!(difference(&old, &new).is_empty(), old == new);
    }

    #[test]
    fn what_comes_one_way_goes_the_other(old in configs(), new in configs()) {
        let (there, back) = (difference(&old, &new), difference(&new, &old));
        prop_assert_eq!(count(&there, Kind::Added), count(&back, Kind::Removed));
        prop_assert_eq!(count(&there, Kind::Removed), count(&back, Kind::Added));
    }
}

#[test]
fn a_tree_comes_back_from_its_canonical_form() {
    let mut config = base();
    let fallback = Target::Redirect(Redirect::default()).into();
    let proxy = Proxy { fallback: Some(fallback), upstreams: vec![Upstream::default()], ..Proxy::default() };
    config.servers[0].hosts[0].error_pages.insert(404, "/404.html".into());
    config.servers[0].hosts[0].routes[0].target = Target::Proxy(proxy);
    config.servers[0].hosts[0].routes[1].target = Target::Handler(Handler::default());
    let back: Config = serde_json::from_str(&config.canonical()).unwrap();
    assert_eq!(difference(&config, &back), []);
    assert_eq!(back, config);
}
