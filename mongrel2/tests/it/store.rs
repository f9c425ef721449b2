//! The database both ways: `load(save(tree)) == tree`, databases of the original tool, and rows that other
//! programs have spoilt.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mongrel2::config::difference::Touch;
use mongrel2::config::history::{Entry, Fault};
use mongrel2::config::store::StoreError;
use mongrel2::config::store::origin::{File, Origin};
use mongrel2::config::{
    Balance, Config, Database, Dir, Handler, Host, Protocol, Proxy, Redirect, Route, SendType, Server, Severity,
    Target, Upstream, check, default_mimetypes,
};
use proptest::prelude::*;
use rusqlite::Connection;

/// Any text that a column can hold: quotes, blanks, line ends and all of Unicode, but for NUL.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z/.:-]{0,12}",
        r#"['"`;%\\ \t\n-]{0,6}"#,
        "\\PC{0,8}",
        any::<String>().prop_map(|text| text.replace('\0', "")),
        Just("NULL".to_owned()),
        Just("007".to_owned()),
    ]
}

fn target() -> impl Strategy<Value = Target> {
    let dir = (text(), text(), text(), any::<i64>(), any::<bool>());
    let dir = dir
        .prop_map(|(base, index_file, default_ctype, cache_ttl, listing)| Dir {
            base,
            index_file,
            default_ctype,
            cache_ttl,
            listing,
        })
        .boxed();
    let redirect = (text(), any::<i64>()).prop_map(|(to, status)| Redirect { to, status }).boxed();
    let upstream = (text(), any::<i64>()).prop_map(|(addr, port)| Upstream { addr, port });
    let fallback =
        prop::option::of(prop_oneof![dir.clone().prop_map(Target::Dir), redirect.clone().prop_map(Target::Redirect)]);
    let texts = (text(), text(), text());
    let numbers = prop::array::uniform8(any::<i64>());
    let proxy = (texts, numbers, any::<bool>(), any::<bool>(), prop::collection::vec(upstream, 0..3), fallback);
    let proxy =
        proxy.prop_map(|((addr, host, session_cookie), numbers, least, session_forward, upstreams, fallback)| {
            let [
                port,
                connect_timeout,
                first_byte_timeout,
                idle_timeout,
                max_fails,
                fail_timeout,
                session_idle,
                session_max,
            ] = numbers;
            Proxy {
                addr,
                port,
                upstreams,
                host,
                balance: if least { Balance::LeastConnections } else { Balance::RoundRobin },
                connect_timeout,
                first_byte_timeout,
                idle_timeout,
                max_fails,
                fail_timeout,
                fallback: fallback.map(Box::new),
                session_cookie,
                session_idle,
                session_max,
                session_forward,
            }
        });
    let handler = ((text(), text()), (text(), text()), any::<bool>(), any::<bool>(), any::<bool>(), text()).prop_map(
        |((send_spec, send_ident), (recv_spec, recv_ident), raw_payload, tnetstring, all, sendfile_root)| Handler {
            send_spec,
            send_ident,
            recv_spec,
            recv_ident,
            raw_payload,
            protocol: if tnetstring { Protocol::Tnetstring } else { Protocol::Json },
            send_type: if all { SendType::Pub } else { SendType::Push },
            sendfile_root,
        },
    );
    prop_oneof![
        dir.prop_map(Target::Dir),
        proxy.prop_map(Target::Proxy),
        handler.prop_map(Target::Handler),
        redirect.prop_map(Target::Redirect),
    ]
}

/// Hosts whose routes share some of a few targets, as variables of a script do.
fn hosts() -> impl Strategy<Value = Vec<Host>> {
    let route = (text(), any::<bool>(), any::<prop::sample::Index>());
    let names = (text(), text(), prop::collection::vec(text(), 0..3));
    let pages = prop::collection::btree_map(any::<i64>(), text(), 0..3);
    let host = (any::<bool>(), any::<i64>(), names, pages, prop::collection::vec(route, 0..6));
    (prop::collection::vec(target(), 1..4), prop::collection::vec(host, 0..4)).prop_map(|(targets, hosts)| {
        let route = |(path, reversed, index): (String, bool, prop::sample::Index)| Route {
            path,
            reversed,
            target: index.get(&targets).clone(),
        };
        let mut built = Vec::new();
        for (maintenance, hsts, (name, matching, aliases), error_pages, routes) in hosts {
            let routes = routes.into_iter().map(route).collect();
            built.push(Host { maintenance, name, matching, aliases, hsts, error_pages, routes });
        }
        built
    })
}

