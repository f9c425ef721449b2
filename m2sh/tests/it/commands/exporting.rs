//! `m2sh export` and `m2sh convert`: scripts out of databases and out of files of the original's language.

use super::bench::{Bench, server};

const ORIGINAL: &str = "#  The site of the club.\n#\n# Ask Ann.\nmain = Server(uuid='x', name='club', \
    access_log='/logs/a', error_log='/logs/e', chroot='./', pid_file='/run/p', port=6767, default_host='h',\n\
    hosts=[Host(name='h', routes={'/': Dir(base='static/', index_file='index.html', default_ctype='text/plain')})])\n\
    servers = [main]\nsettings = {'zeromq.threads': 1}\n";

const CONVERTED: &str = "\
//  The site of the club.
//
// Ask Ann.

// Server \"club\": port 6767.
let club_server = Server(#{
    uuid: \"x\",
    name: \"club\",
    chroot: \"./\",
    access_log: \"/logs/a\",
    error_log: \"/logs/e\",
    pid_file: \"/run/p\",
    port: 6767,
    default_host: \"h\",
    hosts: [
        Host(#{
            name: \"h\",
            routes: #{
                \"/\": Dir(#{ base: \"static/\", index_file: \"index.html\", default_ctype: \"text/plain\" }),
            },
        }),
    ],
});

// What is to be loaded.
commit([club_server], #{ settings: #{ \"zeromq.threads\": 1 } });
";

#[test]
fn a_file_of_the_original_is_loaded_converted_and_exported() {
    let bench = Bench::empty();
    std::fs::write(bench.path("mongrel2.conf"), ORIGINAL).unwrap();
    let loaded = bench.m2sh("load").prints();
    assert!(loaded.ends_with("\nLoaded 1 server, 1 host, 1 route from mongrel2.conf into config.sqlite\n"), "{loaded}");
    assert_eq!(bench.m2sh("convert mongrel2.conf").prints(), CONVERTED);
    let exported = bench.m2sh("export").prints();
    let (head, rest) = exported.split_once("\n\n").unwrap();
    assert_eq!(head, "// The configuration of config.sqlite, as `m2sh export` has written it.");
    assert_eq!(Some(rest), CONVERTED.split_once("\n\n").map(|(_, rest)| rest));
}

#[test]
fn what_is_exported_loads_to_the_same() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    let before = bench.m2sh("routes -every").json();
    let told = bench.m2sh("export -o config.rhai").prints();
    assert_eq!(told, "Wrote the configuration of config.sqlite to config.rhai\n");
    bench.m2sh("load").prints();
    assert_eq!(bench.m2sh("routes -every").json(), before);
    let script = std::fs::read_to_string(bench.path("config.rhai")).unwrap();
    assert_eq!(bench.m2sh("export").prints(), script);
    assert_eq!(bench.m2sh("export").json()["script"], script);
}

#[test]
fn nothing_is_written_over_unless_forced() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    std::fs::write(bench.path("a.rhai"), "mine").unwrap();
    std::fs::write(bench.path("a.conf"), ORIGINAL).unwrap();
    for command in ["export", "convert a.conf"] {
        bench.m2sh(&format!("{command} -output a.rhai")).exits(1).complains(&[
            "m2sh: cannot write `a.rhai`: there is such a file already",
            "hint: name another, or write over it with `--force`",
        ]);
        assert_eq!(std::fs::read_to_string(bench.path("a.rhai")).unwrap(), "mine");
    }
    bench.m2sh("convert a.conf --force").exits(2);
    bench.m2sh("convert a.conf --output no/a.rhai").exits(1).complains(&["cannot write `no/a.rhai`"]);
    let json = bench.m2sh("convert a.conf -force -o a.rhai").json();
    assert_eq!((&json["from"], &json["output"]), (&"a.conf".into(), &"a.rhai".into()));
    assert_eq!(std::fs::read_to_string(bench.path("a.rhai")).unwrap(), CONVERTED);
}

#[test]
fn what_cannot_be_converted_is_told() {
    let bench = Bench::empty();
    std::fs::write(bench.path("a.conf"), ORIGINAL.replace("port=", "prot=")).unwrap();
    std::fs::write(bench.path("a.rhai"), CONVERTED).unwrap();
    bench.m2sh("convert a.conf -o b.rhai").exits(1).complains(&[
        "error: `prot` is not a field of Server",
        "--> a.conf:4:",
        "hint: did you mean `port`?",
    ]);
    assert!(!bench.path("b.rhai").exists());
    bench.m2sh("convert a.rhai").exits(1).complains(&["`a.rhai` is a Rhai script, as far as its beginning tells"]);
    bench.m2sh("convert b.conf").exits(1).complains(&["there is no script `b.conf`"]);
    bench.m2sh("convert").exits(2);
    bench.m2sh("export").exits(1).complains(&["there is no database `config.sqlite`"]);
}

#[test]
fn what_load_will_refuse_is_exported_with_a_warning() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    bench.sql("INSERT INTO setting (key, value) VALUES ('limits.url_pat', '1')");
    let output = bench.m2sh("export").exits(0);
    let warning = "m2sh: warning: `m2sh load` will refuse the script: there is no setting `limits.url_pat`";
    assert!(output.stderr.starts_with(warning), "{}", output.stderr);
    assert!(output.stdout.contains("\"limits.url_pat\": 1"), "{}", output.stdout);
}
