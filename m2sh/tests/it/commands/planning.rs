//! `m2sh check`, `m2sh plan`, and what `m2sh load` tells of changes and does with plans.

use serde_json::{Value, json};

use super::bench::{Bench, server};

/// A script with one server, and one of its fields, routes and settings.
pub(super) fn script(field: &str, routes: &str, setting: &str) -> String {
    format!(
        r#"let hello = Server(#{{
            uuid: "f400bf85-4538-4f7a-8908-67e313d515c2", name: "hello", chroot: "./", default_host: "localhost",
            access_log: "/logs/access.log", error_log: "/logs/error.log", pid_file: "/run/mongrel2.pid", port: 6767,
            {field}
            hosts: [Host(#{{name: "localhost", routes: #{{"/": Dir(#{{base: "static/"}}), {routes}}}}})]
        }});
        commit([hello], #{{settings: #{{{setting}}}}});"#
    )
}

/// A folder where this script has been loaded, and this one is `config.rhai`.
pub(super) fn bench(loaded: &str, now: &str) -> Bench {
    let bench = Bench::empty();
    bench.script("config.rhai", loaded);
    bench.m2sh("load").prints();
    bench.script("config.rhai", now);
    bench
}

fn basic() -> String {
    script("", "", "")
}

#[test]
fn check_needs_no_database() {
    let bench = Bench::empty();
    bench.script("config.rhai", &basic());
    let sound = "config.rhai: 1 server, 1 host, 1 route: sound\n";
    for words in ["check", "check config.rhai", "check -config config.rhai", "check -db no/where config.rhai"] {
        assert_eq!(bench.m2sh(words).prints(), sound, "{words}");
    }
    let expected = json!({"script": "config.rhai", "sound": true, "servers": 1, "hosts": 1, "routes": 1, "notes": []});
    assert_eq!(bench.m2sh("check").json(), expected);
    assert!(!bench.path("config.sqlite").exists());
}

#[test]
fn check_says_what_load_says() {
    let bench = Bench::empty();
    bench.script("config.rhai", "commit([Sever(#{})]);\n");
    let load = bench.m2sh("load").exits(1);
    let check = bench.m2sh("check").exits(1);
    assert_eq!((&check.stdout, &check.stderr), (&load.stdout, &load.stderr));
    let faults = bench.m2sh("check --json").exits(1).stdout;
    assert_eq!(faults, bench.m2sh("load --json").exits(1).stdout);
    assert!(faults.contains("Sever"), "{faults}");
    bench.m2sh("plan").exits(1).complains(&["Sever"]);
    let hint = "hint: name the script: `m2sh check FILE`";
    bench.m2sh("check a.rhai").exits(1).complains(&["m2sh: cannot check `a.rhai`: there is no such file", hint]);
}

