//! The manual is complete: commands and their options, settings and their values, objects and their fields.

use std::fs;

use m2sh::args;
use m2sh::script::{Facts, run};
use mongrel2::config::settings::{KNOWN, Kind};

use super::document;

fn manual() -> String {
    document("docs/manual.md")
}

/// What is between a heading and the next one.
fn section<'a>(manual: &'a str, heading: &str) -> &'a str {
    let begin = format!("\n{heading}\n");
    let (_, rest) = manual.split_once(&begin).unwrap_or_else(|| panic!("the manual has no heading `{heading}`"));
    let ends = ["\n# ", "\n## ", "\n### "].iter().filter_map(|mark| rest.find(mark));
    &rest[..ends.min().unwrap_or(rest.len())]
}

/// The rows of a section's tables that begin with a name, as cells without backticks.
fn rows(section: &str) -> Vec<Vec<String>> {
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().replace('`', "")).collect();
    rows.map(cells).collect()
}

#[test]
fn every_setting_is_there() {
    let manual = manual();
    let rows = rows(section(&manual, "## 6. Settings"));
    for known in KNOWN {
        let expected = match known.kind {
            Kind::Number { default, min, max } => vec![default.to_string(), format!("{min} to {max}")],
            Kind::Word(words) => vec![words[0].to_owned(), words.join(", ")],
            Kind::Text { default, form } => vec![default.to_owned(), form.words().to_owned()],
            Kind::NoEffect(why) => vec![why.to_owned()],
        };
        let row = rows.iter().find(|row| row[0] == known.name);
        let row = row.unwrap_or_else(|| panic!("the manual has no setting `{}`", known.name));
        assert_eq!(row[1..=expected.len()], expected, "{}", known.name);
    }
    assert_eq!(rows.len(), KNOWN.len(), "the manual has other settings than the code");
}

#[test]
fn what_needs_a_restart_is_there() {
    let manual = manual();
    let section = section(&manual, "### Reload");
    let restart = KNOWN.iter().filter(|known| known.restart).map(|known| known.name);
    for name in restart.chain(["chroot", "pid_file"]) {
        assert!(section.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn every_command_is_there() {
    let manual = manual();
    let commands = args::commands();
    for command in commands.iter().filter(|command| *command != "config") {
        let section = section(&manual, &format!("### m2sh {command}"));
        let words: Vec<_> = section.split([' ', '\n', '[', ']', '(', ')']).collect();
        for option in options(command) {
            for dashes in ["-", "--"] {
                let written = format!("{dashes}{option}");
                assert!(words.contains(&written.as_str()), "`m2sh {command}` has no `{written}` in the manual");
            }
        }
        assert!(section.contains("Exit code"), "`m2sh {command}` has no exit codes");
    }
    assert!(manual.contains("`m2sh config`"));
    for name in manual.lines().filter_map(|line| line.strip_prefix("### m2sh ")) {
        assert!(commands.iter().any(|command| command == name), "there is no `m2sh {name}`");
    }
}

/// A command's own long options, beside those that every command has.
fn options(command: &str) -> Vec<String> {
    let help = args::help(Some(command)).expect("it is a command");
    let options = help.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
    let names = options.map(|line| line.split([' ', '=']).next().expect("split gives one").to_owned());
    names.filter(|name| !["db", "json", "help"].contains(&name.as_str())).collect()
}

#[test]
fn every_field_is_there() {
    let manual = manual();
    for noun in ["Server", "Host", "Route", "Dir", "Proxy", "Handler"] {
        let fields = fields(noun);
        let rows = rows(section(&manual, &format!("### {noun}")));
        let written: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
        for field in &fields {
            assert!(written.contains(&field.as_str()), "{noun} has no `{field}` in the manual");
        }
        assert_eq!(written.len(), fields.len(), "{noun} has other fields in the manual: {written:?}");
    }
}

/// The fields that a script is told of when it gives one that no object has.
fn fields(noun: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("config.rhai");
    fs::write(&script, format!("{noun}(#{{ xxxxxxxxxxxxxxxx: 1 }});")).unwrap();
    let troubles = run(&script, &Facts::default()).unwrap_err();
    let prefix = format!("the fields of {noun} are ");
    let fields = troubles.iter().find_map(|trouble| trouble.hint.as_ref()?.strip_prefix(&prefix));
    fields.expect("the hint lists them").split(", ").map(str::to_owned).collect()
}

#[test]
fn every_word_is_there() {
    let manual = manual();
    for word in ["commit(servers)", "commit(servers, options)", "env(name)", "env(name, default)"] {
        assert!(manual.contains(&format!("`{word}`")), "{word}");
    }
    for word in ["hostname()", "uuid()", "import \"other\" as x;", "settings", "mimetypes"] {
        assert!(manual.contains(&format!("| `{word}` |")), "{word}");
    }
}