fn server() -> impl Strategy<Value = Server> {
    let texts = prop::array::uniform9(text());
    (texts, any::<i64>(), any::<i64>(), any::<bool>(), hosts()).prop_map(
        |(texts, error_log_level, port, use_ssl, hosts)| {
            let [uuid, access_log, error_log, chroot, pid_file, control_port, default_host, name, bind_addr] = texts;
            Server {
                uuid,
                access_log,
                error_log,
                error_log_level,
                chroot,
                pid_file,
                control_port,
                default_host,
                name,
                bind_addr,
                port,
                use_ssl,
                hosts,
            }
        },
    )
}

fn config() -> impl Strategy<Value = Config> {
    let pairs = || prop::collection::btree_map(text(), text(), 0..4);
    (prop::collection::vec(server(), 0..4), pairs(), pairs(), pairs())
        .prop_map(|(servers, settings, mimetypes, secrets)| Config { servers, settings, mimetypes, secrets })
}

fn save(path: &Path, config: &Config) {
    let mut database = Database::open_or_create(path).unwrap();
    database.change(&Entry::default(), |change| change.save(config)).unwrap();
}

fn load(path: &Path) -> Result<Config, StoreError> {
    Database::open_to_read(path)?.load()
}

/// Saves configurations one after the other; gives the numbers of the generations that there are then.
fn generations_of(configs: &[&Config]) -> (tempfile::TempDir, Database, Vec<i64>) {
    let folder = tempfile::tempdir().unwrap();
    let mut database = Database::open_or_create(&folder.path().join("config.sqlite")).unwrap();
    for config in configs {
        database.change(&Entry::default(), |change| change.save(config)).unwrap();
    }
    let ids = database.generations().unwrap().into_iter().map(|generation| generation.id).collect();
    (folder, database, ids)
}

/// A configuration of one server, which listens there.
fn on_port(port: i64) -> Config {
    Config { servers: vec![Server { uuid: "1".into(), port, ..Server::default() }], ..Config::default() }
}

fn origin(text: &str) -> Origin {
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    let files = vec![file("config.rhai", text), file("lib.rhai", "// shared")];
    Origin { files, variables: vec!["PORT".into()], hostname: Some("é".into()) }
}

#[test]
fn a_generation_knows_what_it_was_made_of_and_what_it_has_changed() {
    let (_folder, mut database, _) = generations_of(&[&on_port(1)]);
    for port in [2, 3] {
        let text = format!("port: {port}");
        database.change(&Entry::default(), |change| change.save_from(&on_port(port), Some(&origin(&text)))).unwrap();
    }
    assert_eq!(database.origin(1).unwrap(), None);
    assert_eq!(database.origin(3).unwrap(), Some(origin("port: 3")));
    assert_eq!(database.origin(9).unwrap(), None);
    let sources = database.dump().unwrap().into_iter().find(|table| table.name == "source").unwrap();
    assert_eq!(sources.rows.len(), 3, "what two generations share is there once");
    let fields = |touches: Vec<Touch>| touches.into_iter().flat_map(|touch| touch.fields).collect::<Vec<_>>();
    let changes: Vec<_> = database.changes().unwrap().into_iter().map(|(id, touches)| (id, fields(touches))).collect();
    assert_eq!(changes, [(1, vec![]), (2, vec!["port".to_owned()]), (3, vec!["port".to_owned()])]);
}

#[test]
fn changes_that_were_not_recorded_are_found() {
    let (folder, database, _) = generations_of(&[&on_port(1), &on_port(2)]);
    let recorded = database.changes().unwrap();
    let sql = "ALTER TABLE generation DROP COLUMN changes; ALTER TABLE generation DROP COLUMN origin;
               DROP TABLE source; DROP TABLE collected";
    Connection::open(folder.path().join("config.sqlite")).unwrap().execute_batch(sql).unwrap();
    let database = Database::open_to_read(&folder.path().join("config.sqlite")).unwrap();
    assert_eq!(database.changes().unwrap()[1..], recorded[1..]);
    assert_eq!((database.origin(1).unwrap(), database.generations().unwrap()[0].kept), (None, true));
}

