//! Every script in `tests/scripts` says exactly what its `.expected` says; every example loads.
//!
//! `UPDATE=1 cargo test -p m2sh` writes the expected files anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use m2sh::script::{Facts, run};
use mongrel2::config::{Config, Target};

fn facts() -> Facts {
    let variables = BTreeMap::from([("PORT".to_owned(), "8080".to_owned()), ("WORD".to_owned(), "many".to_owned())]);
    Facts { variables, hostname: "box".to_owned() }
}

fn scripts(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot read {folder}: {error}"));
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut scripts: Vec<_> = paths.filter(|path| path.extension().is_some_and(|kind| kind == "rhai")).collect();
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
    for script in scripts("tests/scripts") {
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
    assert!(examples.len() >= 3, "{examples:?}");
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
fn settings_mimetypes_and_the_environment_arrive() {
    let config = load("../examples/configs/settings.rhai");
    assert_eq!(config.settings["limits.url_path"], "1024");
    assert_eq!((config.servers[0].port, config.servers[0].name.as_str()), (8080, "box"));
    assert_eq!(config.mimetypes[".chart"], "application/x-chart");
    assert!(config.mimetypes.len() > 800);
}
