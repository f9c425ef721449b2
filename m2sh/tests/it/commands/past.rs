//! What was: whose work a field is, scripts as they were loaded, and throwing away what is old.

use serde_json::{Value, json};

use super::bench::Bench;

const LIBRARY: &str = "fn dir(base) { Dir(#{base: base}) }\n";

fn script(port: &str, routes: &str) -> String {
    format!(
        "import \"lib\" as lib;\n\
         commit([Server(#{{uuid: \"f400bf85-4538-4f7a-8908-67e313d515c2\", name: \"hello\", chroot: \"./\",\n    \
         access_log: \"/logs/access.log\", error_log: \"/logs/error.log\", pid_file: \"/run/hello.pid\",\n    \
         default_host: \"localhost\", port: {port}, hosts: [Host(#{{name: \"localhost\", routes: #{{{routes}}}}})]}})]);\n"
    )
}

/// A folder in which this was loaded, one after the other, each with its number as the reason.
fn loaded(scripts: &[String]) -> Bench {
    let bench = Bench::empty();
    bench.script("lib.rhai", LIBRARY);
    for (index, text) in scripts.iter().enumerate() {
        bench.script("config.rhai", text);
        bench.m2sh(&format!("load -why number-{}", index + 1)).prints();
    }
    bench
}

fn three() -> Bench {
    loaded(&[
        script("6767", "\"/\": lib::dir(\"static/\")"),
        script("6767", "\"/\": lib::dir(\"static/\"), \"/x\": lib::dir(\"x/\")"),
        script("env(\"PORT\", 6768)", "\"/\": lib::dir(\"other/\")"),
    ])
}

/// Object, field, value, generation and reason of what is blamed.
fn blamed(bench: &Bench, path: &str, field: &str) -> Vec<Value> {
    let rows = bench.m2sh(&format!("blame {path}")).json();
    let wanted = rows.as_array().unwrap().iter().filter(|row| row["field"] == field);
    wanted.map(|row| json!([row["object"], row["value"], row["generation"], row["why"]])).collect()
}

#[test]
fn a_field_is_the_work_of_who_changed_it_last() {
    let bench = three();
    assert_eq!(blamed(&bench, "hello", "port"), [json!(["server hello", 6768, 3, "number-3"])]);
    assert_eq!(blamed(&bench, "server hello", "name"), [json!(["server hello", "hello", 1, "number-1"])]);
    let route = "server hello, host localhost, route /";
    assert_eq!(blamed(&bench, "hello localhost /", "base"), [json!([route, "other/", 3, "number-3"])]);
    assert_eq!(blamed(&bench, "route /", "path"), [json!([route, "/", 1, "number-1"])]);
    let gone = "server hello, host localhost, route /x";
    assert_eq!(blamed(&bench, "/x", ""), [json!([gone, null, 3, "number-3"])]);
    let line = bench.m2sh("blame /x").prints();
    assert!(line.contains("\t(removed)\t3\t"), "{line}");
    let unknown = ["cannot blame `hellp`", "hint: did you mean `hello`?"];
    bench.m2sh("blame hellp").exits(1).complains(&unknown);
    bench.m2sh("blame").exits(2);
}

#[test]
fn what_plain_sql_has_changed_is_nobodys() {
    let bench = three();
    bench.sql("UPDATE server SET port = 7000; INSERT INTO setting (key, value) VALUES ('limits.tick_timer', '5')");
    let behind = "(changed behind m2sh's back)";
    assert_eq!(blamed(&bench, "hello", "port"), [json!(["server hello", 7000, null, behind])]);
    assert_eq!(blamed(&bench, "limits.tick_timer", "value"), [json!(["setting limits.tick_timer", "5", null, behind])]);
}

#[test]
fn a_script_is_kept_as_it_was() {
    let bench = three();
    let shown = bench.m2sh("show 1").prints();
    assert!(shown.contains("// Made from config.rhai, lib.rhai.\n"), "{shown}");
    let shown = bench.m2sh("show 3").prints();
    assert!(shown.contains("// Made from config.rhai, lib.rhai, which asked for PORT.\n"), "{shown}");
    let first = script("6767", "\"/\": lib::dir(\"static/\")");
    assert_eq!(bench.m2sh("show 1 -source").prints(), format!("// config.rhai\n{first}// lib.rhai\n{LIBRARY}"));
    let source = bench.m2sh("show 1 -source").json();
    assert_eq!(source["files"][0], json!({"path": "config.rhai", "text": first}));
    bench.m2sh("rollback 1").prints();
    assert_eq!(bench.m2sh("show 4 -source").json(), source, "what is back has the script that it had");
    bench.m2sh("init").prints();
    bench
        .m2sh("show 5 -source")
        .exits(1)
        .complains(&["cannot show the script of generation 5: it was not loaded from one"]);
}

#[test]
fn a_plan_keeps_the_script_that_it_was_made_from() {
    let bench = three();
    let text = script("6769", "");
    bench.script("config.rhai", &text);
    bench.m2sh("plan -o plan.json").exits(2);
    bench.script("config.rhai", "another");
    bench.m2sh("load -plan plan.json").prints();
    assert_eq!(bench.m2sh("show 4 -source").json()["files"][0]["text"], text);
}

#[test]
fn old_generations_are_thrown_away() {
    let bench = three();
    let told = bench.m2sh("gc -keep 2 -why space").prints();
    assert!(told.starts_with("Threw away generation 1; "), "{told}");
    let kept: Vec<_> =
        bench.m2sh("generations").json().as_array().unwrap().iter().map(|row| row["kept"].clone()).collect();
    assert_eq!(kept, [false, true, true]);
    let entry = bench.log().pop().unwrap();
    assert_eq!((entry.what.as_str(), entry.why.as_str()), ("gc", "space"));
    bench.m2sh("rollback 1").exits(1).complains(&["nothing was kept of it"]);
    bench.m2sh("log -verify").prints();
    assert_eq!(blamed(&bench, "hello", "name")[0][2], 1, "whose work something is stays known");
    assert_eq!(bench.m2sh("gc -keep 2").prints(), "Nothing to throw away\n");
    bench.m2sh("gc").exits(2);
    bench.m2sh("gc -keep 0").exits(2);
    bench.sql("UPDATE generation SET config = NULL WHERE id = 2");
    let told = bench.m2sh("log -verify").exits(1).stderr;
    assert!(told.contains("what was kept of generation 2 is gone or was changed"), "{told}");
}
