//! Files of the original's language say the same as they did to the original's m2sh, and scripts that are written
//! for configurations say the same as these.

use std::fs;
use std::path::Path;

use m2sh::script::{Facts, print, run, run_original};
use mongrel2::config::{Config, Database, Dir, Handler, Host, Protocol, Proxy, Route, Server, Target};

use super::scripts::{facts, files};

const RECORDED: &str = "../mongrel2/tests/recorded";

fn load(path: impl AsRef<Path>) -> Config {
    run(path.as_ref(), &facts()).unwrap_or_else(|troubles| panic!("{troubles}")).checked.into_config()
}

/// What a text says in a file of that name.
fn says(name: &str, text: &str) -> Config {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join(name), text).expect("room for a file");
    load(folder.path().join(name))
}

/// The database that the original's m2sh made of `c-config.conf`.
fn recorded() -> Config {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = folder.path().join("config.sqlite");
    fs::copy(format!("{RECORDED}/c-config.sqlite"), &copy).expect("room for a database");
    Database::open_to_read(&copy).and_then(|database| database.load()).expect("a database of the original's")
}

/// The original has its routes in no order, and media types of its own.
fn comparable(mut config: Config) -> Config {
    config.mimetypes.clear();
    let hosts = config.servers.iter_mut().flat_map(|server| &mut server.hosts);
    hosts.for_each(|host| host.routes.sort_by(|a, b| a.path.cmp(&b.path)));
    config
}

#[test]
fn the_recorded_file_says_what_the_originals_m2sh_made_of_it() {
    assert_eq!(comparable(load(format!("{RECORDED}/c-config.conf"))), comparable(recorded()));
}

#[test]
fn what_is_written_for_the_recorded_database_says_the_same() {
    let recorded = recorded();
    assert!(recorded.mimetypes.len() > 800);
    assert_eq!(says("config.rhai", &print(&recorded, [])), recorded);
}

#[test]
fn what_is_written_for_an_example_says_the_same() {
    let folders = ["configs", "demo", "hello", "pinned", "scatter", "upload", "websocket"];
    let examples: Vec<_> = folders.iter().flat_map(|folder| files(&format!("../examples/{folder}"), "rhai")).collect();
    assert!(examples.len() >= 10, "{examples:?}");
    for example in examples {
        let config = load(&example);
        let printed = print(&config, []);
        assert_eq!(says("config.rhai", &printed), config, "{}", example.display());
        assert_eq!(print(&says("config.rhai", &printed), []), printed, "{}", example.display());
    }
}

/// A site in the manual's Python: targets with names, a raw string, a host that is added, and `commit`.
const PYTHON: &str = r#"
from mongrel2.config import *

main = Server(
    uuid="5e7c1c0e-3f9b-4f63-9d0c-5b1f37c2a4de",
    access_log="/logs/access.log",
    error_log="/logs/error.log",
    chroot="./",
    pid_file="/run/mongrel2.pid",
    default_host="shop.example",
    name="shop",
    port=6767,
)

pages = Dir(base='pages/', index_file='index.html', default_ctype='text/plain')
application = Proxy(addr='127.0.0.1', port=8080)

# No backslash needs another one in front of it here.
shop = Host(name="shop.example", routes={
    r'@orders': Handler(
        send_spec='tcp://127.0.0.1:9999', send_ident='a1',
        recv_spec='tcp://127.0.0.1:9998', recv_ident=''),
    r'/': application,
    r'/cart/': application,
    r'/item/(\d+)$': application,
    '/offer/(\\d+)$': application,
    r'/pages/': pages})

main.hosts.add(shop)

settings = {"limits.content_length": 20 * 1024, "upload.temp_store_mode": "0600"}

commit([main], settings=settings)
"#;

#[test]
fn the_manuals_python() {
    let config = says("config.py", PYTHON);
    let server = &config.servers[0];
    assert_eq!((server.name.as_str(), server.port, server.chroot.as_str()), ("shop", 6767, "./"));
    let routes: Vec<_> = server.hosts[0].routes.iter().map(|route| route.path.as_str()).collect();
    assert_eq!(routes, ["/", "/cart/", "/item/(\\d+)$", "/offer/(\\d+)$", "/pages/", "@orders"]);
    assert_eq!(config.settings["limits.content_length"], "20480");
    assert_eq!(config.settings["upload.temp_store_mode"], "0600");
    assert_eq!(says("config.rhai", &print(&config, [])), config);
}