#[test]
fn check_tells_notes() {
    let bench = Bench::empty();
    bench.script("config.rhai", &script("", "", r#""limits.fdtask_stack": "1""#));
    let output = bench.m2sh("check").exits(0);
    assert!(output.stdout.ends_with(": sound\n") && output.stderr.contains("note: "), "{}", output.stderr);
    let notes = &bench.m2sh("check").json()["notes"];
    assert_eq!(notes[0]["severity"], "note");
}

#[test]
fn a_plan_without_a_database_adds_everything() {
    let bench = Bench::empty();
    bench.script("config.rhai", &basic());
    let plan = bench.m2sh("plan").exits(2).stdout;
    let expected = [
        "+ server hello\n    uuid: f400bf85-4538-4f7a-8908-67e313d515c2\n",
        "\n+ server hello, host localhost\n    name: localhost\n",
        "\n+ server hello, host localhost, route /\n    path: /\n    target_type: dir\n    base: static/\n",
        "\nPlan: 3 to add, 0 to change, 0 to remove\nserver hello: start\n",
    ];
    expected.iter().for_each(|text| assert!(plan.contains(text), "no {text:?} in:\n{plan}"));
    assert!(!bench.path("config.sqlite").exists());
    bench.m2sh("init").prints();
    assert_eq!(bench.m2sh("plan").exits(2).stdout, plan, "a fresh database is like none");
}

#[test]
fn a_plan_of_what_is_there_already() {
    let bench = bench(&basic(), &basic());
    assert_eq!(bench.m2sh("plan").prints(), "Nothing to change: config.sqlite is as config.rhai says\n");
    let plan = bench.m2sh("plan").json();
    assert_eq!(
        (&plan["changes"], &plan["add"], &plan["servers"][0]["effect"]),
        (&json!([]), &json!(0), &"nothing".into())
    );
}

#[test]
fn a_plan_tells_fields_and_what_they_mean() {
    for (loaded, now, expected) in [
        (
            basic(),
            script("use_ssl: false, bind_addr: \"127.0.0.1\",", "", ""),
            "~ server hello\n    bind_addr: 0.0.0.0 -> 127.0.0.1\nPlan: 0 to add, 1 to change, 0 to remove\n\
             server hello: reload\n",
        ),
        (
            script("", "\"/x\": Dir(#{base: \"x/\"})", ""),
            basic(),
            "- server hello, host localhost, route /x\nPlan: 0 to add, 0 to change, 1 to remove\nserver hello: reload\n",
        ),
        (
            basic(),
            script("", "", "\"zeromq.threads\": 2"),
            "+ setting zeromq.threads: 2\nPlan: 1 to add, 0 to change, 0 to remove\n\
             server hello: restart (zeromq.threads)\n",
        ),
        (
            script("", "", "\"limits.min_ping\": 60"),
            script("", "", "\"limits.min_ping\": 120"),
            "~ setting limits.min_ping: 60 -> 120\nPlan: 0 to add, 1 to change, 0 to remove\nserver hello: reload\n",
        ),
    ] {
        assert_eq!(bench(&loaded, &now).m2sh("plan").exits(2).stdout, expected);
    }
}

#[test]
fn a_plan_as_json() {
    let bench = bench(&script("", "", "\"limits.min_ping\": 60"), &script("", "", "\"server.workers\": 1"));
    let plan: Value = serde_json::from_str(&bench.m2sh("plan --json").exits(2).stdout).unwrap();
    let changes = json!([
        {"change": "removed", "path": "setting limits.min_ping", "fields": [{"field": "value", "from": "60"}]},
        {"change": "added", "path": "setting server.workers", "fields": [{"field": "value", "to": "1"}]},
    ]);
    let uuid = "f400bf85-4538-4f7a-8908-67e313d515c2";
    let expected = json!({
        "script": "config.rhai", "db": "config.sqlite", "add": 1, "change": 0, "remove": 1, "changes": changes,
        "servers": [{"server": "hello", "uuid": uuid, "effect": "restart", "because": ["server.workers"]}],
    });
    assert_eq!(plan, expected);
}

#[test]
fn a_plan_changes_nothing() {
    let bench = bench(&basic(), &script("", "\"/x\": Dir(#{base: \"x/\"})", ""));
    let before = std::fs::read(bench.path("config.sqlite")).unwrap();
    bench.m2sh("plan -o plan.json").exits(2);
    assert_eq!(std::fs::read(bench.path("config.sqlite")).unwrap(), before);
}

#[test]
fn a_database_that_cannot_be_compared() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    bench.sql("UPDATE route SET target_id = 77 WHERE id = 2");
    bench.script("config.rhai", &basic());
    bench.m2sh("plan").exits(1).complains(&["table `route`, row 2", "hint: look at the row"]);
    let output = bench.m2sh("load").exits(0);
    assert_eq!(output.stdout, "Loaded 1 server, 1 host, 1 route from config.rhai into config.sqlite\n");
    assert!(output.stderr.starts_with("m2sh: warning: cannot tell what has changed: table `route`, row 2"));
    assert_eq!(bench.m2sh("plan").exits(0).stderr, "");
}

#[test]
fn load_tells_what_has_changed() {
    let bench = bench(&basic(), &script("", "\"/x\": Dir(#{base: \"x/\"})", "\"limits.min_ping\": 60"));
    let loaded = "Loaded 1 server, 1 host, 2 routes from config.rhai into config.sqlite\n";
    let expected = format!("+ server hello, host localhost, route /x\n+ setting limits.min_ping: 60\n{loaded}");
    assert_eq!(bench.m2sh("load").prints(), expected);
    assert_eq!(bench.m2sh("load").prints(), format!("Nothing changed\n{loaded}"));
    assert_eq!(bench.log().len(), 3, "that somebody loaded is in the log all the same");
    assert_eq!(bench.m2sh("load").json()["changes"], json!([]));
    bench.script("config.rhai", &basic());
    let changes = &bench.m2sh("load").json()["changes"];
    assert_eq!((&changes[0]["change"], &changes[1]["path"]), (&"removed".into(), &"setting limits.min_ping".into()));
}

#[test]
fn a_saved_plan_is_loaded_as_it_was_made() {
    let bench = bench(&basic(), &script("", "\"/x\": Dir(#{base: \"x/\"})", ""));
    let output = bench.m2sh("plan -o plan.json").exits(2).stdout;
    let saved = "Saved as plan.json: `m2sh load -db config.sqlite -plan plan.json` loads it\n";
    assert!(output.ends_with(saved), "{output}");
    bench.script("config.rhai", "what comes later does not count");
    assert_eq!(
        bench.m2sh("load -plan plan.json -why planned").prints(),
        "+ server hello, host localhost, route /x\nLoaded 1 server, 1 host, 2 routes from plan.json into config.sqlite\n"
    );
    assert_eq!(bench.log().last().unwrap().why, "planned");
    let plan: Value = serde_json::from_slice(&std::fs::read(bench.path("plan.json")).unwrap()).unwrap();
    assert_eq!((&plan["script"], plan["base"].as_str().unwrap().len()), (&"config.rhai".into(), 64));
    assert!(plan["made_by"].as_str().unwrap().contains('@') && plan["made_at"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn a_plan_for_another_base_is_refused() {
    let bench = bench(&basic(), &script("", "\"/x\": Dir(#{base: \"x/\"})", ""));
    bench.m2sh("plan --out=plan.json").exits(2);
    bench.m2sh("load").prints();
    let before = std::fs::read(bench.path("config.sqlite")).unwrap();
    bench.m2sh("load -plan plan.json").exits(1).complains(&[
        "m2sh: cannot load `plan.json`: the configuration in `config.sqlite` has been changed meanwhile; \
         the last load was by ",
        "hint: see with `m2sh plan -db config.sqlite` what would change now",
    ]);
    assert_eq!(std::fs::read(bench.path("config.sqlite")).unwrap(), before);
}

#[test]
fn a_plan_without_a_database_makes_one() {
    let bench = Bench::empty();
    bench.script("config.rhai", &basic());
    bench.m2sh("plan -out plan.json").exits(2);
    bench.m2sh("load -db a.sqlite -plan plan.json").prints();
    bench.m2sh("init -db b.sqlite").prints();
    bench.m2sh("load -db b.sqlite -plan plan.json").prints();
}

#[test]
fn a_file_that_is_no_plan() {
    let bench = bench(&basic(), &basic());
    bench.m2sh("load -plan plan.json").exits(1).complains(&["m2sh: cannot read the plan `plan.json`: No such file"]);
    bench.script("plan.json", "{}");
    bench.m2sh("load -plan plan.json").exits(1).complains(&[
        "`plan.json`: it is no plan of this m2sh (missing field",
        "hint: make it with `m2sh plan -o plan.json`",
    ]);
    bench.m2sh("plan -o plan.json").exits(0);
    let plan = std::fs::read_to_string(bench.path("plan.json")).unwrap();
    bench.script("plan.json", &plan.replace("\"version\": 1", "\"version\": 7"));
    bench.m2sh("load -plan plan.json").exits(1).complains(&["its version is 7, this m2sh knows 1"]);
    bench.script("plan.json", &plan.replace("6767", "99999"));
    let texts = ["cannot use the configuration in `plan.json`", "99999 is not a TCP port"];
    bench.m2sh("load -plan plan.json").exits(1).complains(&texts);
    bench.m2sh("load -plan plan.json -config config.rhai").exits(2).complains(&["cannot be used with"]);
    bench.m2sh("plan -o no/such/plan.json").exits(1).complains(&["cannot write the plan `no/such/plan.json`"]);
}
