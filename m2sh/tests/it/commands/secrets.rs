//! Secrets: a script names them, the server gets them, and nothing that is kept or printed has them.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use testkit::{Process, http};

use super::bench::{Bench, M2sh};

const SCRIPT: &str = "commit([Server(#{uuid: \"f400bf85-4538-4f7a-8908-67e313d515c2\", name: \"hello\", chroot: \"./\",
    access_log: \"/logs/access.log\", error_log: \"/logs/error.log\", pid_file: \"/run/hello.pid\",
    default_host: \"localhost\", port: 6767, hosts: [Host(#{name: \"localhost\", routes: [
        Route(#{path: \"/hook/\" + secret(\"TOKEN\"), target: Redirect(#{to: \"https://example.com/?key=\" + secret(\"KEY\")})})
    ]})]})]);
";

fn with(mut m2sh: M2sh, token: &str, key: &str) -> M2sh {
    m2sh.command.env("TOKEN", token).env("KEY", key);
    m2sh
}

/// A folder with a database that only its owner may read.
fn bench() -> Bench {
    let bench = Bench::empty();
    bench.script("config.rhai", SCRIPT);
    bench.m2sh("init").prints();
    std::fs::set_permissions(bench.path("config.sqlite"), std::fs::Permissions::from_mode(0o600)).unwrap();
    bench
}

#[test]
fn values_are_told_nowhere() {
    let bench = bench();
    let mut told = with(bench.m2sh("plan -o plan.json"), "hunter2", "sesame").exits(2).stdout;
    told += &std::fs::read_to_string(bench.path("plan.json")).unwrap();
    told += &with(bench.m2sh("load"), "hunter2", "sesame").prints();
    told += &with(bench.m2sh("load -why again"), "hunter3", "sesame").prints();
    for words in [
        "dump",
        "routes",
        "export",
        "generations",
        "show 2",
        "show 3 -source",
        "diff 2 3",
        "blame TOKEN",
        "log",
        "dump --json",
    ] {
        let m2sh = bench.m2sh(words);
        told += &if words.starts_with("diff") { m2sh.exits(0).stdout } else { m2sh.prints() };
    }
    told += &with(bench.m2sh("drift"), "hunter4", "sesame").exits(2).stdout;
    assert!(!told.contains("hunter") && !told.contains("sesame"), "{told}");
    assert!(told.contains("~ secret TOKEN: \"(hidden)\" -> \"(hidden)\"\n"), "{told}");
    assert_eq!(bench.m2sh("generations").json().as_array().unwrap().len(), 3);
}

#[test]
fn the_server_would_get_them() {
    let bench = bench();
    with(bench.m2sh("load"), "hunter2", "sesame").prints();
    let answer = bench.m2sh("route http://localhost:6767/hook/hunter2").prints();
    assert!(answer.contains("route   /hook/hunter2\n"), "{answer}");
}

#[test]
fn the_server_gets_them_and_another_value_with_a_reload() {
    let bench = bench();
    let port = testkit::free_address().port();
    let script = SCRIPT.replace("port: 6767", &format!("port: {port}, bind_addr: \"127.0.0.1\""));
    bench.script("config.rhai", &script.replace("]);\n", "], #{settings: #{\"server.daemonize\": 0}});\n"));
    with(bench.m2sh("load"), "hunter2", "sesame").prints();
    let mut m2sh = bench.m2sh("start");
    let process = Process::start(m2sh.command.stdout(Stdio::null()));
    process.wait_for_stderr("listens on");
    let ask = |path: &str| {
        let answer = http::ask(([127, 0, 0, 1], port).into(), &format!("GET {path}"), "");
        let location = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
        (answer.status, location.map(|(_, value)| value.clone()))
    };
    assert_eq!(ask("/hook/hunter2"), (301, Some("https://example.com/?key=sesame".into())));
    with(bench.m2sh("load -reload"), "hunter3", "open").prints();
    assert_eq!(ask("/hook/hunter2").0, 404);
    assert_eq!(ask("/hook/hunter3"), (301, Some("https://example.com/?key=open".into())));
}

#[test]
fn what_an_export_names_is_asked_for_again() {
    let bench = bench();
    with(bench.m2sh("load"), "hunter2", "sesame").prints();
    bench.m2sh("export -o exported.rhai").prints();
    assert_eq!(with(bench.m2sh("plan exported.rhai"), "hunter2", "sesame").exits(0).stderr, "");
    bench
        .m2sh("plan exported.rhai")
        .exits(1)
        .complains(&["there is no secret `TOKEN`", "hint: set the variable `TOKEN`"]);
}

#[test]
fn a_fault_does_not_tell_them() {
    let bench = bench();
    bench.script("config.rhai", &SCRIPT.replace("\"/hook/\" + secret", "\"hook(\" + secret"));
    let refused = with(bench.m2sh("load"), "hunter2(", "sesame").exits(1);
    assert!(!refused.stderr.contains("hunter") && refused.stderr.contains("${secret:TOKEN}"), "{}", refused.stderr);
    bench.script("config.rhai", &SCRIPT.replace("name: \"hello\"", "name: secret(\"KEY\")"));
    let refused = with(bench.m2sh("check"), "hunter2", "sesame").exits(1);
    refused.complains(&["the name of a server cannot be a secret", "hint: m2sh finds the server by it"]);
}

#[test]
fn going_back_needs_them_too() {
    let bench = bench();
    with(bench.m2sh("load"), "hunter2", "sesame").prints();
    bench.script("other.rhai", &SCRIPT.replace("secret(\"TOKEN\")", "\"x\""));
    with(bench.m2sh("load -config other.rhai"), "", "sesame").prints();
    bench.m2sh("rollback 2").exits(1).complains(&["cannot go back to generation 2: there is no secret `TOKEN`"]);
    with(bench.m2sh("rollback 2"), "hunter2", "sesame").prints();
    assert!(bench.m2sh("route /hook/hunter2").prints().contains("route   /hook/hunter2\n"));
    bench.m2sh("rollback 3").prints();
}

#[test]
fn a_database_that_others_may_read_is_told() {
    let bench = bench();
    std::fs::set_permissions(bench.path("config.sqlite"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let told = with(bench.m2sh("load"), "hunter2", "sesame").exits(0).stderr;
    assert_eq!(
        told,
        "m2sh: warning: `config.sqlite` holds secrets, and other users may read it\nhint: `chmod 600 config.sqlite`\n"
    );
}
