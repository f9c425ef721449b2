//! What is in the database: dump, servers, hosts, routes, as lines and as JSON.

use serde_json::json;

use super::bench::{Bench, server};

fn bench() -> Bench {
    Bench::with(vec![server("test", "f400bf85", 6767)])
}

#[test]
fn servers() {
    let bench = bench();
    let line = "test\tlocalhost\tf400bf85\t127.0.0.1\t6767\t./\t/run/f400bf85.pid\tno\n";
    assert_eq!(bench.m2sh("servers").prints(), line);
    let expected = json!([{
        "name": "test", "default_host": "localhost", "uuid": "f400bf85", "bind_addr": "127.0.0.1", "port": 6767,
        "chroot": "./", "pid_file": "/run/f400bf85.pid", "use_ssl": false,
    }]);
    assert_eq!(bench.m2sh("servers").json(), expected);
}

#[test]
fn hosts_with_their_routes() {
    let bench = bench();
    let lines = concat!(
        "test\tlocalhost\tlocalhost\tno\t/ /static/ /users/(\\d+)$ /users/(\\l+)$ @chat\t\t\n",
        "test\tother\texample.com\tno\t/old\texample.org example.net\t404=/404.html 503=/503.html\n",
    );
    assert_eq!(bench.m2sh("hosts -host localhost").prints(), lines);
    let hosts = bench.m2sh("hosts").json();
    assert_eq!(hosts[0]["routes"][4], "@chat");
    assert_eq!(hosts[1]["aliases"], json!(["example.org", "example.net"]));
    assert_eq!(hosts[1]["error_pages"], json!({"404": "/404.html", "503": "/503.html"}));
    assert_eq!(hosts[1]["maintenance"], false);
}

#[test]
fn routes_with_their_targets() {
    let bench = bench();
    let lines = bench.m2sh("routes").prints();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines[0], "test\tlocalhost\t/\tno\tproxy\t127.0.0.1:8080");
    assert_eq!(lines[1], "test\tlocalhost\t/static/\tno\tdir\tstatic/ index index.html");
    assert_eq!(lines[4], "test\tlocalhost\t@chat\tno\thandler\ttcp://127.0.0.1:9997 tcp://127.0.0.1:9996 ident 54c6");
    assert_eq!(lines[5], "test\tother\t/old\tno\tredirect\t308 https://example.com$path");
    let routes = bench.m2sh("routes").json();
    assert_eq!((&routes[0]["target"]["addr"], &routes[0]["target"]["port"]), (&json!("127.0.0.1"), &json!(8080)));
    assert_eq!(routes[5]["target"], json!({"to": "https://example.com$path", "status": 308}));
}

#[test]
fn the_one_host_of_a_server_as_scripts_for_the_original_ask_for_it() {
    let bench = bench();
    let lines = |words: &str| bench.m2sh(words).prints().lines().count();
    assert_eq!((lines("hosts -server test"), lines("hosts -server test -host other")), (2, 1));
    assert_eq!((lines("routes -server test"), lines("routes -server test -host other")), (6, 1));
    bench.m2sh("routes -server tst").exits(1).complains(&["has the name `tst`", "hint: did you mean `test`?"]);
    let texts = ["m2sh: cannot tell which host to show: the server has no host `othr`", "did you mean `other`?"];
    bench.m2sh("routes -server test -host othr").exits(1).complains(&texts);
    bench.m2sh("routes -server test -name test").exits(2);
}

#[test]
fn a_cell_stays_on_its_line() {
    let bench = bench();
    bench.sql("UPDATE server SET name = 'a' || char(9) || 'b' || char(10) || 'c' || char(27)");
    assert!(bench.m2sh("servers").prints().starts_with("a\\tb\\nc\\u{1b}\tlocalhost\t"));
    assert_eq!(bench.m2sh("servers").json()[0]["name"], "a\tb\nc\u{1b}");
}

#[test]
fn dump_has_every_table_and_every_row() {
    let bench = bench();
    bench.sql("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO notes (text) VALUES ('x'), (NULL)");
    let lines = bench.m2sh("dump").prints();
    assert!(lines.contains("\nnotes\t1\tx\nnotes\t2\tNULL\n"), "{lines}");
    assert!(lines.contains("\nproxy\t1\t127.0.0.1\t8080\t\tround_robin\t"), "{lines}");
    let dump = bench.m2sh("dump").json();
    assert_eq!(dump["notes"], json!([{"id": 1, "text": "x"}, {"id": 2, "text": null}]));
    assert_eq!(dump["server"][0]["port"], 6767);
    assert_eq!(dump["redirect"], json!([{"id": 1, "to": "https://example.com$path", "status": 308}]));
    assert_eq!(dump["alias"][1], json!({"id": 2, "host_id": 2, "matching": "example.net"}));
    assert_eq!(dump["error_page"][0], json!({"id": 1, "host_id": 2, "status": 404, "path": "/404.html"}));
    assert_eq!(dump["statistic"], json!([]));
}
