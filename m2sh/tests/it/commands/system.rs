//! The system's log is told of each entry, if the setting `audit.syslog` names its socket.

use std::os::unix::net::UnixDatagram;

use mongrel2::config::Config;
use testkit::wait;

use super::bench::{Bench, server};

/// A database whose log goes to a socket in its folder, and that socket.
fn bench() -> (Bench, UnixDatagram) {
    let bench = Bench::empty();
    let socket = UnixDatagram::bind(bench.path("log")).unwrap();
    socket.set_read_timeout(Some(wait::DEADLINE)).unwrap();
    bench.save(&config(&bench, 6767));
    (bench, socket)
}

fn config(bench: &Bench, port: u16) -> Config {
    let settings = [("audit.syslog".to_owned(), bench.path("log").display().to_string())].into();
    Config { servers: vec![server("a", "u-a", port)], settings, ..Config::fresh() }
}

fn next(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 8192];
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[test]
fn each_seal_is_sent_as_it_is_made() {
    let (bench, socket) = bench();
    bench.m2sh("commit -what x -why").word("a reason").prints();
    let told = next(&socket);
    assert!(told.starts_with("<85>") && told.contains(" m2sh["), "{told}");
    let seal = bench.m2sh("log -seal").prints();
    let db = bench.path("config.sqlite").canonicalize().unwrap();
    for text in
        [format!("seal={} entry=2 db={}", seal.trim(), db.display()), "why=\"a reason\"".into(), "what=x".into()]
    {
        assert!(told.contains(&text), "no `{text}` in {told}");
    }
    assert!(bench.m2sh("log -syslog").prints().ends_with(&format!(": {seal}")));
    assert!(next(&socket).contains(&format!("seal={} ", seal.trim())));
}

#[test]
fn the_change_that_ends_it_is_sent_too() {
    let (bench, socket) = bench();
    let script = |name: &str, config: &Config| {
        let other = Bench::empty();
        other.save(config);
        other.m2sh(&format!("export -o {name}")).exits(0);
        std::fs::copy(other.path(name), bench.path(name)).unwrap();
    };
    script("silent.rhai", &Config { settings: [].into(), ..config(&bench, 6767) });
    script("loud.rhai", &config(&bench, 6767));
    bench.m2sh("load -config silent.rhai -yes").prints();
    assert!(next(&socket).contains("what=load"));
    bench.m2sh("commit -what x -why y").prints();
    bench.m2sh("load -config loud.rhai -yes").prints();
    let told = next(&socket);
    assert!(told.contains("config loud.rhai"), "nothing between is sent: {told}");
}

#[test]
fn that_nobody_reads_is_a_warning() {
    let (bench, socket) = bench();
    drop(socket);
    let output = bench.m2sh("commit -what x -why y").exits(0);
    let path = bench.path("log");
    let warning = format!("m2sh: warning: cannot tell the system's log: `{}`: ", path.display());
    assert!(output.stderr.starts_with(&warning), "{}", output.stderr);
    assert_eq!(bench.log().len(), 2);
    bench.m2sh("log -syslog").exits(1).complains(&["cannot send the last seal to", "hint: is there a syslog?"]);
}

#[test]
fn no_server_has_to_hear_of_it() {
    let (bench, _socket) = bench();
    bench.m2sh("export -o same.rhai").exits(0);
    bench.m2sh("load -config same.rhai").prints();
    let script = std::fs::read_to_string(bench.path("same.rhai")).unwrap();
    let socket = bench.path("log").display().to_string();
    bench.script("other.rhai", &script.replace(&socket, "/dev/log"));
    let plan: serde_json::Value = serde_json::from_str(&bench.m2sh("plan other.rhai -json").exits(2).stdout).unwrap();
    assert_eq!(plan["servers"][0]["effect"], "nothing");
    bench.script("bad.rhai", &script.replace(&socket, "dev/log"));
    let told = bench.m2sh("check bad.rhai").exits(1).stderr;
    assert!(told.contains("it does not start with `/`") && told.contains("the whole path of a socket"), "{told}");
}