#[test]
fn what_is_thrown_away_is_told_from_what_is_lost() {
    let (folder, mut database, _) = generations_of(&[]);
    for port in 1..=5 {
        let origin = origin(&format!("port: {port}"));
        database.change(&Entry::default(), |change| change.save_from(&on_port(port), Some(&origin))).unwrap();
    }
    let gone = database.change(&Entry::default(), |change| change.collect(2, &[2].into())).unwrap();
    assert_eq!(gone, [1, 3]);
    let kept: Vec<_> = database.generations().unwrap().iter().map(|generation| generation.kept).collect();
    assert_eq!(kept, [false, true, false, true, true]);
    assert_eq!((database.generation(1).unwrap(), database.origin(1).unwrap()), (None, None));
    assert_eq!(database.generation(2).unwrap(), Some(on_port(2)));
    assert_eq!(database.origin(2).unwrap(), Some(origin("port: 2")));
    assert_eq!(database.changes().unwrap().len(), 5);
    assert_eq!(database.verify(None).unwrap().faults, []);
    assert_eq!(database.change(&Entry::default(), |change| change.collect(2, &[2].into())).unwrap(), [0; 0]);
    database.shrink().unwrap();
    assert_eq!(database.verify(None).unwrap().faults, []);

    let spoilt = |sql: &str| {
        let copy = folder.path().join("copy.sqlite");
        std::fs::copy(folder.path().join("config.sqlite"), &copy).unwrap();
        Connection::open(&copy).unwrap().execute_batch(sql).unwrap();
        Database::open_to_read(&copy).unwrap().verify(None).unwrap().faults
    };
    let generation = |id| vec![Fault::Generation { id }];
    assert_eq!(spoilt("UPDATE generation SET config = NULL WHERE id = 4"), generation(4));
    let shared =
        spoilt("DELETE FROM source WHERE digest IN (SELECT digest FROM source ORDER BY length(content) LIMIT 1)");
    assert!(!shared.is_empty());
    assert_eq!(spoilt("UPDATE source SET content = x'00'"), [2, 4, 5].map(|id| Fault::Generation { id }));
    let pretended = "UPDATE generation SET config = NULL WHERE id = 4;
                     INSERT INTO collected (generation, log_id) VALUES (4, 6)";
    assert_eq!(spoilt(pretended), [Fault::Entry { id: 6, after: 5 }]);
    assert_eq!(spoilt("UPDATE generation SET changes = x'00' WHERE id = 2"), [Fault::Entry { id: 2, after: 1 }]);
    assert_eq!(spoilt("UPDATE generation SET origin = '{}' WHERE id = 3"), [Fault::Entry { id: 3, after: 2 }]);
}

#[test]
fn secrets_are_kept_apart() {
    let with = |value: &str| Config {
        settings: [("x".to_owned(), "${secret:TOKEN}".to_owned())].into(),
        secrets: [("TOKEN".to_owned(), value.to_owned())].into(),
        ..on_port(1)
    };
    let (folder, database, ids) = generations_of(&[&with("hunter2"), &with("hunter2"), &with("hunter3")]);
    assert_eq!(ids, [1, 2], "another value is a change");
    assert_eq!(database.load().unwrap(), with("hunter3"));
    assert_eq!(database.generation(2).unwrap(), Some(Config { secrets: BTreeMap::new(), ..with("") }));
    let bytes = std::fs::read(folder.path().join("config.sqlite")).unwrap();
    let places = |text: &str| bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count();
    assert_eq!((places("hunter2"), places("hunter3")), (0, 1), "an old value is nowhere, the new one once");
    let dump = format!("{:?}", database.dump().unwrap());
    assert!(dump.contains("(hidden)") && !dump.contains("hunter"), "{dump}");
}

