//! What the documents show is so: the README's session runs, scripts load, messages parse, and the manual names
//! every command, setting and field.

mod chapter3;
mod manual;
mod protocol;
mod session;
mod transcript;

use std::fs;
use std::path::Path;
use std::process::Command;

/// A document, by its path from the root of the repository.
fn document(path: &str) -> String {
    let path = Path::new("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// The blocks of a document between "```kind" and "```".
fn blocks<'a>(document: &'a str, kind: &str) -> Vec<&'a str> {
    let begin = format!("\n```{kind}\n");
    let parts = document.split(&begin).skip(1);
    let blocks: Vec<_> = parts.map(|part| part.split("\n```\n").next().expect("split gives one")).collect();
    assert!(!blocks.is_empty(), "there are no {kind} blocks");
    blocks
}

/// m2sh in a folder, with these words.
fn m2sh(folder: &Path, words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_m2sh"));
    let output = command.args(words).current_dir(folder).env_remove("PORT").env("TOKEN", "hunter2").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert!(output.status.success(), "m2sh {words:?}\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn every_script_loads() {
    for name in ["README.md", "docs/manual.md"] {
        let document = document(name);
        // The README has none yet; `blocks` would complain.
        if !document.contains("```rhai") {
            continue;
        }
        blocks(&document, "rhai").into_iter().for_each(loads);
    }
    blocks(&document("docs/manual.md"), "conf").into_iter().for_each(loads);
}

fn loads(text: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config"), text).unwrap();
    m2sh(folder.path(), &["load", "-db", "config.sqlite", "-config", "config"]);
}
