//! The variables of a service: `env`, a file with lines `NAME=VALUE` or a folder with a file for each.

use std::collections::BTreeMap;

use super::{File, Trouble};

/// Names and values that a service has beside procer's own.
pub type Env = BTreeMap<String, String>;

/// What a file or folder says.
pub(super) fn parse(file: &File, troubles: &mut Vec<Trouble>) -> Env {
    match file {
        File::Text(text) => lines(text, troubles),
        File::Folder(files) => folder(files, troubles),
        File::Program(_) => {
            trouble(troubles, "env", None, "it is executable; it has to be lines `NAME=VALUE` or a folder")
        }
        File::Fault(problem) => trouble(troubles, "env", None, problem),
    }
}

fn lines(text: &str, troubles: &mut Vec<Trouble>) -> Env {
    let mut env = Env::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=') {
            Some((name, value)) if sound(name) && !value.contains('\0') => drop(env.insert(name.into(), value.into())),
            _ => drop(trouble(troubles, "env", Some(index + 1), "the line is not `NAME=VALUE`")),
        }
    }
    env
}

/// As envdir(8) has it: the first line of each file.
fn folder(files: &BTreeMap<String, File>, troubles: &mut Vec<Trouble>) -> Env {
    let mut env = Env::new();
    for (name, file) in files {
        match file {
            File::Text(text) if sound(name) && !text.contains('\0') => {
                env.insert(name.clone(), text.lines().next().unwrap_or_default().trim_end().into());
            }
            File::Fault(problem) => drop(trouble(troubles, &format!("env/{name}"), None, problem)),
            _ => drop(trouble(troubles, &format!("env/{name}"), None, "it is no plain file with a value")),
        }
    }
    env
}

fn sound(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '=' || c == '\0' || c.is_whitespace())
}

fn trouble(troubles: &mut Vec<Trouble>, file: &str, line: Option<usize>, problem: &str) -> Env {
    troubles.push(Trouble { file: file.into(), line, problem: problem.into() });
    Env::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_lines_and_a_folder_has_files() {
        let mut troubles = Vec::new();
        let text = "# comment\nPORT=6767\nGREETING=Hello, world = all\nEMPTY=\n";
        let env = parse(&File::Text(text.into()), &mut troubles);
        assert_eq!(env["GREETING"], "Hello, world = all");
        assert_eq!((env["PORT"].as_str(), env["EMPTY"].as_str(), env.len()), ("6767", "", 3));
        let files = BTreeMap::from([("PORT".to_owned(), File::Text("6767\nrest".into()))]);
        assert_eq!(parse(&File::Folder(files), &mut troubles)["PORT"], "6767");
        assert_eq!(troubles, []);
        parse(&File::Text("PORT\n=1\nA B=1".into()), &mut troubles);
        assert_eq!(troubles.len(), 3);
    }
}