#[test]
fn each_change_is_a_generation_and_no_change_is_none() {
    let one = Config { servers: vec![Server { port: 1, ..Server::default() }], ..Config::default() };
    let two = Config { servers: vec![Server { port: 2, ..Server::default() }], ..Config::default() };
    let (folder, mut database, ids) = generations_of(&[&one, &one, &two, &two, &one]);
    assert_eq!(ids, [1, 2, 3]);
    let kept = |id| database.generation(id).unwrap();
    assert_eq!((kept(1), kept(2), kept(3), kept(4)), (Some(one.clone()), Some(two), Some(one.clone()), None));
    assert_eq!(database.generations().unwrap()[1].logged.as_ref().unwrap().id, 3);
    let connection = rusqlite::Connection::open(folder.path().join("config.sqlite")).unwrap();
    connection.execute("UPDATE server SET port = 5", []).unwrap();
    database.change(&Entry::default(), |change| change.save(&one)).unwrap();
    assert_eq!(database.generations().unwrap().len(), 4, "somebody had changed it");
    connection.execute("UPDATE generation SET config = x'00' WHERE id = 2", []).unwrap();
    assert!(database.generation(2).unwrap_err().to_string().contains("not what was kept"));
    assert_eq!(database.verify(None).unwrap().faults, [Fault::Generation { id: 2 }]);
    connection.execute("UPDATE generation SET config = NULL WHERE id = 2", []).unwrap();
    let faults = database.verify(None).unwrap().faults;
    assert_eq!((database.generation(2).unwrap(), faults), (None, vec![Fault::Generation { id: 2 }]));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn what_is_saved_is_loaded(first in config(), second in config()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.sqlite");
        for config in [&first, &second] {
            save(&path, config);
            prop_assert_eq!(&load(&path).unwrap(), config);
            let bare = config.servers.iter().map(|server| Server { hosts: Vec::new(), ..server.clone() });
            let database = Database::open_to_read(&path).unwrap();
            prop_assert_eq!(database.servers().unwrap(), bare.collect::<Vec<_>>());
            let newest = database.generations().unwrap().last().unwrap().id;
            let kept = database.generation(newest).unwrap();
            prop_assert_eq!(kept, Some(Config { secrets: BTreeMap::new(), ..config.clone() }));
        }
        prop_assert_eq!(Database::open_to_read(&path).unwrap().log().unwrap().len(), 2);
    }
}

/// A copy of the database that the original tool made of `c-config.conf`.
fn recorded(folder: &Path) -> PathBuf {
    let path = folder.join("config.sqlite");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/c-config.sqlite"), &path).unwrap();
    path
}

#[test]
fn a_database_of_the_original_tool_loads_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    let config = load(&path).unwrap();
    let server = &config.servers[0];
    assert_eq!((server.name.as_str(), server.port, server.hosts.len()), ("test", 7967, 1));
    let paths: Vec<_> = server.hosts[0].routes.iter().map(|route| route.path.as_str()).collect();
    for expected in ["/static/", "/json", "/tnet", "/pattern/([0-9]+)", "@chat", "@tchat", "<test", "/ws"] {
        assert!(paths.contains(&expected), "{expected} in {paths:?}");
    }
    assert_eq!(config.settings["limits.content_length"], "1024");
    let (_, problems) = check(config).unwrap();
    assert!(problems.iter().all(|problem| problem.severity == Severity::Note), "{problems:?}");
}

#[test]
fn a_database_of_the_original_tool_can_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    let mut config = load(&path).unwrap();
    let before = Database::open_to_read(&path).unwrap().log().unwrap().len();
    save(&path, &config);
    assert_eq!(load(&path).unwrap(), config);
    assert_eq!(Database::open_to_read(&path).unwrap().log().unwrap().len(), before + 1);
    let host = &mut config.servers[0].hosts[0];
    host.aliases = vec!["www.localhost".into()];
    host.error_pages = [(404, "/errors/404.html".into())].into();
    host.routes[0].target = Target::Redirect(Redirect { to: "https://$host$path".into(), status: 308 });
    host.routes[1].target = Target::Dir(Dir { base: "static/".into(), listing: true, ..Dir::default() });
    save(&path, &config);
    assert_eq!(load(&path).unwrap(), config);
}

fn columns(path: &Path, table: &str) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?)").unwrap();
    statement.query_map([table], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_database_of_the_original_tool_gets_what_is_missing_or_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    let mut database = Database::open_to_change(&path).unwrap();
    let failed = database.change(&Entry::default(), |change| change.init().and(Err::<(), _>(StoreError::Locked)));
    assert!(failed.is_err());
    assert_eq!(columns(&path, "directory"), ["id", "base", "index_file", "default_ctype", "cache_ttl"]);
    assert_eq!(columns(&path, "alias"), [""; 0]);
    database.change(&Entry::default(), |change| change.init()).unwrap();
    assert_eq!(columns(&path, "directory"), ["id", "base", "index_file", "default_ctype", "cache_ttl", "listing"]);
    assert_eq!(columns(&path, "alias"), ["id", "host_id", "matching"]);
    // Programs that know nothing of the new column go on.
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("INSERT INTO directory (base) VALUES ('x/')").unwrap();
    assert_eq!(connection.query_row("SELECT listing FROM directory", [], |row| row.get(0)), Ok(0));
}

/// Spoils the recorded database, and checks what loading it says.
fn spoilt(sql: &str, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let error = load(&path).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), expected, "{sql}");
}