/// What the original's m2sh takes, for better or worse; each was tried with it.
const LOOSE: &str = r#"
servers=[s]  # before there is an s
mode = 0600
s = Server(,uuid='u' access_log='/logs/a' error_log='/logs/e'
  chroot = './', default_host='h' name="n\n" pid_file='/p', port=port use_ssl=0
  hosts=hosts)
hosts = [Host(name='h', matching='m', maintenance=1, routes=routes)]
port = 80 routes = {'/a\'b\\c': files '/z': files, "/x/(\d+)": hand, '/': Proxy(addr='::1' port=1)}
files = Dir(base='a/' index_file='i' default_ctype='t' cache_ttl=7)
hand = Handler(send_spec='tcp://1.1.1.1:1', send_ident='i', recv_spec='tcp://1.1.1.1:2', recv_ident=''
    protocol='tnetstring')
settings = {, "upload.temp_store_mode": 0600 "zeromq.threads": 1}
unused = ["x" 1 {'y': []}]
"#;

#[test]
fn what_the_original_takes() {
    let config = says("mongrel2.conf", LOOSE);
    let files =
        Dir { base: "a/".into(), index_file: "i".into(), default_ctype: "t".into(), cache_ttl: 7, ..Dir::default() };
    let handler = Handler {
        send_spec: "tcp://1.1.1.1:1".into(),
        send_ident: "i".into(),
        recv_spec: "tcp://1.1.1.1:2".into(),
        protocol: Protocol::Tnetstring,
        ..Handler::default()
    };
    let proxy = Proxy { addr: "::1".into(), port: 1, ..Proxy::default() };
    let route = |path: &str, target| Route { path: path.into(), reversed: false, target };
    let routes = vec![
        route("/", Target::Proxy(proxy)),
        route(r"/a\'b\\c", Target::Dir(files.clone())),
        route(r"/x/(\d+)", Target::Handler(handler)),
        route("/z", Target::Dir(files)),
    ];
    let host = Host { name: "h".into(), matching: "m".into(), maintenance: true, routes, ..Host::default() };
    let server = Server {
        uuid: "u".into(),
        access_log: "/logs/a".into(),
        error_log: "/logs/e".into(),
        chroot: "./".into(),
        default_host: "h".into(),
        name: "n\\n".into(),
        pid_file: "/p".into(),
        port: 80,
        hosts: vec![host],
        ..Server::default()
    };
    assert_eq!(config.servers, [server]);
    assert_eq!(config.settings["upload.temp_store_mode"], "0600");
}

/// Checks that a hostile text is refused in bounded time and on this stack, and what is told first.
fn check_refused(text: &str, expected: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("mongrel2.conf");
    fs::write(&file, text).expect("room for a file");
    for refused in [run(&file, &Facts::default()).err(), run_original(&file).err()] {
        let message = refused.as_ref().and_then(|troubles| Some(&troubles.iter().next()?.message));
        assert_eq!(message.map(String::as_str), Some(expected));
    }
}

#[test]
fn hostile_files_end() {
    check_refused(&format!("a = {}", "[".repeat(1_000_000)), "values nest more than 100 deep");
    let chain: String = (0..20_000).map(|n| format!("a{n} = a{}\n", n + 1)).collect();
    check_refused(&chain, "values lead into one another more than 500 deep");
    let doubling: String = (0..60).map(|n| format!("a{} = [a{n}, a{n}]\n", n + 1)).collect();
    check_refused(&format!("a0 = 1\n{doubling}"), "this makes more than 2000000 values");
    let nameless: String = (0..10_000).map(|n| format!("name{n} = nome{n}\n")).collect();
    check_refused(&nameless, "there is no `nome0`");
    check_refused(&format!("a = '{}", "x".repeat(1_000_000)), "this string has no end");
    check_refused(&format!("a = 1\n{}", "a = ;\n".repeat(100_000)), "`;` means nothing here");
}

#[test]
fn ten_thousand_routes() {
    let routes: String = (0..10_000).map(|n| format!("    '/r{n}': Dir(base='d{n}/'),\n")).collect();
    let text = format!(
        "s = Server(uuid='u', access_log='/a', error_log='/e', pid_file='/p', port=80, default_host='h', hosts=[\n\
         Host(name='h', routes={{\n{routes}}})])\nservers = [s]\n"
    );
    let config = says("mongrel2.conf", &text);
    assert_eq!(config.servers[0].hosts[0].routes.len(), 10_000);
    assert_eq!(says("config.rhai", &print(&config, [])), config);
}

#[test]
fn a_script_is_not_converted() {
    let troubles = run_original("../examples/configs/simple.rhai".as_ref()).unwrap_err();
    assert!(troubles.to_string().contains("simple.rhai` is a Rhai script"), "{troubles}");
}
