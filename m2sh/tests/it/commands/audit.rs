//! The log: who did what, in the manual's form; it survives everything that the configuration goes through.

use super::bench::{Bench, server};

#[test]
fn lines_are_those_of_the_manual() {
    let bench = Bench::empty();
    bench.m2sh("init -db config.sqlite").prints();
    bench.m2sh("commit -db config.sqlite -what mongrel2.org -why").word("Testing things out.").prints();
    let log = bench.m2sh("log -db config.sqlite").prints();
    let lines: Vec<_> = log.lines().collect();
    let form = |line: &str, what: &str, text: &str| {
        let (time, rest) = line.split_once(", ").unwrap();
        assert_eq!((time.len(), &time[..1], &time[11..12]), (20, "[", "T"), "{line}");
        let (who, rest) = rest.split_once(", ").unwrap();
        assert!(who.contains('@'), "{line}");
        assert!(rest.starts_with(&format!("{what}] ")) && rest.ends_with(text), "{line}");
    };
    assert_eq!(lines.len(), 2);
    form(lines[0], "init", "m2sh init -db config.sqlite");
    form(lines[1], "mongrel2.org", "] Testing things out.");
}

#[test]
fn entries_say_who_where_how_and_why() {
    let bench = Bench::empty();
    bench.m2sh("init").word("-why").word("a fresh start").prints();
    let entry = bench.log().remove(0);
    assert_eq!((entry.what.as_str(), entry.why.as_str()), ("init", "a fresh start"));
    assert!(entry.how.ends_with("m2sh init -why 'a fresh start'"), "{}", entry.how);
    assert!(!entry.who.is_empty() && !entry.location.is_empty());
    let log = bench.m2sh("log").json();
    assert_eq!(log[0]["why"], "a fresh start");
    assert_eq!(log[0]["happened_at"], entry.happened_at);
}

#[test]
fn a_note_may_be_about_another_machine() {
    let bench = Bench::empty();
    bench.m2sh("init").prints();
    bench.m2sh("commit -what disk -why broken -where db7 -how screwdriver").prints();
    let entry = bench.log().remove(1);
    assert_eq!((entry.location.as_str(), entry.how.as_str()), ("db7", "screwdriver"));
    assert_eq!(entry.who, bench.log()[0].who);
}

#[test]
fn the_user_behind_sudo_is_the_one_who_did_it() {
    let bench = Bench::empty();
    let mut m2sh = bench.m2sh("init");
    m2sh.command.env("SUDO_USER", "operator");
    m2sh.prints();
    assert_eq!(bench.log()[0].who == "operator", rustix::process::getuid().is_root());
}

#[test]
fn init_keeps_the_log_and_nothing_else() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    bench.m2sh("commit -what x -why y").prints();
    assert_eq!(bench.m2sh("init").prints(), "Emptied the configuration of config.sqlite\n");
    assert_eq!(bench.m2sh("servers").prints(), "");
    let what: Vec<_> = bench.log().into_iter().map(|entry| entry.what).collect();
    assert_eq!(what, ["test", "x", "init"]);
    assert!(bench.m2sh("dump").prints().contains("\ttext/html\t.html\n"));
}

#[test]
fn what_only_reads_is_not_logged() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    for words in ["dump", "servers", "hosts", "routes", "route /", "log"] {
        bench.m2sh(words).prints();
    }
    bench.m2sh("running").exits(3);
    assert_eq!(bench.log().len(), 1);
}

#[test]
fn a_log_that_somebody_has_changed_is_told() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    bench.m2sh("commit -what x -why y").prints();
    assert!(bench.m2sh("log -verify").prints().starts_with("The log is as it was written: 2 entries, 2 seals"));
    let seal = bench.m2sh("log -seal").prints();
    assert_eq!(bench.m2sh(&format!("log -verify -kept {seal}")).json()["seal"], seal.trim());
    bench.sql("UPDATE log SET why = 'nothing' WHERE id = 2");
    let told = bench.m2sh("log -verify").exits(1).stderr;
    assert!(told.contains("entry 2 does not fit its seal"), "{told}");
    bench.sql("DELETE FROM log WHERE id = 2");
    bench.m2sh("log -verify").prints();
    let told = bench.m2sh(&format!("log -verify -kept {seal}")).exits(1).stderr;
    assert!(told.contains("the end of the log is missing"), "{told}");
}

