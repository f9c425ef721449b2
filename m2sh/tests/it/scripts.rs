//! Every script in `tests/scripts`, and every file of the original's language in `tests/originals`, says exactly
//! what its `.expected` says; every example loads.
//!
//! `UPDATE=1 cargo test -p m2sh` writes the expected files anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use m2sh::script::{Facts, run};
use mongrel2::config::{Config, Target};

pub(super) fn facts() -> Facts {
    let variables = BTreeMap::from([("PORT".to_owned(), "8080".to_owned()), ("WORD".to_owned(), "many".to_owned())]);
    Facts { variables, hostname: "box".to_owned() }
}

fn scripts(folder: &str) -> Vec<PathBuf> {
    files(folder, "rhai")
}

/// The files of a folder with that extension.
pub(super) fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot read {folder}: {error}"));
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let mut scripts: Vec<_> = paths.filter(|path| path.extension().is_some_and(|kind| kind == extension)).collect();
    scripts.sort();
    scripts
}

/// What a run prints: its troubles or its notes.
fn printed(path: &Path) -> String {
    match run(path, &facts()) {
        Ok(outcome) if outcome.notes.is_empty() => "loads\n".to_owned(),
        Ok(outcome) => format!("loads, with\n\n{}\n", outcome.notes),
        Err(troubles) => format!("{troubles}\n"),
    }
}

#[test]
fn every_script_says_what_is_expected() {
    let mut wrong = Vec::new();
    for script in scripts("tests/scripts").into_iter().chain(files("tests/originals", "conf")) {
        let printed = printed(&script);
        let file = script.with_extension("expected");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, &printed).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if printed != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- printed\n{printed}", script.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn load(path: impl AsRef<Path>) -> Config {
    match run(path.as_ref(), &facts()) {
        Ok(outcome) => outcome.checked.into_config(),
        Err(troubles) => panic!("{troubles}"),
    }
}

#[test]
fn every_example_loads() {
    let examples = scripts("../examples/configs");
    assert!(examples.len() >= 5, "{examples:?}");
    examples.iter().for_each(|example| drop(load(example)));
}

#[test]
fn the_simple_example_is_the_manuals() {
    let config = load("../examples/configs/simple.rhai");
    let server = &config.servers[0];
    assert_eq!(server.uuid, "f400bf85-4538-4f7a-8908-67e313d515c2");
    assert_eq!((server.port, server.chroot.as_str(), server.bind_addr.as_str()), (6767, "./", "0.0.0.0"));
    assert_eq!((server.hosts[0].name.as_str(), server.hosts[0].matching.as_str()), ("localhost", "localhost"));
    assert_eq!(server.hosts[0].routes[0].path, "/tests/");
}

#[test]
fn the_complex_example_is_the_manuals() {
    let config = load("../examples/configs/mongrel2_org.rhai");
    let routes = &config.servers[0].hosts[0].routes;
    let kinds: Vec<_> = routes.iter().map(|route| (route.path.as_str(), route.target.target_type())).collect();
    let expected = [
        ("/", "proxy"),
        ("/chat/", "proxy"),
        ("/chatdemo/", "dir"),
        ("/handlertest", "handler"),
        ("/mp3stream", "handler"),
        ("/static/", "dir"),
        ("/tests/", "dir"),
        ("/testsmulti/(.*.json)", "dir"),
        ("@chat", "handler"),
    ];
    assert_eq!(kinds, expected);
    let Target::Handler(chat) = &routes[8].target else { panic!("{:?}", routes[8]) };
    assert_eq!(chat.send_ident, "54c6755b-9628-40a4-9a2d-cc82a816345e");
    assert_eq!(config.settings["zeromq.threads"], "1");
}

#[test]
fn the_proxies_of_the_example_are_what_its_comments_say() {
    let config = load("../examples/configs/proxy.rhai");
    let server = &config.servers[0];
    let proxies = server.hosts[0].routes.iter().filter_map(|route| match &route.target {
        Target::Proxy(proxy) => Some((route.path.as_str(), proxy)),
        _ => None,
    });
    let told: Vec<_> = proxies
        .map(|(path, proxy)| {
            let pinned = !proxy.session_cookie.is_empty();
            (path, proxy.all_upstreams().count(), proxy.fallback.is_some(), pinned, proxy.fail_timeout)
        })
        .collect();
    assert_eq!(told, [("/app/", 2, true, false, 10), ("/records/", 1, false, true, 10)]);
    assert!(server.use_ssl && config.settings["certdir"] == "/certs/");
}

#[test]
fn settings_mimetypes_and_the_environment_arrive() {
    let config = load("../examples/configs/settings.rhai");
    assert_eq!(config.settings["limits.url_path"], "1024");
    assert_eq!((config.servers[0].port, config.servers[0].name.as_str()), (8080, "box"));
    assert_eq!(config.mimetypes[".chart"], "application/x-chart");
    assert!(config.mimetypes.len() > 800);
}

