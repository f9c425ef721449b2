//! `m2sh load`: from a script to the database.

use super::bench::{Bench, server};

/// The manual's source 7 as a script.
const SCRIPT: &str = r##"
let main = Server(#{
    uuid: "f400bf85-4538-4f7a-8908-67e313d515c2",
    access_log: "/logs/access.log",
    error_log: "/logs/error.log",
    chroot: "./",
    default_host: "localhost",
    name: "test",
    pid_file: "/run/mongrel2.pid",
    port: 6767,
    hosts: [
        Host(#{name: "localhost", routes: #{
            "/tests/": Dir(#{base: "tests/", index_file: "index.html", default_ctype: "text/plain"})
        }})
    ]
});
commit([main]);
"##;

#[test]
fn a_script_that_is_not_there() {
    let bench = Bench::empty();
    bench.m2sh("load -db x.sqlite").exits(1).complains(&[
        "m2sh: cannot load `mongrel2.conf`: there is no such file",
        "hint: name the script: `m2sh load -db x.sqlite -config FILE`",
    ]);
    bench.m2sh("config -config a.rhai").exits(1).complains(&["cannot load `a.rhai`"]);
    assert!(!bench.path("x.sqlite").exists());
}

#[test]
fn a_script_with_a_fault_changes_nothing() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    let before = std::fs::read(bench.path("config.sqlite")).unwrap();
    std::fs::write(bench.path("config.rhai"), "commit([Sever(#{})]);\n").unwrap();
    let output = bench.m2sh("load").exits(1);
    output.complains(&["config.rhai"]);
    assert_eq!(std::fs::read(bench.path("config.sqlite")).unwrap(), before);
    bench.m2sh("load -db fresh.sqlite").exits(1);
    assert!(!bench.path("fresh.sqlite").exists());
}

#[test]
fn the_simple_config_of_the_manual() {
    let bench = Bench::empty();
    std::fs::write(bench.path("sample.rhai"), SCRIPT).unwrap();
    bench.m2sh("init -db config.sqlite").prints();
    assert_eq!(
        bench.m2sh("load -db config.sqlite -config sample.rhai").prints(),
        "+ server test (1 host, 1 route)\nLoaded 1 server, 1 host, 1 route from sample.rhai into config.sqlite\n"
    );
    assert!(bench.m2sh("servers -db config.sqlite").prints().starts_with("test\tlocalhost\tf400bf85-"));
    assert!(bench.m2sh("hosts -db config.sqlite -host localhost").prints().ends_with("\t/tests/\t\t\n"));
    assert!(bench.m2sh("dump").prints().contains("\ttext/html\t.html\n"));
    let what: Vec<_> = bench.log().into_iter().map(|entry| entry.what).collect();
    assert_eq!(what, ["init", "load"]);
}

#[test]
fn load_makes_the_database_and_keeps_its_log() {
    let bench = Bench::empty();
    std::fs::write(bench.path("config.rhai"), SCRIPT).unwrap();
    bench.m2sh("load").prints();
    let counts = bench.m2sh("config -why again").json();
    assert_eq!((&counts["servers"], &counts["routes"]), (&1.into(), &1.into()));
    assert_eq!(bench.log().iter().map(|entry| entry.why.as_str()).collect::<Vec<_>>(), ["command", "again"]);
}
