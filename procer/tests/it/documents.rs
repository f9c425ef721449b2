//! The manual has a page for each command, with all of its options, and names all states.

use procer::args;

fn manual() -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs").join("manual.md");
    std::fs::read_to_string(path).unwrap()
}

/// What is between a heading and the next one.
fn section<'a>(manual: &'a str, heading: &str) -> &'a str {
    let (_, rest) = manual.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("there is no `{heading}`"));
    let ends = ["\n# ", "\n## ", "\n### "].iter().filter_map(|mark| rest.find(mark));
    &rest[..ends.min().unwrap_or(rest.len())]
}

#[test]
fn every_command_and_option_is_in_the_manual() {
    let manual = manual();
    for command in args::commands() {
        let section = section(&manual, &format!("### procer {command}"));
        let help = args::help(&command).expect("it is a command");
        let options = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
        for option in options.filter(|option| !option.is_empty() && *option != "help") {
            let option = option.trim_end_matches(',');
            assert!(section.contains(&format!("--{option}")), "`procer {command}` has no `--{option}` in the manual");
        }
        assert!(
            section.to_lowercase().contains("exit code") || command == "start",
            "`procer {command}` has no exit codes"
        );
    }
    for heading in manual.lines().filter_map(|line| line.strip_prefix("### procer ")) {
        assert!(args::commands().iter().any(|command| command == heading), "there is no `procer {heading}`");
    }
}

#[test]
fn every_state_and_file_is_in_the_manual() {
    let manual = manual();
    let states = section(&manual, "### procer's commands");
    for state in ["down", "exited", "failed", "waiting", "delayed", "starting", "up", "ready", "unready", "stopping"] {
        assert!(states.contains(&format!("`{state}`")), "{state}");
    }
    let files = section(&manual, "### Profiles");
    for file in procer::profile::FILES {
        assert!(files.contains(&format!("| `{file}` |")), "{file}");
    }
}
