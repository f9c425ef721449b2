//! `m2sh log -server`: what was done to a server, and nothing else; and who it was that did it.

use mongrel2::config::Config;
use testkit::Process;

use super::bench::{Bench, server};

fn config(servers: &[(&str, u16)]) -> Config {
    let servers = servers.iter().map(|(name, port)| server(name, &format!("u-{name}"), *port)).collect();
    Config { servers, ..Config::fresh() }
}

fn what(bench: &Bench, words: &str) -> Vec<String> {
    let log = bench.m2sh(words).json();
    log.as_array().unwrap().iter().map(|entry| entry["why"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_load_is_about_the_servers_that_it_changes() {
    let bench = Bench::empty();
    let script = |config: &Config, why: &str| {
        let other = Bench::empty();
        other.save(config);
        other.m2sh("export -o script.rhai").exits(0);
        std::fs::copy(other.path("script.rhai"), bench.path("script.rhai")).unwrap();
        bench.m2sh("load -config script.rhai -yes").word("-why").word(why).exits(0);
    };
    script(&config(&[("a", 6767), ("b", 6768)]), "both");
    script(&config(&[("a", 6767), ("b", 6769)]), "b moves");
    script(&config(&[("a", 6767), ("b", 6769)]), "nothing");
    script(&config(&[("a", 6767), ("b", 6769), ("c", 6770)]), "c comes");
    let settings = [("limits.min_ping".to_owned(), "7".to_owned())].into();
    script(&Config { settings, ..config(&[("a", 6767), ("b", 6769), ("c", 6770)]) }, "setting");
    bench.m2sh("commit -what x -why noted").prints();
    assert_eq!(what(&bench, "log -server a"), ["both", "setting"]);
    assert_eq!(what(&bench, "log -server u-b"), ["both", "b moves", "setting"]);
    assert_eq!(what(&bench, "log -server c -n 1"), ["setting"]);
    bench.m2sh("rollback 2 -why back").prints();
    assert_eq!(
        what(&bench, "log -server u-c"),
        ["c comes", "setting", "back"],
        "of one that is gone the UUID is known"
    );
    bench.m2sh("log -server c").exits(1).complains(&["knows `c`", "hint: did you mean", "m2sh servers"]);
    let log = bench.m2sh("log").json();
    assert_eq!(log[0]["servers"], serde_json::json!(["u-a", "u-b"]));
    assert_eq!((&log[4]["servers"], &log[5]["servers"]), (&serde_json::json!(["*"]), &serde_json::json!([])));
    assert!(bench.m2sh("log -verify").prints().starts_with("The log is as it was written: 7 entries, 7 seals"));
}

#[test]
fn what_is_done_to_a_running_server_is_about_that_server() {
    let bench = Bench::empty();
    let mut config = config(&[("a", testkit::free_address().port()), ("b", testkit::free_address().port())]);
    config.servers.iter_mut().flat_map(|server| &mut server.hosts).for_each(|host| host.routes.clear());
    config.settings.insert("server.daemonize".into(), "0".into());
    bench.save(&config);
    let process = Process::start(bench.m2sh("start -name a -why started").command.stdout(std::process::Stdio::null()));
    process.wait_for_stderr("listens on");
    bench.m2sh("reload -name a -why reloaded").prints();
    bench.m2sh("control -name a -why controlled -- reload").prints();
    bench.m2sh("stop -name a -why stopped").prints();
    assert_eq!(what(&bench, "log -server a")[1..], ["started", "reloaded", "controlled", "stopped"]);
    assert_eq!(what(&bench, "log -server b").len(), 1);
}

#[test]
fn the_user_behind_sudo_and_root_are_both_told() {
    let bench = Bench::empty();
    let mut m2sh = bench.m2sh("init");
    m2sh.command.env("DOAS_USER", "operator");
    m2sh.prints();
    let entry = &bench.m2sh("log").json()[0];
    let uid = rustix::process::getuid();
    assert_eq!(entry["uid"], uid.as_raw());
    assert_eq!(entry["who"] == "operator", uid.is_root());
    assert_eq!(bench.m2sh("log").prints().contains("(as root"), uid.is_root());
}

#[test]
fn a_log_without_these_columns_is_read_and_sealed_on() {
    let bench = Bench::with(vec![server("a", "u-a", 6767)]);
    bench
        .sql("ALTER TABLE log DROP COLUMN servers; ALTER TABLE log DROP COLUMN login; ALTER TABLE log DROP COLUMN uid");
    assert_eq!(bench.m2sh("log").json()[0]["servers"], serde_json::json!([]));
    assert_eq!(what(&bench, "log -server a").len(), 0);
    bench.sql("UPDATE log SET seal = ''");
    bench.m2sh("commit -what x -why y").prints();
    let seal = bench.m2sh("log -seal").prints();
    assert!(bench.m2sh("log -verify").prints().contains(seal.trim()));
}