#[test]
fn media_types_can_be_taken_away() {
    let simple = fs::read_to_string("../examples/configs/simple.rhai").unwrap();
    let with = |options: &str| {
        let text = simple.replace("commit([main])", &format!("commit([main], {options})"));
        let (_folder, script) = folder(&[("config.rhai", text.as_bytes())]);
        load(script).mimetypes
    };
    let without = with("#{ mimetypes: #{ \".html\": () } }");
    assert!(without.len() > 800 && !without.contains_key(".html"));
    let alone = with("#{ mimetypes: #{ \".x\": \"x/y\" }, known_mimetypes: false }");
    assert_eq!(alone, BTreeMap::from([(".x".to_owned(), "x/y".to_owned())]));
}

/// A folder with those files, and the first of them.
fn folder(files: &[(&str, &[u8])]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("room for a script");
    }
    let first = folder.path().join(files[0].0);
    (folder, first)
}

/// Checks that a script that can't be read is told of like this; `DIR` stands for its folder.
fn check_unreadable(name: &str, expected: &str) {
    let (folder, _) = folder(&[("config.rhai", b"// one\n// \xff\n")]);
    let troubles = run(&folder.path().join(name), &facts()).expect_err(expected);
    let path = folder.path().display().to_string();
    assert_eq!(troubles.to_string().replace(&path, "DIR"), expected);
}

#[test]
fn scripts_that_cannot_be_read() {
    check_unreadable(
        "confg.rhai",
        "error: there is no script `DIR/confg.rhai`\n   = hint: did you mean `DIR/config.rhai`?",
    );
    check_unreadable(
        "other",
        "error: there is no script `DIR/other`\n   = hint: examples/configs has scripts to start from",
    );
    check_unreadable("", "error: cannot read `DIR/`: it is a folder\n   = hint: name the script in it");
    check_unreadable(
        "config.rhai",
        "error: `DIR/config.rhai` is not UTF-8 text: line 2 has other bytes\n   \
         = hint: `iconv -f latin1 -t utf-8 DIR/config.rhai` converts it",
    );
}

/// A script with that statement at the bottom of nested calls.
fn deep(statement: &str) -> String {
    let (open, close) = ("[".repeat(36), "]".repeat(36));
    format!("fn down(n) {{ if n > 50 {{ {statement} }} else {{ {open}down(n + 1){close} }} }} down(0);")
}

#[test]
fn deep_calls_in_deep_imports_do_not_overflow_the_stack() {
    let scripts: Vec<_> =
        (0..20).map(|n| (format!("{n}.rhai"), deep(&format!("import \"{}\" as x;", n + 1)))).collect();
    let files: Vec<_> = scripts.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    let (_folder, first) = folder(&files);
    let troubles = run(&first, &facts()).unwrap_err().to_string();
    assert!(troubles.starts_with("error: imports nest more than 16 deep"), "{troubles}");
}

#[test]
fn a_script_knows_only_the_facts_it_is_given() {
    let (_folder, script) =
        folder(&[("config.rhai", b"throw env(\"PATH\", \"no path\") + uuid().len() + hostname();")]);
    let troubles = run(&script, &Facts::default()).unwrap_err();
    assert_eq!(troubles.iter().next().unwrap().message, "the script stops: no path36");
}

#[test]
fn programs_get_place_source_and_hint() {
    let troubles = run("tests/scripts/five.rhai".as_ref(), &facts()).unwrap_err();
    let json = serde_json::to_value(&troubles).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 5);
    let first = serde_json::json!({
        "severity": "error",
        "message": "`prot` is not a field of Server",
        "file": "tests/scripts/five.rhai",
        "line": 7,
        "column": 5,
        "source": "    prot: 6767,",
        "hint": "did you mean `port`?",
    });
    assert_eq!(json[0], first);
}

#[test]
fn shared_targets_stay_one_and_lists_keep_their_order() {
    let (_folder, script) = folder(&[(
        "config.rhai",
        br##"
            let dir = Dir(#{ base: "static/" });
            let routes = [Route(#{ path: "/z", target: dir }), Route(#{ path: ".css", reversed: true, target: dir })];
            let host = Host(#{ name: "x", matching: #"(\a+).x.org"#, routes: routes });
            commit([Server(#{
                uuid: "x", access_log: "/a", error_log: "/e", pid_file: "/p", default_host: "x", port: 80,
                use_ssl: 1, hosts: [host],
            })], #{ settings: #{ certdir: "/certs" } });
            dir.base = "changed/";
        "##,
    )]);
    let config = load(script);
    let [first, second] = config.servers[0].hosts[0].routes.as_slice() else { panic!("{config:?}") };
    assert_eq!((first.path.as_str(), second.path.as_str(), second.reversed), ("/z", ".css", true));
    assert_eq!(first.target, second.target);
    assert!(matches!(&first.target, Target::Dir(dir) if dir.base == "changed/"));
    assert_eq!(config.servers[0].hosts[0].matching, "(\\a+).x.org");
    assert!(config.servers[0].use_ssl);
}