#[test]
fn entries_of_other_programs_are_marked_and_sealed_with_the_next() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    bench.sql("INSERT INTO log (who, what, location, how, why) VALUES ('script', 'upgrade', 'box', 'sh', 'by hand')");
    assert!(bench.m2sh("log").prints().ends_with("script@box, upgrade] by hand (unsealed)\n"));
    assert_eq!(bench.m2sh("log -verify").json()["unsealed"], serde_json::json!([2]));
    bench.m2sh("commit -what x -why y").prints();
    assert_eq!(bench.m2sh("log -verify").json()["unsealed"], serde_json::json!([]));
}

#[test]
fn a_part_of_the_log() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    bench.sql("UPDATE log SET happened_at = '2020-01-01 00:00:00'");
    for what in ["one", "two", "three"] {
        bench.m2sh(&format!("commit -what {what} -why y")).prints();
    }
    let lines = |words: &str| bench.m2sh(words).prints().lines().count();
    assert_eq!(
        (lines("log"), lines("log -n 2"), lines("log -what two"), lines("log -who nobody-at-all")),
        (4, 2, 1, 0)
    );
    assert_eq!((lines("log -since 1h"), lines("log --since 2020-01-01"), lines("log -since 2020-01-02")), (3, 4, 3));
    assert!(bench.m2sh("log -last 1").prints().contains(", three]"));
    bench.m2sh("log -since yesterday").exits(2);
}

#[test]
fn a_log_that_is_followed() {
    use std::io::{BufRead, BufReader};
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    let mut m2sh = bench.m2sh("log -f -n 1");
    let mut child = m2sh.command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("test]"));
    bench.m2sh("commit -what x -why followed").prints();
    assert!(lines.next().unwrap().unwrap().ends_with("x] followed"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn generations_are_listed_and_gone_back_to() {
    let bench = Bench::with(vec![server("one", "1", 6767)]);
    bench.save(&mongrel2::config::Config { servers: vec![server("two", "1", 6767)], ..Default::default() });
    let listed = bench.m2sh("generations").json();
    let numbers: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["generation"].as_i64().unwrap()).collect();
    assert_eq!((numbers, &listed[0]["what"]), (vec![1, 2], &"test".into()));
    let told = bench.m2sh("rollback 1 -why").word("it was better").prints();
    assert_eq!(told, "The configuration is that of generation 1 again, as generation 3\n");
    assert!(bench.m2sh("servers").prints().starts_with("one\t"));
    assert_eq!(bench.m2sh("generations").json()[2]["why"], "it was better");
    let listed = bench.m2sh("generations").json();
    assert_eq!((&listed[0]["digest"], listed[1]["digest"] != listed[2]["digest"]), (&listed[2]["digest"], true));
    assert!(bench.m2sh("log -verify").prints().starts_with("The log is as it was written: 3 entries"));
}

#[test]
fn what_was_never_kept_cannot_be_gone_back_to() {
    let bench = Bench::with(vec![server("one", "1", 6767)]);
    bench.m2sh("rollback 7").exits(1).complains(&["there is no such generation", "m2sh generations"]);
    bench.sql("UPDATE generation SET config = NULL");
    bench.m2sh("rollback 1").exits(1).complains(&["nothing was kept of it"]);
    bench.sql("UPDATE generation SET config = x'0102'");
    bench.m2sh("rollback 1").exits(1).complains(&["not what was kept"]);
    let faulty = mongrel2::config::Config { servers: vec![server("one", "1", 0)], ..Default::default() };
    bench.save(&faulty);
    bench.m2sh("rollback 2").exits(1).complains(&["0 is not a TCP port"]);
    assert_eq!(bench.log().len(), 2, "nothing was changed, and nothing logged");
}

#[test]
fn generations_are_shown_and_compared() {
    let bench = Bench::with(vec![server("one", "1", 6767)]);
    bench.save(&mongrel2::config::Config { servers: vec![server("two", "1", 6868)], ..Default::default() });
    let script = bench.m2sh("show 1").prints();
    assert!(script.starts_with("// Generation 1.\n"), "{script}");
    std::fs::write(bench.path("one.rhai"), &script).unwrap();
    let told = bench.m2sh("diff 1 2").exits(2).stdout;
    assert!(
        told.contains("port: 6767 -> 6868\n") && told.ends_with("Difference: 0 added, 1 changed, 0 removed\n"),
        "{told}"
    );
    assert_eq!(bench.m2sh("diff 2").prints(), "No difference: generation 2 and config.sqlite are the same\n");
    bench.m2sh("load -config one.rhai").prints();
    assert!(bench.m2sh("servers").prints().starts_with("one\t"), "it loads to what it was");
    bench.m2sh("diff 7").exits(1).complains(&["there is no such generation"]);
    bench.m2sh("diff").exits(1).complains(&["ask server one 1 for its generation", "m2sh generations"]);
}