#[test]
fn a_spoilt_row_is_told_with_table_and_id() {
    spoilt(
        "UPDATE route SET target_id = 99 WHERE path = '/static/'",
        "table `route`, row 6: target_id is 99, but table `directory` has no such row",
    );
    spoilt(
        "UPDATE route SET host_id = 99 WHERE id = 1",
        "table `route`, row 1: host_id is 99, but table `host` has no such row",
    );
    let alias = "CREATE TABLE alias (id INTEGER PRIMARY KEY, host_id INTEGER, matching TEXT)";
    spoilt(
        &format!("{alias}; INSERT INTO alias (host_id, matching) VALUES (9, 'x')"),
        "table `alias`, row 1: host_id is 9, but table `host` has no such row",
    );
    let page = "CREATE TABLE error_page (id INTEGER PRIMARY KEY, host_id INTEGER, status INTEGER, path TEXT)";
    spoilt(
        &format!("{page}; INSERT INTO error_page (host_id, status, path) VALUES (1, 'lost', 'x')"),
        "table `error_page`, row 1: status is `lost`, not a number",
    );
    spoilt(
        "UPDATE route SET target_type = 'redirect', target_id = 2 WHERE id = 2",
        "table `route`, row 2: target_id is 2, but table `redirect` has no such row",
    );
    spoilt(
        "UPDATE host SET server_id = NULL WHERE id = 1",
        "table `host`, row 1: server_id is 0, but table `server` has no such row",
    );
    spoilt(
        "UPDATE route SET target_type = 'file' WHERE id = 2",
        "table `route`, row 2: target_type is `file`, not `dir`, `proxy`, `handler` or `redirect`",
    );
    spoilt("UPDATE server SET port = 'http'", "table `server`, row 1: port is `http`, not a number");
    spoilt("UPDATE server SET use_ssl = 2", "table `server`, row 1: use_ssl is 2, not 0 or 1");
    spoilt("UPDATE server SET uuid = x'00ff'", r"table `server`, row 1: uuid is `\x00\xff`, not a text");
    spoilt(
        "UPDATE handler SET protocol = 'xml' WHERE id = 1",
        "table `handler`, row 1: protocol: `xml` is neither `json` nor `tnetstring`",
    );
}

#[test]
fn columns_without_a_value_have_their_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    let sql = "UPDATE server SET chroot = NULL, bind_addr = NULL, error_log_level = NULL, control_port = NULL;
               UPDATE host SET matching = NULL, maintenance = NULL;
               UPDATE handler SET protocol = NULL, recv_ident = NULL";
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let server = load(&path).unwrap().servers.remove(0);
    let expected = Server::default();
    assert_eq!(server.chroot, expected.chroot);
    assert_eq!(server.bind_addr, expected.bind_addr);
    assert_eq!(server.error_log_level, expected.error_log_level);
    assert_eq!(server.hosts[0].matching_or_name(), "localhost");
}

#[test]
fn a_change_that_fails_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    let before = load(&path).unwrap();
    let mut database = Database::open_to_change(&path).unwrap();
    let failed = database.change(&Entry::default(), |change| {
        change.init()?;
        Err::<(), _>(StoreError::Locked)
    });
    assert!(matches!(failed, Err(StoreError::Locked)));
    assert_eq!(load(&path).unwrap(), before);
}

#[test]
fn what_a_killed_program_has_left_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("config.sqlite"), folder.path().join("copy.sqlite"));
    save(&path, &Config::default());
    let writer = rusqlite::Connection::open(&path).unwrap();
    // More than fits into memory, so that some of it is in the database already.
    writer.execute_batch("PRAGMA cache_size = 1; BEGIN").unwrap();
    for number in 0..500 {
        let sql = "INSERT INTO mimetype (mimetype, extension) VALUES ('text/plain', ?)";
        writer.execute(sql, [format!(".{number}")]).unwrap();
    }
    let journal = |path: &Path| PathBuf::from(format!("{}-journal", path.display()));
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(journal(&path), journal(&copy)).unwrap();
    assert_eq!(load(&copy).unwrap(), Config::default());
    assert!(!journal(&copy).exists());
}

#[test]
fn init_leaves_media_types_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    Database::open_to_change(&path).unwrap().change(&Entry::default(), |change| change.init()).unwrap();
    let expected = Config { mimetypes: default_mimetypes(), ..Config::default() };
    assert_eq!(load(&path).unwrap(), expected);
}
